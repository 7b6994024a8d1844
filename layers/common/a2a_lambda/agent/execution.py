"""Runs the agent's steps and records what they do, each write once (specification section 3.4, and the step API).

The task is the only place that knows how far its agent has come (:class:`~.records.Cursor`); an invocation reads it and
goes on from there. So a repeated, a late, or a duplicate invocation is harmless:

* a write carries the generation it was made on, so of two writers one wins;
* the writes of a run are numbered, so a run that is repeated skips those that are recorded;
* a task that has ended takes no more writes, so a canceled task stays canceled.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NoReturn

from ..core.blobs import offloaded
from ..core.lifecycle import MAX_DOCUMENT, agent_message, expiry, with_artifact, with_status
from ..core.model import INTERRUPTED, TERMINAL, Message, Task, TaskState, dumps
from ..core.ports import Blobs, Clock, Conflict, TaskStore, Unavailable
from ..core.records import Cursor, TaskRecord
from ..net.web import Fetch, Web
from ..net.webhook_url import WebhookPolicy
from .agent import Agent, AgentError, Step
from .caretaker import Directive, failed
from .context import RunOfStep, TaskContext, TaskWrite, checked_state
from .express import Express, ExpressError
from .timer import NoTimer, StepTimeout, Timer

_SPENT = 0.1
"""Share of an invocation's time after which it starts no further step, so that each step has (almost) all of it."""

_RESERVE = 2.0
"""Seconds of an invocation that a step must leave, so that its failure can still be recorded."""


class _Halt(BaseException):
    """The run cannot go on. Not an ``Exception``: an author's ``except Exception`` must not swallow it."""


class _Over(_Halt):
    """The task has ended under the step's hands, or another invocation of the same run is ahead: look again."""


