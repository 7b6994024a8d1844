"""A stream as server-sent events (specification sections 9.4.2 and 11.7), in the form of its dialect."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

from ..core.model import dumps
from ..core.operations import Stream
from ..dialects.base import StreamForm
from .http import EventStream

HEADERS = {"content-type": "text/event-stream", "cache-control": "no-cache", "x-accel-buffering": "no"}

_ENDS = {True: b"\n", False: b"\n\n"}
"""How a comment ends, by whether events are numbered. Some clients take an empty line after an id, however long ago
that was, for an event without data; those of the drafts take nothing but events between empty lines."""


_LINE_ENDS = {ord(char): f"\\u{ord(char):04x}" for char in "\u0085\u2028\u2029"}
"""What JSON may have unescaped and many a client takes for the end of a line."""


def event_stream(
    stream: Stream, form: StreamForm, wrap: Callable[[Any], Any], failed: Callable[[Exception], Any]
) -> EventStream:
    """The response. ``wrap`` makes the binding's response of a result, ``failed`` that of a fault on the way.

    An event's id is that of the webhooks; the first frame, the task as it was, has its generation for an id.
    """
    return EventStream(200, HEADERS, _frames(stream, form, wrap, failed))


def _frames(
    stream: Stream, form: StreamForm, wrap: Callable[[Any], Any], failed: Callable[[Exception], Any]
) -> Generator[bytes, None, None]:
    # A comment where there is nothing to say, and as a piece of its own after each event: what holds back a small piece
    # until the next one comes lets the event go.
    quiet = b":" + _ENDS[form.numbered]
    after = b":" + b" " * stream.padding + _ENDS[form.numbered]
    with closing(stream.steps) as steps:
        try:
            if stream.first is not None:
                named = f"{stream.task_id}.{stream.generation}" if stream.task_id else ""
                yield frame(wrap(form.first(stream.first)), named if form.numbered else "")
                yield after
            for step in steps:
                if step is None:
                    yield quiet
                    continue
                for place, event in step.events:
                    named = f"{stream.task_id}.{step.generation}.{place}"
                    yield frame(wrap(form.event(event)), named if form.numbered else "")
                    yield after
        except Exception as fault:  # noqa: BLE001
            # The status is out: the client learns from the stream that it failed, and nothing else.
            yield frame(failed(fault))


def frame(value: Any, identity: str = "") -> bytes:
    """One event."""
    text = f"id: {identity}\n" if identity else ""
    return f"{text}data: {dumps(value).translate(_LINE_ENDS)}\n\n".encode("utf-8", "surrogatepass")
