"""Receivers for the benchmarks, in a process of their own: many on loopback addresses, each healthy or hanging.

`python benchmarks/webhooks.py PORT HEALTHY HANGING` listens on 127.0.1.1 … (healthy) and 127.0.2.1 … (hanging), says
"ready", and answers `GET /arrivals` with the moment (CLOCK_MONOTONIC, in seconds) at which each webhook-id came first.
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
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HEAD = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
IDENTITY = re.compile(rb"webhook-id: *(\S+)", re.IGNORECASE)
ARRIVALS: dict[str, float] = {}


class Healthy(asyncio.Protocol):
    """Answers 200 as soon as the whole request is there."""

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
            self.data = self.data[whole:]
            if head.startswith(b"GET /arrivals"):
                body = json.dumps(ARRIVALS).encode()
                self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                return
            identity = IDENTITY.search(head)
            if identity:
                ARRIVALS.setdefault(identity[1].decode(), time.monotonic())
            self.transport.write(OK)


class Hanging(asyncio.Protocol):
    """Takes everything and says nothing."""


async def serve(port: int, healthy: int, hanging: int) -> None:
    loop = asyncio.get_running_loop()
    for number in range(1, healthy + 1):
        await loop.create_server(Healthy, f"127.0.1.{number}", port, backlog=512)
    for number in range(1, hanging + 1):
        await loop.create_server(Hanging, f"127.0.2.{number}", port, backlog=512)
    print("ready", flush=True)
    await asyncio.Event().wait()


@contextmanager
def webhooks(port: int, healthy: int, hanging: int = 0, cpu: int | None = None) -> Iterator[None]:
    """The receivers while the block runs, on a CPU of their own where the system can do that."""
    pin = ["taskset", "-c", str(cpu)] if cpu is not None else []
    command = [*pin, sys.executable, str(Path(__file__)), str(port), str(healthy), str(hanging)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve(*map(int, sys.argv[1:4])))
