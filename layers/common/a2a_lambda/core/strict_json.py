"""JSON from outside: what :mod:`json` takes but nobody else does is refused."""

from __future__ import annotations

import json
from typing import Any

from .errors import InvalidRequest, ParseError
from .model import finite, no_constant

MAX_DEPTH = 100
"""Levels of nesting, as in protocol buffers: what is stored must be readable again, however deep the stack is then."""

MAX_BODY = 256 * 1024
"""Bytes of a request. A message becomes part of its task, and a task has to fit into an item of 400 kB."""


def loads(body: bytes) -> Any:
    """The value. Raises :class:`ParseError`, or :class:`InvalidRequest` for a body that is too large."""
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"The request is larger than {MAX_BODY} bytes")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=no_constant, parse_float=finite)
        if rb"\ud" in body.lower():
            # A lone surrogate is a string that no encoding can write.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            check_depth(value)
    except (ValueError, RecursionError):
        raise ParseError from None
    return value


def check_depth(value: Any, levels: int = MAX_DEPTH) -> None:
    """Raises ``ValueError`` if the value has more levels of nesting. Needs no stack of its own."""
    level = [value]
    for _ in range(levels + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return
        level = [child for item in containers for child in (item.values() if isinstance(item, dict) else item)]
    raise ValueError("nested too deeply")
