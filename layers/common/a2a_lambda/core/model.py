"""The protocol's data model in its canonical form: A2A 1.0 JSON (specification section 4).

Everything inside the runtime is plain JSON of this shape, so that a stored task can be handed out as it is. The types
below describe it for the type checker only; what comes from outside is validated by ``dialects`` before it gets here.
"""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_identity = msgspec.json.Encoder(order="deterministic").encode
# For texts with half a surrogate pair, which are no UTF-8: rare, but a client can send them in any string.
_encode_any = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Role = Literal["ROLE_USER", "ROLE_AGENT"]


class TaskState(StrEnum):
    """Section 4.1.3. ``TASK_STATE_UNSPECIFIED`` is never stored."""

    SUBMITTED = "TASK_STATE_SUBMITTED"
    WORKING = "TASK_STATE_WORKING"
    COMPLETED = "TASK_STATE_COMPLETED"
    FAILED = "TASK_STATE_FAILED"
    CANCELED = "TASK_STATE_CANCELED"
    REJECTED = "TASK_STATE_REJECTED"
    INPUT_REQUIRED = "TASK_STATE_INPUT_REQUIRED"
    AUTH_REQUIRED = "TASK_STATE_AUTH_REQUIRED"


TERMINAL = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELED, TaskState.REJECTED})
"""States that no write ever leaves."""

INTERRUPTED = frozenset({TaskState.INPUT_REQUIRED, TaskState.AUTH_REQUIRED})
"""States in which the task waits for its client."""


class Part(TypedDict, total=False):
    """Section 4.1.6: exactly one of ``text``, ``raw`` (base64), ``url`` and ``data``."""

    text: str
    raw: str
    url: str
    data: Any
    metadata: Json
    filename: str
    mediaType: str


class Message(TypedDict):
    """Section 4.1.4."""

    messageId: str
    role: Role
    parts: list[Part]
    contextId: NotRequired[str]
    taskId: NotRequired[str]
    metadata: NotRequired[Json]
    extensions: NotRequired[list[str]]
    referenceTaskIds: NotRequired[list[str]]


class TaskStatus(TypedDict):
    """Section 4.1.2. ``timestamp`` is ISO 8601 in UTC with milliseconds."""

    state: str
    timestamp: str
    message: NotRequired[Message]


class Artifact(TypedDict):
    """Section 4.1.7."""

    artifactId: str
    parts: list[Part]
    name: NotRequired[str]
    description: NotRequired[str]
    metadata: NotRequired[Json]
    extensions: NotRequired[list[str]]


class Task(TypedDict):
    """Section 4.1.1."""

    id: str
    contextId: str
    status: TaskStatus
    artifacts: NotRequired[list[Artifact]]
    history: NotRequired[list[Message]]
    metadata: NotRequired[Json]


class AuthenticationInfo(TypedDict, total=False):
    """Section 4.3.2. ``headerName`` is known to the legacy dialect only. ``schemes`` is there where a 0.3 client named
    several; ``scheme`` is the first of them."""

    scheme: str
    credentials: str
    headerName: str
    schemes: list[str]


def state_of(task: Task) -> TaskState:
    """The task's state."""
    return TaskState(task["status"]["state"])


def timestamp(moment: datetime) -> str:
    """The moment as the wire writes it: ``YYYY-MM-DDTHH:mm:ss.sssZ`` (section 5.6.1)."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


_HOUR = r"([01]\d|2[0-3]):[0-5]\d"
_RFC3339 = re.compile(rf"\d{{4}}-\d\d-\d\d[Tt]{_HOUR}:[0-5]\d(\.\d+)?([Zz]|[+-]{_HOUR})", re.ASCII)

_FIRST_YEAR = 1_000
"""Earlier ones have no four digits without zeros in front, which :func:`timestamp` does not write."""


def moment(text: str) -> datetime:
    """The inverse of :func:`timestamp`; any text of RFC 3339 (section 5.6) between the years 1000 and 9999 will do.

    Raises ``ValueError`` for anything else.
    """
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("a timestamp is a date and a time with an offset (RFC 3339)")
    try:
        parsed = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("a year has four digits") from None
    if parsed.year < _FIRST_YEAR:
        raise ValueError("a year has four digits")
    return parsed


def same_json(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal as JSON: to Python, ``True`` is 1 and ``False`` is 0. The order of keys is
    nothing, and 1.0 is 1."""
    if one != other:
        return False
    try:
        if _identity(one) == _identity(other):
            return True
    except UnicodeEncodeError:
        pass
    return _same_types(one, other)


def _same_types(one: Any, other: Any) -> bool:
    """Whether two values that are equal to Python have a boolean in the same places."""
    if isinstance(one, dict):
        return all(_same_types(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return all(map(_same_types, one, other))
    return isinstance(one, bool) == isinstance(other, bool)


def dumps(value: Any) -> str:
    """Canonical JSON text: compact, not escaped beyond need."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return _encode_any(value)


def loads(text: str) -> Any:
    """The inverse of :func:`dumps`. Raises ``ValueError`` for what is no JSON."""
    try:
        return _decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return json.loads(text, parse_constant=no_constant, parse_float=finite)


def no_constant(_: str) -> Any:
    """``NaN`` and ``Infinity``, which :mod:`json` takes, are no JSON: raises ``ValueError``."""
    raise ValueError("not JSON")


def finite(text: str) -> float:
    """The number. Raises ``ValueError`` for one that cannot be written again."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a number that can be written again")
    return number


def text_of(message: Message) -> str:
    """The message's text parts, joined by newlines."""
    return "\n".join(part["text"] for part in message["parts"] if "text" in part)
