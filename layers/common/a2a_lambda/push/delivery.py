"""Decisions about the events of one config, by its delivery cursor. Pure functions.

The promise: every event at least once, in order of generation, and a slow webhook delays its own config only.
A config is *backlogged* while events of it wait in the queue; then every later event goes behind them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from ..core.changes import Change
from ..core.ports import QueuedNotification
from ..core.records import FailedAttempt, PushConfig
from . import schedule
from .outcome import Answer, Outcome
from .webhook import webhook_id

HORIZON = timedelta(seconds=schedule.HORIZON)

KEPT_FAILURES = 8
"""Failed attempts that a config keeps for operators: less than 1 kB of its item, and written with the failure."""


class Notification(NamedTuple):
    """One webhook body: event ``n`` of a generation, in the dialect of its config; ``last`` of that generation or not.

    ``identity`` is its webhook-id. ``nonce`` is set where the event repeats a state for a config that was registered
    late.
    """

    identity: str
    generation: int
    n: int
    body: str
    last: bool
    written_at: str
    nonce: str = ""


def notifications(
    config: PushConfig, change: Change, bodies: Sequence[tuple[int, str]], nonce: str = ""
) -> list[Notification]:
    """The notifications of a change that the config has not received, in order. ``bodies`` are in the config's dialect.

    A settled generation has none: the batch is a replay. Nor has one from before the registration of the config;
    only an announcement, which has a ``nonce``, may be of the generation of the registration itself.
    """
    generation = change.generation
    if generation <= config.settled_through or (generation <= config.registered and not nonce):
        return []
    written_at = change.written_at
    return [
        Notification(
            webhook_id(config, generation, n, nonce), generation, n, body, place == len(bodies), written_at, nonce
        )
        for place, (n, body) in enumerate(bodies, start=1)
    ]


def undelivered(sent: Sequence[Notification], answers: Sequence[Answer]) -> Sequence[Notification]:
    """The events from the first one that was not acknowledged. A failure can only be the last of the ``answers``."""
    failures = 1 if answers and answers[-1].outcome is not Outcome.DELIVERED else 0
    return sent[len(answers) - failures :]


def delivered_before(config: PushConfig, first: Notification) -> int | None:
    """The generation that first attempts have come to before the ``first`` event that waits; None where the config
    knows better, because its last event came, or was given up, by the queue."""
    if config.backlogged or config.failing_since is not None:
        return None
    before = first.generation - 1
    return before if before > max(config.settled_through, config.registered) else None


def gone(answers: Sequence[Answer]) -> bool:
    """Whether the receiver answered 410."""
    return bool(answers) and answers[-1].outcome is Outcome.GONE


def queued(
    config: PushConfig, waiting: Iterable[Notification], answers: Sequence[Answer] = ()
) -> list[QueuedNotification]:
    """The messages for the queue, in order. The first event is the one that the last of the ``answers`` refused, if it
    did: it takes its turn, so that the dead letters are in order, but has no further attempt."""
    refused = bool(answers) and answers[-1].outcome is Outcome.GIVE_UP
    return [
        QueuedNotification(
            task_id=config.task_id,
            config_id=config.config_id,
            incarnation=config.incarnation,
            generation=item.generation,
            n=item.n,
            body=item.body,
            last=item.last,
            dialect=config.dialect,
            written_at=item.written_at,
            nonce=item.nonce,
            refused_by=config.revision if refused and place == 0 else "",
            owner=config.owner,
        )
        for place, item in enumerate(waiting)
    ]


def failed(
    config: PushConfig,
    answer: Answer,
    now: datetime,
    delay: Callable[[int, float | None], int] = schedule.delay,
    event: str = "",
) -> PushConfig:
    """The config after one more failure, that of this ``event`` (``<generation>.<n>``). The schedule belongs to the
    config, so later events do not start it anew. A pause since the last failure does."""
    since = None if _before_pause(config) else config.failing_since
    attempts = config.attempts + 1 if since is not None else 1
    attempt = FailedAttempt(now, event, reason(answer), round(answer.seconds * 1000))
    return replace(
        config,
        attempts=attempts,
        failing_since=since or now,
        recent_failures=(*config.recent_failures, attempt)[-KEPT_FAILURES:],
        last_attempt_at=now,
        next_attempt_at=now + timedelta(seconds=delay(attempts, answer.retry_after)),
        last_error=reason(answer),
    )


def exhausted(config: PushConfig, horizon: timedelta = HORIZON) -> bool:
    """Whether the webhook has failed for the whole horizon, the latest attempt included."""
    if config.failing_since is None or config.last_attempt_at is None:
        return False
    if _before_pause(config):
        return False
    return config.last_attempt_at - config.failing_since >= horizon


def _before_pause(config: PushConfig) -> bool:
    """Whether the failures are from before a pause. The one who pauses clears them, but an attempt that was under way
    then may write its failure afterwards: three days of pause must not count as three days of failing."""
    paused, since = config.paused_until, config.failing_since
    return paused is not None and since is not None and since < paused


def reason(answer: Answer) -> str:
    """Why an attempt failed, in a word that a client may see."""
    return answer.error or f"status {answer.status}"


class Acknowledged:
    """The last few thousand notifications that receivers acknowledged to this execution environment.

    A shortcut and not a ledger: when a batch comes again because something else in it failed, or the cursor could not
    be written, what arrived need not be sent again. Forgetting it costs a duplicate and nothing else.
    """

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def add(self, config: PushConfig, webhook_id: str) -> None:
        """Remember that the present revision of the config acknowledged it."""
        self._seen[config.revision, webhook_id] = None
        if len(self._seen) > self._size:
            self._seen.popitem(last=False)

    def has(self, config: PushConfig, webhook_id: str) -> bool:
        """Whether this revision is known to have acknowledged it."""
        return (config.revision, webhook_id) in self._seen
