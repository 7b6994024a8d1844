"""An HTTP exchange, free of the event shape that it came in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ANONYMOUS = "anonymous"
"""The owner of everything on a stack without authorization."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """``headers`` have names in lower case; ``path`` starts with a slash and is not decoded; ``owner`` is who called,
    as the authorizer says; ``base_url`` is the endpoint as clients reach it, without a trailing slash."""

    method: str
    path: str
    owner: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """``body`` is text; everything we answer is JSON."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> HttpResponse:
    """A response with a JSON value."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(status, body, {"content-type": content_type, **(headers or {})})
