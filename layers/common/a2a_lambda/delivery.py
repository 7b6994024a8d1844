"""What to do with the events of one config: pure decisions over the delivery cursor.

The promise: every event at least once, in order of generation, and nobody waits for a slow webhook but its owner.
A config is *backlogged* while events of it wait in the queue; then every later event goes behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from .changes import Change
from .dialects.webhooks import BY_NAME
from .outcome import Answer, Outcome
from .ports import QueuedNotification
from .records import PushConfig


@dataclass(frozen=True, slots=True)
class Notification:
    """One webhook body: event ``n`` of a generation, in the dialect of its config.

    ``nonce`` is set where the event repeats a state for a config that was registered late.
    """

    generation: int
    n: int
    body: str
    written_at: str
    nonce: str = ""


def notifications(config: PushConfig, changes: Iterable[tuple[Change, str]]) -> list[Notification]:
    """What the config has yet to hear of these changes (each with its nonce, or ""), in order.

    What is settled already is dropped: the config was registered later, or the batch is a replay.
    """
    dialect = BY_NAME[config.dialect]
    return [
        Notification(change.generation, n, body, change.written_at, nonce)
        for change, nonce in changes
        if change.generation > config.settled_through
        for n, body in dialect.notifications(change)
    ]


def undelivered(sent: Sequence[Notification], answers: Sequence[Answer]) -> Sequence[Notification]:
    """What is left after the first attempt: everything from the first event that was not acknowledged."""
    delivered = sum(1 for answer in answers if answer.outcome is Outcome.DELIVERED)
    return sent[delivered:]


def gone(answers: Sequence[Answer]) -> bool:
    """Whether the receiver asked to hear no more."""
    return bool(answers) and answers[-1].outcome is Outcome.GONE


def queued(config: PushConfig, waiting: Sequence[Notification]) -> list[QueuedNotification]:
    """The messages for the queue: one per generation, in order."""
    return [
        QueuedNotification(
            task_id=config.task_id,
            config_id=config.config_id,
            incarnation=config.incarnation,
            generation=generation,
            bodies=tuple((item.n, item.body) for item in items),
            dialect=config.dialect,
            written_at=items[0].written_at,
            nonce=nonce,
        )
        for (generation, nonce), group in groupby(waiting, key=lambda item: (item.generation, item.nonce))
        for items in [list(group)]
    ]
