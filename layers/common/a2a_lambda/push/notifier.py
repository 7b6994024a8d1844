"""The first attempt: from a batch of the table's stream to the webhooks.

All configs at once, the events of one config in order, one deadline for the batch. Events that are not acknowledged go
to the queue, behind those that wait there already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from ..core.blobs import Link, unlinked
from ..core.changes import Change, changes, status_update
from ..core.model import moment
from ..core.ports import (
    Clock,
    Poison,
    PushConfigStore,
    RedeliveryQueue,
    TaskConfigs,
    Unavailable,
    Unreached,
    UnreadableConfig,
)
from ..core.records import PushConfig, TaskImage
from ..dialects.webhooks import BY_NAME
from . import schedule
from .backlog import Backlog
from .delivery import Acknowledged, Notification, notifications
from .first_attempts import Batch, Delivery, FirstAttempts
from .outcome import Answer, Lane, Outcome
from .receivers import HeldBack, host_of
from .settlement import Map, Settlement
from .webhook import Signer, post, unsigned

READING = timedelta(seconds=20)
"""How long configs may be read before the rest of the batch is left to the next invocation: when the table does not
answer, each takes seconds, and a function that runs out of time forgets what it has delivered."""

SETTLING = timedelta(seconds=40)
"""When, counted from the start, no more is begun to write down what became of the batch: what is left comes again. The
same reason; a call that has begun may take another 21 s (``aws.clients``)."""


class Lanes(Protocol):
    """The HTTP client: see ``sender.Sender.run``."""

    def run(self, lanes: Iterable[Lane | None], seconds: float) -> None:
        """Send all lanes at once, the posts of a lane in order, until its first failure or the deadline."""


class StreamRecord(NamedTuple):
    """One write of TasksTable. ``old`` is None for a new task, ``new`` for one that was removed."""

    sequence: str
    task_id: str
    old: TaskImage | None
    new: TaskImage | None


class Attempt(NamedTuple):
    """One POST, for the log: no credential, no token, no body."""

    webhook_id: str
    host: str
    outcome: str
    milliseconds: int
    latency: float | None
    """Seconds from the write of the change to the acknowledgement; None if there was none."""


@dataclass(slots=True)
class Report:
    """What became of a batch.

    ``failed`` are the sequence numbers of records that the stream has to deliver again, ``poison`` those that cannot be
    processed, each with its cause: the caller sets them aside. ``held`` are the webhooks that were not tried.
    """

    failed: list[str] = field(default_factory=list)
    poison: dict[str, Poison] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)
    held: list[HeldBack] = field(default_factory=list)
    queued: int = 0
    gone: int = 0
    dead: int = 0

    @property
    def delivered(self) -> int:
        """How many POSTs were acknowledged."""
        return sum(attempt.latency is not None for attempt in self.attempts)


class Notifier:
    """Keep it between batches: it remembers which webhooks answer promptly, and what was acknowledged.

    ``first_attempt_seconds`` is the deadline of the whole batch; ``shun`` is for how long a webhook that was late gets
    no first attempts; ``trace`` gives the W3C traceparent of the present invocation, if there is one; ``backlog`` and
    ``map`` are those of :class:`~.settlement.Settlement`.
    """

    def __init__(
        self,
        configs: PushConfigStore,
        queue: RedeliveryQueue,
        sender: Lanes,
        clock: Clock,
        *,
        sign: Signer = unsigned,
        link: Link = unlinked,
        first_attempt_seconds: float = 3.0,
        shun: timedelta = timedelta(seconds=60),
        delay: Callable[[int, float | None], int] = schedule.delay,
        trace: Callable[[], str | None] = lambda: None,
        backlog: Backlog | None = None,
        map: Map = map,
    ) -> None:
        self._configs = configs
        self._sender = sender
        self._clock = clock
        self._sign = sign
        self._link = link
        self._seconds = first_attempt_seconds
        self._settlement = Settlement(configs, queue, clock, delay, backlog, map)
        self._trace = trace
        self._attempts = FirstAttempts(first_attempt_seconds, clock, shun)
        self._acknowledged = Acknowledged()

    def notify(self, batch: Sequence[StreamRecord]) -> Report:
        """Deliver the batch or queue it. A record for which neither is possible is reported as failed, with all later
        of its task."""
        report = Report()
        by_task: dict[str, list[StreamRecord]] = {}
        for record in batch:
            by_task.setdefault(record.task_id, []).append(record)
        deliveries: list[Delivery] = []
        removed: list[PushConfig | UnreadableConfig] = []
        failed_tasks: set[str] = set()
        started = self._clock()
        for task_id, records in by_task.items():
            try:
                self._check_time(started + READING)
                configs = self._configs.of_task(task_id)
            except Unavailable:
                failed_tasks.add(task_id)
                continue
            deliveries += self._deliveries(configs, records, report)
            removed += _removed_with(configs, records)
        direct = [one for one in deliveries if not one.config.backlogged and not one.config.paused(started)]
        self._first_attempt(direct, report)
        until = started + SETTLING
        settled = self._settlement.settle(deliveries, until)
        report.queued, report.gone, report.dead = settled.queued, settled.gone, settled.dead
        failed_tasks |= settled.failed_tasks
        failed_tasks |= self._remove([config for config in removed if config.task_id not in failed_tasks], until)
        report.failed = [record.sequence for record in batch if record.task_id in failed_tasks]
        return report

    def _check_time(self, until: datetime) -> None:
        """Raises :class:`Unavailable` when it is too late to begin another call."""
        if self._clock() > until:
            raise Unavailable("out of time")

    def _deliveries(self, configs: TaskConfigs, records: Sequence[StreamRecord], report: Report) -> list[Delivery]:
        """The events of the records of one task that each config has not received. Poison is a record that cannot be
        told, and one that a config which cannot be read ought to have received."""
        events: dict[str, list[Notification]] = {config.config_id: [] for config in configs}
        for record in records:
            try:
                found = _events_for(configs, record)
            except Poison as error:
                report.poison[record.sequence] = error
                continue
            unreached = _unreached(configs, record)
            if unreached:
                report.poison[record.sequence] = Unreached(unreached)
            for config, of_record in zip(configs, found, strict=True):
                events[config.config_id] += [
                    event for event in of_record if not self._acknowledged.has(config, event.identity)
                ]
        return [Delivery(config, events[config.config_id]) for config in configs if events[config.config_id]]

    def _first_attempt(self, deliveries: Sequence[Delivery], report: Report) -> None:
        if not deliveries:
            return
        trace = self._trace()

        def make(delivery: Delivery, seconds: float) -> Lane:
            return self._lane(batch, delivery, seconds, trace)

        batch = self._attempts.batch(deliveries, make)
        self._sender.run(batch.lanes(), self._seconds)
        batch.finish()
        for delivery in deliveries:
            config = delivery.config
            if delivery.held is not None:
                report.held.append(HeldBack.of(config, delivery.held))
            for event, answer, started in zip(delivery.events, delivery.answers, delivery.started, strict=False):
                report.attempts.append(attempt(config, event.written_at, event.identity, answer, started))
                if answer.outcome is Outcome.DELIVERED:
                    self._acknowledged.add(config, event.identity)

    def _lane(self, batch: Batch, delivery: Delivery, seconds: float, trace: str | None) -> Lane:
        """The posts of one config, each made when the one before was acknowledged. None is sent unsigned because the
        key cannot be had: such events go to the queue."""
        config = delivery.config
        for event in delivery.events:
            now = self._clock()
            try:
                request = post(config, event.identity, event.body, config.dialect, now, self._sign, trace, self._link)
            except Unavailable:
                return
            delivery.started.append(now)
            answer = yield request._replace(seconds=seconds)
            batch.answered(delivery, answer)
            if answer.outcome is not Outcome.DELIVERED:
                return

    def _remove(self, configs: Sequence[PushConfig | UnreadableConfig], until: datetime) -> set[str]:
        """The task has expired, and its configs go with it."""
        failed_tasks = set()
        for config in configs:
            try:
                self._check_time(until)
                if isinstance(config, UnreadableConfig):
                    self._configs.discard(config)
                else:
                    self._configs.delete(config)
            except Unavailable:
                failed_tasks.add(config.task_id)
        return failed_tasks


def attempt(config: PushConfig, written_at: str, identity: str, answer: Answer, started: datetime) -> Attempt:
    """The attempt for the log. It ended ``answer.seconds`` after it was ``started``."""
    latency = None
    if answer.outcome is Outcome.DELIVERED:
        latency = max(0.0, (started - moment(written_at)).total_seconds() + answer.seconds)
    outcome = answer.error or str(answer.status)
    return Attempt(identity, host_of(config.url), outcome, round(answer.seconds * 1000), latency)


def _removed_with(configs: TaskConfigs, records: Sequence[StreamRecord]) -> list[PushConfig | UnreadableConfig]:
    """The configs of the tasks that have expired: by now the same message may have made a task of the same id anew, and
    that one's webhooks stay."""
    expired = [record.old.created_at if record.old else None for record in records if record.new is None]
    if not expired:
        return []
    return [*(config for config in configs if any(map(config.is_of, expired))), *configs.unreadable]


