"""What the author of an agent writes with: an agent is a card and a list of Python steps.

::

    agent = Agent(name="Greeter", version="1.0.0", description="Greets.")

    @agent.step
    def greet(task):
        task.artifact("greeting", text=f"Hello, {task.text}!")
        task.complete("Greeted.")

Steps run one after the other. Each is run again if it is interrupted by a crash; what it has written by then is not
written twice, because writes are numbered. Effects outside the task should use ``task.idempotency_key``.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, overload

from .model import Artifact, Json, Message, Part, Task, TaskState, dumps, text_of

MAX_STATE = 32_768
"""Bytes of ``task.state`` as JSON."""

MAX_WAIT = 31_536_000
"""Seconds in a year: the longest that Step Functions can wait."""


class AgentError(Exception):
    """The agent's code uses the step API in a way that cannot work. The text is for its author."""


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill on the agent card (specification section 4.4.5)."""

    id: str
    name: str
    description: str
    tags: Sequence[str] = ()
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step that raises is run in all, and the seconds before the next try, doubled each time.

    ``on`` are the exceptions that are worth another try; any other ends the task as failed.
    """

    attempts: int = 3
    backoff: float = 2.0
    on: tuple[type[Exception], ...] = (Exception,)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a function of the task. ``wait`` seconds pass before it; ``retry`` None: one failure ends the task."""

    name: str
    function: Callable[[TaskContext], object]
    wait: float = 0.0
    retry: Retry | None = None


StepFunction = Callable[["TaskContext"], object]


@dataclass(eq=False)
class Agent:
    """The card of an agent and its steps. Raises :class:`AgentError` at import for what cannot work."""

    name: str
    version: str
    description: str
    skills: Sequence[Skill] = ()
    input_modes: Sequence[str] = ("text/plain", "application/json")
    output_modes: Sequence[str] = ("text/plain", "application/json")
    provider: Mapping[str, str] | None = None
    documentation_url: str | None = None
    steps: list[Step] = field(default_factory=list)

    @overload
    def step(self, function: StepFunction, /) -> StepFunction: ...

    @overload
    def step(
        self, /, *, wait: float = 0.0, retry: Retry | None = None, name: str | None = None
    ) -> Callable[[StepFunction], StepFunction]: ...

    def step(
        self,
        function: StepFunction | None = None,
        /,
        *,
        wait: float = 0.0,
        retry: Retry | None = None,
        name: str | None = None,
    ) -> Any:
        """Declare the next step. ``wait`` is in seconds; ``name`` is for ``goto`` and defaults to the function's."""

        def declare(declared: StepFunction) -> StepFunction:
            step_name = name or getattr(declared, "__name__", "")
            if not step_name or any(step.name == step_name for step in self.steps):
                raise AgentError(f"agent {self.name!r}: two steps are named {step_name!r}")
            if not 0 <= wait <= MAX_WAIT:
                raise AgentError(f"step {step_name!r}: wait must be between 0 and {MAX_WAIT} seconds")
            if retry is not None and (retry.attempts < 1 or retry.backoff < 0):
                raise AgentError(f"step {step_name!r}: retry needs at least one attempt and no negative backoff")
            self.steps.append(Step(step_name, declared, wait, retry))
            return declared

        return declare(function) if function is not None else declare

    def step_named(self, name: str) -> Step:
        """The step of this name. Raises :class:`AgentError` if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise AgentError(f"agent {self.name!r} has no step {name!r}")

    def step_after(self, name: str) -> Step | None:
        """The step declared after this one; None at the end."""
        place = self.steps.index(self.step_named(name)) + 1
        return self.steps[place] if place < len(self.steps) else None


@dataclass(frozen=True, slots=True)
class Next:
    """What a step asked for at its end: which step comes next (None: the one declared after it), and when."""

    step: str | None = None
    wait: float | None = None


class Recorder(Protocol):
    """How a step's writes reach the task; ``execution`` has the real one."""

    @property
    def task(self) -> Task:
        """The task as the step knows it."""

    def write(self, change: TaskWrite) -> None:
        """Record the change as one generation of the task."""

    def read(self) -> Task:
        """The task as it is stored now."""


@dataclass(frozen=True, slots=True)
class TaskWrite:
    """One write of a step: artifacts, then a status. ``then`` is the step that comes after an interruption, ``memory``
    the ``task.state`` to keep through it."""

    artifacts: Sequence[tuple[Artifact, bool, bool]] = ()
    """Artifact, append, last chunk."""
    state: TaskState | None = None
    parts: Sequence[Part] = ()
    then: str | None = None
    memory: dict[str, Any] = field(default_factory=dict)


