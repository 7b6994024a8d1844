"""Hosts that hung, as one execution environment remembers them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from ..core.records import PushConfig


@lru_cache(maxsize=4_096)
def host_of(url: str) -> str:
    """Host and port as the URL writes them."""
    return urlsplit(url).netloc.rpartition("@")[2]


class HangingHosts:
    """Hosts that lately let an owner's attempt wait. They get none of that owner's for ``shun``, so that one of them
    can hold up an environment for one attempt a minute, however many configs of the owner name it.

    By owner, because many share a host, and a URL of one of them may hang: nobody else is to wait for that.
    """

    def __init__(self, shun: timedelta = timedelta(seconds=60)) -> None:
        self._shun = shun
        self._until: dict[tuple[str, str], datetime] = {}

    def note(self, config: PushConfig, now: datetime) -> None:
        """Remember the host: it let us wait."""
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[config.owner, host_of(config.url)] = now + self._shun

    def until(self, config: PushConfig, now: datetime) -> datetime | None:
        """When the host may be tried again; None: now."""
        until = self._until.get((config.owner, host_of(config.url))) if self._until else None
        return until if until is not None and until > now else None