def _events_for(configs: Sequence[PushConfig], record: StreamRecord) -> list[list[Notification]]:
    """For each config, the events of a record that it has not received. Raises :class:`Poison`."""
    try:
        change, config_id, nonce = _change_of(record)
        if change is None or record.new is None:
            return [[] for _ in configs]
        created_at = record.new.created_at
        # Each body is made once, however many configs receive it.
        bodies = {name: BY_NAME[name].notifications(change) for name in {config.dialect for config in configs}}
        return [
            notifications(config, change, bodies[config.dialect], nonce)
            if config_id in (None, config.config_id) and config.is_of(created_at)
            else []
            for config in configs
        ]
    except Exception as error:
        # Whatever is raised comes from the stored record, which must not block the other tasks of its shard.
        raise Poison(record.task_id) from error


def _unreached(configs: TaskConfigs, record: StreamRecord) -> list[UnreadableConfig]:
    # A store that can read all it has may give a plain list.
    unreadable: Sequence[UnreadableConfig] = getattr(configs, "unreadable", ())
    if not unreadable:
        return []
    change, config_id, _ = _change_of(record)
    return [one for one in unreadable if change is not None and config_id in (None, one.config_id)]


def _change_of(record: StreamRecord) -> tuple[Change | None, str | None, str]:
    """The change that a write made, the id of the config that it is for (None: for all), and the announcement's nonce.

    An announcement is the present state, for the one config that it names."""
    old, new = record.old, record.new
    if new is None:
        return None, None, ""
    if new.announcement is not None and (old is None or new.announcement != old.announcement):
        config_id, nonce = new.announcement
        return Change(new.generation, (status_update(new.task),), new.task), config_id, nonce
    if old is not None and old.generation == new.generation:
        return None, None, ""
    return changes(old.task if old else None, new.task, new.generation, new.open_artifacts, new.lengthened), None, ""
