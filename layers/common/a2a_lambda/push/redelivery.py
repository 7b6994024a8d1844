"""All later attempts: one message of the queue at a time per config, with backoff that belongs to the config."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Literal

from ..core.blobs import Link, unlinked
from ..core.model import timestamp
from ..core.ports import (
    Clock,
    DeadLetters,
    Poison,
    PushConfigStore,
    QueuedNotification,
    Unavailable,
    WaitingCounts,
)
from ..core.records import Held, PushConfig
from . import schedule
from .backlog import day_of
from .budget import Share, TimeBudget
from .delivery import HORIZON, Acknowledged, exhausted, failed, reason
from .notifier import Attempt, Lanes, attempt
from .outcome import Answer, Lane, Outcome, Post
from .receivers import HeldBack, Receivers
from .webhook import Signer, post, unsigned, webhook_id

Result = Literal["delivered", "dropped", "deferred", "dead", "gone"]

_SOON = 1
"""Seconds after which to look again at a config that was set again while we tried its old webhook."""

_QUICK = 1.0
"""Seconds of an attempt that cost its owner nothing."""

TOTAL_SHARE, OWNER_SHARE = 3 / 4, 1 / 2
"""Of an environment's time, for attempts at webhooks that are not quick: in all, and for one owner."""

_REFUSED = reason(Answer(status=413))
"""Why a message is given up that its receiver refused at the first attempt."""

_LATER = 10
"""Seconds after which a message is tried again when a table, a queue or the key was unavailable."""


@dataclass(frozen=True, slots=True)
class Redelivery:
    """The result for one message. ``delay``: seconds for which the queue hides it; None: the message is done. ``held``
    is the webhook if it had no attempt."""

    result: Result
    delay: int | None = None
    attempt: Attempt | None = None
    held: HeldBack | None = None


@dataclass(frozen=True, slots=True)
class Redeliverer:
    """Keep it between messages: it remembers which webhooks hung, and how long each owner's took.

    ``seconds`` is the wall clock of one attempt.
    """

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
    counts: WaitingCounts | None = None
    receivers: Receivers = field(default_factory=Receivers)
    budget: TimeBudget = field(default_factory=lambda: TimeBudget(Share(TOTAL_SHARE, 60.0), Share(OWNER_SHARE, 30.0)))

    def redeliver(self, message: QueuedNotification, receives: int = 1) -> Redelivery:
        """Try the message, defer it, or drop it because its config is gone.

        ``receives`` is how often the queue has handed it out, this time included.
        """
        result = Redelivery("deferred", _LATER)
        try:
            result = self._redeliver(message)
            if result.delay is None:
                self._uncount(message)
                return result
        except Unavailable:
            # Not the webhook's fault, so its schedule stays as it is.
            result = Redelivery("deferred", _LATER, result.attempt)
        assert result.delay is not None
        return replace(result, delay=max(result.delay, schedule.patience(receives)))

    def _uncount(self, message: QueuedNotification) -> None:
        """One less waits. What an operator brought back was not counted."""
        if self.counts is not None and message.owner and not message.redrive:
            self.counts.change(message.owner, day_of(message), -1)

    def _redeliver(self, message: QueuedNotification) -> Redelivery:
        config = self.configs.get(message.task_id, message.config_id)
        if config is None or not _owed(config, message):
            return Redelivery("dropped")
        if message.refused_by == config.revision:
            return self._bury(config, message, _REFUSED, None)
        now = self.clock()
        not_before = config.not_before(now)
        if not_before is not None:
            if not config.paused(now) and exhausted(config, self.horizon):
                return self._bury(config, message, config.last_error or "", None)
            return Redelivery("deferred", _until(not_before, now))
        identity = webhook_id(config, message.generation, message.n, message.nonce)
        if self.acknowledged.has(config, identity):  # only the cursor could not be written
            return self._delivered(config, message, None)
        held = self._held(config, now)
        if held is not None:  # nothing is learnt of this config, so its schedule stays as it is
            return Redelivery("deferred", _until(held.until, now), held=HeldBack.of(config, held))
        trace = self.trace()
        request = post(config, identity, message.body, message.dialect, now, self.sign, trace, self.link)
        answer = self._sent(request)
        self._note(config, answer)
        tried = attempt(config, message.written_at, identity, answer, now)
        if answer.outcome is Outcome.DELIVERED:
            self.acknowledged.add(config, identity)
            return self._delivered(config, message, tried)
        try:
            return self._failed(config, message, answer, tried)
        except Unavailable:
            return Redelivery("deferred", _LATER, tried)

    def _sent(self, request: Post) -> Answer:
        answers: list[Answer] = []
        self.sender.run(iter([_lane(request, answers)]), self.seconds)
        return answers[0]

    def _held(self, config: PushConfig, now: datetime) -> Held | None:
        """Why the webhook waits; that is noted where its client and operators see it, once."""
        held = self.receivers.held(config, now)
        if held is None and not self.receivers.prompt(config) and self.budget.left(config.owner, now) <= 0:
            held = Held("turn", self.budget.when(config.owner, 0.0, now))
        if held is not None and (config.held is None or config.held.reason != held.reason or config.held.until <= now):
            self.configs.hold(config, held)
        return held

    def _note(self, config: PushConfig, answer: Answer) -> None:
        now = self.clock()
        self.budget.spend({config.owner: answer.seconds - _QUICK}, now)
        prompt = self.seconds / 5
        if answer.outcome is not Outcome.DELIVERED or answer.seconds <= prompt:
            # A slow success is no reason to hold anything back: it is what the queue is for.
            self.receivers.note(config, answer, prompt, now)

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


def _owed(config: PushConfig, message: QueuedNotification) -> bool:
    """Whether the config has yet to receive the message. Raises :class:`Poison` for one that is none of ours, or
    of a generation that was never queued: the cursor is raised before, and to deliver it would settle all up to
    there."""
    if config.incarnation != message.incarnation:
        return False
    unknown = message.generation > config.queued_through and not message.redrive
    if unknown or message.owner not in ("", config.owner):
        raise Poison
    return message.generation > config.settled_through or bool(message.redrive)


def _lane(request: Post, answers: list[Answer]) -> Lane:
    answers.append((yield request))


def _until(moment: datetime, now: datetime) -> int:
    """Whole seconds, at least one, and not too many: meanwhile the webhook may be set again, or redriven."""
    return min(max(1, ceil((moment - now).total_seconds())), schedule.LOOK)
