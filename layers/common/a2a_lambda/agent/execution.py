"""Runs the agent's steps and records what they do, each write once (specification section 3.4, and the step API).

The task is the only place that knows how far its agent has come (:class:`~.records.Cursor`); an invocation reads it and
goes on from there. So a repeated, a late, or a duplicate invocation is harmless:

* a write carries the generation it was made on, so of two writers one wins;
* the writes of a run are numbered, so a run that is repeated skips those that are recorded, or takes them back;
* a task that has ended takes no more writes, so a canceled task stays canceled.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

from ..core.lifecycle import expiry, with_status
from ..core.model import TaskState, dumps
from ..core.ports import Blobs, Clock, Conflict, ContextStore, TaskStore, Unavailable
from ..core.records import Cursor, TaskRecord
from ..net.web import Fetch, Web
from ..net.webhook_url import WebhookPolicy
from .agent import Agent, AgentError, Step
from .caretaker import Directive, failed
from .context import RunOfStep, TaskContext
from .express import Express, ExpressError
from .run import Halt, Lost, Over, StepRun
from .secrets import no_secrets
from .timer import NoTimer, StepTimeout, Timer
from .writing import TaskWrite, causes, checked_state

_SPENT = 0.1
"""Share of an invocation's time after which it starts no further step, so that each step has (almost) all of it."""

_RESERVE = 2.0
"""Seconds of an invocation that a step must leave, so that its failure can still be recorded."""


@dataclass(frozen=True, slots=True)
class StepFailure:
    """What an agent's step raised. Its text is for nobody's log, it may hold anything; only an :class:`AgentError` has
    one that is fit for it, the ``hint``."""

    step: str
    exception: BaseException

    @property
    def hint(self) -> str:
        """What the author should know, or nothing."""
        return next((str(cause) for cause in causes(self.exception) if isinstance(cause, AgentError)), "")


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs the steps of one agent.

    ``inline_wait`` is the longest wait in seconds that is slept through here: a second of this function costs less
    than the two state transitions that a wait in the state machine takes. ``on_failure`` receives the steps that raise,
    ``fetch`` is behind ``task.fetch``, ``blobs`` takes what is too large for the table (None: nothing is). ``express``
    are the limits of an Express workflow (None: it is a Standard one). ``secrets`` and ``settings`` are behind
    ``task.secret`` and ``task.settings``, the first raises :class:`Unavailable`; ``contexts`` is behind
    ``task.memory``.

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
    secrets: Callable[[str], str] = no_secrets
    settings: Mapping[str, Any] = field(default_factory=dict)
    contexts: ContextStore | None = None

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
        restarts = {step.name for step in self.agent.steps if step.rerun == "restart"}
        run = StepRun(self, record, record.cursor.step in restarts)
        try:
            self._step(run, remaining_ms)
            if run.halted is not None:  # a bare ``except:`` swallowed it
                raise run.halted
        except Over:
            return self.store.get(record.task_id)
        except Lost as lost:
            raise Unavailable from lost.__cause__
        return run.record

    def _step(self, run: StepRun, remaining_ms: Callable[[], int]) -> None:
        cursor = run.record.cursor
        try:
            assert cursor.step is not None
            step = self.agent.step_named(cursor.step)
            left = remaining_ms() / 1_000
            task_has = (self._deadline(run.record) - self.clock()).total_seconds()
            reserve = min(_RESERVE, left / 5)
            seconds = min(step.timeout or math.inf, left - reserve, task_has)
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
                    restarts=step.rerun == "restart",
                    settings=json.loads(dumps(self.settings)),
                    remaining_ms=lambda: max(round((until - self.clock()).total_seconds() * 1_000), 0),
                ),
            )
            self._call(step, context, seconds, reserve)
            self._after_step(run, step, context)
        except Halt:
            raise
        except BaseException as error:  # noqa: BLE001
            # Whatever the author's code does, the task says so: nobody else would say why it is run again.
            self._step_failed(run, error)

    def _call(self, step: Step, context: TaskContext, seconds: float, reserve: float) -> None:
        """A coroutine is canceled by its loop, which leaves the loop whole. The alarm rings in the middle of it, so it
        comes later, for code that blocks."""
        if not step.is_async:
            self.timer.limit(seconds, lambda: step.call(context))
            return
        from .event_loop import step_loop  # asyncio costs a cold start that plain steps need not pay for

        grace = reserve / 4

        def work() -> None:
            coroutine = cast("Coroutine[Any, Any, object]", step.function(context))
            step.check_returned(step_loop().run(coroutine, seconds, grace, self.timer.shield))

        self.timer.limit(seconds + 2 * grace, work)

    def _after_step(self, run: StepRun, step: Step, context: TaskContext) -> None:
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

    def _step_failed(self, run: StepRun, error: BaseException) -> None:
        if run.halted is not None:
            raise run.halted
        cursor = run.record.cursor
        failure = StepFailure(run.began.step or "", error)
        if run.watched.name_in(failure.hint) is not None:  # a hint goes into the log
            error = AgentError("an error of the step holds the value of a secret in its text")
            failure = replace(failure, exception=error)
        self.on_failure(failure)
        if run.ended:
            return
        step = next((step for step in self.agent.steps if step.name == cursor.step), None)
        retry = step.retry if step is not None and not _is_due_to(error, AgentError) else None
        failures = cursor.attempt + 1
        again = retry is not None and retry.covers(error) and failures < retry.attempts
        if retry is not None and again and self._fits(run.record, retry.pause(failures)):
            wake_at = self.after(retry.pause(failures))
            run.advance(TaskWrite(), replace(cursor, attempt=failures, wake_at=wake_at), failure=True)
            return
        reason = "took longer than it may" if _is_due_to(error, StepTimeout) else "failed"
        if _is_due_to(error, ExpressError):
            reason = "needs what this deployment cannot do"
        text = f"Step {cursor.step!r} of the agent {reason}."
        run.advance(TaskWrite(state=TaskState.FAILED, parts=[{"text": text}]), cursor, failure=True)

    def _deadline(self, record: TaskRecord) -> datetime:
        longest = self.task_timeout
        if self.agent.timeout is not None:
            longest = min(longest, timedelta(seconds=self.agent.timeout))
        if self.express is not None:
            longest = min(longest, timedelta(seconds=self.express.task_seconds))
        return record.created_at + longest

    def _fits(self, record: TaskRecord, wait: float) -> bool:
        """Whether the task will still be running after so many seconds. A Standard workflow waits until it is not: its
        client may cancel, and is notified when the time is over. An Express one would only pay for that."""
        return self.express is None or self.clock() + timedelta(seconds=wait) < self._deadline(record)

    def _delay(self, cursor: Cursor) -> float:
        return (cursor.wake_at - self.clock()).total_seconds() if cursor.wake_at else 0.0

    def after(self, seconds: float) -> datetime | None:
        """The moment in so many seconds; None: at once."""
        return self.clock() + timedelta(seconds=seconds) if seconds else None

    def expiry(self, *, terminal: bool) -> int:
        """When the task may be removed, in epoch seconds."""
        return expiry(self.clock(), terminal, self.retention)


def _is_due_to(error: BaseException, kind: type[Exception]) -> bool:
    """Whether it is, or has in its group, an exception of this kind."""
    return any(isinstance(cause, kind) for cause in causes(error))
