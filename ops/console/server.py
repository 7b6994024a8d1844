"""The console's server. It answers on the loopback address only, to whoever has the key that the terminal shows.

The key is in the URL's fragment, which browsers send to nobody, and comes as a header, which other pages cannot set.
The ``Host`` is checked, so that a name that leads here (DNS rebinding) reaches nothing.
"""

from __future__ import annotations

import argparse
import json
import secrets
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from a2a_lambda.aws.clients import client as layer_client

from .. import agent, letters, status, tasks, webhooks
from ..errors import DONE, CannotRun, NothingMatched, OpsError, explain, one_line
from ..output import Output
from ..stack import Stack, client
from . import actions

Json = dict[str, Any]

HOST = "127.0.0.1"
_FILES = {
    "/": ("index.html", "text/html"),
    "/app.js": ("app.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/app.css": ("app.css", "text/css"),
}
_LARGEST = 64_000
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def _tasks(stack: Stack, asked: dict[str, str]) -> Json:
    rows, note = tasks.look(stack, state=asked.get("state", ""), text=asked.get("text", ""))
    return {"rows": rows, "note": note}


def _task(stack: Stack, asked: dict[str, str]) -> Json:
    found = tasks.show(stack, asked.get("id", ""))
    if found["state"] == "unreadable":
        return found
    return {**found, "content": tasks.content(stack, asked.get("id", ""))}


def _attempts(stack: Stack, asked: dict[str, str]) -> Json:
    since = datetime.fromisoformat(asked["since"]) if asked.get("since") else None
    rows, note = tasks.attempts(stack, asked.get("id", ""), since)
    return {"rows": rows, "note": note}


def _webhooks(stack: Stack, _: dict[str, str]) -> Json:
    rows, note = webhooks.look(stack)
    return {"hosts": webhooks.by_host(rows), "rows": rows[:200], "note": note}


def _dead(stack: Stack, _: dict[str, str]) -> Json:
    rows, count = letters.listed(stack, letters.Choice(), 200)
    return {"rows": rows, "count": count}


READ: dict[str, Callable[[Stack, dict[str, str]], Any]] = {
    "about": lambda stack, _: {"stack": stack.name, "region": stack.region},
    "tasks": _tasks,
    "task": _task,
    "attempts": _attempts,
    "webhooks": _webhooks,
    "dead": _dead,
    "pushes": lambda stack, _: status.pushes(stack),
    "card": lambda stack, _: agent.card(stack),
}


class Console(ThreadingHTTPServer):
    """The server for one stack. ``write``: whether it may act."""

    daemon_threads = True

    def __init__(self, stack: Stack, port: int, write: bool) -> None:
        self.stack, self.write = stack, write
        self.key = secrets.token_urlsafe(32)
        # boto3 makes clients one at a time only; threads share them.
        for service in ("dynamodb", "sqs"):
            layer_client(service)
        for service in ("stepfunctions", "logs", "cloudwatch"):
            client(service)
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        """The address with the key."""
        return f"http://{HOST}:{self.server_port}/#key={self.key}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Console
    server_version = "console"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """The page, or something to read."""
        if not self._host():
            return
        url = urlsplit(self.path)
        if url.path in _FILES:
            name, kind = _FILES[url.path]
            self._answer(200, Path(__file__).with_name(name).read_bytes(), f"{kind}; charset=utf-8")
        elif self._key():
            read = READ.get(url.path.removeprefix("/api/"))
            self._reply(read, lambda found: found(self.server.stack, dict(parse_qsl(url.query))))

    def do_POST(self) -> None:
        """An action."""
        if not (self._host() and self._key()):
            return
        if not self.server.write:
            self._refuse(403, "the console only shows: start it with --write")
            return
        name = self.path.removeprefix("/api/do/")
        self._reply(name, lambda action: actions.run(self.server.stack, action, self._body()))

    def _host(self) -> bool:
        port = self.server.server_port
        if self.headers.get_all("Host") in ([f"{HOST}:{port}"], [f"localhost:{port}"]):
            return True
        self._refuse(421, "the console answers at its own address only")
        return False

    def _key(self) -> bool:
        given = self.headers.get("X-Console-Key", "")
        if secrets.compare_digest(given.encode("utf-8", "replace"), self.server.key.encode()):
            return True
        self._refuse(403, "open the address that the terminal shows")
        return False

    def _body(self) -> Json:
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > _LARGEST:
            raise CannotRun("the request is too large")
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise CannotRun("the request is no JSON object")
        return body

    def _reply(self, what: Any, work: Callable[[Any], Any]) -> None:
        if what is None:
            self._refuse(404, "there is nothing of that name")
            return
        try:
            found = work(what)
        except NothingMatched as error:
            self._refuse(404, str(error))
        except CannotRun as error:
            self._refuse(400, str(error))
        except OpsError as error:
            self._refuse(502, str(error))
        except Exception as error:  # noqa: BLE001 - one line, as in the terminal
            self._refuse(502, explain(error))
        else:
            self._answer(200, json.dumps({"data": found, "write": self.server.write}).encode(), "application/json")

    def _refuse(self, code: int, why: str) -> None:
        self.close_connection = True
        self._answer(code, json.dumps({"error": one_line(why, 600)}).encode(), "application/json")

    def _answer(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # the page was closed
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal is the operator's."""


def serve(stack: Stack, options: argparse.Namespace, out: Output) -> int:
    """Answer until Ctrl-C. Raises :class:`CannotRun` where the port is taken."""
    try:
        console = Console(stack, options.port, options.write)
    except OSError as error:
        raise CannotRun(f"port {options.port} is taken: --port names another") from error
    with console:
        out.line(console.url)
        out.note("It shows and acts (--write)." if options.write else "It only shows; --write lets it act.")
        out.note("Ctrl-C ends it.")
        if not options.no_browser:
            webbrowser.open(console.url)
        with suppress(KeyboardInterrupt):
            console.serve_forever()
    return DONE
