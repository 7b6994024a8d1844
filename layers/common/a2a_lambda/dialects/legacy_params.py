"""The legacy dialect as it comes in, and its translation table."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BeforeValidator, Field, field_validator

from ..core import operations as ops
from ..core.model import AuthenticationInfo, Json, Message, Role
from . import legacy
from .base import Dialect, Method, nothing, streaming
from .params import MAX_PARTS, Count, Id, Ids, MessageParams, OptionalId, OptionalText, Params, PartParams, reader

_ROLES: dict[str, Role] = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}


def _or_new(value: Any) -> Any:
    """The dialect's clients may leave the message's id to us."""
    return str(uuid.uuid4()) if value in (None, "") else value


class LegacyMessage(MessageParams):
    """A message; its id may be missing."""

    message_id: Annotated[Id, BeforeValidator(_or_new)] = Field(default_factory=lambda: str(uuid.uuid4()))
    role: Literal["user", "agent"]
    parts: list[PartParams] = Field(min_length=1, max_length=MAX_PARTS)

    def canonical(self) -> Message:
        """The message in the canonical model."""
        return self.canonical_with(_ROLES[self.role], [part.canonical() for part in self.parts])


class LegacySend(Params):
    """``tasks/send``: with ``id``, a follow-up to that task."""

    message: LegacyMessage
    id: OptionalId = None
    context_id: OptionalId = None
    history_length: Count | None = None
    metadata: Json | None = None

    def request(self) -> ops.SendMessage:
        """The operation. Ids beside the message win over those within: this is where the dialect has them."""
        message = self.message.canonical()
        if self.id is not None:
            message["taskId"] = self.id
        if self.context_id is not None:
            message["contextId"] = self.context_id
        return ops.SendMessage(message, legacy.NAME, history_length=self.history_length, metadata=self.metadata or {})


class LegacyTask(Params):
    """Whatever names a task: ``id`` or ``taskId``."""

    id: Id = Field(validation_alias=AliasChoices("id", "taskId", "task_id"))
    history_length: Count | None = None
    metadata: Json | None = None


class LegacyList(Params):
    """``tasks/list``: all the caller's tasks, newest first, a hundred at most."""

    context_id: OptionalId = None


class LegacyAuthentication(Params):
    """``authenticationInfo``."""

    scheme: Annotated[str, Field(min_length=1)]
    value: OptionalText = None
    header_name: OptionalText = None

    def canonical(self) -> AuthenticationInfo:
        """The authentication in the canonical model."""
        info: AuthenticationInfo = {"scheme": self.scheme}
        if self.value is not None:
            info["credentials"] = self.value
        if self.header_name is not None:
            info["headerName"] = self.header_name
        return info


class LegacyPushConfig(Params):
    """``pushNotificationConfig``. The dialect's webhooks carry changes of the status: who asks for artifacts only would
    wait in vain."""

    webhook_url: Annotated[str, Field(min_length=1)]
    authentication_info: LegacyAuthentication | None = None
    event_types: Ids | None = None

    @field_validator("event_types")
    @classmethod
    def _something_comes(cls, types: list[str] | None) -> list[str] | None:
        if types and set(types) == {"TaskArtifactUpdateEvent"}:
            raise ValueError("webhooks of this dialect carry TaskStatusUpdateEvent only")
        return types


class LegacySetPush(Params):
    """``tasks/pushNotification/set``."""

    id: Id = Field(validation_alias=AliasChoices("id", "taskId", "task_id"))
    config: LegacyPushConfig = Field(
        validation_alias=AliasChoices("pushNotificationConfig", "push_notification_config", "config")
    )

    def request(self) -> ops.SetPushConfig:
        """The operation."""
        authentication = self.config.authentication_info
        return ops.SetPushConfig(
            task_id=self.id,
            url=self.config.webhook_url,
            dialect=legacy.NAME,
            config_id=legacy.DEFAULT_CONFIG_ID,
            authentication=authentication.canonical() if authentication else None,
            event_types=tuple(self.config.event_types or ()),
        )


DIALECT = Dialect(
    name=legacy.NAME,
    versions=frozenset(),
    methods={
        "tasks/send": Method(reader(LegacySend, LegacySend.request), legacy.sent),
        "tasks/sendSubscribe": streaming(
            reader(LegacySend, lambda p: ops.StreamMessage(p.request())), lambda _: legacy.SENT, streams_errors=True
        ),
        "tasks/resubscribe": streaming(
            reader(LegacyTask, lambda p: ops.SubscribeToTask(p.id)), legacy.resubscribed, streams_errors=True
        ),
        "tasks/get": Method(reader(LegacyTask, lambda p: ops.GetTask(p.id, p.history_length)), legacy.found),
        "tasks/list": Method(
            reader(LegacyList, lambda p: ops.ListTasks(p.context_id, page_size=100, include_artifacts=True)),
            legacy.task_list,
        ),
        "tasks/cancel": Method(reader(LegacyTask, lambda p: ops.CancelTask(p.id)), legacy.found),
        "tasks/pushNotification/set": Method(reader(LegacySetPush, LegacySetPush.request), legacy.push_config),
        "tasks/pushNotification/get": Method(
            reader(LegacyTask, lambda p: ops.GetPushConfig(p.id, missing_ok=True)), legacy.push_config
        ),
        "tasks/pushNotification/list": Method(
            reader(Params, lambda _: ops.ListPushConfigs(None)), legacy.push_config_list
        ),
        "tasks/pushNotification/delete": Method(
            reader(LegacyTask, lambda p: ops.DeletePushConfig(p.id, legacy.DEFAULT_CONFIG_ID)), nothing
        ),
    },
)
