"""A webhook receiver for the clients. Only of the standard library: each client has its own environment."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class Webhooks:
    """Listens on a free port of the loopback address and keeps what comes."""

    def __init__(self) -> None:
        received: queue.Queue[tuple[Mapping[str, str], str]] = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                received.put((self.headers, body))  # type: ignore[arg-type]
                self.send_response_only(204)
                self.end_headers()

        self._received = received
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/webhook"

    def next(self, timeout: float = 30) -> tuple[Mapping[str, str], str]:
        """Headers and body of the next notification. Raises ``queue.Empty``."""
        return self._received.get(timeout=timeout)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
