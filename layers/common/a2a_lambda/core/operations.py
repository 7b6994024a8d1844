"""The operations of A2A, free of any dialect (specification section 3.1).

A dialect reads its parameters into one of these requests; the services answer it with a task, a message, a config, or
one of the results below; the dialect writes that.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from .model import AuthenticationInfo, Json, Message, Task, TaskState
from .records import PushConfig

if TYPE_CHECKING:
    from .trace import Step


@dataclass(frozen=True, slots=True)
class SetPushConfig:
    """Section 3.1.7. ``config_id`` None: the server chooses. ``task_id`` is "" for a config inline on a send."""

    task_id: str
    url: str
    dialect: str
    config_id: str | None = None
    token: str | None = None
    authentication: AuthenticationInfo | None = None
    event_types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Section 3.1.1. ``message.taskId`` makes it a follow-up. ``blocking``: answer when the task ends or waits for its
    client. ``extensions`` are those that the client wants to use, ``metadata`` is that of the request, ``output_modes``
    are the media types that the client accepts (none: any)."""

    message: Message
    dialect: str
    blocking: bool = False
    history_length: int | None = None
    push_config: SetPushConfig | None = None
    extensions: frozenset[str] = frozenset()
    metadata: Json = field(default_factory=dict)
    output_modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """Section 3.1.2: ``send``, and then the task as it changes. ``seconds`` is how long the answer may take."""

    send: SendMessage
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class SubscribeToTask:
    """Section 3.1.6. ``last_event_id`` is the id of the last event that the client has received, "" if none."""

    task_id: str
    last_event_id: str = ""
    seconds: float = math.inf


@dataclass(frozen=True, slots=True)
class Stream:
    """Answer to :class:`StreamMessage` and :class:`SubscribeToTask`.

    ``first`` is the task of ``generation``, or the agent's direct message; None where the stream goes on after an event
    that the client has. ``steps`` are the writes of the task as they come, None where there was none for a while.
    ``dialect`` is the one in which the task was sent; ``padding`` the bytes of comment after each event.
    """

    first: Task | Message | None
    steps: Generator[Step | None, None, None]
    task_id: str
    dialect: str
    generation: int = 0
    padding: int = 0


EndOfStream = Literal["ended", "asks", "time", "deleted", "unavailable", "failed", "hung up"]
"""Why a stream ended: with the task, with a question to the client, by its limit, with the task's removal, because the
table did not answer, by a fault of ours, or because nobody reads any more."""


@dataclass(slots=True)
class StreamReport:
    """A stream for the log, while it runs: how many events it has sent, why it ended, and what went wrong on our side,
    if something did."""

    task_id: str
    began: datetime
    events: int = 0
    reason: EndOfStream = "hung up"
    fault: Exception | None = None


@dataclass(frozen=True, slots=True)
class GetTask:
    """Section 3.1.3."""

    task_id: str
    history_length: int | None = None


@dataclass(frozen=True, slots=True)
class ListTasks:
    """Section 3.1.4. ``after`` is an inclusive lower bound of the status timestamp; ``page_size`` is 1 to 100."""

    context_id: str | None = None
    state: TaskState | None = None
    after: str | None = None
    page_size: int = 50
    page_token: str | None = None
    history_length: int | None = None
    include_artifacts: bool = False


@dataclass(frozen=True, slots=True)
class CancelTask:
    """Section 3.1.5."""

    task_id: str


@dataclass(frozen=True, slots=True)
class GetPushConfig:
    """Section 3.1.8. ``config_id`` None: the task's only or default config. ``missing_ok``: None will do.
    ``or_default``: where no config has the id, the default one is meant."""

    task_id: str
    config_id: str | None = None
    missing_ok: bool = False
    or_default: bool = False


@dataclass(frozen=True, slots=True)
class ListPushConfigs:
    """Section 3.1.9. ``task_id`` None: all configs of the caller (legacy)."""

    task_id: str | None
    page_size: int = 0
    page_token: str | None = None


@dataclass(frozen=True, slots=True)
class DeletePushConfig:
    """Section 3.1.10. ``or_default`` as in :class:`GetPushConfig`."""

    task_id: str
    config_id: str
    or_default: bool = False


Request = (
    SendMessage
    | StreamMessage
    | SubscribeToTask
    | GetTask
    | ListTasks
    | CancelTask
    | SetPushConfig
    | GetPushConfig
    | ListPushConfigs
    | DeletePushConfig
)

PUSH_OPERATIONS = (SetPushConfig, GetPushConfig, ListPushConfigs, DeletePushConfig)
"""Refused with -32003 where the card says ``pushNotifications: false``."""


@dataclass(frozen=True, slots=True)
class FoundTask:
    """Answer to :class:`GetTask` and :class:`CancelTask`. ``dialect`` is the one in which the task was sent: a method
    that two dialects share is answered in it."""

    task: Task
    dialect: str


@dataclass(frozen=True, slots=True)
class TaskList:
    """Answer to :class:`ListTasks`. ``next_page_token`` is "" at the end."""

    tasks: Sequence[Task]
    next_page_token: str
    page_size: int
    total_size: int


@dataclass(frozen=True, slots=True)
class PushConfigList:
    """Answer to :class:`ListPushConfigs`. ``next_page_token`` is "" at the end."""

    configs: Sequence[PushConfig]
    next_page_token: str = ""
