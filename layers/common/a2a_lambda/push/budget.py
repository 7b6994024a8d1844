"""Time that others wait for a few: a share of what passes, for each owner and for all owners together.

Pure bookkeeping, as one execution environment has it. Nothing is stored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

_OWNERS = 4_096
"""Owners that are remembered. Whoever is forgotten has a full budget again; the one for all still binds."""


_SPENT, _RESTED = 1 / 2, 3 / 4
"""Parts of what can be saved up: with less than the first nothing is allowed, until the second is there again."""


class Share(NamedTuple):
    """``share`` of the time that passes may be spent, and ``most`` seconds of it can be saved up, or owed."""

    share: float
    most: float


class _Account:
    """What may be spent, in seconds. Full at first."""

    __slots__ = ("_at", "_left", "_resting", "_share")

    def __init__(self, share: Share, now: datetime) -> None:
        self._share = share
        self._left = share.most
        self._at = now
        self._resting = False

    def left(self, now: datetime) -> float:
        earned = self._share.share * max(0.0, (now - self._at).total_seconds())
        return min(self._share.most, self._left + earned)

    def spend(self, seconds: float, now: datetime) -> None:
        self._left = max(-self._share.most, self.left(now) - seconds)
        self._at = max(self._at, now)

    def allowed(self, now: datetime) -> float:
        left = self.left(now)
        self._resting = left < self._share.most * (_RESTED if self._resting else _SPENT)
        return 0.0 if self._resting else left / 2

    def when(self, seconds: float, now: datetime) -> datetime:
        least = self._share.most * (_RESTED if self.allowed(now) == 0 else _SPENT)
        needed = min(max(2 * seconds, least), self._share.most)
        return now + timedelta(seconds=max(0.0, needed - self.left(now)) / self._share.share)


class TimeBudget:
    """Seconds that an owner may have others wait, and all owners together: whichever is less.

    What is spent may be more than there was: that is owed, and as long as it is, there is nothing left.
    """

    def __init__(self, total: Share, owner: Share) -> None:
        self._shares = total, owner
        self._total: _Account | None = None
        self._owners: OrderedDict[str, _Account] = OrderedDict()

    def left(self, owner: str, now: datetime) -> float:
        """Seconds that may still be spent on this owner; negative while more was spent than there was."""
        return min(account.left(now) for account in self._accounts(owner, now))

    def allowed(self, owner: str, now: datetime) -> float:
        """Seconds that one more of this owner may have others wait: half of what is left, so that something stays for
        the next; 0.0 from when less than half of all that can be saved up is there until three quarters are: what is
        earned under an attack is not spent at once in small pieces, of which each is a wait for somebody."""
        return min(account.allowed(now) for account in self._accounts(owner, now))

    def when(self, owner: str, seconds: float, now: datetime) -> datetime:
        """The moment from which so many seconds are allowed, or as many as ever are, if nothing is spent until then."""
        return max(account.when(seconds, now) for account in self._accounts(owner, now))

    def spend(self, seconds: Mapping[str, float], now: datetime) -> None:
        """What others waited for each owner. They waited at the same time, so together they spent the longest."""
        for owner, spent in seconds.items():
            if spent > 0:
                self._accounts(owner, now)[1].spend(spent, now)
        longest = max(seconds.values(), default=0.0)
        if longest > 0:
            self._all(now).spend(longest, now)

    def _all(self, now: datetime) -> _Account:
        if self._total is None:
            self._total = _Account(self._shares[0], now)
        return self._total

    def _accounts(self, owner: str, now: datetime) -> tuple[_Account, _Account]:
        account = self._owners.get(owner)
        if account is None:
            account = self._owners[owner] = _Account(self._shares[1], now)
            if len(self._owners) > _OWNERS:
                self._owners.popitem(last=False)
        else:
            self._owners.move_to_end(owner)
        return self._all(now), account
