"""Keeps a task from hanging, whatever became of its agent or of an execution. Knows no agent: one that cannot even be
imported must not keep its tasks from ending."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from ..core.lifecycle import agent_message, expiry, with_status
from ..core.model import TaskState
from ..core.ports import Clock, Conflict, TaskStore, Unavailable, Watch, Workflow
from ..core.records import ResumeToken, TaskRecord

_TRIES = 5

STARTED = 20.0
"""Seconds: a task that is older and still submitted has no execution, or one that cannot begin."""

OVER = 330.0
"""Seconds: no Express execution of a task that is older does anything. It lives for 300, and began with the task."""


class Directive(TypedDict, total=False):
    """What the state machine is to do next: run again, wait ``seconds``, await the client, or end."""

    next: Literal["step", "wait", "input", "done"]
    seconds: int


@dataclass(frozen=True, slots=True)
class Caretaker:
    """The parts of a task's life that are the same for every agent. ``watch`` is there where executions are Express."""

    store: TaskStore
    workflow: Workflow
    clock: Clock
    retention: timedelta = timedelta(days=30)
    watch: Watch | None = None

    def await_input(self, task_id: str, token: str) -> None:
        """Keep the token with which the execution goes on when the client answers.

        A client may have answered before the token was there: then the execution goes on at once.
        """
        record = self.store.get(task_id)
        if record is not None:
            record = self.store.set_resume_token(task_id, ResumeToken(token, record.cursor.run))
        if record is None or not record.interrupted:
            self.workflow.resume(token)

    def expire(self, task_id: str) -> Directive:
        """The time for an answer is over. The table decides: who has answered in time is heard, even if the execution
        was not told of it."""
        for _ in range(_TRIES):
            record = self.store.get(task_id)
            if record is None or record.terminal:
                return {"next": "done"}
            if not record.interrupted:
                return {"next": "step"}
            with suppress(Conflict):
                self._end(record, "No answer came in time.")
                return {"next": "done"}
        raise Unavailable

    def fail(self, task_id: str) -> Directive:
        """The last resort, when steps or an execution cannot go on: end the task as failed, unless it has ended."""
        self.end_abandoned(task_id)
        return {"next": "done"}

    def end_abandoned(self, task_id: str) -> bool:
        """End the task as failed; False if it has ended already or is not there."""
        for _ in range(_TRIES):
            record = self.store.get(task_id)
            if record is None or record.terminal:
                return False
            with suppress(Conflict):
                self._end(record, "The agent stopped unexpectedly.")
                return True
        raise Unavailable

    def look_after(self, task_id: str) -> Literal["started", "resumed", "failed"] | None:
        """Do what the task needs from outside to go on, or to end; what it was, or None. Harmless if it needs nothing.

        Raises :class:`Unavailable`: to be called again.
        """
        return self.revive(task_id) if self.watch is None else self._watch_over(task_id, self.watch)

    def revive(self, task_id: str) -> Literal["started", "resumed"] | None:
        """Do again what a request may have failed to do after its write: start the execution of a new task, or let it
        go on after an answer. Harmless where it was done."""
        record = self.store.get(task_id)
        if record is None or record.terminal or record.interrupted:
            return None
        if record.state is TaskState.SUBMITTED:
            self.workflow.start(task_id, record.created_at)
            return "started"
        if record.resume_token is not None and record.resume_token.run == record.cursor.run:
            self.workflow.resume(record.resume_token.token)
            return "resumed"
        return None

    def _watch_over(self, task_id: str, watch: Watch) -> Literal["started", "failed"] | None:
        """An Express execution may end past every catch, and nothing tells of it: so a task is looked at until it has
        ended, and ended once no execution can do so. A second start is a second execution, harmless but not free: so
        a task whose own start is probably under way gets none."""
        record = self.store.get(task_id)
        if record is None or record.terminal:
            return None
        age = (self.clock() - record.created_at).total_seconds()
        if age >= OVER:
            self.fail(task_id)
            return "failed"
        submitted = record.state is TaskState.SUBMITTED
        watch.later(task_id, (STARTED if submitted and age < STARTED else OVER) - age)
        if submitted and age >= STARTED:
            self.workflow.start(task_id, record.created_at)
            return "started"
        return None

    def _end(self, record: TaskRecord, text: str) -> None:
        self.store.update(failed(record, text, self.clock(), self.retention))


def failed(record: TaskRecord, text: str, now: datetime, retention: timedelta) -> TaskRecord:
    """The next generation of the task, in which the runtime has ended it as failed and says why."""
    message = agent_message(record.task, str(uuid.uuid5(uuid.UUID(record.task_id), text)), [{"text": text}])
    task = with_status(record.task, TaskState.FAILED, now, message)
    return record.next(task, expires_at=expiry(now, True, retention))
