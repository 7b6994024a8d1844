"""For authors of agents: run a whole task in memory, in virtual time, with no AWS.

::

    run = run_agent(agent, "hello", answers=["yes"])
    assert run.state == "completed"
    assert run.text("greeting") == "Hello!"
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple, cast

from ..agent.agent import Agent, AgentError
from ..agent.caretaker import Directive
from ..agent.execution import Executor, StepFailure
from ..agent.express import Express
from ..agent.run import Halt
from ..agent.secrets import given_secrets
from ..core.blobs import PREFIX
from ..core.changes import changes
from ..core.lifecycle import conversation_id
from ..core.model import Artifact, Json, Message, Part, Task, text_of
from ..core.operations import SendMessage
from ..core.records import ContextMemory, TaskRecord
from ..endpoint.tasks import TaskService
from ..net.web import Fetch, Fetched, FetchError, FetchRequest
from ..net.webhook_url import WebhookPolicy
from ..push.configs import PushConfigService
from .memory import MemoryBlobs, MemoryContexts, MemoryPushConfigs, MemoryTasks, MemoryWorkflow, VirtualTime

Said = str | Sequence[Part]

_MOST_INVOCATIONS = 10_000
_INVOCATION_MS = 60_000


class Status(NamedTuple):
    """A status as the client's webhook receives it: ``working``, ``completed``, ``input-required`` …"""

    state: str
    text: str


@dataclass(frozen=True, slots=True)
class AgentRun:
    """What became of the task. ``task`` is its canonical A2A 1.0 JSON, ``events`` are the notifications in order,
    ``errors`` what steps raised, ``waited`` the seconds that passed in waits, ``invocations`` how often the function
    was called, ``writes`` how often it tried to write the task, ``memory`` what the agent remembers afterwards."""

    task: Task
    events: list[Json] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    waited: float = 0.0
    invocations: int = 0
    writes: int = 0
    memory: Json = field(default_factory=dict)

    @property
    def state(self) -> str:
        """The last state, as in :class:`Status`."""
        return _short(self.task["status"]["state"])

    @property
    def statuses(self) -> list[Status]:
        """All statuses in order, ``submitted`` included."""
        updates = [event["statusUpdate"]["status"] for event in self.events if "statusUpdate" in event]
        return [Status(_short(status["state"]), _text(status.get("message"))) for status in updates]

    @property
    def questions(self) -> list[str]:
        """What the client was asked, in order."""
        return [status.text for status in self.statuses if status.state in ("input-required", "auth-required")]

    @property
    def artifacts(self) -> dict[str, list[Part]]:
        """The parts of each artifact, by its name, or its id where it has none."""
        return {
            artifact.get("name", artifact["artifactId"]): artifact["parts"]
            for artifact in self.task.get("artifacts", [])
        }

    def text(self, artifact: str) -> str:
        """The text parts of an artifact, put together. Raises ``KeyError`` if there is no such artifact."""
        return "".join(part.get("text", "") for part in self.artifacts[artifact])

    def data(self, artifact: str) -> Any:
        """The first data part of an artifact. Raises ``LookupError`` if there is none."""
        return [part["data"] for part in self.artifacts[artifact] if "data" in part][0]  # noqa: RUF015


