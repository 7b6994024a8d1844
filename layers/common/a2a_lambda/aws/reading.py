"""Strict reading of what is stored: whatever these return has the types that it claims, all the way down.

Items, records of the stream and messages are ours, until somebody edits one, restores one, or an older version meets a
newer one's. They are judged here, once; nothing behind this module can stumble over what is in them. Whatever these
functions raise is about the stored data: a caller catches ``Exception`` (nested JSON raises ``RecursionError``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache, lru_cache
from typing import Annotated, Any, TypeVar, cast
from urllib.parse import urlsplit

import msgspec

from ..core.model import Artifact, Message, Task, TaskState, dumps, loads, moment
from ..core.ports import Poison
from ..core.strict_json import MAX_DEPTH, check_depth

_log = logging.getLogger(__name__)

Attributes = Mapping[str, Mapping[str, Any]]

STORED_DEPTH = MAX_DEPTH + 20
"""Levels of nesting: a value of a client or an agent has at most ``MAX_DEPTH``, the document around it a few more."""

_DIGITS = 15
"""Of a number: below 2**53, which every reader of JSON holds."""

_MAX_KEY = 255
_MAX_SORT_KEY = 1_024
_MAX_URL = 8_192

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A small natural number in JSON."""

T = TypeVar("T")


def string(item: Attributes, name: str) -> str:
    """A string attribute. Half a surrogate pair is none: it has no UTF-8, and everything stored goes out as that."""
    value = item[name]["S"]
    value.encode()
    return str(value)


def number(item: Attributes, name: str) -> int:
    """A count or a moment in epoch seconds: a natural number."""
    digits = item[name]["N"]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        raise ValueError(name)
    return int(digits)


def instant(item: Attributes, name: str) -> datetime:
    """A moment with an offset, to which a year and less can be added."""
    return checked_instant(string(item, name))


@lru_cache(maxsize=1_024)
def checked_instant(text: str) -> datetime:
    """A stored moment. Raises ``ValueError``. Many are read twice: both images have the task's creation."""
    found = moment(text)
    if found.year > _LAST_YEAR:
        raise ValueError("not a moment of ours")
    return found


_LAST_YEAR = 9_000


def value_of(item: Attributes, name: str, shape: type[T]) -> T:
    """A JSON attribute of this shape (a type of msgspec's)."""
    text = string(item, name)
    if text.count("[") + text.count("{") > STORED_DEPTH:
        return msgspec.convert(parsed(text), shape)
    decoder: msgspec.json.Decoder[T] = _decoder(cast("Any", shape))
    return decoder.decode(text)


@cache
def _decoder(shape: Any) -> Any:
    return msgspec.json.Decoder(shape)


def parsed(text: str) -> Any:
    """The value of a stored JSON text, no deeper than ``STORED_DEPTH``: what was read can be compared and written
    again, however deep the stack is then."""
    value = loads(text)
    if text.count("[") + text.count("{") > STORED_DEPTH:
        check_depth(value, STORED_DEPTH)
    return value


def document(text: str) -> Task:
    """A stored task. It is judged and handed on as it is: it may have fields that this version does not know."""
    task: Task = parsed(text)
    msgspec.convert(task, Task)
    status = task["status"]
    TaskState(status["state"])
    checked_instant(status["timestamp"])
    if "message" in status:
        _check_parts(status["message"])
    for artifact in task.get("artifacts", ()):
        _check_parts(artifact)
    for message in task.get("history", ()):
        _check_parts(message)
    return task


def _check_parts(whole: Message | Artifact) -> None:
    """Exactly one content each (section 4.1.6)."""
    for part in whole["parts"]:
        if ("text" in part) + ("data" in part) + ("raw" in part) + ("url" in part) != 1:
            raise ValueError("parts")


def key(value: object) -> str:
    """A task's id: what a key of the table, and a header, can hold."""
    if not (isinstance(value, str) and 0 < len(value) <= _MAX_KEY and value.isascii() and value.isprintable()):
        raise ValueError("key")
    return value


def config_key(text: str) -> str:
    """A config's id, which its client may have chosen: what a sort key of the table can hold."""
    if not 0 < len(text.encode()) <= _MAX_SORT_KEY:
        raise ValueError("key")
    return text


def url(text: str) -> str:
    """A webhook's URL: one that can be taken apart. Whether it may be called is judged when it is."""
    if not (text.isascii() and text.isprintable() and 0 < len(text) <= _MAX_URL):
        raise ValueError("url")
    urlsplit(text)
    return text


def sequence_of(record: Any) -> str:
    """By what the event source knows a record of the stream. "" where it has no number: that is the whole batch."""
    with suppress(KeyError, TypeError):
        return str(record["dynamodb"]["SequenceNumber"])
    return ""


def task_id_of(record: Any) -> str:
    """The id of the task that a record of the stream is about. Raises :class:`~..core.ports.Poison`."""
    try:
        return key(record["dynamodb"]["Keys"]["taskId"]["S"])
    except Exception as error:
        raise Poison from error


def named(item: Attributes, name: str) -> str:
    """A key of an item that cannot be read. "" for what is none."""
    value = item.get(name)
    key = value.get("S") if isinstance(value, Mapping) else None
    return key.encode("utf-8", "replace").decode() if isinstance(key, str) else ""


def log_unreadable(error: Poison, item: Attributes) -> None:
    """An operator has to know which item a list left out."""
    keys = {name: named(item, name) for name in ("taskId", "configId") if name in item}
    _log.error("unreadable item: %s", dumps({**keys, "reason": error.reason}))
