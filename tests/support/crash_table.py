"""A task's whole life, once for each call of AWS in it, with that one call going wrong: what becomes of the task?

`make crash-table` prints the table; docs/agents.md has a copy.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mirrored import Mirrored
from state_machine import Agenda, StateMachine

from a2a_lambda.agent import Agent, Retry, TaskContext
from a2a_lambda.caretaker import Caretaker
from a2a_lambda.errors import A2AError
from a2a_lambda.execution import Executor
from a2a_lambda.model import INTERRUPTED, Task, TaskState, text_of
from a2a_lambda.operations import CancelTask, SendMessage
from a2a_lambda.ports import TaskStore, Unavailable
from a2a_lambda.push_configs import PushConfigService
from a2a_lambda.records import PushConfig, ResumeToken, TaskRecord
from a2a_lambda.tasks import TaskService
from a2a_lambda.testing import MemoryPushConfigs, MemoryTasks, VirtualTime
from a2a_lambda.webhook_url import WebhookPolicy

MODES = {
    "before": "dies before it",
    "after": "dies after it",
    "refused": "is throttled",
    "lost": "loses the answer",
}
"""What may happen to a call: the process dies before or after it; the service refuses it, or does it and the answer
does not arrive."""

WINDOW = 20.0
"""Seconds for which the caretaker's event source collects."""

ANSWERS_AFTER = 3_600.0
CANCELS_AFTER = 30.0


class Crash(BaseException):
    """The process dies."""


@dataclass(frozen=True)
class Call:
    """``who`` made ``what``; ``number`` counts all calls of a life from 0."""

    number: int
    who: str
    what: str


class Fates:
    """Decides for each call of a port what happens to it: ``plan`` is from numbers of calls to one of ``MODES``."""

    def __init__(self, plan: Mapping[int, str] | None = None) -> None:
        self._plan = plan or {}
        self.calls: list[Call] = []
        self.who = ""

    @contextmanager
    def by(self, who: str) -> Iterator[None]:
        before, self.who = self.who, who
        try:
            yield
        finally:
            self.who = before

    def call(self, what: str, do: Callable[[], Any]) -> Any:
        number = len(self.calls)
        self.calls.append(Call(number, self.who, what))
        mode = self._plan.get(number)
        if mode is None:
            return do()
        if mode == "before":
            raise Crash
        if mode == "refused":
            raise Unavailable("ThrottlingException")
        do()
        if mode == "after":
            raise Crash
        raise Unavailable("ReadTimeoutError")


class FatedTasks:
    """The table behind the fates."""

    def __init__(self, store: TaskStore, fates: Fates) -> None:
        self._store, self._fates = store, fates

    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        created: bool = self._fates.call("create the task", lambda: self._store.create(record, configs))
        return created

    def get(self, task_id: str) -> TaskRecord | None:
        found: TaskRecord | None = self._fates.call("read the task", lambda: self._store.get(task_id))
        return found

    def update(self, record: TaskRecord) -> None:
        state = record.state.removeprefix("TASK_STATE_").lower().replace("_", "-")
        self._fates.call(f"write generation {record.generation} ({state})", lambda: self._store.update(record))

    def set_resume_token(self, task_id: str, token: ResumeToken) -> TaskRecord | None:
        kept: TaskRecord | None = self._fates.call(
            "keep the token", lambda: self._store.set_resume_token(task_id, token)
        )
        return kept

    def query(self, query: Any) -> Any:
        raise NotImplementedError


class FatedWorkflow:
    """Step Functions behind the fates."""

    def __init__(self, machine: StateMachine, fates: Fates) -> None:
        self._machine, self._fates = machine, fates

    def start(self, task_id: str) -> None:
        self._fates.call("start the execution", lambda: self._machine.start(task_id))

    def stop(self, task_id: str) -> None:
        self._fates.call("stop the execution", lambda: self._machine.stop(task_id))

    def resume(self, token: str) -> None:
        self._fates.call("resume the execution", lambda: self._machine.resume(token))