def run_agent(
    agent: Agent,
    message: Said,
    *,
    answers: Sequence[Said] = (),
    fetch: Fetch | None = None,
    crashing: bool = False,
    dies_before: int | None = None,
    dies_after: int | None = None,
    express: bool = False,
    caller: str = "author",
    context_id: str | None = None,
    metadata: Json | None = None,
    extensions: Sequence[str] = (),
    accepted_output_modes: Sequence[str] = (),
    secrets: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    memory: Mapping[str, Any] | None = None,
) -> AgentRun:
    """Run a task to its end, or to a question to which there is no answer left.

    ``message`` and ``answers`` are texts or parts. ``fetch`` answers ``task.fetch``; without it every call fails.
    ``crashing``: the function dies after every write and is called again, as on the worst of days; the result of an
    agent that keeps to the rules is the same. (A step with ``rerun="restart"`` would never end: its tries die after
    their first write, their second, and so on.) ``dies_before``, ``dies_after``: it dies once, at its write of this
    number, counted from 1; see :func:`crashed_once`. ``express``: as in an Express workflow with the template's limits.
    ``caller`` is ``task.caller``; ``context_id``, ``metadata``, ``extensions`` and ``accepted_output_modes`` are those
    of each request. ``secrets`` and ``settings`` are what ``task.secret`` and ``task.settings`` give, ``memory`` what
    ``task.memory`` has at the beginning. Raises :class:`AgentError` if the agent uses the step API wrongly, or needs
    what Express cannot do.
    """
    restarting = frozenset(step.name for step in agent.steps if step.rerun == "restart")
    deaths = _Deaths(restarting, crashing, dies_before, dies_after)
    sent = _Sent(caller, context_id, metadata or {}, frozenset(extensions), tuple(accepted_output_modes))
    given = {
        "fetch": fetch or _no_web,
        "express": Express() if express else None,
        "secrets": given_secrets(secrets or {}),
        "settings": settings or {},
    }
    world = _World(agent, deaths, sent, given)
    task_id = world.send(message)
    if memory:
        world.remembers(memory)
    left = list(answers)
    for invocation in range(1, _MOST_INVOCATIONS + 1):
        directive = world.invoke(task_id)
        if directive["next"] == "wait":
            world.time.sleep(directive["seconds"])
        elif directive["next"] == "input" and left:
            world.send(left.pop(0), task_id)
        elif directive["next"] in ("done", "input"):
            return world.report(task_id, invocation)
    raise AgentError(f"the task did not end in {_MOST_INVOCATIONS} invocations")


def crashed_once(agent: Agent, message: Said, **options: Any) -> Iterator[AgentRun]:
    """Runs in which the function dies once: before its first write, after it, before its second, and so on to the last.

    ``options`` are those of :func:`run_agent`. What holds for all of these runs holds whenever the function dies.
    """
    number = 1
    while True:
        run = run_agent(agent, message, dies_before=number, **options)
        if run.writes < number:
            return
        yield run
        yield run_agent(agent, message, dies_after=number, **options)
        number += 1


class _Crash(Halt):
    """The function dies."""


@dataclass(slots=True)
class _Deaths:
    """Which writes of the executor the function dies at. ``restarting`` are the steps that a crash starts anew."""

    restarting: frozenset[str]
    always: bool = False
    before: int | None = None
    after: int | None = None
    writes: int = 0
    _in_invocation: int = 0
    _furthest: int = 0
    _run: int = 0

    def invoked(self) -> None:
        self._in_invocation = 0

    def write(self, record: TaskRecord, store: Callable[[TaskRecord], None]) -> None:
        self.writes += 1
        self._in_invocation += 1
        if self.writes == self.before:
            raise _Crash
        store(record)
        if self.writes == self.after or (self.always and self._dies_again(record)):
            raise _Crash

    def _dies_again(self, record: TaskRecord) -> bool:
        if record.cursor.run != self._run:
            self._run, self._furthest = record.cursor.run, 0
        if record.cursor.step not in self.restarting:
            return True
        if self._in_invocation <= self._furthest:
            return False
        self._furthest = self._in_invocation
        return True


class _FragileTasks(MemoryTasks):
    """The executor's writes may be the last things that its function does."""

    def __init__(self, deaths: _Deaths) -> None:
        super().__init__()
        self._deaths = deaths
        self.fragile = False

    def update(self, record: TaskRecord) -> None:
        """See :class:`~.ports.TaskStore`."""
        if self.fragile:
            self._deaths.write(record, super().update)
        else:
            super().update(record)


@dataclass(frozen=True, slots=True)
class _Sent:
    """Who sends each message, and what comes beside it."""

    caller: str
    context_id: str | None
    metadata: Json
    extensions: frozenset[str]
    output_modes: tuple[str, ...]


