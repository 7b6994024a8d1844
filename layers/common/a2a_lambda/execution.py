"""Runs the agent's steps and records what they do, each write once (specification section 3.4, and the step API).

The task is the only place that knows how far its agent has come (:class:`~.records.Cursor`); an invocation reads it and
goes on from there. So a repeated, a late, or a duplicate invocation is harmless:

* a write carries the generation it was made on, so of two writers one wins;
* the writes of a run are numbered, so a run that is repeated skips those that are recorded;
* a task that has ended takes no more writes, so a canceled task stays canceled.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from .agent import Agent, AgentError, Step, TaskContext, TaskWrite, check_state
from .lifecycle import agent_message, with_artifact, with_status
from .model import INTERRUPTED, TERMINAL, Message, Task, TaskState, dumps
from .ports import Clock, Conflict, TaskStore, Unavailable, Workflow
from .records import Cursor, ResumeToken, TaskRecord
from .tasks import expiry

MAX_DOCUMENT = 350_000
"""Bytes of a task as JSON: an item of DynamoDB holds 400 kB with everything beside it."""

_SPENT = 0.1
"""Share of an invocation's time after which it starts no further step, so that each step has (almost) all of it."""


class Directive(TypedDict, total=False):
    """What the state machine is to do next: run again, wait ``seconds``, await the client, or end."""

    next: Literal["step", "wait", "input", "done"]
    seconds: int


class _Over(Exception):
    """The task has ended under the step's hands: it was canceled, or another invocation ended it."""