class _Lost(_Halt):
    """The table did not answer, so nobody knows whether the write was made."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """What an agent's step raised. Its text is for nobody's log, it may hold anything; only an :class:`AgentError` has
    one that is fit for it, the ``hint``."""

    step: str
    exception: BaseException

    @property
    def hint(self) -> str:
        """What the author should know, or nothing."""
        return str(self.exception) if isinstance(self.exception, AgentError) else ""


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs the steps of one agent.

    ``inline_wait`` is the longest wait in seconds that is slept through here: a second of this function costs less
    than the two state transitions that a wait in the state machine takes. ``on_failure`` is told of steps that raise,
    ``fetch`` is behind ``task.fetch``, ``blobs`` takes what is too large for the table (None: nothing is). ``express``
    are the limits of an Express workflow (None: it is a Standard one).

    Raises :class:`AgentError` for an agent without steps, or one that Express cannot run.
    """

    agent: Agent
    store: TaskStore
    clock: Clock
    sleep: Callable[[float], None]
    on_failure: Callable[[StepFailure], None]
    retention: timedelta = timedelta(days=30)
    task_timeout: timedelta = timedelta(days=365)
    inline_wait: float = 2.0
    timer: Timer = field(default_factory=NoTimer)
    blobs: Blobs | None = None
    fetch: Fetch = field(default_factory=lambda: Web(WebhookPolicy()))
    express: Express | None = None

    def __post_init__(self) -> None:
        if not self.agent.steps:
            raise AgentError(f"agent {self.agent.name!r} has no steps")
        if self.express is not None:
            self.express.check(self.agent)

    def run(self, task_id: str, remaining_ms: Callable[[], int]) -> Directive:
        """Go on with the task until it ends, asks its client, has to wait, or the invocation has done its share.

        Raises :class:`Unavailable` where the table does not answer: to be called again.
        """
        budget = remaining_ms()
        record = self.store.get(task_id)
        while record is not None and not record.terminal:
            if record.interrupted:
                return {"next": "input"}
            left = (self._deadline(record) - self.clock()).total_seconds()
            if left <= 0:
                record = self._out_of_time(record)
                continue
            if record.cursor.step is None:
                record = self._begin(record)
                continue
            delay = min(self._delay(record.cursor), left)
            fresh_enough = remaining_ms() > budget * (1 - _SPENT)
            if delay > 0:
                if delay > self.inline_wait or delay * 1_000 > budget / 2 or not fresh_enough:
                    return {"next": "wait", "seconds": math.ceil(delay)}
                self.sleep(delay)
                record = self.store.get(task_id)
                continue
            if not fresh_enough:
                return {"next": "step"}
            record = self._run_step(record, remaining_ms)
        return {"next": "done"}

    def _begin(self, record: TaskRecord) -> TaskRecord | None:
        """From submitted to working."""
        first = self.agent.steps[0]
        task = with_status(record.task, TaskState.WORKING, self.clock())
        begun = record.next(
            task,
            cursor=Cursor(run=1, step=first.name, wake_at=self.after(first.wait)),
            expires_at=self.expiry(terminal=False),
        )
        return self._stored(begun)

    def _out_of_time(self, record: TaskRecord) -> TaskRecord | None:
        ended = failed(record, "The task took longer than it may.", self.clock(), self.retention)
        return self._stored(ended)

    def _stored(self, record: TaskRecord) -> TaskRecord | None:
        """The record as written, or, where another was faster, what that one wrote."""
        try:
            self.store.update(record)
        except Conflict:
            return self.store.get(record.task_id)
        return record

    def _run_step(self, record: TaskRecord, remaining_ms: Callable[[], int]) -> TaskRecord | None:
        run = _Run(self, record)
        try:
            self._step(run, remaining_ms)
            if run.halted is not None:  # a bare ``except:`` swallowed it
                raise run.halted
        except _Over:
            return self.store.get(record.task_id)
        except _Lost as lost:
            raise Unavailable from lost.__cause__
        return run.record

    def _step(self, run: _Run, remaining_ms: Callable[[], int]) -> None:
        cursor = run.record.cursor
        try:
            assert cursor.step is not None
            step = self.agent.step_named(cursor.step)
            left = remaining_ms() / 1_000
            task_has = (self._deadline(run.record) - self.clock()).total_seconds()
            seconds = min(step.timeout or math.inf, left - min(_RESERVE, left / 5), task_has)
            until = self.clock() + timedelta(seconds=seconds)
            context = TaskContext(
                run,
                RunOfStep(
                    step=step.name,
                    steps=frozenset(known.name for known in self.agent.steps),
                    state=json.loads(dumps(cursor.state)),  # a copy: what a failed try left in it is void
                    key=f"{run.record.task_id}.{cursor.run}",
                    clock=self.clock,
                    fetch=self.fetch,
                    remaining_ms=lambda: max(round((until - self.clock()).total_seconds() * 1_000), 0),
                ),
            )
            self.timer.limit(seconds, lambda: step.call(context))
            self._after_step(run, step, context)
        except (Exception, SystemExit) as error:  # noqa: BLE001
            # Whatever the author's code does, the task must hear of it.
            self._step_failed(run, error)

    def _after_step(self, run: _Run, step: Step, context: TaskContext) -> None:
        pending = context.finish()
        if run.ended:
            return
        state = checked_state(context.state)
        asked = context.next
        following = self.agent.step_after(step.name) if asked.step is None else self.agent.step_named(asked.step)
        if following is None:
            if asked.wait is not None:
                raise AgentError(f"step {step.name!r} waits, but no step comes after it")
            run.write(TaskWrite(pending, TaskState.COMPLETED))
            return
        wait = following.wait if asked.wait is None else asked.wait
        if not self._fits(run.record, wait):
            raise ExpressError(f"step {step.name!r} waits {wait:.0f} s, which is longer than its task has in Express")
        after = Cursor(run.record.cursor.run + 1, following.name, wake_at=self.after(wait), state=state)
        run.advance(TaskWrite(pending), after)

    def _step_failed(self, run: _Run, error: BaseException) -> None:
        if run.halted is not None:
            raise run.halted
        cursor = run.record.cursor
        self.on_failure(StepFailure(run.began.step or "", error))
        if run.ended:
            return
        step = next((step for step in self.agent.steps if step.name == cursor.step), None)
        retry = step.retry if step is not None and not isinstance(error, AgentError) else None
        failures = cursor.attempt + 1
        again = retry is not None and isinstance(error, retry.on) and failures < retry.attempts
        if retry is not None and again and self._fits(run.record, retry.pause(failures)):
            wake_at = self.after(retry.pause(failures))
            run.advance(TaskWrite(), replace(cursor, attempt=failures, wake_at=wake_at))
            return
        reason = "took longer than it may" if isinstance(error, StepTimeout) else "failed"
        if isinstance(error, ExpressError):
            reason = "needs what this deployment cannot do"
        text = f"Step {cursor.step!r} of the agent {reason}."
        run.advance(TaskWrite(state=TaskState.FAILED, parts=[{"text": text}]), cursor)

    def _deadline(self, record: TaskRecord) -> datetime:
        longest = self.task_timeout
        if self.agent.timeout is not None:
            longest = min(longest, timedelta(seconds=self.agent.timeout))
        if self.express is not None:
            longest = min(longest, timedelta(seconds=self.express.task_seconds))
        return record.created_at + longest

    def _fits(self, record: TaskRecord, wait: float) -> bool:
        """Whether the task will still be running after so many seconds. A Standard workflow waits until it is not: its
        client may cancel, and hears when the time is over. An Express one would only pay for that."""
        return self.express is None or self.clock() + timedelta(seconds=wait) < self._deadline(record)

    def _delay(self, cursor: Cursor) -> float:
        return (cursor.wake_at - self.clock()).total_seconds() if cursor.wake_at else 0.0

    def after(self, seconds: float) -> datetime | None:
        """The moment in so many seconds; None: at once."""
        return self.clock() + timedelta(seconds=seconds) if seconds else None

    def expiry(self, *, terminal: bool) -> int:
        """When the task may be removed, in epoch seconds."""
        return expiry(self.clock(), terminal, self.retention)


