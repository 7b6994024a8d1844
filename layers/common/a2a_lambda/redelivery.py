"""All later attempts: one message of the queue at a time per config, with backoff that belongs to the config."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import ceil
from typing import Literal

from . import schedule
from .delivery import Notification
from .model import timestamp
from .notifier import Attempt, Lanes, attempt
from .outcome import Answer, Outcome, Post
from .ports import Clock, DeadLetters, PushConfigStore, QueuedNotification
from .records import PushConfig
from .webhook import Signer, post, unsigned

Result = Literal["delivered", "dropped", "deferred", "dead", "gone"]


@dataclass(frozen=True, slots=True)
class Redelivery:
    """What became of a message. ``delay`` is in seconds: for how long the queue is to keep it; None: it is done."""

    result: Result
    delay: int | None = None
    attempts: list[Attempt] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Redeliverer:
    """``seconds`` is the wall clock of one attempt at a message, whatever its number of bodies."""

    configs: PushConfigStore
    dead_letters: DeadLetters
    sender: Lanes
    clock: Clock
    sign: Signer = unsigned
    seconds: float = 15.0
    horizon: timedelta = timedelta(seconds=schedule.HORIZON)
    delay: Callable[[int, float | None], int] = schedule.delay
    trace: Callable[[], str | None] = lambda: None

    def redeliver(self, message: QueuedNotification) -> Redelivery:
        """Try the message, or decide that it is not its time, or that there is nobody to try it for."""
        config = self.configs.get(message.task_id, message.config_id)
        if config is None or config.incarnation != message.incarnation:
            return Redelivery("dropped")
        if message.generation <= config.settled_through:
            return Redelivery("dropped")
        now = self.clock()
        if config.next_attempt_at is not None and now < config.next_attempt_at:
            if self._exhausted(config, now):
                return self._bury(config, message, "the webhook has failed for too long", [])
            return Redelivery("deferred", _until(config.next_attempt_at, now))
        return self._attempt(config, message)

    def _attempt(self, config: PushConfig, message: QueuedNotification) -> Redelivery:
        (answers,) = self.sender.run(iter([self._lane(config, message)]), self.seconds)
        attempts = [
            attempt(config, Notification(message.generation, n, "", message.written_at), answer, self.clock)
            for (n, _), answer in zip(message.bodies, answers, strict=False)
        ]
        last = answers[-1] if answers else Answer(error="timeout")
        outcome = last.outcome if len(answers) < len(message.bodies) else _worst(answers)
        if outcome is Outcome.DELIVERED and len(answers) == len(message.bodies):
            self.configs.settle(config, message.generation, delivered=True)
            return Redelivery("delivered", None, attempts)
        if outcome is Outcome.GONE:
            self.configs.delete(config)
            return Redelivery("gone", None, attempts)
        if outcome is Outcome.GIVE_UP:
            return self._bury(config, message, _reason(last), attempts)
        failed = self._failed(config, last)
        self.configs.record_failure(config, failed)
        assert failed.next_attempt_at is not None
        if self._exhausted(failed, self.clock()):
            return self._bury(failed, message, _reason(last), attempts)
        return Redelivery("deferred", _until(failed.next_attempt_at, self.clock()), attempts)

    def _lane(self, config: PushConfig, message: QueuedNotification) -> Iterator[Post]:
        trace = self.trace()
        for n, body in message.bodies:
            yield post(config, message.generation, n, body, message.dialect, self.clock(), self.sign, trace)

    def _failed(self, config: PushConfig, answer: Answer) -> PushConfig:
        """The config after one more failure. The schedule is the config's: what waits behind does not start anew."""
        now = self.clock()
        attempts = config.attempts + 1
        return replace(
            config,
            attempts=attempts,
            failing_since=config.failing_since or now,
            next_attempt_at=now + timedelta(seconds=self.delay(attempts, answer.retry_after)),
            last_error=_reason(answer),
        )

    def _exhausted(self, config: PushConfig, now: datetime) -> bool:
        return config.failing_since is not None and now - config.failing_since >= self.horizon

    def _bury(
        self, config: PushConfig, message: QueuedNotification, reason: str, attempts: list[Attempt]
    ) -> Redelivery:
        """Give the message up: first to the dead letters, then the cursor, so that a crash in between loses nothing."""
        self.dead_letters.send(message, f"{reason}; given up at {timestamp(self.clock())}")
        self.configs.settle(config, message.generation, delivered=False)
        return Redelivery("dead", None, attempts)


def _worst(answers: list[Answer]) -> Outcome:
    return next((answer.outcome for answer in answers if answer.outcome is not Outcome.DELIVERED), Outcome.DELIVERED)


def _reason(answer: Answer) -> str:
    return answer.error or f"status {answer.status}"


def _until(moment: datetime, now: datetime) -> int:
    """Whole seconds, at least one, at most what SQS can hide a message for."""
    return min(max(1, ceil((moment - now).total_seconds())), schedule.LONGEST)
