"""What only the probe agent's endpoint does: a request says what comes after each event of its stream.

`make probe-stream` tries in this way what reaches a client at once. Other agents' endpoints do not have it: who asks
for bytes would get them at the operator's expense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from ..endpoint.http import EventStream, HttpRequest

HEADER = "a2a-probe"
MOST = 200_000


def probing(
    read: Callable[[dict[str, Any]], HttpRequest], write: Callable[[Any], Any]
) -> tuple[Callable[[dict[str, Any]], HttpRequest], Callable[[Any], Any]]:
    """Reader and writer of an API in which the header ``A2A-Probe`` is the number of bytes after each event; ``none``
    means that nothing follows it, not even the usual comment."""
    asked = ""

    def reading(event: dict[str, Any]) -> HttpRequest:
        nonlocal asked
        request = read(event)
        asked = request.headers.get(HEADER, "")
        return request

    def writing(response: Any) -> Any:
        if isinstance(response, EventStream) and asked:
            response = replace(response, frames=_followed(response.frames, asked))
        return write(response)

    return reading, writing


def _followed(frames: Iterator[bytes], asked: str) -> Iterator[bytes]:
    """The events, each followed by what was asked for and not by its own comment."""
    size = min(int(asked), MOST) if asked.isdecimal() else 0
    for frame in frames:
        if frame.startswith(b":"):
            continue
        yield frame
        if asked != "none":
            yield b":" + b" " * size + b"\n\n"
