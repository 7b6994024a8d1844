"""JSON from outside: what :mod:`json` takes but nobody else does is refused."""

from __future__ import annotations

import json
import math
from typing import Any

from .errors import InvalidRequest, ParseError

MAX_BODY = 256 * 1024
"""Bytes of a request. A message becomes part of its task, and a task has to fit into an item of 400 kB."""


def loads(body: bytes) -> Any:
    """The value. Raises :class:`ParseError`, or :class:`InvalidRequest` for a body that is too large."""
    if len(body) > MAX_BODY:
        raise InvalidRequest(f"The request is larger than {MAX_BODY} bytes")
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refused, parse_float=_finite)
        if rb"\ud" in body.lower():
            # A lone surrogate is a string that no encoding can write.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise ParseError from None
    return value


def _refused(_: str) -> Any:
    raise ValueError("not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number that can be written again")
    return number
