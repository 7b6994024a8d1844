"""A webhook receiver on loopback that breaks HTTP itself on request: the path of a POST says how.

What a URL of the receiver for people can ask for is in `misbehaviour`; here is what only tests of a client need.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import misbehaviour
from a2a_lambda.push.outcome import Post

PATIENCE = 20.0
"""Seconds that anything may take before its test fails; no passing test needs them."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Request:
    """One POST as it arrived. ``connection`` numbers the receiver's connections from 1."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Receiver:
    """What a test sees of the receiver."""

    host: str
    port: int
    requests: list[Request] = field(default_factory=list)

    def url(self, path: str) -> str:
        return f"http://{self.host}:{self.port}{path}"

    def post(self, path: str, body: bytes = b"{}", *headers: tuple[str, str]) -> Post:
        return Post(self.url(path), headers, body)

    def paths(self) -> list[str]:
        return [request.path for request in self.requests]


@dataclass
class Exchange:
    """One request under way. A behaviour writes bytes, and says whether the connection stays open."""

    receiver: Receiver
    request: Request
    socket: socket.socket

    def send(self, data: bytes) -> bool:
        self.socket.sendall(data)
        return True

    def head(self, status: str, *headers: bytes) -> bool:
        """A head, and no body unless a header says that there is one."""
        lines = [b"HTTP/1.1 %s X" % status.encode(), *(headers or [b"Content-Length: 0"]), b"\r\n"]
        return self.send(b"\r\n".join(lines))

    def hang(self) -> bool:
        misbehaviour.hang(self.socket)
        return False

    def drip(self, piece: bytes) -> bool:
        """For ever, a little at a time, until the peer goes away."""
        misbehaviour.drip(self.socket, piece, 0.005)
        return False

    def reset(self) -> bool:
        misbehaviour.reset(self.socket)
        return False

    def used_before(self) -> bool:
        return sum(other.connection == self.request.connection for other in self.receiver.requests) > 1


Behaviour = Callable[..., bool]
BEHAVIOURS: dict[str, Behaviour] = {
    "status": lambda x, status: x.head(status),
    "retry-after": lambda x: x.head("429", b"retry-AFTER: " + x.request.body, b"Content-Length: 0"),
    "redirect": lambda x, status: x.head(status, b"Location: " + x.request.body, b"Content-Length: 0"),
    "cookie": lambda x: x.head("200", b"Set-Cookie: a=b; Path=/", b"Content-Length: 0"),
    "unauthorized": lambda x: x.head("401", b'WWW-Authenticate: Basic realm="x"', b"Content-Length: 0"),
    "interim": lambda x: x.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK),
    "interim-only": lambda x: x.head("103", b"Link: x") and x.hang(),
    "unavailable": lambda x, *_: x.head("503"),
    "hang": lambda x: x.hang(),
    "drip-head": lambda x: x.send(b"HTTP/1.1 200 OK\r\nX: ") and x.drip(b"x"),
    "drip-body": lambda x, status: x.head(status, b"Content-Length: 4000") and x.drip(b"x"),
    "endless-head": lambda x: x.send(b"HTTP/1.1 200 OK\r\n") and x.drip(b"X-Padding: " + b"x" * 1_000 + b"\r\n"),
    "endless-body": lambda x, status: (
        x.head(status, b"Transfer-Encoding: chunked") and x.drip(b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
    ),
    "cut-head": lambda x: x.send(b"HTTP/1.1 200 OK\r\nContent-Le") and False,
    "cut-body": lambda x: x.head("200", b"Content-Length: 100") and False,
    "not-http": lambda x: x.send(b"220 mail.example ESMTP\r\n") and False,
    "nothing": lambda x: False,
    "reset": lambda x: x.reset(),
    "close": lambda x: x.send(OK) and False,
    # keep the connection, and drop it when the next request is there
    "once-then-end": lambda x, *_: not x.used_before() and x.send(OK),
    "once-then-reset": lambda x, *_: x.reset() if x.used_before() else x.send(OK),
}


@contextmanager
def listening(host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A receiver for the length of a test, one thread for each of its connections."""
    connections = iter(range(1, 1_000_000))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.number = next(connections)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.path, headers, body, self.number)
            receiver.requests.append(request)
            kind, *arguments = self.path.split("/")[1:]
            exchange = Exchange(receiver, request, self.connection)
            behaviour = BEHAVIOURS.get(kind)
            self.close_connection = not (behaviour(exchange, *arguments) if behaviour else exchange.send(OK))

        def log_message(self, *_: object) -> None:
            """Tests are quiet."""

    server = misbehaviour.Server((host, port), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver = Receiver(host, server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()
