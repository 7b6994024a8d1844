"""What is written down after first attempts: cursors, messages for the queue, failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ..core.ports import Clock, PushConfigStore, QueuedNotification, RedeliveryQueue, Unavailable
from ..core.records import PushConfig
from .backlog import Backlog
from .delivery import delivered_before, failed, gone, queued, undelivered
from .first_attempts import Delivery
from .outcome import Outcome

_TOGETHER = 40
"""Configs whose messages are queued together, between two looks at the clock."""


class Settled(NamedTuple):
    """What became of a batch: the tasks of which something could not be written, and how many notifications were
    queued, configs removed because their receivers wanted no more, and notifications too many to wait."""

    failed_tasks: set[str]
    queued: int
    gone: int
    dead: int


Map = Callable[..., Iterable[Any]]
"""``map``, or one that makes the calls at once."""


class _Waiting(NamedTuple):
    """Messages of one config that may wait, and those that go ``over`` the bound."""

    messages: Sequence[QueuedNotification]
    over: Sequence[QueuedNotification] = ()


class _Outcome(NamedTuple):
    """What became of a config: the messages to queue, whether it is gone, and how many became dead letters."""

    messages: Sequence[QueuedNotification] = ()
    gone: int = 0
    dead: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """``delay`` is the schedule; ``backlog`` bounds what may wait (None: nothing does); ``map`` may make the calls for
    several configs at once: a batch with many bad webhooks must not hold up its shard by that."""

    configs: PushConfigStore
    queue: RedeliveryQueue
    clock: Clock
    delay: Callable[[int, float | None], int]
    backlog: Backlog | None = None
    map: Map = map

    def settle(self, deliveries: Sequence[Delivery], until: datetime) -> Settled:
        """Queue what was not acknowledged: first the cursor, then the messages, so that nothing can overtake them even
        if the process dies in between. Nothing is begun after ``until``."""
        failed_tasks: set[str] = set()
        became: Counter[str] = Counter()
        pending: Counter[str] = Counter()
        troubled = [one for one in deliveries if one.config.failing_since or undelivered(one.events, one.answers)]
        for first in range(0, len(troubled), _TOGETHER):
            some = [(one, self._waiting(one, pending, until)) for one in troubled[first : first + _TOGETHER]]
            messages: list[tuple[PushConfig, QueuedNotification]] = []
            for (delivery, _), found in zip(
                some, self.map(lambda one: self._written(one[0], one[1], until), some), strict=True
            ):
                if found is None:
                    failed_tasks.add(delivery.config.task_id)
                else:
                    became.update(gone=found.gone, dead=found.dead)
                    messages += [(delivery.config, message) for message in found.messages]
            if messages:
                failed_tasks |= self._queue_all(messages, until)
                became.update(queued=len(messages))
        return Settled(failed_tasks, became["queued"], became["gone"], became["dead"])

    def _queue_all(self, messages: Sequence[tuple[PushConfig, QueuedNotification]], until: datetime) -> set[str]:
        try:
            self._check_time(until)
            failed = self.queue.send(message for _, message in messages)
        except Unavailable:
            return {message.task_id for _, message in messages}
        if self.backlog is not None:
            with suppress(Unavailable):
                self.backlog.count(one for one in messages if (one[0].task_id, one[0].config_id) not in failed)
        return {task_id for task_id, _ in failed}

    def _waiting(self, delivery: Delivery, pending: Counter[str], until: datetime) -> _Waiting | None:
        """The messages of a config, divided into those that may wait and those that are too many. None: nobody knows
        how many wait."""
        messages = queued(delivery.config, undelivered(delivery.events, delivery.answers), delivery.answers)
        if self.backlog is None or not messages:
            return _Waiting(messages)
        try:
            self._check_time(until)
            fitting = self.backlog.fitting(delivery.config, messages, pending)
        except Unavailable:
            return None
        return _Waiting(messages[:fitting], messages[fitting:])

    def _written(self, delivery: Delivery, waiting: _Waiting | None, until: datetime) -> _Outcome | None:
        """What is written about a config: that it is behind, gone, or well again. None: it could not be."""
        config = delivery.config
        try:
            if waiting is None:
                return None
            self._check_time(until)
            if not waiting.messages and not waiting.over:
                # Otherwise its next failure, perhaps months later, would count from then and give up at once.
                self.configs.recover(config)
                return _Outcome()
            if gone(delivery.answers) and self.configs.retire(config):
                return _Outcome(gone=1)
            if waiting.over and self.backlog is not None:
                self.backlog.give_up(self.configs, config, waiting.over)
            if not waiting.messages:
                return _Outcome(dead=len(waiting.over))
            first, last = undelivered(delivery.events, delivery.answers)[0], waiting.messages[-1].generation
            delivered = delivered_before(config, first)
            exists = self.configs.raise_queued(config, last, self._failure(delivery), delivery.held, delivered)
            return _Outcome(waiting.messages if exists else [], dead=len(waiting.over))
        except Unavailable:
            return None

    def _failure(self, delivery: Delivery) -> PushConfig | None:
        """The config as the failed first attempt leaves it: the next one keeps the schedule, and ``Retry-After``.

        Not after a timeout: it was our deadline, which is short. Redelivery has more time and tries at once.
        """
        last = delivery.answers[-1] if delivery.answers else None
        if last is None or last.outcome is not Outcome.RETRY or last.error == "timeout":
            return None
        event = delivery.events[len(delivery.answers) - 1]
        return failed(delivery.config, last, self.clock(), self.delay, f"{event.generation}.{event.n}")

    def _check_time(self, until: datetime) -> None:
        """Raises :class:`Unavailable` when it is too late to begin another call."""
        if self.clock() > until:
            raise Unavailable("out of time")