class TaskContext:
    """The task as a step sees it, and what it may do with it.

    Attributes:
        id, context_id: as on the wire.
        message: the client's latest message; ``text`` is its text.
        state: a small dictionary of JSON values that survives from step to step.
        idempotency_key: the same whenever this run of this step is repeated after a crash, different otherwise.
    """

    def __init__(
        self, recorder: Recorder, state: dict[str, Any], idempotency_key: str, remaining_ms: Callable[[], int]
    ) -> None:
        self._recorder = recorder
        self._pending: list[tuple[Artifact, bool, bool]] = []
        self._ended = False
        self.next = Next()
        self.state = state
        self.idempotency_key = idempotency_key
        self.remaining_ms = remaining_ms
        self.id = recorder.task["id"]
        self.context_id = recorder.task["contextId"]

    @property
    def history(self) -> list[Message]:
        """All messages so far, oldest first."""
        return self._recorder.task.get("history", [])

    @property
    def message(self) -> Message:
        """The client's latest message."""
        return [message for message in self.history if message["role"] == "ROLE_USER"][-1]

    @property
    def text(self) -> str:
        """The text of the client's latest message."""
        return text_of(self.message)

    def artifact(
        self,
        name: str,
        text: str | None = None,
        *,
        data: Any = None,
        url: str | None = None,
        parts: Sequence[Part] | None = None,
        media_type: str | None = None,
        description: str | None = None,
        append: bool = False,
        last_chunk: bool = True,
    ) -> None:
        """Add an artifact, or (``append``) more parts to the one of this name. Written with the next status, or at the
        end of the step. The name identifies it: the same name again, without ``append``, replaces it."""
        self._open()
        artifact: Artifact = {
            "artifactId": str(uuid.uuid5(uuid.UUID(self.id), name)),
            "name": name,
            "parts": list(parts) if parts is not None else [_part(text, data, url, media_type)],
        }
        if not artifact["parts"]:
            raise AgentError(f"artifact {name!r} has no parts")
        if description is not None:
            artifact["description"] = description
        self._pending.append((artifact, append, last_chunk))

    def status(self, text: str | None = None, *, data: Any = None) -> None:
        """Say how far the work has come: state ``working``. One write, so one notification."""
        self._write(TaskState.WORKING, text, data)

    def complete(self, text: str | None = None, *, data: Any = None) -> None:
        """End the task as completed. A last step that just returns does the same."""
        self._end(TaskState.COMPLETED, text, data)

    def fail(self, text: str | None = None, *, data: Any = None) -> None:
        """End the task as failed."""
        self._end(TaskState.FAILED, text, data)

    def reject(self, text: str | None = None, *, data: Any = None) -> None:
        """End the task as rejected: the agent will not do it."""
        self._end(TaskState.REJECTED, text, data)

    def require_input(self, text: str, *, data: Any = None, then: str | None = None) -> None:
        """Ask the client. The task waits, for days if need be; its answer is ``task.message`` in the next step, or in
        the one named ``then``."""
        self._end(TaskState.INPUT_REQUIRED, text, data, then)

    def require_auth(self, text: str, *, data: Any = None, then: str | None = None) -> None:
        """Ask the client to authorize something out of band; otherwise like :meth:`require_input`."""
        self._end(TaskState.AUTH_REQUIRED, text, data, then)

    def goto(self, step: str, *, wait: float | None = None) -> None:
        """Go on with the named step, after ``wait`` seconds (None: the wait that step declares)."""
        self._open()
        self.next = Next(step, _checked_wait(wait))

    def wait(self, seconds: float) -> None:
        """Go on with the next step after so many seconds."""
        self.next = Next(self.next.step, _checked_wait(seconds))

    def repeat(self, *, wait: float = 0.0) -> None:
        """Run this step again, after ``wait`` seconds."""
        self.goto("", wait=wait)

    def canceled(self) -> bool:
        """Whether the client has canceled the task meanwhile. Costs a read; for steps that run long."""
        return self._recorder.read()["status"]["state"] == TaskState.CANCELED

    def finish(self) -> Sequence[tuple[Artifact, bool, bool]]:
        """The artifacts that wait for a write: the runtime calls this at the end of the step."""
        pending, self._pending = self._pending, []
        return pending

    @property
    def ended(self) -> bool:
        """Whether the step has ended the task or asked the client."""
        return self._ended

    def _end(self, state: TaskState, text: str | None, data: Any, then: str | None = None) -> None:
        self._write(state, text, data, then)
        self._ended = True

    def _write(self, state: TaskState, text: str | None, data: Any, then: str | None = None) -> None:
        self._open()
        parts = [_part(text, data, None, None)] if text is not None or data is not None else []
        check_state(self.state)
        self._recorder.write(TaskWrite(self.finish(), state, parts, then, self.state))

    def _open(self) -> None:
        if self._ended:
            raise AgentError("nothing can follow the call that ended the task or asked the client: return after it")


def check_state(state: dict[str, Any]) -> None:
    """Raises :class:`AgentError` if ``task.state`` is not JSON or too large."""
    try:
        size = len(dumps(state).encode())
    except (TypeError, ValueError):
        raise AgentError("task.state must hold JSON values only") from None
    if size > MAX_STATE:
        raise AgentError(f"task.state has {size} bytes as JSON, {MAX_STATE} are possible")


def _checked_wait(seconds: float | None) -> float | None:
    if seconds is not None and not 0 <= seconds <= MAX_WAIT:
        raise AgentError(f"a wait must be between 0 and {MAX_WAIT} seconds")
    return seconds


def _part(text: str | None, data: Any, url: str | None, media_type: str | None) -> Part:
    part: Part = {}
    if text is not None:
        part["text"] = text
    elif url is not None:
        part["url"] = url
    else:
        part["data"] = data
    if media_type is not None:
        part["mediaType"] = media_type
    return part


__all__ = ["Agent", "AgentError", "Json", "Message", "Part", "Retry", "Skill", "TaskContext"]
