"""Receivers for the benchmarks, in a process of their own: many on loopback addresses, each healthy or bad.

`python benchmarks/webhooks.py PORT HEALTHY BAD AWAY` listens on 127.0.1.1 … (healthy) and 127.1.0.1 … (bad: the path
says how, see ``WAYS``), and says "ready". `GET /arrivals` has the moment (CLOCK_MONOTONIC, in seconds) at which each
webhook-id came first, `GET /latencies` the seconds since its status was written. AWAY are the seconds that a healthy
one takes to answer.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HEAD = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
IDENTITY = re.compile(rb"webhook-id: *(\S+)", re.IGNORECASE)
TIMESTAMP = re.compile(rb'"timestamp": *"([^"]+)"')
ARRIVALS: dict[str, float] = {}
LATENCIES: dict[str, float] = {}


class Healthy(asyncio.Protocol):
    """Answers 200 as soon as the whole request is there, or so many seconds later."""

    away = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end]
            length = HEAD.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self.data) < whole:
                return
            body = self.data[end + 4 : whole]
            self.data = self.data[whole:]
            if head.startswith(b"GET /"):
                body = json.dumps(LATENCIES if head.startswith(b"GET /latencies") else ARRIVALS).encode()
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                return
            identity = IDENTITY.search(head)
            if identity:
                ARRIVALS.setdefault(identity[1].decode(), time.monotonic())
                note_latency(identity[1].decode(), body)
            if self.away:
                asyncio.get_running_loop().call_later(self.away, self.transport.write, OK)
            else:
                self.transport.write(OK)


def note_latency(identity: str, body: bytes) -> None:
    """Seconds from the moment in the body of a status update to now, for the first arrival of each."""
    written = TIMESTAMP.search(body)
    if written is not None and b"statusUpdate" in body:
        since = datetime.now(UTC) - datetime.fromisoformat(written[1].decode())
        LATENCIES.setdefault(identity, since.total_seconds())


WAYS = ("hang", "drip", "delay", "reset", "redirect", "gone", "busy", "broken", "refused", "tls")
"""``refused`` and ``tls`` never come here: see :func:`bad_url`."""

_ANSWERS = {
    b"redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
    b"gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    b"busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    b"broken": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
}
_PATH = re.compile(rb"^POST /([a-z]+)/?([0-9.]*)")


class Bad(asyncio.Protocol):
    """Does what the path says: ``/hang``, ``/delay/1.45``, ``/once`` (the first answer is prompt, then it hangs)."""

    answered: ClassVar[set[str]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if data[:1] == b"\x16":  # a TLS handshake
            self.transport.write(b"This is not TLS\r\n")
            self.transport.close()
        match = _PATH.match(data)
        if match is None:
            return  # or the rest of a body
        way, seconds = match[1], float(match[2] or 0)
        loop = asyncio.get_running_loop()
        host = str(self.transport.get_extra_info("sockname")[0])
        if way == b"reset":
            self.transport.abort()
        elif way == b"drip":
            self.drip(b"HTTP/1.1 200 OK\r\nX-Filler: " + b"x" * 600)
        elif way == b"delay":
            loop.call_later(seconds, self.transport.write, OK)
        elif way == b"once" and host not in self.answered:
            self.answered.add(host)
            self.transport.write(OK)
        elif way in _ANSWERS:
            self.transport.write(_ANSWERS[way])

    def drip(self, rest: bytes) -> None:
        """A byte every so often, without an end."""
        if rest and not self.transport.is_closing():
            self.transport.write(rest[:1])
            asyncio.get_running_loop().call_later(0.2, self.drip, rest[1:])


def bad_url(number: int, port: int, way: str) -> str:
    """The URL of bad host ``number``, counted from 0."""
    host = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
    if way == "refused":
        return f"http://127.0.3.{1 + number % 250}:{port}/"  # nobody listens there
    return f"{'https' if way == 'tls' else 'http'}://{host}:{port}/{way}"


async def serve(port: int, healthy: int, bad: int, away: float) -> None:
    loop = asyncio.get_running_loop()
    Healthy.away = away
    for number in range(1, healthy + 1):
        await loop.create_server(Healthy, f"127.0.1.{number}", port, backlog=512)
    for number in range(bad):
        host = urlsplit(bad_url(number, port, "hang")).hostname
        await loop.create_server(Bad, host, port, backlog=512)
    print("ready", flush=True)
    await asyncio.Event().wait()


@contextmanager
def webhooks(port: int, healthy: int, bad: int = 0, away: float = 0.0, cpu: int | None = None) -> Iterator[None]:
    """The receivers while the block runs, on a CPU of their own where the system can do that."""
    pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
    command = [*pin, sys.executable, str(Path(__file__)), str(port), str(healthy), str(bad), str(away)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4]), float(sys.argv[4])))
