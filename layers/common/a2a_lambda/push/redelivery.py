"""All later attempts: one message of the queue at a time per config, with backoff that belongs to the config."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Literal

from ..core.blobs import Link, unlinked
from ..core.model import timestamp
from ..core.ports import Clock, DeadLetters, PushConfigStore, QueuedNotification, Unavailable
from ..core.records import PushConfig
from . import schedule
from .delivery import HORIZON, Acknowledged, exhausted, failed, reason
from .hosts import HangingHosts
from .notifier import Attempt, Lanes, attempt
from .outcome import Answer, Outcome, Post
from .webhook import Signer, post, unsigned, webhook_id

Result = Literal["delivered", "dropped", "deferred", "dead", "gone"]

_SOON = 1
"""Seconds after which to look again at a config that was set again while we tried its old webhook."""

_LATER = 10
"""Seconds after which a message is tried again when a table, a queue or the key was unavailable."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The result for one message. ``delay``: seconds for which the queue hides it; None: the message is done."""

    result: Result
    delay: int | None = None
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Redeliverer:
    """``seconds`` is the wall clock of one attempt."""

    configs: PushConfigStore
    dead_letters: DeadLetters
    sender: Lanes
    clock: Clock
    sign: Signer = unsigned
    link: Link = unlinked
    seconds: float = 15.0
    horizon: timedelta = HORIZON
    delay: Callable[[int, float | None], int] = schedule.delay
    trace: Callable[[], str | None] = lambda: None
    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    hanging: HangingHosts = field(default_factory=HangingHosts)

    def redeliver(self, message: QueuedNotification, receives: int = 1) -> Redelivery:
        """Try the message, defer it, or drop it because its config is gone.

        ``receives`` is how often the queue has handed it out, this time included.
        """
        try:
            result = self._redeliver(message)
        except Unavailable:
            # Not the webhook's fault, so its schedule stays as it is.
            result = Redelivery("deferred", _LATER)
        if result.delay is None:
            return result
        return replace(result, delay=max(result.delay, schedule.patience(receives)))

    def _redeliver(self, message: QueuedNotification) -> Redelivery:
        config = self.configs.get(message.task_id, message.config_id)
        if config is None or config.incarnation != message.incarnation:
            return Redelivery("dropped")
        if message.generation <= config.settled_through and not message.redrive:
            return Redelivery("dropped")
        now = self.clock()
        not_before = config.not_before(now)
        if not_before is not None:
            if not config.paused(now) and exhausted(config, self.horizon):
                return self._bury(config, message, config.last_error or "", None)
            return Redelivery("deferred", _until(not_before, now))
        identity = webhook_id(config, message.generation, message.n, message.nonce)
        if self.acknowledged.has(config, identity):  # only the cursor could not be written
            return self._delivered(config, message, None)
        hangs_until = self.hanging.until(config, now)
        if hangs_until is not None:  # nothing is learnt of this config, so its schedule stays as it is
            return Redelivery("deferred", _until(hangs_until, now))
        trace = self.trace()
        request = post(config, identity, message.body, message.dialect, now, self.sign, trace, self.link)
        ((answer,),) = self.sender.run(_one(request), self.seconds)
        if answer.outcome is not Outcome.DELIVERED and answer.seconds >= self.seconds / 4:
            # A slow success is no reason: it is what the queue is for.
            self.hanging.note(config, self.clock())
        tried = attempt(config, message.written_at, identity, answer, now)
        if answer.outcome is Outcome.DELIVERED:
            self.acknowledged.add(config, identity)
            return self._delivered(config, message, tried)
        try:
            return self._failed(config, message, answer, tried)
        except Unavailable:
            return Redelivery("deferred", _LATER, tried)

    def _delivered(self, config: PushConfig, message: QueuedNotification, tried: Attempt | None) -> Redelivery:
        try:
            if message.last:
                if not self.configs.settle(config, message.generation, self.clock()):
                    return Redelivery("deferred", _SOON, tried)
            elif config.failing_since is not None:
                self.configs.recover(config)
            self._close(config, message)
        except Unavailable:
            return Redelivery("deferred", _LATER, tried)
        return Redelivery("delivered", None, tried)

    def _failed(self, config: PushConfig, message: QueuedNotification, answer: Answer, tried: Attempt) -> Redelivery:
        if answer.outcome is Outcome.GONE and self.configs.retire(config):
            return Redelivery("gone", None, tried)
        if answer.outcome is Outcome.GIVE_UP:
            return self._bury(config, message, reason(answer), tried)
        changed = failed(config, answer, self.clock(), self.delay, f"{message.generation}.{message.n}")
        if not self.configs.record_failure(config, changed):
            return Redelivery("deferred", _SOON, tried)
        if exhausted(changed, self.horizon):
            return self._bury(changed, message, reason(answer), tried)
        assert changed.next_attempt_at is not None
        return Redelivery("deferred", _until(changed.next_attempt_at, self.clock()), tried)

    def _bury(self, config: PushConfig, message: QueuedNotification, why: str, tried: Attempt | None) -> Redelivery:
        """Give the message up: first to the dead letters, then the cursor, so that a crash in between loses nothing."""
        self.dead_letters.send(message, f"{why}; given up at {timestamp(self.clock())}")
        if message.last and not self.configs.settle(config, message.generation, None):
            return Redelivery("deferred", _SOON, tried)  # set again just now: the new webhook shall have its chance
        if not message.last and not message.redrive:
            self.configs.count_dead(config)
        self._close(config, message)
        return Redelivery("dead", None, tried)

    def _close(self, config: PushConfig, message: QueuedNotification) -> None:
        """A message that an operator brought back kept others waiting, wherever the cursor is."""
        if message.redrive:
            self.configs.close(config, message.redrive)


def _one(request: Post) -> Iterator[Iterator[Post]]:
    return iter([iter([request])])


def _until(moment: datetime, now: datetime) -> int:
    """Whole seconds, at least one, and not too many: meanwhile the webhook may be set again, or redriven."""
    return min(max(1, ceil((moment - now).total_seconds())), schedule.LOOK)
