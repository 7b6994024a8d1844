"""A2A 1.0 as it comes in (specification section 9.4), and its translation table."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from ..core import operations as ops
from ..core.errors import InvalidParams, UnsupportedOperation
from ..core.model import AuthenticationInfo, Json, Message, TaskState, moment, timestamp
from . import v1
from .base import Dialect, Method, nothing, refused, streaming
from .params import (
    MAX_PARTS,
    Count,
    Id,
    Int32,
    MessageParams,
    OptionalId,
    OptionalText,
    Params,
    PartParams,
    Uris,
    reader,
)


def _unspecified_is_none(value: Any) -> Any:
    return None if value in ("", "TASK_STATE_UNSPECIFIED") else value


class V1Message(MessageParams):
    """Section 4.1.4."""

    role: Literal["ROLE_USER", "ROLE_AGENT"]
    parts: list[PartParams] = Field(min_length=1, max_length=MAX_PARTS)

    def canonical(self) -> Message:
        """The message in the canonical model."""
        return self.canonical_with(self.role, [part.canonical() for part in self.parts])


class V1Authentication(Params):
    """Section 4.3.2."""

    scheme: Annotated[str, Field(min_length=1)]
    credentials: OptionalText = None

    def canonical(self) -> AuthenticationInfo:
        """The authentication in the canonical model."""
        info: AuthenticationInfo = {"scheme": self.scheme}
        if self.credentials is not None:
            info["credentials"] = self.credentials
        return info


class V1PushConfig(Params):
    """Section 4.3.1."""

    task_id: OptionalId = None
    id: OptionalId = None
    url: Annotated[str, Field(min_length=1)]
    token: OptionalText = None
    authentication: V1Authentication | None = None

    def canonical(self, task_id: str = "") -> ops.SetPushConfig:
        """The request to register this config."""
        return ops.SetPushConfig(
            task_id=task_id,
            url=self.url,
            dialect=v1.NAME,
            config_id=self.id,
            token=self.token,
            authentication=self.authentication.canonical() if self.authentication else None,
        )


class V1SendConfiguration(Params):
    """Section 3.2.2."""

    accepted_output_modes: Uris | None = None
    task_push_notification_config: V1PushConfig | None = None
    push_notification_config: V1PushConfig | None = None  # its name before 1.0 was final
    history_length: Count | None = None
    return_immediately: bool | None = None


class V1SendMessage(Params):
    """Section 3.2.1."""

    message: V1Message
    configuration: V1SendConfiguration | None = None
    metadata: Json | None = None

    def request(self) -> ops.SendMessage:
        """The operation."""
        configuration = self.configuration or V1SendConfiguration()
        inline = configuration.task_push_notification_config or configuration.push_notification_config
        return ops.SendMessage(
            message=self.message.canonical(),
            dialect=v1.NAME,
            blocking=not configuration.return_immediately,
            history_length=configuration.history_length,
            push_config=inline.canonical() if inline else None,
            metadata=self.metadata or {},
            output_modes=tuple(configuration.accepted_output_modes or ()),
        )


class V1GetTask(Params):
    """Section 3.1.3."""

    id: Id
    history_length: Count | None = None


class V1ListTasks(Params):
    """Section 3.1.4."""

    context_id: OptionalId = None
    status: Annotated[TaskState | None, Field(strict=False), BeforeValidator(_unspecified_is_none)] = None
    page_size: Annotated[Int32, Field(ge=1, le=100)] | None = None
    page_token: OptionalText = None
    history_length: Count | None = None
    status_timestamp_after: OptionalText = None
    include_artifacts: bool | None = None

    @field_validator("status_timestamp_after")
    @classmethod
    def _is_timestamp(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return timestamp(moment(value))
        except ValueError:
            raise ValueError("must be a timestamp of RFC 3339, between the years 1000 and 9999") from None

    def request(self) -> ops.ListTasks:
        """The operation."""
        return ops.ListTasks(
            context_id=self.context_id,
            state=self.status,
            after=self.status_timestamp_after,
            page_size=self.page_size or 50,
            page_token=self.page_token,
            history_length=self.history_length,
            include_artifacts=bool(self.include_artifacts),
        )


class V1CancelTask(Params):
    """Section 3.1.5."""

    id: Id
    metadata: Json | None = None


class V1ConfigOfTask(Params):
    """Sections 3.1.8 and 3.1.10."""

    task_id: Id
    id: Id


class V1ListConfigs(Params):
    """Section 3.1.9."""

    task_id: Id
    page_size: Count | None = None
    page_token: OptionalText = None


def _create(config: V1PushConfig) -> ops.SetPushConfig:
    if config.task_id is None:
        raise InvalidParams.of("taskId", "Field required")
    return config.canonical(config.task_id)


DIALECT = Dialect(
    name=v1.NAME,
    versions=frozenset({"1.0"}),
    methods={
        "SendMessage": Method(reader(V1SendMessage, V1SendMessage.request), v1.sent),
        "GetTask": Method(reader(V1GetTask, lambda p: ops.GetTask(p.id, p.history_length)), v1.found),
        "ListTasks": Method(reader(V1ListTasks, V1ListTasks.request), v1.task_list),
        "CancelTask": Method(reader(V1CancelTask, lambda p: ops.CancelTask(p.id)), v1.found),
        "CreateTaskPushNotificationConfig": Method(reader(V1PushConfig, _create), v1.push_config),
        "GetTaskPushNotificationConfig": Method(
            reader(V1ConfigOfTask, lambda p: ops.GetPushConfig(p.task_id, p.id)), v1.push_config
        ),
        "ListTaskPushNotificationConfigs": Method(
            reader(V1ListConfigs, lambda p: ops.ListPushConfigs(p.task_id, p.page_size or 0, p.page_token)),
            v1.push_config_list,
        ),
        "DeleteTaskPushNotificationConfig": Method(
            reader(V1ConfigOfTask, lambda p: ops.DeletePushConfig(p.task_id, p.id)), nothing
        ),
        "SendStreamingMessage": streaming(
            reader(V1SendMessage, lambda p: ops.StreamMessage(p.request())), lambda _: v1.STREAM
        ),
        "SubscribeToTask": streaming(reader(V1CancelTask, lambda p: ops.SubscribeToTask(p.id)), lambda _: v1.STREAM),
        "GetExtendedAgentCard": refused(UnsupportedOperation),
    },
)
