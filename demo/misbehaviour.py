"""How a receiver misbehaves on request. The query of its URL says how and when, so that one receiver can be many."""

from __future__ import annotations

import random
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (re.fullmatch(r"[0-9]{1,9}", text) and least <= int(text) <= most):
            raise ValueError(f"a whole number from {least} to {most}")
        return int(text)

    return read


def _number(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not (re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) and float(text) <= most):
            raise ValueError(f"a number from 0 to {most:g}")
        return float(text)

    return read


def _url(text: str) -> str:
    if not re.fullmatch(r"https?://[!-~]+", text):
        raise ValueError("an http(s) URL, percent-encoded")
    return text


def _nothing(text: str) -> bool:
    if text:
        raise ValueError("no value")
    return True


@dataclass(frozen=True)
class Option:
    """One name of a query: how its value is read, an example of one, and what it does."""

    read: Callable[[str], Any]
    example: str
    does: str


WHAT = {
    "status": Option(_whole(200, 599), "503", "answer with this status"),
    "retry-after": Option(_whole(0, 86_400), "5", "answer 503 (or `status`) with Retry-After, in seconds"),
    "redirect": Option(_url, "http://localhost:9/", "answer 302 (or `status`) with this Location"),
    "delay": Option(_number(60), "2", "wait for so many seconds first; goes with any other, too"),
    "drip": Option(_number(60), "1", "take it, then answer a byte every so many seconds, without an end"),
    "hang": Option(_nothing, "", "never answer"),
    "reset": Option(_nothing, "", "reset the connection"),
    "forget": Option(_nothing, "", "take it, then reset the connection"),
}
WHEN = {
    "times": Option(_whole(0, 999_999_999), "3", "so many times in all"),
    "after": Option(_whole(0, 999_999_999), "2", "after so many requests that go well"),
    "for": Option(_number(999_999_999), "60", "for so many seconds from the first request"),
    "probability": Option(_number(1), "0.3", "that often, from 0 to 1"),
    "seed": Option(_whole(0, 999_999_999), "7", "of the dice for that"),
}
OPTIONS = WHAT | WHEN
REFUSALS = {"status", "retry-after", "redirect", "hang", "reset"}
ALONE = {"drip", "hang", "reset", "forget"}


def describe() -> str:
    """All that a URL can ask for, by example, a line each."""
    examples = {f"{name}={option.example}".rstrip("="): option.does for name, option in OPTIONS.items()}
    return "\n".join(f"  {example:<30}{does}" for example, does in examples.items())


class Misbehaviour:
    """What one URL asks for, and how often it has got it. ``clock`` is in seconds.

    Raises ``ValueError``, with a text for people, for a query that cannot be understood.
    """

    def __init__(self, query: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._asked = _read(query)
        self._clock = clock
        self._random = random.Random(self._asked.get("seed", 0))  # noqa: S311
        self._lock = threading.Lock()
        self._requests = self._times = 0
        self._since: float | None = None

    def due(self) -> bool:
        """Whether the request that has just come is to be treated badly. To be asked once for each."""
        with self._lock:
            now, asked = self._clock(), self._asked
            self._since = now if self._since is None else self._since
            self._requests += 1
            due = (
                bool(asked)
                and self._requests > asked.get("after", 0)
                and self._times < asked.get("times", self._requests)
                and now - self._since < asked.get("for", float("inf"))
                and self._random.random() < asked.get("probability", 1)
            )
            self._times += due
            return due

    @property
    def delay(self) -> float:
        """Seconds to wait before anything else."""
        return float(self._asked.get("delay", 0))

    @property
    def status(self) -> int | None:
        """What is answered instead of taking the push; 0: nothing is; None: it is taken."""
        if not REFUSALS & set(self._asked):
            return None
        if self.spoils:
            return 0
        return int(self._asked.get("status", 302 if "redirect" in self._asked else 503))

    @property
    def headers(self) -> dict[str, str]:
        """What goes with that status."""
        names = {"retry-after": "Retry-After", "redirect": "Location"}
        return {header: str(self._asked[name]) for name, header in names.items() if name in self._asked}

    @property
    def spoils(self) -> bool:
        """Whether the sender gets no answer."""
        return bool(ALONE & set(self._asked))

    def spoil(self, connection: socket.socket) -> None:
        """Do to the connection what is asked for instead of an answer."""
        if "hang" in self._asked:
            hang(connection)
        elif "drip" in self._asked:
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            drip(connection, b"x", self._asked["drip"])
        else:
            reset(connection)


def _read(query: str) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in OPTIONS:
            raise ValueError(f"{name!r} is unknown; there are: {', '.join(OPTIONS)}")
        if name in asked:
            raise ValueError(f"{name!r} is there twice")
        try:
            asked[name] = OPTIONS[name].read(text)
        except ValueError as error:
            raise ValueError(f"{name!r} takes {error}, not {text!r}") from error
    doing = set(asked) & set(WHAT)
    if asked and not doing:
        raise ValueError(f"that is when, but not what; there are: {', '.join(WHAT)}")
    if doing & ALONE and len(doing - {"delay"}) > 1:
        raise ValueError(f"{' and '.join(sorted(doing - {'delay'}))} do not go together")
    return asked


def hang(connection: socket.socket) -> None:
    """Say nothing until the peer goes away."""
    connection.settimeout(None)
    while connection.recv(1_000):
        pass


def drip(connection: socket.socket, piece: bytes, seconds: float) -> None:
    """Send the piece every so many seconds until the peer goes away."""
    connection.settimeout(max(seconds, 0.001))
    while True:
        connection.sendall(piece)
        try:
            if not connection.recv(1_000):
                return
        except TimeoutError:
            continue


def reset(connection: socket.socket) -> None:
    """Make the close that follows a reset (RST)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Server(ThreadingHTTPServer):
    """An HTTP server whose handlers may do so to their connections."""

    daemon_threads = True
    request_queue_size = 512  # with the default of 5, a burst of pushes waits a second for its retransmission

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # a shutdown before the close would turn a reset into an orderly end

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that hangs up, as it does when it is treated so, is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
