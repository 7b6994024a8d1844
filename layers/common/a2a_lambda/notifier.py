"""The first attempt: from a batch of the table's stream to the webhooks.

Never waits for a slow webhook: all configs at once, the events of one config in order, one deadline for the batch.
What does not get through goes to the queue, behind what waits there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from .changes import Change, changes, status_update
from .delivery import Notification, gone, notifications, queued, undelivered
from .model import moment
from .outcome import Answer, Outcome, Post
from .ports import Clock, PushConfigStore, QueuedNotification, RedeliveryQueue, Unavailable
from .records import PushConfig, TaskRecord
from .webhook import Signer, post, unsigned, webhook_id


class Lanes(Protocol):
    """The HTTP client: see ``sender.Sender.run``."""

    def run(
        self, lanes: Iterator[Iterator[Post]], seconds: float, *, post_seconds: float | None = None
    ) -> list[list[Answer]]:
        """Send all lanes at once, the posts of a lane in order, until its first failure or the deadline."""


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One write of TasksTable. ``old`` is None for a new task, ``new`` for one that was removed."""

    sequence: str
    task_id: str
    old: TaskRecord | None
    new: TaskRecord | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One POST, for the log: no credential, no token, no body."""

    webhook_id: str
    host: str
    outcome: str
    milliseconds: int
    latency: float | None
    """Seconds from the write of the change to the acknowledgement; None if there was none."""


@dataclass(slots=True)
class Report:
    """What became of a batch. ``failed`` are the sequence numbers from which the stream has to come again."""

    failed: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    queued: int = 0
    gone: int = 0

    @property
    def delivered(self) -> int:
        """How many POSTs were acknowledged."""
        return sum(attempt.latency is not None for attempt in self.attempts)


@dataclass(slots=True)
class _Delivery:
    """The events of one config in this batch."""

    config: PushConfig
    events: list[Notification]
    answers: list[Answer] = field(default_factory=list)


class Notifier:
    """Keep it between batches: it remembers hosts that hung.

    ``first_attempt_seconds`` is the deadline of the whole batch; ``shun`` is for how long a host that hung gets no
    first attempts; ``trace`` gives the W3C traceparent of the present invocation, if there is one.
    """

    def __init__(
        self,
        configs: PushConfigStore,
        queue: RedeliveryQueue,
        sender: Lanes,
        clock: Clock,
        *,
        sign: Signer = unsigned,
        first_attempt_seconds: float = 3.0,
        shun: timedelta = timedelta(seconds=60),
        trace: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._configs = configs
        self._queue = queue
        self._sender = sender
        self._clock = clock
        self._sign = sign
        self._seconds = first_attempt_seconds
        self._shun = shun
        self._trace = trace
        self._hung: dict[str, float] = {}

    def notify(self, batch: Sequence[StreamRecord]) -> Report:
        """Deliver the batch or queue it. What can be neither is reported as failed, with all else of its task."""
        report = Report()
        by_task: dict[str, list[StreamRecord]] = {}
        for record in batch:
            by_task.setdefault(record.task_id, []).append(record)
        deliveries: list[_Delivery] = []
        failed_tasks: set[str] = set()
        for task_id, records in by_task.items():
            try:
                deliveries += self._of_task(task_id, records)
            except Unavailable:
                failed_tasks.add(task_id)
        self._first_attempt([delivery for delivery in deliveries if self._direct(delivery.config)], report)
        failed_tasks |= self._settle(deliveries, report)
        report.failed = [record.sequence for record in batch if record.task_id in failed_tasks]
        return report

    def _of_task(self, task_id: str, records: Sequence[StreamRecord]) -> list[_Delivery]:
        configs = self._configs.of_task(task_id)
        if any(record.new is None for record in records):
            # The task has expired, and its configs go with it.
            for config in configs:
                self._configs.delete(config)
            return []
        deliveries = []
        for config in configs:
            heard = [pair for record in records if record.new for pair in _heard(config, record.old, record.new)]
            events = notifications(config, heard)
            if events:
                deliveries.append(_Delivery(config, events))
        return deliveries

    def _direct(self, config: PushConfig) -> bool:
        """Whether a first attempt may be made: nothing waits, and the host did not just hang."""
        return not config.backlogged and self._hung.get(_host(config), 0.0) <= self._clock().timestamp()

    def _first_attempt(self, deliveries: Sequence[_Delivery], report: Report) -> None:
        if not deliveries:
            return
        lanes = (self._lane(delivery) for delivery in deliveries)
        for delivery, answers in zip(deliveries, self._sender.run(lanes, self._seconds), strict=True):
            delivery.answers = answers
            now = self._clock()
            if answers and answers[-1].error == "timeout":
                self._hung[_host(delivery.config)] = (now + self._shun).timestamp()
            for event, answer in zip(delivery.events, answers, strict=False):
                report.attempts.append(attempt(delivery.config, event, answer, self._clock))

    def _lane(self, delivery: _Delivery) -> Iterator[Post]:
        trace = self._trace()
        for event in delivery.events:
            yield post(
                delivery.config,
                event.generation,
                event.n,
                event.body,
                delivery.config.dialect,
                self._clock(),
                self._sign,
                trace,
            )

    def _settle(self, deliveries: Sequence[_Delivery], report: Report) -> set[str]:
        """Queue what was not acknowledged: first the cursor, then the messages, so that nothing can overtake them even
        if we stop in between. Answers the tasks for which that failed."""
        failed: set[str] = set()
        messages: list[QueuedNotification] = []
        for delivery in deliveries:
            config = delivery.config
            waiting = undelivered(delivery.events, delivery.answers)
            if not waiting or config.task_id in failed:
                continue
            try:
                if gone(delivery.answers):
                    self._configs.delete(config)
                    report.gone += 1
                elif self._configs.raise_queued(config, waiting[-1].generation):
                    messages += queued(config, waiting)
            except Unavailable:
                failed.add(config.task_id)
        report.queued = len(messages)
        return failed | {task_id for task_id, _ in (self._queue.send(messages) if messages else ())}


def attempt(config: PushConfig, event: Notification, answer: Answer, clock: Clock) -> Attempt:
    """The attempt for the log."""
    acknowledged = answer.outcome is Outcome.DELIVERED
    return Attempt(
        webhook_id=webhook_id(config, event.generation, event.n),
        host=_host(config),
        outcome=answer.error or str(answer.status),
        milliseconds=round(answer.seconds * 1000),
        latency=max(0.0, (clock() - moment(event.written_at)).total_seconds()) if acknowledged else None,
    )


def _heard(config: PushConfig, old: TaskRecord | None, new: TaskRecord) -> Iterator[tuple[Change, str]]:
    """What this write means for this config: its changes, or the announcement made for it."""
    before = old.announcement if old is not None else None
    if new.announcement is not None and new.announcement != before:
        if new.announcement[0] == config.config_id:
            yield Change(new.generation, (status_update(new.task),), new.task), new.announcement[1]
    elif old is None or old.generation != new.generation:
        yield changes(old.task if old else None, new.task, new.generation, new.open_artifacts), ""


def _host(config: PushConfig) -> str:
    return urlsplit(config.url).netloc.rpartition("@")[2]
