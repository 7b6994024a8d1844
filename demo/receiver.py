"""A webhook receiver for people: shows what an agent pushes, and misbehaves on request.

    python demo/receiver.py [--port 9293] [--agent URL] [--token SECRET] [--misbehave]

`make receiver` starts it for the local AWS. What takes the pushes is `webhook.py`: copy that into an application.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

try:
    import jwt
except ImportError:  # a person's own Python
    sys.exit("receiver: needs PyJWT. Run: make receiver, or: pip install 'pyjwt[crypto]'")

import misbehaviour
from misbehaviour import Misbehaviour, Server
from webhook import Webhook

HOST = "127.0.0.1"
MAX_BODY = 1_000_000  # bytes
MAX_URLS = 10_000
EPILOG = f"""
With --misbehave the query of the URL that is registered says what to do, and when, such as
http://localhost:9293/webhook?status=503&times=3

{misbehaviour.describe()}
"""


@dataclass(frozen=True)
class Arrival:
    """One POST: when it came, to which path and query, its headers (names in lower case) and body.

    ``taken`` says whether it counts as received, ``status`` and ``text`` what it is answered with (0: not at all).
    """

    moment: datetime
    target: str
    headers: Mapping[str, str]
    body: bytes
    taken: bool
    status: int
    text: str


def line(arrival: Arrival) -> str:
    """What a person is shown of it. Nothing of a push that is refused: it may be a stranger's."""
    shown = f"  {describe(arrival.body)}" if arrival.taken else ""
    text = f"{arrival.headers.get('webhook-id', '-')}{shown}  ({arrival.status or 'no answer'}: {arrival.text})"
    return f"{arrival.moment.astimezone():%H:%M:%S.%f}"[:-3] + "  " + plain(text.removesuffix("  (200: ok)"))


def describe(body: bytes) -> str:
    """The dialect of a body, then the state and its message, or the artifact."""
    payload = json.loads(body)
    if not isinstance(payload, dict):
        return "not a JSON object"
    dialect = "v0.3" if "kind" in payload else "legacy" if "type" in payload else "v1.0"
    inner = ("statusUpdate", "artifactUpdate", "task", "message") if dialect == "v1.0" else ()
    event = next((payload[name] for name in inner if name in payload), payload)
    if artifact := member(event, "artifact"):
        return f"{dialect}  artifact {member(artifact, 'name') or member(artifact, 'artifactId')}"
    status = member(event, "status")
    message = member(status, "message") if status else event
    parts = member(message, "parts")
    said = [str(member(part, "text") or "") for part in parts] if isinstance(parts, list) else [message]
    state = member(status, "state") or "message"
    words = " ".join(part for part in said if isinstance(part, str))
    return f"{dialect}  {state}  {words}".rstrip() + ("  final" if member(event, "final") is True else "")


def member(of: object, name: str) -> Any:
    """A member of a JSON object; None where there is none, or no object: a stranger may send anything."""
    return of.get(name) if isinstance(of, dict) else None


def plain(text: str) -> str:
    """At most 200 characters, none of which steers the terminal."""
    return "".join(char if char.isprintable() else " " for char in text[:200])


class Receiver(Server):
    """`Webhook`s behind an HTTP server on loopback, one for each URL. ``show`` gets each POST before it is answered.

    ``public_url`` is what a tunnel makes of the root. Raises OSError or OverflowError if it cannot listen.
    """

    def __init__(
        self,
        port: int,
        show: Callable[[Arrival], object],
        *,
        token: str | None = None,
        keys: jwt.PyJWKClient | None = None,
        public_url: str | None = None,
        misbehave: bool = False,
    ) -> None:
        super().__init__((HOST, port), _Handler)
        self.show = show
        self._token, self._keys, self._misbehave = token, keys, misbehave
        roots = [f"http://{name}:{self.server_port}" for name in ("localhost", HOST)]
        self._roots = [*roots, public_url.rstrip("/")] if public_url else roots
        self._lock = threading.Lock()
        self._made: OrderedDict[str, tuple[Webhook, Misbehaviour]] = OrderedDict()

    def at(self, target: str) -> tuple[Webhook, Misbehaviour]:
        """What is at a path and query. Raises ValueError if the query cannot be understood."""
        with self._lock:
            if target not in self._made:
                asked = Misbehaviour(urlsplit(target).query if self._misbehave else "")
                urls = [root + target for root in self._roots]
                self._made[target] = Webhook(self._keys, urls, self._token, take=lambda *_: None), asked
            if len(self._made) > MAX_URLS:
                self._made.popitem(last=False)
            return self._made[target]


class _Handler(BaseHTTPRequestHandler):
    timeout = 10  # seconds; a sender that stalls must not keep its thread
    server: Receiver

    def do_POST(self) -> None:
        moment = datetime.now(UTC)
        size = self.headers.get("Content-Length", "")
        if not (size.isdecimal() and len(size) < 9 and int(size) <= MAX_BODY):
            self.answer(413, "no Content-Length, or too large")
            return
        body = self.rfile.read(int(size))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            webhook, asked = self.server.at(self.path)
        except ValueError as error:
            self.server.show(Arrival(moment, self.path, headers, body, False, 400, str(error)))
            self.answer(400, str(error))
            return
        bad = asked.due()
        if bad:
            time.sleep(asked.delay)
        refusal = asked.status if bad else None
        status, text = webhook.handle(headers, body) if refusal is None else (refusal, "on request")
        taken = refusal is None and status == 200
        if bad and asked.spoils:
            status, text = 0, "on request"
        self.server.show(Arrival(moment, self.path, headers, body, taken, status, text))
        if bad and asked.spoils:
            asked.spoil(self.connection)
        else:
            self.answer(status, text, asked.headers if bad else {})

    def answer(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        body = b"" if status in (204, 304) else text.encode(errors="replace")
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """`show` shows what came."""


def keys_of(agent_url: str) -> jwt.PyJWKClient:
    """The agent's keys, fetched when they are needed. A proxy cannot reach this machine's own loopback."""
    direct = {"localhost", HOST, *filter(None, os.environ.get("no_proxy", "").split(","))}
    os.environ["no_proxy"] = ",".join(sorted(direct))
    return jwt.PyJWKClient(f"{agent_url.rstrip('/')}/.well-known/jwks.json", timeout=5)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        description="Shows what an A2A agent pushes to this webhook, on loopback.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=9293)
    parser.add_argument("--agent", metavar="URL", help="answer 401 to what the agent at this URL did not sign")
    parser.add_argument("--token", help="answer 401 to what does not carry it in X-A2A-Notification-Token")
    parser.add_argument("--public-url", metavar="URL", help="of a tunnel to this port, without the path")
    parser.add_argument("--misbehave", action="store_true", help="do what the query of each URL asks for; see below")
    options = parser.parse_args()

    def show(arrival: Arrival) -> None:
        print(line(arrival), flush=True)

    try:
        server = Receiver(
            options.port,
            show,
            token=options.token,
            keys=keys_of(options.agent) if options.agent else None,
            public_url=options.public_url,
            misbehave=options.misbehave,
        )
    except jwt.PyJWTError as error:
        print(f"error: --agent is no http(s) URL ({error})", file=sys.stderr)
        return 2
    except (OSError, OverflowError) as error:
        hint = "end the program that has it, or choose another --port (make: WEBHOOK_PORT=9294)."
        print(f"error: cannot listen on port {options.port} ({error}): {hint}", file=sys.stderr)
        return 2
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 must not cost a push its answer
    with server:
        print(f"Waiting for pushes at http://localhost:{server.server_port}/webhook (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
