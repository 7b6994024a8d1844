"""A task's whole life, once for each call of AWS in it, with that one call going wrong: what becomes of the task?

`make crash-table` prints the table; docs/agents.md has a copy.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from crash_points import (
    MODES,
    Call,
    Crash,
    CrashingExpress,
    CrashingTasks,
    CrashingWatch,
    CrashingWorkflow,
    CrashPoints,
)
from mirrored import Mirrored
from state_machine import Agenda, ExpressMachine, StateMachine

from a2a_lambda.agent import Agent, Retry, TaskContext
from a2a_lambda.agent.caretaker import Caretaker
from a2a_lambda.agent.execution import Executor
from a2a_lambda.agent.express import Express
from a2a_lambda.aws.workflow import task_of
from a2a_lambda.core.errors import A2AError
from a2a_lambda.core.model import INTERRUPTED, Task, TaskState, text_of
from a2a_lambda.core.operations import CancelTask, SendMessage
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.endpoint.tasks import TaskService
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.configs import PushConfigService
from a2a_lambda.testing.memory import MemoryPushConfigs, MemoryTasks, VirtualTime

WINDOW = 20.0
"""Seconds for which the caretaker's event source collects."""

ANSWERS_AFTER = 3_600.0
CANCELS_AFTER = 30.0


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


def short_agent() -> Agent:
    """What there is of that with Express: a status with an artifact, a wait, a failure, a chunk, an end."""
    short = Agent(name="Short", version="1", description="d")
    failures: list[str] = []

    @short.step
    def begin(task: TaskContext) -> None:
        task.artifact("log", "begin;", last_chunk=False)
        task.status("begun")
        task.wait(30)

    @short.step(retry=Retry(attempts=2, backoff=1))
    def work(task: TaskContext) -> None:
        task.status("working on it")
        if task.idempotency_key not in failures:
            failures.append(task.idempotency_key)
            raise OSError
        task.artifact("log", "end;", append=True)
        task.complete("done")

    return short


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
    crash_points: CrashPoints,
    *,
    repeats: bool = False,
    cancels: bool = False,
    inline_wait: float = 2.0,
    store: Any = None,
    express: bool = False,
) -> Life:
    """A life from the first message to its end, or until nothing more can happen.

    ``repeats``: the client sends again, once, what failed; otherwise it gives up. ``cancels``: instead of answering the
    question it cancels the task (with ``express``, 5 s after it was begun). ``store`` is a table other than the one in
    memory.
    """
    world = _World(crash_points, repeats, cancels, inline_wait, store, express)
    world.agenda.after(0, lambda: world.request(world.send))
    world.agenda.run()
    return world.report()


class _World:
    def __init__(
        self, crash_points: CrashPoints, repeats: bool, cancels: bool, inline_wait: float, store: Any, express: bool
    ) -> None:
        self.crash_points = crash_points
        self._repeats, self._cancels = repeats, cancels
        self._time = VirtualTime()
        self._begun = self._last_image = self._time.now
        self.agenda = Agenda(self._time)
        self._table = MemoryTasks()
        self._told: list[str] = []
        machine = ExpressMachine if express else StateMachine
        self.machine = machine(self.agenda, self._invoke, self._execution_failed)
        table = Mirrored(store, self._table) if store is not None else self._table
        tasks = CrashingTasks(table, crash_points)
        workflow = (CrashingExpress if express else CrashingWorkflow)(self.machine, crash_points)
        watch = (
            CrashingWatch(lambda task_id, seconds: self._look("watch", task_id, seconds), crash_points)
            if express
            else None
        )
        configs = PushConfigService(
            tasks, MemoryPushConfigs(self._table), WebhookPolicy(), self._time, self._time.sleep
        )
        self._service = TaskService(tasks, configs, workflow, self._time, self._time.sleep)
        self._caretaker = Caretaker(tasks, workflow, self._time, watch=watch)
        self._executor = Executor(
            short_agent() if express else agent(),
            tasks,
            self._time,
            self._time.sleep,
            lambda _: None,
            inline_wait=inline_wait,
            express=Express() if express else None,
        )
        self._cancels_at_once = cancels and express
        self._seen = 0
        self._task_id = ""

    # ------------------------------------------------------------------------------------------------ the client

    def send(self) -> None:
        self._service.send("client", self._message("start", "hello"))
        if self._cancels_at_once:
            self.agenda.after(5.0, lambda: self.request(self._cancel))

    def _answer(self) -> None:
        self._service.send("client", self._message("answer", "yes", self._task_id))

    def _cancel(self) -> None:
        self._service.cancel("client", CancelTask(self._task_id))

    def request(self, make: Callable[[], None], again: bool = True) -> None:
        try:
            with self.crash_points.by("rpc"):
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
                    with self.crash_points.by("step"):
                        return self._executor.run(task_id, lambda: 60_000)
                case "await":
                    with self.crash_points.by("await"):
                        return self._caretaker.await_input(task_id, payload["resumeToken"])
                case "expire":
                    with self.crash_points.by("expire"):
                        return self._caretaker.expire(task_id)
                case "fail":
                    with self.crash_points.by("fail"):
                        return self._caretaker.fail(task_id)
        finally:
            self._stream()
        raise AssertionError(payload)

    def _execution_failed(self, name: str) -> None:
        self._surely("rule", lambda: self._caretaker.fail(task_of(name)), 1.0)

    def _look(self, who: str, task_id: str, seconds: float) -> None:
        self._surely(who, lambda: self._caretaker.look_after(task_id), seconds)

    def _surely(self, who: str, do: Callable[[], object], seconds: float) -> None:
        """What an event source or EventBridge does: again, until it works."""

        def attempt() -> None:
            try:
                with self.crash_points.by(who):
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
                self._look("caretaker", task_id, WINDOW)
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
            calls=self.crash_points.calls,
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


def table(*, cancels: bool = False, express: bool = False) -> list[str]:
    """The table as Markdown, for a client that never sends anything twice."""
    calm = live(CrashPoints(), cancels=cancels, express=express)
    lines = [
        f"| # | who | call | {' | '.join(f'… {words}' for words in MODES.values())} |",
        "|---|---|---|" + "---|" * len(MODES),
    ]
    for call in calm.calls:
        lives = [live(CrashPoints({call.number: mode}), cancels=cancels, express=express) for mode in MODES]
        cells = [outcome(life, calm) for life in lives]
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
    lines += ["", "With `WorkflowType=EXPRESS`, a task that starts, waits for 30 s, fails once and ends:", ""]
    lines += table(express=True)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(document() + "\n")
