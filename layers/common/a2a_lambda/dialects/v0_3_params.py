"""A2A 0.3 as it comes in (0.3 specification, section 7), and its translation table."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..core import operations as ops
from ..core.errors import ExtendedCardNotConfigured
from ..core.model import AuthenticationInfo, Json, Message, Part, Role
from . import v0_3
from .base import Dialect, Method, nothing, refused, streaming
from .params import (
    MAX_ID,
    MAX_NAMED,
    MAX_PARTS,
    AnyPartParams,
    Base64,
    Count,
    Id,
    MessageParams,
    OptionalId,
    OptionalText,
    Params,
    Uris,
    reader,
)

_ROLES: dict[str, Role] = {"user": "ROLE_USER", "agent": "ROLE_AGENT"}


class V03File(Params):
    """``file`` of a file part: ``bytes`` in base64, or a ``uri``."""

    bytes: Base64 | None = None
    uri: str | None = None
    name: OptionalText = None
    mime_type: OptionalText = None

    @model_validator(mode="after")
    def _one_content(self) -> V03File:
        if self.bytes and self.uri == "":
            self.uri = None
        if self.uri and self.bytes == "":
            self.bytes = None
        if (self.bytes is None) == (self.uri is None):
            raise ValueError("exactly one of bytes and uri is required")
        return self


class V03TextPart(AnyPartParams):
    """Section 6.5.1. The media type and name of a part that is no file are ours: see :mod:`.v0_3`."""

    kind: Literal["text"]
    text: str

    def canonical(self) -> Part:
        """The part in the canonical model."""
        return self.canonical_with({"text": self.text})


class V03FilePart(AnyPartParams):
    """Section 6.5.2."""

    kind: Literal["file"]
    file: V03File

    def canonical(self) -> Part:
        """The part in the canonical model."""
        file = self.file
        part: Part = {"raw": file.bytes} if file.bytes is not None else {"url": file.uri or ""}
        if file.name is not None:
            part["filename"] = file.name
        if file.mime_type is not None:
            part["mediaType"] = file.mime_type
        return self.canonical_with(part)


class V03DataPart(AnyPartParams):
    """Section 6.5.3. Data that is no object comes wrapped."""

    kind: Literal["data"]
    data: Json

    def canonical(self) -> Part:
        """The part in the canonical model, unwrapped."""
        metadata = self.metadata or {}
        if metadata.get(v0_3.WRAPPED) is not True or "value" not in self.data:
            return self.canonical_with({"data": self.data})
        rest = {key: value for key, value in metadata.items() if key != v0_3.WRAPPED}
        return self.model_copy(update={"metadata": rest or None}).canonical_with({"data": self.data["value"]})


def _with_kind(part: Any) -> Any:
    """The part with the ``kind`` that its content says, if it has none and only one content.

    A ``type``, which the drafts had in its place, may not say another.
    """
    if not isinstance(part, dict) or part.get("kind") not in (None, ""):
        return part
    kinds = [kind for kind in ("text", "file", "data") if part.get(kind) is not None]
    if len(kinds) != 1 or part.get("type") not in (None, "", kinds[0]):
        return part
    return {**part, "kind": kinds[0]}


AnyPart = Annotated[
    Annotated[V03TextPart | V03FilePart | V03DataPart, Field(discriminator="kind")], BeforeValidator(_with_kind)
]


class V03Message(MessageParams):
    """Section 6.4. ``kind`` may be missing: the place says what it is."""

    kind: Literal["message"] = "message"
    role: Literal["user", "agent"]
    parts: list[AnyPart] = Field(min_length=1, max_length=MAX_PARTS)

    def canonical(self) -> Message:
        """The message in the canonical model."""
        return self.canonical_with(_ROLES[self.role], [part.canonical() for part in self.parts])


class V03Authentication(Params):
    """Section 6.9: the schemes that the receiver takes, of which we can use one."""

    schemes: list[Annotated[str, Field(min_length=1, max_length=MAX_ID)]] = Field(max_length=MAX_NAMED)
    credentials: OptionalText = None

    @model_validator(mode="after")
    def _credentials_have_a_scheme(self) -> V03Authentication:
        if self.credentials is not None and not self.schemes:
            raise ValueError("credentials need a scheme")
        return self

    def canonical(self) -> AuthenticationInfo | None:
        """The authentication in the canonical model: the first scheme is the one that the credentials are for."""
        if not self.schemes:
            return None
        info: AuthenticationInfo = {"scheme": self.schemes[0]}
        if len(self.schemes) > 1:
            info["schemes"] = self.schemes
        if self.credentials is not None:
            info["credentials"] = self.credentials
        return info


class V03PushConfig(Params):
    """Section 6.8."""

    id: OptionalId = None
    url: Annotated[str, Field(min_length=1)]
    token: OptionalText = None
    authentication: V03Authentication | None = None

    def canonical(self, task_id: str = "") -> ops.SetPushConfig:
        """The request to register this config."""
        return ops.SetPushConfig(
            task_id=task_id,
            url=self.url,
            dialect=v0_3.NAME,
            config_id=self.id or v0_3.DEFAULT_CONFIG_ID,
            token=self.token,
            authentication=self.authentication.canonical() if self.authentication else None,
        )


class V03SendConfiguration(Params):
    """Section 7.1.1. ``blocking`` absent: wait, as the servers of the official SDKs do."""

    accepted_output_modes: Uris | None = None
    push_notification_config: V03PushConfig | None = None
    history_length: Count | None = None
    blocking: bool | None = None


class V03Send(Params):
    """Section 7.1."""

    message: V03Message
    configuration: V03SendConfiguration | None = None
    metadata: Json | None = None

    def request(self) -> ops.SendMessage:
        """The operation."""
        configuration = self.configuration or V03SendConfiguration()
        inline = configuration.push_notification_config
        return ops.SendMessage(
            message=self.message.canonical(),
            dialect=v0_3.NAME,
            blocking=configuration.blocking is not False,
            history_length=configuration.history_length,
            push_config=inline.canonical() if inline else None,
            metadata=self.metadata or {},
            output_modes=tuple(configuration.accepted_output_modes or ()),
        )


class V03Task(Params):
    """Sections 7.3.1 and 7.4.1."""

    id: Id
    history_length: Count | None = None
    metadata: Json | None = None


class V03SetPush(Params):
    """Section 7.5."""

    task_id: Id
    push_notification_config: V03PushConfig

    def request(self) -> ops.SetPushConfig:
        """The operation."""
        return self.push_notification_config.canonical(self.task_id)


class V03PushOfTask(Params):
    """Section 7.6.1: without the config's id, the task's default one."""

    id: Id
    push_notification_config_id: OptionalId = None

    @property
    def may_be_default(self) -> bool:
        """Whether the default config is meant where none has this id: other servers call it after its task."""
        return self.push_notification_config_id == self.id


class V03DeletePush(Params):
    """Section 7.8.1."""

    id: Id
    push_notification_config_id: Id

    @property
    def may_be_default(self) -> bool:
        """See :class:`V03PushOfTask`."""
        return self.push_notification_config_id == self.id


DIALECT = Dialect(
    name=v0_3.NAME,
    versions=frozenset({v0_3.VERSION}),
    methods={
        "message/send": Method(reader(V03Send, V03Send.request), v0_3.sent),
        "message/stream": streaming(
            reader(V03Send, lambda p: ops.StreamMessage(p.request())), lambda _: v0_3.STREAM, streams_errors=True
        ),
        "tasks/get": Method(reader(V03Task, lambda p: ops.GetTask(p.id, p.history_length)), v0_3.found),
        "tasks/cancel": Method(reader(V03Task, lambda p: ops.CancelTask(p.id)), v0_3.found),
        "tasks/resubscribe": streaming(
            reader(V03Task, lambda p: ops.SubscribeToTask(p.id)), lambda _: v0_3.STREAM, streams_errors=True
        ),
        "tasks/pushNotificationConfig/set": Method(reader(V03SetPush, V03SetPush.request), v0_3.push_config),
        "tasks/pushNotificationConfig/get": Method(
            reader(
                V03PushOfTask,
                lambda p: ops.GetPushConfig(p.id, p.push_notification_config_id, or_default=p.may_be_default),
            ),
            v0_3.push_config,
        ),
        "tasks/pushNotificationConfig/list": Method(
            reader(V03Task, lambda p: ops.ListPushConfigs(p.id)), v0_3.push_config_list
        ),
        "tasks/pushNotificationConfig/delete": Method(
            reader(
                V03DeletePush,
                lambda p: ops.DeletePushConfig(p.id, p.push_notification_config_id, or_default=p.may_be_default),
            ),
            nothing,
        ),
        "agent/getAuthenticatedExtendedCard": refused(ExtendedCardNotConfigured),
    },
)
