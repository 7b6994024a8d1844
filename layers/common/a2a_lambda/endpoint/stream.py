"""A task as it happens (specification sections 3.1.2, 3.1.6, 3.5.2): looks at its item and gives every write since."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..core.errors import UnsupportedOperation
from ..core.lifecycle import with_history_length
from ..core.model import INTERRUPTED, TERMINAL, Message
from ..core.operations import EndOfStream, SendMessage, Stream, StreamReport, SubscribeToTask
from ..core.ports import Clock, Glimpse, TaskStore, Unavailable
from ..core.records import TaskRecord
from ..core.trace import Step, replay, replayed
from .tasks import TaskService

QUICK, SLOW, IDLE = 0.1, 0.5, 1.0
"""Seconds between two looks: after a change, where none has come for a while, and while the client is awaited."""

SLOWER = 1.4
"""How much longer each pause without a change is than the one before."""

WHOLE_SIZE, LONGEST = 16_000, 2.0
"""Bytes of an item up to which a look has its plain pause: a larger one costs more, so it is looked at less often, but
every so many seconds."""

AFTER_WAKING = 0.05
"""Seconds after an agent's step begins at which its first write may be there."""

HEARTBEAT = 15.0
"""Seconds without an event after which a comment is sent: API Gateway and proxies close what is idle for minutes."""

WAITING = 60.0
"""Seconds for which a task is followed that waits for its client when the stream begins."""

RESERVE = 10.0
"""Seconds of the function's time that a stream leaves: one that Lambda cuts off is broken, one that ends is not."""

PATIENCE = 10.0
"""Seconds for which a table that does not answer is asked again."""

