"""What an execution environment remembers of receivers: which of them answer promptly, and which lately did not.

A receiver is an owner's host: many owners share a host, and one of them may have a webhook there that hangs. Of a host,
a webhook (its URL) is what is late; only when several of its webhooks are, the host is.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from datetime import datetime, timedelta
from functools import lru_cache
from statistics import median
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import urlsplit

from ..core.records import Held, PushConfig
from .outcome import Answer

LATE_WEBHOOKS = 3
"""Webhooks of a host that have to be late at once before the host counts as late."""

_REMEMBERED = 4_096
"""Hosts, and late webhooks, that are remembered."""

_SPIKE = 4
"""A webhook that was prompt so far is late when its answer takes so many times what is prompt, or less but repeatedly:
one slow answer says little, and may be our own fault."""

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@lru_cache(maxsize=4_096)
def host_of(url: str) -> str:
    """Host and port as the URL writes them."""
    return urlsplit(url).netloc.rpartition("@")[2]


class HeldBack(NamedTuple):
    """A webhook that got no attempt, for the log: why, and until when."""

    task_id: str
    config_id: str
    host: str
    reason: str
    until: datetime

    @classmethod
    def of(cls, config: PushConfig, held: Held) -> HeldBack:
        """The webhook of this config."""
        return cls(config.task_id, config.config_id, host_of(config.url), held.reason, held.until)


class _Late(NamedTuple):
    """``average`` seconds of the latest attempts, the last one weighing most; late ``until``, None: not late now.
    ``needs`` seconds to answer; 0.0 where it did not answer at all, so that nobody knows."""

    average: float
    until: datetime | None
    needs: float = 0.0


class Receivers:
    """By owner and host, and below that by URL. A webhook that was late gets no attempt for ``shun``."""

    def __init__(self, shun: timedelta = timedelta(seconds=60)) -> None:
        self._shun = shun
        self._prompt: _Remembered[tuple[str, str], bool] = _Remembered()
        self._webhooks: _Remembered[tuple[str, str, int], _Late] = _Remembered()
        self._hosts: _Remembered[tuple[str, str], dict[int, datetime]] = _Remembered()

    def note(self, config: PushConfig, answer: Answer, prompt: float, now: datetime) -> None:
        """An attempt at the webhook took so long, whatever came of it; up to ``prompt`` seconds is prompt."""
        seconds = answer.seconds
        host, webhook = _host(config), _webhook(config)
        before = self._webhooks.get(webhook)
        if seconds <= prompt:
            if answer.error == "timeout":
                return  # it came late in a long lane, and had no more time: that says nothing
            self._prompt.set(host, True)
            if before is not None:
                self._now_prompt(host, webhook, before.average / 2, prompt)
            return
        spike = answer.error != "timeout" and self._prompt.get(host)
        weight = 1 / _SPIKE if spike else 1.0
        average = (before.average * (1 - weight) if before is not None else 0.0) + seconds * weight
        if average <= prompt:
            self._webhooks.set(webhook, _Late(average, None))
            return
        until = now + self._shun
        self._webhooks.set(webhook, _Late(average, until, seconds if answer.error is None else 0.0))
        late = {url: end for url, end in (self._hosts.get(host) or {}).items() if end > now}
        late[webhook[2]] = until
        self._hosts.set(host, late)
        if len(late) >= LATE_WEBHOOKS:
            self._prompt.discard(host)

    def prompt(self, config: PushConfig) -> bool:
        """Whether the webhook is known to answer promptly: its host does, and it was not late itself."""
        late = self._webhooks.get(_webhook(config))
        return bool(self._prompt.get(_host(config))) and (late is None or late.until is None)

    def expected(self, config: PushConfig) -> float:
        """Seconds that the webhook needed when it answered late; 0.0 if it did not."""
        late = self._webhooks.get(_webhook(config))
        return late.needs if late is not None else 0.0

    def held(self, config: PushConfig, now: datetime) -> Held | None:
        """Until when, and why, no attempt is to be made; None: it may be made."""
        late = self._webhooks.get(_webhook(config))
        if late is not None and late.until is not None and late.until > now:
            return Held("webhook", late.until)
        ends = [end for end in (self._hosts.get(_host(config)) or {}).values() if end > now]
        return Held("host", sorted(ends)[-LATE_WEBHOOKS]) if len(ends) >= LATE_WEBHOOKS else None

    def _now_prompt(self, host: tuple[str, str], webhook: tuple[str, str, int], average: float, prompt: float) -> None:
        """An answer in time halves what is remembered: who answers late every other time stays late."""
        if average > prompt:
            self._webhooks.set(webhook, self._webhooks.peek(webhook)._replace(average=average, needs=0.0))
        else:
            self._webhooks.discard(webhook)
            (self._hosts.get(host) or {}).pop(webhook[2], None)


class Pace:
    """What is a prompt answer here: four times what half of the latest answers took, within bounds.

    Relative, because a webhook that takes 0.3 s delays nobody where all of them do, and everybody where the others take
    0.02 s. ``seconds`` is what a first attempt has at most.
    """

    _LATEST = 255
    _EVERY = 64

    def __init__(self, seconds: float) -> None:
        self._least, self._first, self._most = min(0.1, seconds / 10), seconds / 10, seconds / 4
        self._answers: deque[float] = deque(maxlen=self._LATEST)
        self._count = 0
        self.prompt = self._first
        """Seconds up to which an answer is prompt."""

    def note(self, seconds: float) -> None:
        """A receiver answered after so long."""
        self._answers.append(seconds)
        self._count += 1
        if self._count in (8, 16, 32) or self._count % self._EVERY == 0:
            # A few bad ones among the first must not make their pace everybody's.
            most = self._most if self._count >= self._EVERY else self._first
            self.prompt = min(max(4 * median(self._answers), self._least), most)


class _Remembered(Generic[_K, _V]):
    """A dictionary that forgets what was not used for longest."""

    def __init__(self) -> None:
        self._items: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K) -> _V | None:
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def peek(self, key: _K) -> _V:
        return self._items[key]

    def set(self, key: _K, value: _V) -> None:
        self._items[key] = value
        self._items.move_to_end(key)
        if len(self._items) > _REMEMBERED:
            self._items.popitem(last=False)

    def discard(self, key: _K) -> None:
        self._items.pop(key, None)


def _host(config: PushConfig) -> tuple[str, str]:
    return config.owner, host_of(config.url)


def _webhook(config: PushConfig) -> tuple[str, str, int]:
    return config.owner, host_of(config.url), hash(config.url)