def agent() -> Agent:
    """One of everything: a status with an artifact, a long and a short wait, a chunk, a question, a failure, an end."""
    whole = Agent(name="Whole", version="1", description="d")
    failures: list[str] = []

    @whole.step
    def begin(task: TaskContext) -> None:
        task.artifact("log", "begin;", last_chunk=False)
        task.status("begun")
        task.wait(300)

    @whole.step
    def ask(task: TaskContext) -> None:
        task.artifact("log", "ask;", append=True, last_chunk=False)
        task.require_input("go on?")

    @whole.step(wait=1, retry=Retry(attempts=2, backoff=1))
    def work(task: TaskContext) -> None:
        task.artifact("log", f"{task.text};", append=True, last_chunk=False)
        task.status("working on it")
        if task.idempotency_key not in failures:
            failures.append(task.idempotency_key)
            raise OSError
        task.status("did it")

    @whole.step
    def end(task: TaskContext) -> None:
        task.artifact("log", "end;", append=True)
        task.complete("done")

    return whole


@dataclass
class Life:
    """How a life went. ``statuses`` are those in order, with their texts; ``told`` are the errors of the client."""

    calls: list[Call]
    task: Task | None
    statuses: list[tuple[str, str]]
    log: str
    running: list[str]
    transitions: int
    trail: list[str]
    duration: timedelta
    told: list[str]
    images: list[tuple[TaskRecord | None, TaskRecord | None]] = field(repr=False, default_factory=list)

    @property
    def state(self) -> str:
        return self.statuses[-1][0] if self.statuses else "no task"


def live(
    fates: Fates, *, repeats: bool = False, cancels: bool = False, inline_wait: float = 2.0, store: Any = None
) -> Life:
    """A life from the first message to its end, or until nothing more can happen.

    ``repeats``: the client sends again, once, what failed; otherwise it gives up. ``cancels``: instead of answering the
    question it cancels the task. ``store`` is a table other than the one in memory.
    """
    world = _World(fates, repeats, cancels, inline_wait, store)
    world.agenda.after(0, lambda: world.request(world.send))
    world.agenda.run()
    return world.report()