class _World:
    def __init__(self, agent: Agent, deaths: _Deaths, sent: _Sent, given: Mapping[str, Any]) -> None:
        self.time = VirtualTime()
        self._start = self.time.now
        self._deaths, self._sent = deaths, sent
        self._tasks = _FragileTasks(deaths)
        self._errors: list[BaseException] = []
        configs = PushConfigService(
            self._tasks, MemoryPushConfigs(self._tasks), WebhookPolicy(), self.time, self.time.sleep
        )
        self._service = TaskService(self._tasks, configs, MemoryWorkflow(), self.time, self.time.sleep)
        self._messages = 0
        self._blobs = MemoryBlobs()
        self._contexts = MemoryContexts(self._tasks)
        self._executor = Executor(
            agent,
            self._tasks,
            self.time,
            self.time.sleep,
            self._failed,
            blobs=self._blobs,
            contexts=self._contexts,
            **given,
        )

    def remembers(self, memory: Mapping[str, Any]) -> None:
        """From the task that is there on, its conversation has this memory."""
        (record,) = self._tasks.records.values()
        conversation = conversation_id(record.owner, record.task["contextId"])
        expires_at = int((self.time.now + timedelta(days=30)).timestamp())
        self._contexts.items[conversation] = ContextMemory(conversation, dict(memory), 1, expires_at)

    def send(self, said: Said, task_id: str | None = None) -> str:
        self._messages += 1
        parts: list[Part] = [{"text": said}] if isinstance(said, str) else list(said)
        message: Message = {"messageId": f"message-{self._messages}", "role": "ROLE_USER", "parts": parts}
        if task_id is not None:
            message["taskId"] = task_id
        if self._sent.context_id is not None:
            message["contextId"] = self._sent.context_id
        beside = self._sent
        request = SendMessage(
            message, "1.0", extensions=beside.extensions, metadata=beside.metadata, output_modes=beside.output_modes
        )
        return str(self._service.send(beside.caller, request)["id"])  # type: ignore[typeddict-item]

    def invoke(self, task_id: str) -> Directive:
        self._tasks.fragile = True
        self._deaths.invoked()
        try:
            return self._executor.run(task_id, lambda: _INVOCATION_MS)
        except _Crash:
            return {"next": "step"}
        finally:
            self._tasks.fragile = False

    def report(self, task_id: str, invocations: int) -> AgentRun:
        events: list[Json] = []
        for old, new in self._tasks.images:
            if new is not None:
                change = changes(
                    old.task if old else None, new.task, new.generation, new.open_artifacts, new.lengthened
                )
                events += change.events
        waited = (self.time.now - self._start).total_seconds()
        task = self._restored(self._tasks.records[task_id].task)
        remembered = [memory.content for memory in self._contexts.items.values()]
        memory = remembered[0] if remembered else {}
        return AgentRun(task, events, self._errors, waited, invocations, self._deaths.writes, memory)

    def _restored(self, task: Task) -> Task:
        """The task with large contents in their places, as if the author's test had followed the links."""
        artifacts = task.get("artifacts", [])
        if not artifacts:
            return task
        restored = [cast("Artifact", {**each, "parts": [*map(self._part, each["parts"])]}) for each in artifacts]
        return {**task, "artifacts": restored}

    def _part(self, part: Part) -> Part:
        kept = self._blobs.contents.get(part.get("url", "").removeprefix(PREFIX))
        if kept is None:
            return part
        body, media_type = kept
        if media_type == "application/json":
            return {"data": json.loads(body)}
        return {"text": body.decode()} if media_type.startswith("text/") else {"raw": base64.b64encode(body).decode()}

    def _failed(self, failure: StepFailure) -> None:
        if isinstance(failure.exception, AgentError):
            raise failure.exception
        self._errors.append(failure.exception)


def _no_web(request: FetchRequest) -> Fetched:
    raise FetchError(f"run_agent was given no fetch= to answer {request.url}")


def _short(state: str) -> str:
    return state.removeprefix("TASK_STATE_").lower().replace("_", "-")


def _text(message: Message | None) -> str:
    return text_of(message) if message is not None else ""
