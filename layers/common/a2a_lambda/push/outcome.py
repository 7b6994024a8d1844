"""One attempt at a webhook: the request, the answer, and what follows from it for the event."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from enum import Enum
from typing import Literal, NamedTuple, TypeAlias

Failure: TypeAlias = Literal[
    "timeout",  # the wall clock of the transfer or of the batch ran out
    "dns",  # the name has no address
    "connect",  # nobody listens, or no route
    "refused address",  # every address that the name leads to is forbidden by the policy
    "tls",  # certificate, name or version
    "reset",  # the connection ended before a whole answer
    "response",  # not HTTP, or a header section without an end
    "refused url",  # the policy forbids the URL as it stands
    "header",  # a registered token or credential cannot be a header
    "other",
]
"""Why there is no status. Short, for logs and for the client's ``lastError``; never a text from outside."""


class Outcome(Enum):
    """What to do with the event."""

    DELIVERED = "delivered"
    """The receiver has it."""
    RETRY = "retry"
    """Send it again by the schedule; the events behind it wait."""
    GIVE_UP = "give up"
    """The receiver will never take this very event: dead-letter it at once, and let the ones behind it go on."""
    GONE = "gone"
    """The receiver wants no more of them: remove the config."""


class Post(NamedTuple):
    """One POST. ``url`` and ``headers`` as they were registered: they are judged when they are sent. ``seconds`` is for
    how long its answer is waited for, name resolution and connecting included."""

    url: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    seconds: float = 60.0


class Answer(NamedTuple):
    """How one POST ended: with a ``status``, or with an ``error``; exactly one of the two is set.

    A status counts as soon as the header section is complete: what the body does afterwards (too long, cut off, never
    ending) does not matter. ``retry_after`` is in seconds. ``address`` is the one that was connected to, or refused;
    it is for the operator's logs, a client must not see it (it would turn us into a resolver of internal names).
    ``seconds`` is the time from start to end, name resolution included.
    """

    status: int | None = None
    error: Failure | None = None
    retry_after: float | None = None
    address: str | None = None
    seconds: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """See :func:`classify`."""
        return classify(self.status, self.error)


Lane: TypeAlias = Generator[Post, Answer, None]
"""Posts that are sent one after the other: each is made when the one before was answered, and the answer is sent in."""


def classify(status: int | None, error: Failure | None) -> Outcome:
    """The outcome of an attempt that ended with an HTTP ``status``, or with an ``error`` and no status.

    Losing an event is worse than sending it for three days in vain, so whatever might be repaired is retried:

    * 4xx too. 400, 401, 403, 404: a rotated secret, a route not yet deployed, a firewall. None is about the event.
    * 3xx: a redirect is never followed (it could lead inside), so it is a failure like any other.
    * A refused address: it comes from DNS, which its owner may correct; another attempt tells an attacker nothing new.
    * A refused URL or header: the operator may correct the setting, or the client register again. Nothing is sent.

    Only 413 is given up: the one status that says that this event, unlike the next, is too large for the receiver.
    """
    if status is None or error is not None:
        return Outcome.RETRY
    if 200 <= status <= 299:
        return Outcome.DELIVERED
    return {410: Outcome.GONE, 413: Outcome.GIVE_UP}.get(status, Outcome.RETRY)