class _Run:
    """One run of one step: the recorder behind a :class:`TaskContext`."""

    def __init__(self, executor: Executor, record: TaskRecord) -> None:
        self._executor = executor
        self._recorded = record.cursor.writes
        self._place = 0
        self.began = record.cursor
        self.record = record
        self.halted: _Halt | None = None

    @property
    def ended(self) -> bool:
        """Whether the run is over: the task has ended or is at the next run. What the step raises after that changes
        nothing any more; above all it is not the next step's failure."""
        return self.record.terminal or self.record.cursor.run != self.began.run

    @property
    def task(self) -> Task:
        """The task as this run knows it."""
        return self.record.task

    def read(self) -> Task:
        """The task as it is stored now."""
        try:
            record = self._executor.store.get(self.record.task_id)
        except Unavailable as error:
            self._halt(_Lost(), error)
        if record is None:
            self._halt(_Over())
        return record.task

    def write(self, change: TaskWrite) -> None:
        """The next write of this run, unless an earlier try of the same run has made it.

        One that ends the run was not made yet, or the task would not be in this run: it is never skipped, even if a
        step that does not repeat itself exactly arrives at it sooner than before. Raises :class:`ExpressError` for a
        question that nobody would wait for.
        """
        if self._executor.express is not None and change.state in INTERRUPTED:
            raise ExpressError("an Express workflow cannot wait for the client's answer")
        self._place += 1
        if self._place > self._recorded or change.state in TERMINAL | INTERRUPTED:
            self.advance(change, self._cursor_after(change))

    def advance(self, change: TaskWrite, cursor: Cursor) -> None:
        """One write: the change and the cursor after it. A follow-up message that came in between is kept.

        Raises :class:`AgentError` if the task grows too large; for that failure itself there is room left.
        """
        if self.halted is not None:
            raise self.halted
        with self._executor.timer.shield():
            change = self._offloaded(change)
            while not self._stored(self._changed(self.record, change, cursor)):
                pass

    def _offloaded(self, change: TaskWrite) -> TaskWrite:
        blobs, task_id = self._executor.blobs, self.record.task_id
        if blobs is None or not change.artifacts:
            return change
        try:
            artifacts = [(offloaded(each, task_id, blobs), append, last) for each, append, last in change.artifacts]
        except Unavailable as error:
            self._halt(_Lost(), error)
        return replace(change, artifacts=artifacts)

    def _stored(self, after: TaskRecord) -> bool:
        """Try the write. False: a message came in between, so it has to be made on the task with that."""
        store, before = self._executor.store, self.record
        try:
            try:
                store.update(after)
            except Conflict:
                current = store.get(before.task_id)
                if current is None or current.terminal or current.cursor != before.cursor:
                    self._halt(_Over())
                self.record = current
                return False
        except Unavailable as error:
            self._halt(_Lost(), error)
        self.record = after
        return True

    def _halt(self, halt: _Halt, cause: Exception | None = None) -> NoReturn:
        self.halted = halt
        raise halt from cause

    def _changed(self, before: TaskRecord, change: TaskWrite, cursor: Cursor) -> TaskRecord:
        task, open_artifacts = before.task, set(before.open_artifacts)
        for artifact, append, last_chunk in change.artifacts:
            task = with_artifact(task, artifact, append)
            (open_artifacts.discard if last_chunk else open_artifacts.add)(artifact["artifactId"])
        if change.state is not None:
            task = with_status(task, change.state, self._executor.clock(), self._message(before, change))
        size = len(dumps(task).encode())
        if size > MAX_DOCUMENT and change.state is not TaskState.FAILED:
            raise AgentError(f"the task would have {size} bytes, {MAX_DOCUMENT} are possible: link what is large")
        return before.next(
            task,
            cursor=cursor,
            open_artifacts=frozenset(open_artifacts),
            expires_at=self._executor.expiry(terminal=change.state in TERMINAL),
        )

    def _message(self, before: TaskRecord, change: TaskWrite) -> Message | None:
        if not change.parts:
            return None
        name = f"{before.cursor.run}.{before.cursor.attempt}.{self._place}.{change.state}"
        return agent_message(before.task, str(uuid.uuid5(uuid.UUID(before.task_id), name)), list(change.parts))

    def _cursor_after(self, change: TaskWrite) -> Cursor:
        cursor = self.record.cursor
        if change.state not in INTERRUPTED:
            return replace(cursor, writes=max(self._place, self._recorded))
        agent = self._executor.agent
        assert cursor.step is not None
        following = agent.step_named(change.then) if change.then else agent.step_after(cursor.step)
        if following is None:
            raise AgentError(f"step {cursor.step!r} asks the client but no step comes after it: name one with then=")
        return Cursor(cursor.run + 1, following.name, wake_at=self._executor.after(following.wait), state=change.memory)
