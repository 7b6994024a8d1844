"""How much may wait. SQS finds work among the first 120,000 messages of a queue only, so whoever puts those there stops
the retries of everybody. What a config and an owner may have waiting is a small share of that; what goes over is a dead
letter at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..core.ports import DeadLetters, PushConfigStore, QueuedNotification, WaitingCounts
from ..core.records import PushConfig

PER_CONFIG = 1_000
"""Generations of one config that may wait."""

PER_OWNER = 6_000
"""Messages of one owner that may wait: a twentieth of what SQS looks at."""

FULL = "too many wait"
"""The reason of such a dead letter, in words that a client may see."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """The bound on what waits."""

    counts: WaitingCounts
    dead_letters: DeadLetters
    per_owner: int = PER_OWNER
    per_config: int = PER_CONFIG

    def fitting(self, config: PushConfig, messages: Sequence[QueuedNotification], pending: Counter[str]) -> int:
        """How many of the messages of a config may wait: whole generations, the earlier ones first. ``pending`` are
        those of each owner that this batch has let in; they are added to it. Raises :class:`Unavailable`.

        What is in the queue already, because the batch comes again, may always be there.
        """
        new = sum(_is_new(config, message) for message in messages)
        if not new:
            return len(messages)
        room = len(messages) - new + self.per_owner - self.counts.of(config.owner) - pending[config.owner]
        last = config.settled_through + self.per_config
        fitting = 0
        for place, message in enumerate(messages, start=1):
            if _is_new(config, message) and (place > room or message.generation > last):
                break
            if message.last:
                fitting = place
        pending[config.owner] += sum(_is_new(config, message) for message in messages[:fitting])
        return fitting

    def give_up(self, configs: PushConfigStore, config: PushConfig, messages: Sequence[QueuedNotification]) -> None:
        """These are too many: dead letters, and counted with the config. Raises :class:`Unavailable`."""
        self.dead_letters.send_all(messages, FULL)
        configs.count_dead(config, len(messages), FULL)

    def count(self, queued: Iterable[tuple[PushConfig, QueuedNotification]]) -> None:
        """These are in the queue now. By the day of their change, so that what a crash leaves uncounted is forgotten
        with its day. Raises :class:`Unavailable`: then some are not counted, which is better than twice."""
        added = Counter((config.owner, day_of(message)) for config, message in queued if _is_new(config, message))
        for (owner, day), number in added.items():
            self.counts.change(owner, day, number)


def day_of(message: QueuedNotification) -> str:
    """The day of the change, in UTC."""
    return message.written_at[:10]


def _is_new(config: PushConfig, message: QueuedNotification) -> bool:
    return message.generation > config.queued_through
