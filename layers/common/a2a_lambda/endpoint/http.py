"""An HTTP exchange, free of the event shape that it came in."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

ANONYMOUS = "anonymous"
"""The owner of everything on a stack without authorization."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """``headers`` have names in lower case; ``path`` starts with a slash and is decoded, once; ``owner`` is who called,
    as the authorizer says; ``base_url`` is the endpoint as clients reach it, without a trailing slash; ``seconds`` is
    how long the answer may take."""

    method: str
    path: str
    owner: str
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """``body`` is text; everything we answer is JSON."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventStream:
    """A response whose body is sent frame by frame, as the frames come. Who sends it closes ``frames`` when nobody
    reads any more."""

    status: int
    headers: Mapping[str, str]
    frames: Iterator[bytes]


def json_response(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> HttpResponse:
    """A response with a JSON value."""
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(status, body, {"content-type": content_type, **(headers or {})})