_EVENT_ID = re.compile(r"([^.]{1,64})\.(\d{1,9})(?:\.(\d{1,6}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Streams:
    """Opens streams. ``seconds`` bounds each: its client subscribes again. ``padding`` are bytes of comment after each
    event; ``on_end`` receives the report and the seconds of each stream that was read from."""

    tasks: TaskService
    seconds: float = 300.0
    padding: int = 0
    on_end: Callable[[StreamReport, float], None] = field(default=lambda *_: None)

    def send(self, owner: str, request: SendMessage, seconds: float) -> Stream:
        """What :meth:`~.tasks.TaskService.send` does, then the task as it changes. Raises the same errors."""
        record = self.tasks.begun(owner, request)
        return self._of(record, request.dialect, request.history_length, seconds)

    def subscribe(self, owner: str, request: SubscribeToTask) -> Stream:
        """The task as it changes: from now on, or, where the trace goes back so far, after the client's last event.

        Raises :class:`TaskNotFound`; :class:`UnsupportedOperation` if the task has ended and nothing of it is missed.
        """
        record = self.tasks.owned(owner, request.task_id)
        missed = missed_steps(record, request.last_event_id)
        if record.terminal and not missed:
            raise UnsupportedOperation("The task has ended: nothing more will happen to it")
        return self._of(record, record.dialect, None, request.seconds, missed)

    def direct(self, answer: Message, dialect: str) -> Stream:
        """The agent's direct answer alone."""
        return Stream(answer, _nothing(), "", dialect, padding=self.padding)

    def _of(
        self,
        record: TaskRecord,
        dialect: str,
        history_length: int | None,
        seconds: float,
        missed: list[Step] | None = None,
    ) -> Stream:
        first = with_history_length(record.task, history_length) if missed is None else None
        until = self.tasks.clock() + timedelta(seconds=min(self.seconds, seconds - RESERVE))
        steps = self._reported(record, missed or [], until)
        return Stream(first, steps, record.task_id, dialect, record.generation, self.padding)

    def _reported(self, record: TaskRecord, missed: list[Step], until: datetime) -> Generator[Step | None, None, None]:
        clock = self.tasks.clock
        report = StreamReport(record.task_id, clock())
        try:
            follower = _Follower(self.tasks.store, clock, self.tasks.sleep, record, until, report)
            yield from follower.told(missed)
            if report.reason == "hung up":
                yield from follower.looks()
        except Exception as fault:
            report.reason, report.fault = "failed", fault
            raise
        finally:
            self.on_end(report, (clock() - report.began).total_seconds())


class _Follower:
    """One stream's looks at its task."""

    def __init__(
        self,
        store: TaskStore,
        clock: Clock,
        sleep: Callable[[float], None],
        record: TaskRecord,
        until: datetime,
        report: StreamReport,
    ) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._record = record
        self._until = until
        self._waits_until = min(until, clock() + timedelta(seconds=WAITING))
        self._report = report
        self._answered = clock()
        self._size = 0
        self._pause = QUICK

    def told(self, steps: Iterable[Step]) -> Generator[Step, None, None]:
        """The steps that have events, up to the one that ends the stream: its reason is in the report then."""
        for step in steps:
            if not step.events:
                continue
            self._report.events += len(step.events)
            self._report.reason = _reason(step)
            yield step
            if self._report.reason != "hung up":
                return

    def looks(self) -> Generator[Step | None, None, None]:
        """The writes after the record; None is a heartbeat. Ends with the reason in the report."""
        if self._record.terminal:
            self._report.reason = "ended"
        quiet = self._clock()
        while self._report.reason == "hung up" and self._slept():
            seen = self._look()
            if seen is not None:
                for step in self.told(self._news(seen)):
                    quiet = self._clock()
                    yield step
                continue
            self._pause = min(self._pause * SLOWER, IDLE if self._record.interrupted else SLOW)
            if self._since(quiet) >= HEARTBEAT:
                quiet = self._clock()
                yield None

    def _slept(self) -> bool:
        """Wait until the next look. False: there is no time for it."""
        end = self._waits_until if self._record.interrupted else self._until
        left = (end - self._clock()).total_seconds()
        if left <= 0:
            self._report.reason = "time"
            return False
        pause = min(self._pause * max(1.0, self._size / WHOLE_SIZE), LONGEST)
        woken = self._until_woken()
        if woken < pause:
            pause, self._pause = woken, QUICK
        self._sleep(min(pause, left))
        return True

    def _until_woken(self) -> float:
        """The agent's next step begins at a known moment: the look just after it sees what it writes."""
        wakes = self._record.cursor.wake_at
        left = (wakes - self._clock()).total_seconds() if wakes else 0.0
        return left + AFTER_WAKING if left > 0 else math.inf

    def _look(self) -> Glimpse | None:
        """The task if it was written since the last look. A table that does not answer ends the stream only after a
        while, and a task that is gone at once."""
        try:
            seen = self._seen()
        except Unavailable:
            if self._since(self._answered) >= PATIENCE:
                self._report.reason = "unavailable"
            return None
        self._answered = self._clock()
        if seen is None:
            self._report.reason = "deleted"
            return None
        # A look may be behind an earlier one.
        return seen if seen.generation > self._record.generation else None

    def _seen(self) -> Glimpse | None:
        """None: the task is gone. A look that finds nothing may only be behind, so it is repeated consistently."""
        seen = self._store.peek(self._record.task_id)
        if seen is not None:
            self._size = seen.size
            return seen
        record = self._store.get(self._record.task_id)
        return Glimpse(record.generation, self._size, lambda: record) if record is not None else None

    def _news(self, seen: Glimpse) -> Iterator[Step]:
        before, after = self._record, seen.read()
        self._record, self._pause = after, QUICK
        trace = after.trace or ()
        return replay(before.task, before.generation, after.task, trace, after.generation, after.open_artifacts)

    def _since(self, moment: datetime) -> float:
        return (self._clock() - moment).total_seconds()


def missed_steps(record: TaskRecord, last_event_id: str) -> list[Step] | None:
    """The writes after the event of this id, or None if they cannot be told: then the stream begins with the task.

    Ids are those of the webhooks, ``<taskId>.<generation>.<n>``, and of a stream's first event, which has no ``n``.
    """
    known = _EVENT_ID.fullmatch(last_event_id)
    if known is None or known[1] != record.task_id or record.trace is None:
        return None
    since, place = int(known[2]), known[3]
    if since == 1:
        place = None  # the creation is one event, and in no trace
    if since > record.generation:
        return None
    # Of the generation of that event itself the later events are missed, too.
    steps = replayed(record.task, record.trace, since - (place is not None), record.generation)
    if steps is None:
        return None
    if place is not None:
        rest = tuple((n, event) for n, event in steps[0].events if int(n) > int(place))
        steps[0] = steps[0]._replace(events=rest)
    return [step for step in steps if step.events]


def _reason(step: Step) -> EndOfStream:
    """Why a stream ends with this write (section 11.7); "hung up" where it goes on: until it has ended, only that can
    end it."""
    for _, event in step.events:
        state = event["statusUpdate"]["status"]["state"] if "statusUpdate" in event else ""
        if state in TERMINAL | INTERRUPTED:
            return "ended" if state in TERMINAL else "asks"
    return "hung up"


def _nothing() -> Generator[None, None, None]:
    yield from ()
