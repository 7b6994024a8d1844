"""When the next attempt at a failing webhook is made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import random

DELAYS = (5, 30, 300, 1_800, 7_200, 18_000, 36_000, 43_200)
"""Seconds before the next attempt after 1, 2, 3 … failures; the last one repeats."""

JITTER = 0.2
"""The delays spread by this share to both sides, so that what failed together does not return together."""

LONGEST = 43_000
"""Seconds. SQS hides a message for at most 12 h *since it was received*: the attempt itself has to fit in as well."""

LOOK = 900
"""Seconds after which a message that waits for a later attempt is looked at again. While it is hidden nothing can wake
it, so this is how long a client that sets its webhook again may have to wait for the first event."""

RECEIVES = 1_000
"""SQS hands a message out so often at most, and then takes it away: ``maxReceiveCount`` of the queue."""

HORIZON = 3 * 86_400
"""Seconds for which a config may fail before its events go to the dead-letter queue."""


def delay(failures: int, retry_after: float | None = None, *, random: Callable[[], float] = random) -> int:
    """Whole seconds until the next attempt, after ``failures`` (at least 1) failed ones in a row.

    ``retry_after`` is what the receiver asked for, in seconds. It can only put the attempt off: a receiver that
    answers "503, Retry-After: 1" for three days must not get us to send for three days every second.
    ``random`` returns numbers in [0, 1). The result is in [4, ``LONGEST``].
    """
    base = DELAYS[min(max(failures, 1), len(DELAYS)) - 1]
    shortest, longest = base * (1 - JITTER), min(base * (1 + JITTER), LONGEST)
    scheduled = shortest + (longest - shortest) * random()
    return round(min(max(scheduled, retry_after or 0.0), LONGEST))


def patience(receives: int) -> int:
    """Seconds for which the queue keeps a message at least that it has handed out ``receives`` times.

    Whatever a message waits for, be it a table or a key that is away for days, ``RECEIVES`` of these last for a week:
    SQS takes none away that has not had its horizon. ``n`` of them are n² seconds, so the first minutes
    have many, and who waited for an hour goes on within two minutes.
    """
    return min(2 * receives - 1, LOOK)


def retry_after_seconds(value: str, now: datetime) -> float | None:
    """Reads a ``Retry-After`` header (RFC 9110, section 10.2.3): seconds, or a date. ``None`` if it is neither.

    ``now`` has an offset. A date in the past is 0.
    """
    value = value.strip()[:64]  # a receiver writes this: no longer than the longest date, and no way to raise below
    if value.isascii() and value.isdigit():
        return float(value[:9])  # nine digits are thirty years: enough
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    if when.tzinfo is None:  # "-0000" in the date: a time in UTC, by RFC 5322
        when = when.replace(tzinfo=UTC)
    return max((when - now).total_seconds(), 0.0)
