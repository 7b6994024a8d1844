"""The protocol's data model in its canonical form: A2A 1.0 JSON (specification section 4).

Everything inside the runtime is plain JSON of this shape, so that a stored task can be handed out as it is. The types
below describe it for the type checker only; what comes from outside is validated by ``dialects`` before it gets here.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

Json = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
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


def moment(text: str) -> datetime:
    """The inverse of :func:`timestamp`; any ISO 8601 text with an offset will do.

    Raises ``ValueError`` for anything else.
    """
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError("a timestamp needs an offset")
    return parsed.astimezone(UTC)


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
        return json.loads(text)


def text_of(message: Message) -> str:
    """The message's text parts, joined by newlines."""
    return "\n".join(part["text"] for part in message["parts"] if "text" in part)
