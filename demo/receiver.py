"""A webhook receiver for people: `python demo/receiver.py --port 9293 [--token SECRET] [--agent URL]` shows the pushes.

With `--agent` every push has to be signed by that agent (`verify.py`, which needs `cryptography`).
To take pushes in a web application, copy `handle` and what it calls. In Flask the view is
`text, status = handle(request.headers, request.get_data())[::-1]`, in FastAPI
`status, text = handle(request.headers, await request.body())`.
"""

from __future__ import annotations

import argparse
import contextlib
import hmac
import json
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MAX_BODY = 1_000_000  # bytes
REMEMBERED = 10_000
SEEN: OrderedDict[str, None] = OrderedDict()  # an application with several processes keeps this in its database
LOCK = threading.Lock()


def handle(
    headers: Mapping[str, str],
    body: bytes,
    token: str | None = None,
    show: Callable[[str], object] = print,
    genuine: Callable[[Mapping[str, str], bytes], bool] | None = None,
) -> tuple[int, str]:
    """Takes one push; returns the HTTP status and the text to answer with. ``genuine`` checks its signatures.

    Delivery is at least once, and the `webhook-id` is the same on every attempt: a duplicate is acknowledged, since
    the agent repeats whatever is not answered with 2xx, but must have no second effect.
    """
    headers = {name.lower(): value for name, value in headers.items()}
    if not authentic(headers, body, token, genuine):
        return 401, "unauthorized"
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        return 400, "not a JSON object"
    event = headers.get("webhook-id", "")
    with LOCK:
        duplicate = event in SEEN
        line = f"{event or '-'}  {describe(payload)}" + ("  (duplicate)" if duplicate else "")
        show(f"{datetime.now():%H:%M:%S.%f}"[:-3] + "  " + plain(line))
        # Remembered after the work: what fails halfway has to be taken when it comes again.
        if event:
            SEEN[event] = None
        if len(SEEN) > REMEMBERED:
            SEEN.popitem(last=False)
    return 200, "duplicate" if duplicate else "ok"


def authentic(
    headers: Mapping[str, str],
    body: bytes,
    token: str | None,
    genuine: Callable[[Mapping[str, str], bytes], bool] | None,
) -> bool:
    """Whether the agent sent this. Every proof of it belongs here, where `body` still is the bytes that were sent."""
    shown = headers.get("x-a2a-notification-token", "")
    if token is not None and not hmac.compare_digest(shown.encode(), token.encode()):
        return False
    return genuine is None or genuine(headers, body)


def describe(payload: dict[str, Any]) -> str:
    """The dialect of a body, then the state and its message, or the artifact."""
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


def plain(line: str) -> str:
    """At most 200 characters, none of which steers the terminal."""
    return "".join(char if char.isprintable() else " " for char in line[:200])


def make_server(
    port: int,
    token: str | None,
    show: Callable[[str], object],
    genuine: Callable[[Mapping[str, str], bytes], bool] | None = None,
) -> ThreadingHTTPServer:
    """`handle` behind an HTTP server on loopback. Raises OSError or OverflowError if it cannot listen."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # seconds; a sender that stalls must not keep its thread

        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if size.isdecimal() and len(size) < 9 and int(size) <= MAX_BODY:
                status, text = handle(dict(self.headers.items()), self.rfile.read(int(size)), token, show, genuine)
            else:
                status, text = 413, "no Content-Length, or too large"
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """`handle` shows what came."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def signatures_of(agent_url: str) -> Callable[[Mapping[str, str], bytes], bool]:
    """Checks the signatures of this agent's pushes."""
    from verify import AgentKeys, genuine

    keys = AgentKeys(agent_url)

    def check(headers: Mapping[str, str], body: bytes) -> bool:
        try:
            return genuine(headers, body, keys())
        except (OSError, ValueError, KeyError) as error:  # 401 makes the agent send it again, when the keys can be had
            print(f"receiver: no keys at {keys.url} ({error})", file=sys.stderr)
            return False

    return check


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Shows what an A2A agent pushes to this webhook.")
    parser.add_argument("--port", type=int, default=9293)
    parser.add_argument("--token", help="answer 401 to what does not carry it in X-A2A-Notification-Token")
    parser.add_argument("--agent", help="URL of the agent: answer 401 to what it did not sign")
    options = parser.parse_args()
    try:
        genuine = signatures_of(options.agent) if options.agent else None
        server = make_server(options.port, options.token, lambda line: print(line, flush=True), genuine)
    except (OSError, OverflowError) as error:
        hint = "end the program that has it, or choose another --port."
        print(f"receiver: cannot listen on port {options.port} ({error}): {hint}", file=sys.stderr)
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