class _World:
    def __init__(self, fates: Fates, repeats: bool, cancels: bool, inline_wait: float, store: Any) -> None:
        self.fates = fates
        self._repeats, self._cancels = repeats, cancels
        self._time = VirtualTime()
        self._begun = self._last_image = self._time.now
        self.agenda = Agenda(self._time)
        self._table = MemoryTasks()
        self._told: list[str] = []
        self.machine = StateMachine(self.agenda, self._invoke, self._execution_failed)
        table = Mirrored(store, self._table) if store is not None else self._table
        tasks, workflow = FatedTasks(table, fates), FatedWorkflow(self.machine, fates)
        configs = PushConfigService(tasks, MemoryPushConfigs(self._table), WebhookPolicy(), self._time)
        self._service = TaskService(tasks, configs, workflow, self._time, self._time.sleep)
        self._caretaker = Caretaker(tasks, workflow, self._time)
        self._executor = Executor(agent(), tasks, self._time, self._time.sleep, lambda _: None, inline_wait=inline_wait)
        self._seen = 0
        self._task_id = ""

    # ------------------------------------------------------------------------------------------------ the client

    def send(self) -> None:
        self._service.send("client", self._message("start", "hello"))

    def _answer(self) -> None:
        self._service.send("client", self._message("answer", "yes", self._task_id))

    def _cancel(self) -> None:
        self._service.cancel("client", CancelTask(self._task_id))

    def request(self, make: Callable[[], None], again: bool = True) -> None:
        try:
            with self.fates.by("rpc"):
                make()
        except (Crash, Unavailable, A2AError) as error:
            self._told.append(type(error).__name__)
            if self._repeats and again and not isinstance(error, A2AError):
                self.agenda.after(60, lambda: self.request(make, again=False))
        self._stream()

    def _message(self, message_id: str, text: str, task_id: str = "") -> SendMessage:
        message: Any = {"messageId": message_id, "role": "ROLE_USER", "parts": [{"text": text}], "contextId": "c"}
        if task_id:
            message["taskId"] = task_id
        return SendMessage(message, "1.0")

    # --------------------------------------------------------------------------------------------- the functions

    def _invoke(self, payload: dict[str, Any]) -> Any:
        """What functions/executor/app.py does."""
        task_id = payload["taskId"]
        try:
            match payload["action"]:
                case "run":
                    with self.fates.by("step"):
                        return self._executor.run(task_id, lambda: 60_000)
                case "await":
                    with self.fates.by("await"):
                        return self._caretaker.await_input(task_id, payload["resumeToken"])
                case "expire":
                    with self.fates.by("expire"):
                        return self._caretaker.expire(task_id)
                case "fail":
                    with self.fates.by("fail"):
                        return self._caretaker.fail(task_id)
        finally:
            self._stream()
        raise AssertionError(payload)

    def _execution_failed(self, task_id: str) -> None:
        self._surely("rule", lambda: self._caretaker.fail(task_id), 1.0)

    def _surely(self, who: str, do: Callable[[], object], seconds: float) -> None:
        """What an event source or EventBridge does: again, until it works."""

        def attempt() -> None:
            try:
                with self.fates.by(who):
                    do()
            except (Crash, Unavailable):
                self._surely(who, do, 60.0)
            self._stream()

        self.agenda.after(seconds, attempt)

    # ------------------------------------------------------------------------------------------------ the stream

    def _stream(self) -> None:
        """New images: the caretaker's filter, and a client who hears of the question by its webhook."""
        images, self._seen = self._table.images[self._seen :], len(self._table.images)
        for old, new in images:
            assert new is not None
            self._last_image = self._time.now
            self._task_id = task_id = new.task_id
            if old is None or (old.state in INTERRUPTED and new.state is TaskState.WORKING):
                self._surely("caretaker", lambda task_id=task_id: self._caretaker.revive(task_id), WINDOW)
            if new.interrupted and (old is None or not old.interrupted):
                act, pause = (self._cancel, CANCELS_AFTER) if self._cancels else (self._answer, ANSWERS_AFTER)
                self.agenda.after(pause, lambda act=act: self.request(act))

    def report(self) -> Life:
        record = self._table.records.get(self._task_id)
        statuses: list[tuple[str, str]] = []
        for old, new in self._table.images:
            assert new is not None
            status = new.task["status"]
            if old is None or old.task["status"] != status:
                text = text_of(status["message"]) if "message" in status else ""
                statuses.append((status["state"].removeprefix("TASK_STATE_").lower().replace("_", "-"), text))
        artifacts = record.task.get("artifacts", []) if record else []
        log = "".join(part["text"] for artifact in artifacts for part in artifact["parts"])
        executions = self.machine.executions.values()
        return Life(
            calls=self.fates.calls,
            task=record.task if record else None,
            statuses=statuses,
            log=log,
            running=[execution.name for execution in executions if execution.status == "RUNNING"],
            transitions=sum(execution.transitions for execution in executions),
            trail=[state for execution in executions for state in execution.trail],
            duration=self._last_image - self._begun,
            told=self._told,
            images=self._table.images,
        )


def outcome(life: Life, calm: Life) -> str:
    """One cell of the table."""
    if life.task is None:
        return "no task, and the client knows"
    late = (life.duration - calm.duration).total_seconds()
    if life.state != calm.state:
        return f"{life.state}: {life.statuses[-1][1]}" if life.statuses[-1][1] else life.state
    return life.state if late <= 0 else f"{life.state}, {_span(late)} later"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def summary(lives: Sequence[Life]) -> str:
    """How many lives ended in which state."""
    counted = Counter(life.state for life in lives)
    return ", ".join(f"{count} {state}" for state, count in counted.most_common())


def table(*, cancels: bool = False) -> list[str]:
    """The table as Markdown, for a client that never sends anything twice."""
    calm = live(Fates(), cancels=cancels)
    lines = [
        f"| # | who | call | {' | '.join(f'… {words}' for words in MODES.values())} |",
        "|---|---|---|" + "---|" * len(MODES),
    ]
    for call in calm.calls:
        cells = [outcome(live(Fates({call.number: mode}), cancels=cancels), calm) for mode in MODES]
        lines.append(f"| {call.number + 1} | {call.who} | {call.what} | {' | '.join(cells)} |")
    return lines


def document() -> str:
    """What docs/agents.md shows."""
    lines = [
        "A task that starts, waits, asks, fails once, goes on and ends; its client never sends anything twice:",
        "",
    ]
    lines += table()
    lines += ["", "The same task, canceled by its client while it waits for the answer:", ""]
    lines += table(cancels=True)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(document() + "\n")
