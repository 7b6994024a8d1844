"""Ports whose calls fail as planned: the process dies before or after a call, or the service refuses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from state_machine import StateMachine

from a2a_lambda.agent.run import Halt
from a2a_lambda.core.ports import TaskPage, TaskQuery, TaskStore, Unavailable
from a2a_lambda.core.records import PushConfig, ResumeToken, TaskRecord

MODES = {
    "before": "dies before it",
    "after": "dies after it",
    "refused": "is throttled",
    "lost": "loses the answer",
}
"""What may happen to a call: the process dies before or after it; the service refuses it, or does it and the answer
does not arrive."""


class Crash(Halt):
    """The process dies."""


@dataclass(frozen=True)
class Call:
    """``who`` made ``what``; ``number`` counts all calls of a life from 0."""

    number: int
    who: str
    what: str


class CrashPoints:
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


class CrashingTasks:
    """The table behind the crash points."""

    def __init__(self, store: TaskStore, crash_points: CrashPoints) -> None:
        self._store, self._crash_points = store, crash_points

    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        created: bool = self._crash_points.call("create the task", lambda: self._store.create(record, configs))
        return created

    def get(self, task_id: str) -> TaskRecord | None:
        found: TaskRecord | None = self._crash_points.call("read the task", lambda: self._store.get(task_id))
        return found

    def update(self, record: TaskRecord) -> None:
        state = record.state.removeprefix("TASK_STATE_").lower().replace("_", "-")
        self._crash_points.call(f"write generation {record.generation} ({state})", lambda: self._store.update(record))

    def set_resume_token(self, task_id: str, token: ResumeToken) -> TaskRecord | None:
        kept: TaskRecord | None = self._crash_points.call(
            "keep the token", lambda: self._store.set_resume_token(task_id, token)
        )
        return kept

    def query(self, query: TaskQuery) -> TaskPage:
        page: TaskPage = self._crash_points.call("list tasks", lambda: self._store.query(query))
        return page


class CrashingWorkflow:
    """Step Functions behind the crash points."""

    def __init__(self, machine: StateMachine, crash_points: CrashPoints) -> None:
        self._machine, self._crash_points = machine, crash_points

    def start(self, task_id: str, created_at: datetime) -> None:
        self._crash_points.call("start the execution", lambda: self._machine.start(task_id, created_at))

    def stop(self, task_id: str, created_at: datetime) -> None:
        self._crash_points.call("stop the execution", lambda: self._machine.stop(task_id, created_at))

    def resume(self, token: str) -> None:
        self._crash_points.call("resume the execution", lambda: self._machine.resume(token))


class CrashingExpress(CrashingWorkflow):
    """Step Functions behind the crash points, with Express executions: like the adapter, it stops and resumes none."""

    def stop(self, task_id: str, created_at: datetime) -> None:
        """Nothing."""

    def resume(self, token: str) -> None:
        """Nothing."""


class CrashingWatch:
    """The caretaker's queue behind the crash points. ``bring`` has the caretaker look at a task in so many seconds."""

    def __init__(self, bring: Callable[[str, float], None], crash_points: CrashPoints) -> None:
        self._bring, self._crash_points = bring, crash_points

    def later(self, task_id: str, seconds: float) -> None:
        self._crash_points.call("watch the task", lambda: self._bring(task_id, seconds))
