"""The webhook of the demo: a small HTTP server that turns each POST into a `Push` on a queue."""

from __future__ import annotations

import errno
import json
import queue
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from push_client import DemoError

MAX_BODY = 1_000_000
"""Bytes; no status push comes near it."""


@dataclass(frozen=True)
class Push:
    """One POST that arrived at the webhook.

    `payload` is the body (in the legacy dialect a TaskStatusUpdateEvent; {"raw": text} if it was no JSON object),
    `webhook_id` the header of that name ("" if absent). `arrived` (seconds since the epoch) and `clock` (seconds of
    the monotonic clock) were taken when the body had been read.
    """

    payload: dict[str, Any]
    webhook_id: str = ""
    arrived: float = 0.0
    clock: float = 0.0

    @property
    def task_id(self) -> str:
        """The id of its task; "" if it has none."""
        return str(self.payload.get("taskId", ""))

    @property
    def status(self) -> dict[str, Any]:
        """The TaskStatus; empty if there is none."""
        status = self.payload.get("status")
        return status if isinstance(status, dict) else {}

    @property
    def state(self) -> str:
        """The task's state as the dialect spells it, or "unknown"."""
        return state_of(self.payload)

    @property
    def text(self) -> str:
        """The text of the status message; "" if there is none."""
        return message_text(self.status.get("message"))

    @property
    def final(self) -> bool:
        """Whether the agent says that no further push follows."""
        return self.payload.get("final") is True

    @property
    def written(self) -> float | None:
        """When the agent wrote the status (`status.timestamp`, UTC), in seconds since the epoch; None if unreadable."""
        try:
            moment = datetime.fromisoformat(str(self.status.get("timestamp")))
        except ValueError:
            return None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds from the status write to the arrival, by the clocks of the two machines; None if unreadable."""
        return None if self.written is None else (self.arrived - self.written) * 1000

    @property
    def place(self) -> tuple[int, int] | None:
        """(generation, number within it) from a webhook-id that holds `<taskId>.<generation>.<n>`; None without one."""
        found = re.search(re.escape(self.task_id) + r"\.(\d+)\.(\d+)", self.webhook_id) if self.task_id else None
        return (int(found[1]), int(found[2])) if found else None

    @property
    def identity(self) -> str:
        """The same for two deliveries of one event: the webhook-id, or the body where that header is absent."""
        return self.webhook_id or json.dumps(self.payload, sort_keys=True)


def message_text(message: object) -> str:
    """The text of a `status.message`, which is a Message with parts or a bare string; "" if there is none."""
    if isinstance(message, str):
        return message
    parts = message.get("parts") if isinstance(message, dict) else None
    if not isinstance(parts, list):
        return ""
    return " ".join(str(part["text"]) for part in parts if isinstance(part, dict) and "text" in part)


def state_of(holder: dict[str, Any]) -> str:
    """`status.state` of a Task or a TaskStatusUpdateEvent; "unknown" if it has none."""
    status = holder.get("status")
    return str(status.get("state", "unknown")) if isinstance(status, dict) else "unknown"


def as_push(body: bytes, webhook_id: str) -> Push:
    """The push that a request body makes; it has arrived now."""
    arrived, clock = time.time(), time.monotonic()
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        payload = {"raw": body.decode(errors="replace")}
    return Push(payload, webhook_id, arrived, clock)


class Receiver:
    """The webhook as a context manager: answers 200 at once and queues each POST as a `Push`.

    `port` 0 takes a free one; `url` is what to register. Raises DemoError if it cannot listen.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 9293, path: str = "/webhook") -> None:
        self.host = host
        self.port = port
        self.path = path
        self.pushes: queue.SimpleQueue[Push] = queue.SimpleQueue()

    @property
    def url(self) -> str:
        """The webhook's URL as this machine reaches it."""
        host = "localhost" if self.host in ("", "127.0.0.1", "0.0.0.0") else self.host  # noqa: S104
        return f"http://{host}:{self.port}{self.path}"

    def next(self, seconds: float) -> Push | None:
        """The next push, or None if none comes within `seconds`; with 0 it only looks."""
        try:
            return self.pushes.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self)
        except (OSError, OverflowError) as error:
            taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
            reason = "the address is in use: end the program that has it, or" if taken else f"{error}:"
            raise DemoError(
                f"The webhook receiver cannot listen on {self.host}:{self.port}, {reason} "
                "choose another address with --listen HOST:PORT."
            ) from error
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # with the default of 5, a burst of pushes waits a second for its retransmission

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__((receiver.host, receiver.port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A sender that hangs up concerns nobody here: it will deliver again."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10  # seconds; a sender that stalls must not keep its thread
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal():
            self._answer(411)
        elif int(size) > MAX_BODY:
            self._answer(413)
        else:
            body = self.rfile.read(int(size))
            if len(body) < int(size):
                raise ConnectionResetError("the sender hung up within the body")
            if urlsplit(self.path).path != receiver.path:
                self._answer(404)
                return
            # Queued before it is answered: with the answer the sender goes on to its next POST, which another thread
            # takes, and the two could change places.
            receiver.pushes.put(as_push(body, self.headers.get("webhook-id", "")))
            self._answer(200)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        # A connection kept alive would outlive the receiver, and answer for a queue that nobody reads any more.
        self.send_header("Connection", "close")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The client shows what arrives."""
