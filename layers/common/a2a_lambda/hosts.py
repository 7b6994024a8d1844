"""Hosts that hung, as one execution environment remembers them."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import urlsplit

from .outcome import Answer


@lru_cache(maxsize=4_096)
def host_of(url: str) -> str:
    """Host and port as the URL writes them."""
    return urlsplit(url).netloc.rpartition("@")[2]


class HangingHosts:
    """Hosts that lately took long to say nothing. They get no attempt for ``shun``, so that one of them can hold up an
    environment for one attempt a minute, however many configs name it."""

    def __init__(self, shun: timedelta = timedelta(seconds=60)) -> None:
        self._shun = shun
        self._until: dict[str, datetime] = {}

    def note(self, url: str, answer: Answer, least: float, now: datetime) -> None:
        """Remember the host if there was no answer for at least ``least`` seconds."""
        if answer.status is None and answer.seconds >= least:
            self._until = {host: until for host, until in self._until.items() if until > now}
            self._until[host_of(url)] = now + self._shun

    def until(self, url: str, now: datetime) -> datetime | None:
        """When the host may be tried again; None: now."""
        until = self._until.get(host_of(url)) if self._until else None
        return until if until is not None and until > now else None