class _Superseded(Unavailable):
    """Another invocation runs the same step and is ahead. Retrying finds what it left."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """For the log: what an agent's step raised, and where. Not its text, which may hold anything."""

    step: str
    error: str
    where: str


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs the steps of one agent.

    ``inline_wait`` is the longest wait in seconds that is slept through here: a second of this function costs less
    than the two state transitions that a wait in the state machine takes. ``on_failure`` is told of steps that raise.
    """

    agent: Agent
    store: TaskStore
    workflow: Workflow
    clock: Clock
    sleep: Callable[[float], None]
    on_failure: Callable[[StepFailure], None]
    retention: timedelta = timedelta(days=30)
    task_timeout: timedelta = timedelta(days=365)
    inline_wait: float = 2.0

    def run(self, task_id: str, remaining_ms: Callable[[], int]) -> Directive:
        """Go on with the task until it ends, asks its client, has to wait, or the invocation has done its share."""
        budget = remaining_ms()
        record = self.store.get(task_id)
        while record is not None and not record.terminal:
            if record.interrupted:
                return {"next": "input"}
            if self.clock() > record.created_at + self.task_timeout:
                self._end(record, TaskState.FAILED, "The task took longer than it may.")
                break
            if record.cursor.step is None:
                record = self._begin(record)
                continue
            delay = self._delay(record.cursor)
            fresh_enough = remaining_ms() > budget * (1 - _SPENT)
            if delay > 0:
                if delay > self.inline_wait or not fresh_enough:
                    return {"next": "wait", "seconds": math.ceil(delay)}
                self.sleep(delay)
                record = self.store.get(task_id)
                continue
            if not fresh_enough:
                return {"next": "step"}
            record = self._run_step(record, remaining_ms)
        return {"next": "done"}

    def await_input(self, task_id: str, token: str) -> None:
        """Keep the token with which the execution goes on when the client answers.

        A client may have answered before the token was there: then the execution goes on at once.
        """
        record = self.store.get(task_id)
        if record is not None:
            record = self.store.set_resume_token(task_id, ResumeToken(token, record.cursor.run))
        if record is None or not record.interrupted:
            self.workflow.resume(token)

    def fail(self, task_id: str, error: str) -> None:
        """The last resort of the state machine: end the task as failed, unless it has ended."""
        for _ in range(5):
            record = self.store.get(task_id)
            if record is None or record.terminal:
                return
            waited = record.interrupted and error == "States.Timeout"
            try:
                self._end(
                    record, TaskState.FAILED, "No answer came in time." if waited else "The agent stopped unexpectedly."
                )
            except Conflict:
                continue
            return
        raise Unavailable

    def _begin(self, record: TaskRecord) -> TaskRecord | None:
        """From submitted to working."""
        first = self.agent.steps[0] if self.agent.steps else None
        if first is None:
            raise AgentError(f"agent {self.agent.name!r} has no steps")
        cursor = Cursor(run=1, step=first.name, wake_at=self._after(first.wait))
        task = with_status(record.task, TaskState.WORKING, self.clock())
        return self._update(record.next(task, cursor=cursor, expires_at=self._expiry(False)))

    def _run_step(self, record: TaskRecord, remaining_ms: Callable[[], int]) -> TaskRecord | None:
        cursor = record.cursor
        assert cursor.step is not None
        run = _Run(self, record)
        context: TaskContext | None = None
        try:
            step = self.agent.step_named(cursor.step)
            context = TaskContext(run, dict(cursor.state), _key(record), remaining_ms)
            step.function(context)
            return self._after_step(run, step, context)
        except (_Over, Unavailable, Conflict):
            # Conflict and Unavailable are ours: the state machine tries again. Over: nothing is left to do.
            return self._reread_or_raise(record)
        except Exception as error:
            return self._step_failed(run, error)

    def _after_step(self, run: _Run, step: Step, context: TaskContext) -> TaskRecord | None:
        pending = context.finish()
        if context.ended:
            return run.record
        check_state(context.state)
        asked = context.next
        following = self._following(step, asked.step)
        if following is None:
            run.write(TaskWrite(pending, TaskState.COMPLETED))
            return run.record
        wait = following.wait if asked.wait is None else asked.wait
        run.advance(
            TaskWrite(pending),
            Cursor(run.record.cursor.run + 1, following.name, wake_at=self._after(wait), state=context.state),
        )
        return run.record

    def _following(self, step: Step, asked: str | None) -> Step | None:
        if asked == "":
            return step
        return self.agent.step_after(step.name) if asked is None else self.agent.step_named(asked)

    def _step_failed(self, run: _Run, error: Exception) -> TaskRecord | None:
        cursor = run.record.cursor
        self.on_failure(_failure(cursor.step or "", error))
        step = next((step for step in self.agent.steps if step.name == cursor.step), None)
        retry = step.retry if step is not None and not isinstance(error, AgentError) else None
        try:
            if retry is not None and isinstance(error, retry.on) and cursor.attempt + 1 < retry.attempts:
                pause = retry.backoff * 2**cursor.attempt
                run.advance(TaskWrite(), replace(cursor, attempt=cursor.attempt + 1, wake_at=self._after(pause)))
            else:
                text = f"The agent failed in step {cursor.step!r}."
                run.force(TaskWrite(state=TaskState.FAILED, parts=[{"text": text}]))
        except _Over:
            return self.store.get(run.record.task_id)
        return run.record

    def _reread_or_raise(self, record: TaskRecord) -> TaskRecord | None:
        current = self.store.get(record.task_id)
        if current is not None and not current.terminal and current.generation == record.generation:
            raise Unavailable
        return current

    def _end(self, record: TaskRecord, state: TaskState, text: str) -> None:
        message = agent_message(record.task, str(uuid.uuid5(uuid.UUID(record.task_id), text)), [{"text": text}])
        task = with_status(record.task, state, self.clock(), message)
        self.store.update(record.next(task, expires_at=self._expiry(True)))

    def _update(self, record: TaskRecord) -> TaskRecord | None:
        """Write, or, where another was faster, see what it wrote."""
        try:
            self.store.update(record)
        except Conflict:
            return self.store.get(record.task_id)
        return record

    def _delay(self, cursor: Cursor) -> float:
        return (cursor.wake_at - self.clock()).total_seconds() if cursor.wake_at else 0.0

    def _after(self, seconds: float) -> datetime | None:
        return self.clock() + timedelta(seconds=seconds) if seconds else None

    def _expiry(self, terminal: bool) -> int:
        return expiry(self.clock(), terminal, self.retention)


class _Run:
    """One run of one step: the recorder behind a :class:`TaskContext`."""

    def __init__(self, executor: Executor, record: TaskRecord) -> None:
        self._executor = executor
        self._recorded = record.cursor.writes
        self._place = 0
        self.record = record

    @property
    def task(self) -> Task:
        """The task as this run knows it."""
        return self.record.task

    def read(self) -> Task:
        """The task as it is stored now."""
        record = self._executor.store.get(self.record.task_id)
        if record is None:
            raise _Over
        return record.task

    def write(self, change: TaskWrite) -> None:
        """The next write of this run, unless an earlier try of the same run has made it."""
        self._place += 1
        if self._place > self._recorded:
            self.advance(change, self._cursor_after(change))

    def force(self, change: TaskWrite) -> None:
        """A write of the runtime, not of the step."""
        self.advance(change, self._cursor_after(change))

    def advance(self, change: TaskWrite, cursor: Cursor) -> None:
        """One write: the change and the cursor after it. A follow-up message that came in between is kept."""
        executor = self._executor
        while True:
            before = self.record
            after = self._changed(before, change, cursor)
            try:
                executor.store.update(after)
            except Conflict:
                current = executor.store.get(before.task_id)
                if current is None or current.terminal:
                    raise _Over from None
                if current.cursor != before.cursor:
                    raise _Superseded from None
                self.record = current
                continue
            self.record = after
            return

    def _changed(self, before: TaskRecord, change: TaskWrite, cursor: Cursor) -> TaskRecord:
        task, open_artifacts = before.task, set(before.open_artifacts)
        for artifact, append, last_chunk in change.artifacts:
            task = with_artifact(task, artifact, append)
            (open_artifacts.discard if last_chunk else open_artifacts.add)(artifact["artifactId"])
        if change.state is not None:
            task = with_status(task, change.state, self._executor.clock(), self._message(before, change, cursor))
        size = len(dumps(task).encode())
        if size > MAX_DOCUMENT:
            raise AgentError(f"the task would have {size} bytes, {MAX_DOCUMENT} are possible")
        return before.next(
            task,
            cursor=cursor,
            open_artifacts=frozenset(open_artifacts),
            expires_at=self._executor._expiry(change.state in TERMINAL),
        )

    def _message(self, before: TaskRecord, change: TaskWrite, cursor: Cursor) -> Message | None:
        if not change.parts:
            return None
        name = f"{before.cursor.run}.{before.cursor.attempt}.{self._place}.{change.state}"
        return agent_message(before.task, str(uuid.uuid5(uuid.UUID(before.task_id), name)), list(change.parts))

    def _cursor_after(self, change: TaskWrite) -> Cursor:
        cursor = self.record.cursor
        if change.state not in INTERRUPTED:
            return replace(cursor, writes=self._place)
        agent = self._executor.agent
        assert cursor.step is not None
        following = agent.step_named(change.then) if change.then else agent.step_after(cursor.step)
        if following is None:
            raise AgentError(f"step {cursor.step!r} asks the client but no step comes after it: name one with then=")
        return Cursor(cursor.run + 1, following.name, state=change.memory)


def _key(record: TaskRecord) -> str:
    return f"{record.task_id}.{record.cursor.run}"


def _failure(step: str, error: Exception) -> StepFailure:
    """The innermost frame is where an author looks first."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = f"{frame.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.tb_lineno}" if frame else ""
    return StepFailure(step, type(error).__name__, where)
