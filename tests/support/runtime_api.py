"""A Runtime API on loopback, as Lambda's is for one environment: hands out events, keeps every byte that comes back."""

from __future__ import annotations

import json
import queue
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from loopback import WAIT

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598c3fcd"


@dataclass
class Request:
    """One request of the function's. ``chunks`` is None for a body that was sent whole."""

    verb: str
    path: str
    head: bytes
    headers: dict[str, str]
    body: bytes = b""
    chunks: list[bytes] | None = None
    trailers: dict[str, str] = field(default_factory=dict)
    complete: bool = True

    @property
    def error(self) -> dict[str, Any]:
        """The description of an error that was posted."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class RuntimeApi:
    """``event`` queues an event; ``requests`` gets each request but those for events, once its body is whole (or its
    sender is gone); ``statuses`` are those of the next responses to such requests, 202 after them."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: queue.Queue[Request] = queue.Queue()
        self.pieces: queue.Queue[bytes] = queue.Queue()
        self.statuses: list[int] = []
        self.events: queue.Queue[bytes] = queue.Queue()
        self.asked = threading.Semaphore(0)
        self.hang_up_after: int | None = None
        self._number = 0

    def event(self, event: Any, head: str = "", *, chunked: bool = False, seconds: float = 30) -> None:
        """An event with the headers that Lambda sends and those in ``head``."""
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._number += 1
        deadline = int((time.time() + seconds) * 1000)
        head = (
            f"Lambda-Runtime-Aws-Request-Id: {REQUEST_ID[:-1]}{self._number}\r\n"
            f"Lambda-Runtime-Deadline-Ms: {deadline}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:111122223333:function:f\r\n{head}"
        )
        if chunked:
            middle = len(body) // 2
            parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:middle], body[middle:]) if part)
            self.events.put(
                f"HTTP/1.1 200 OK\r\n{head}Transfer-Encoding: chunked\r\n\r\n".encode() + parts + b"0\r\n\r\n"
            )
        else:
            self.events.put(f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def answer_next(self, status: int) -> None:
        """The next request for an event gets this status."""
        self.events.put(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    def request(self) -> Request:
        """The next request that is not for an event. Raises ``queue.Empty``."""
        return self.requests.get(timeout=WAIT)

    def piece(self) -> bytes:
        """The next chunk of a stream, as soon as it is there. Raises ``queue.Empty``."""
        return self.pieces.get(timeout=WAIT)

    def serve(self, reader: BinaryIO, connection: socket.socket) -> None:
        while (request := _head(reader)) is not None:
            if request.path.endswith("/invocation/next"):
                self.asked.release()
                connection.sendall(self.events.get())
                continue
            self._body(reader, request)
            self.requests.put(request)
            if not request.complete:
                return
            status = self.statuses.pop(0) if self.statuses else 202
            connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\n{{}}".encode())

    def _body(self, reader: BinaryIO, request: Request) -> None:
        if "transfer-encoding" not in request.headers:
            request.body = reader.read(int(request.headers.get("content-length", "0")))
            return
        request.chunks = []
        while line := reader.readline():
            size = int(line, 16)
            if not size:
                request.trailers = _fields(reader)
                return
            request.chunks.append(reader.read(size))
            self.pieces.put(request.chunks[-1])
            reader.read(2)
            if len(request.chunks) == self.hang_up_after:
                break
        request.complete = False


def _head(reader: BinaryIO) -> Request | None:
    line = reader.readline()
    if not line:
        return None
    verb, path, _ = line.decode().split()
    head = line
    headers: dict[str, str] = {}
    while (line := reader.readline()).strip():
        head += line
        name, _, value = line.decode().partition(":")
        headers[name.lower()] = value.strip()
    return Request(verb, path, head + line, headers)


def _fields(reader: BinaryIO) -> dict[str, str]:
    found = {}
    while (line := reader.readline()).strip():
        name, _, value = line.decode().partition(":")
        found[name] = value.strip()
    return found


@contextmanager
def runtime_api() -> Iterator[RuntimeApi]:
    """The API for the length of a test."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):  # the function is gone
                api.serve(self.rfile, self.connection)  # type: ignore[arg-type]

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        api = RuntimeApi(f"127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join(WAIT)
