"""HTTP over loopback for tests: a server for the length of a test, an agent that answers as told, and POSTs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

WAIT = 10.0
"""Seconds that anything here may take before it counts as lost."""

Answer = tuple[int, str]
Agent = Callable[[str, dict[str, Any]], Answer]


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[str]:
    """The URL of a server that runs for the length of a test."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(WAIT)
        server.server_close()


@contextmanager
def agent(answer: Agent) -> Iterator[str]:
    """The URL of an agent: `answer` gets the method ("card" for the agent card) and its params."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply(*answer("card", {}))

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply(*answer(request["method"], request["params"]))

        def reply(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Tests are quiet."""

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url


def post(url: str, body: bytes | str = b"{}", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with requests.Session() as session:
        session.trust_env = False
        return session.post(url, data=body, headers=named, timeout=WAIT).status_code


def announce(port: int, size: str | None) -> int:
    """The status for a POST of which only the head is sent: a body left unread could reset the connection."""
    connection = HTTPConnection("127.0.0.1", port, timeout=WAIT)
    try:
        connection.putrequest("POST", "/webhook")
        if size is not None:
            connection.putheader("Content-Length", size)
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()
