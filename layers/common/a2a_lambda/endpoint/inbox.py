"""A webhook inside the stack, for `make smoke`: boxes that keep what is pushed into them for who made them.

A notification carries no credentials of the stack, so anybody may push into a box who knows its token, and who knows
that is in the box's URL only. What is kept is named by the token's digest: neither the table nor a log has the token.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from .http import ANONYMOUS, HttpRequest, HttpResponse, json_response

LIFE = timedelta(days=1)
"""A box older than this takes nothing and shows nothing; its items are deleted some time later."""

MAX_PUSHES = 500
MAX_BODY = 300_000
"""Bytes: a push is smaller than a task, which is smaller than an item of the table."""

MAX_FAILURES = 100

KEPT_HEADERS = (
    "content-type",
    "a2a-version",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
    "x-a2a-notification-jwt",
    "x-a2a-notification-token",
)
"""What a receiver needs to judge a push; credentials in ``authorization`` are not kept."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_BOX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Box:
    """``failures``: the first so many pushes are answered 503. ``pushes``: how many came, refused ones too."""

    owner: str
    failures: int
    expires_at: datetime
    pushes: int = 0


@dataclass(frozen=True, slots=True)
class Push:
    """One POST: its ``number`` in order of arrival (from 1), when it came, and the status that it was answered with."""

    number: int
    received_at: datetime
    status: int
    headers: Mapping[str, str]
    body: str


class Boxes(Protocol):
    """Where boxes are kept, by name. Raises :class:`~..core.ports.Unavailable` when that is away."""

    def make(self, name: str, box: Box) -> None:
        """Keep a new, empty box."""

    def get(self, name: str) -> Box | None:
        """The box, or None if there is none."""

    def count(self, name: str, most: int) -> Box | None:
        """Count one push more in the box and return it as it is then; None if there is none, or ``most`` have come."""

    def put(self, name: str, push: Push, expires_at: datetime) -> None:
        """Keep a push that was counted."""

    def pushes(self, name: str, after: int) -> Sequence[Push]:
        """Pushes with larger numbers, in order: some, or none if there are no more."""

    def delete(self, name: str) -> None:
        """Remove the box, and with it all that is in it. It may be gone already."""


class Inbox:
    """``anonymous``: the stack has no authorization, and all callers are one."""

    def __init__(self, boxes: Boxes, clock: Callable[[], datetime], *, anonymous: bool) -> None:
        self._boxes, self._clock, self._anonymous = boxes, clock, anonymous

    def answer(self, request: HttpRequest) -> HttpResponse:
        """``POST /boxes``, ``GET`` and ``DELETE /boxes/{box}`` for callers, ``POST /push/{token}`` for the agent."""
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["push", token]:
                return self._take(token, request)
            case ("POST", ["boxes"]) | ("GET" | "DELETE", ["boxes", _]) if self._is_stranger(request.owner):
                return _problem(401, "no caller")
            case "POST", ["boxes"]:
                return self._make(request)
            case "GET", ["boxes", name]:
                return self._show(name, request)
            case "DELETE", ["boxes", name]:
                return self._delete(name, request.owner)
        return _problem(404, "not found")

    def _is_stranger(self, owner: str) -> bool:
        return owner == ANONYMOUS and not self._anonymous

    def _make(self, request: HttpRequest) -> HttpResponse:
        try:
            failures = json.loads(request.body or b"{}").get("failures", 0)
        except (ValueError, RecursionError, AttributeError):
            return _problem(400, "the body is not a JSON object")
        if isinstance(failures, bool) or not isinstance(failures, int) or not 0 <= failures <= MAX_FAILURES:
            return _problem(400, f"failures must be a whole number from 0 to {MAX_FAILURES}")
        token = secrets.token_urlsafe(32)
        box = Box(request.owner, failures, self._clock() + LIFE)
        self._boxes.make(name_of(token), box)
        made = {"box": name_of(token), "path": f"/push/{token}", "expiresAt": box.expires_at.isoformat()}
        return json_response(made, 201)

    def _take(self, token: str, request: HttpRequest) -> HttpResponse:
        """410 for a box that is gone: an agent removes such a webhook, and pushes no more."""
        if len(request.body) > MAX_BODY:
            return _problem(413, f"at most {MAX_BODY} bytes")
        try:
            body = request.body.decode()
        except UnicodeDecodeError:
            return _problem(400, "the body is not UTF-8")
        if not _TOKEN.fullmatch(token):
            return _problem(410, "no such box")
        name, now = name_of(token), self._clock()
        box = self._boxes.count(name, MAX_PUSHES)
        if box is None or box.expires_at <= now:
            return _problem(410, "no such box, or it is full")
        status = 503 if box.pushes <= box.failures else 200
        headers = {header: request.headers[header] for header in KEPT_HEADERS if header in request.headers}
        self._boxes.put(name, Push(box.pushes, now, status, headers, body), box.expires_at)
        return json_response({"number": box.pushes}) if status == 200 else _problem(503, "as this box was asked to")

    def _show(self, name: str, request: HttpRequest) -> HttpResponse:
        after = request.query.get("after", "0")
        if not re.fullmatch(r"[0-9]{1,9}", after):
            return _problem(400, "after must be a whole number")
        if self._own(name, request.owner) is None:
            return _problem(404, "no such box")
        return json_response({"pushes": [_push_json(push) for push in self._boxes.pushes(name, int(after))]})

    def _delete(self, name: str, owner: str) -> HttpResponse:
        if self._own(name, owner) is None:
            return _problem(404, "no such box")
        self._boxes.delete(name)
        return json_response({"deleted": name})

    def _own(self, name: str, owner: str) -> Box | None:
        """The box, if this caller made it: another's box does not exist."""
        box = self._boxes.get(name) if _BOX.fullmatch(name) else None
        return box if box and box.owner == owner and box.expires_at > self._clock() else None


def name_of(token: str) -> str:
    """The name of a token's box."""
    return hashlib.sha256(token.encode()).hexdigest()


def _push_json(push: Push) -> dict[str, Any]:
    return {
        "number": push.number,
        "receivedAt": push.received_at.isoformat(),
        "status": push.status,
        "headers": dict(push.headers),
        "body": push.body,
    }


def _problem(status: int, text: str) -> HttpResponse:
    return json_response({"error": text}, status)
