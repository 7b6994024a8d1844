"""One entrance to all operations, for every binding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..core.blobs import Link, in_answer, unlinked
from ..core.errors import PushNotificationNotSupported, UnsupportedOperation
from ..core.model import Message, Task
from ..core.operations import (
    PUSH_OPERATIONS,
    CancelTask,
    DeletePushConfig,
    GetPushConfig,
    GetTask,
    ListPushConfigs,
    ListTasks,
    Request,
    SendMessage,
    SetPushConfig,
    Stream,
    StreamMessage,
    SubscribeToTask,
)
from ..push.configs import PushConfigService
from .reception import Reception
from .tasks import TaskService

if TYPE_CHECKING:
    from .stream import Streams


@dataclass(frozen=True, slots=True)
class AgentService:
    """What the agent can do for a caller. ``push_notifications`` is the capability on its card; ``reception`` sees
    messages first, ``link`` leads to large contents; ``streams`` is there where the agent streams."""

    tasks: TaskService
    push_configs: PushConfigService
    push_notifications: bool = True
    reception: Reception = field(default_factory=Reception)
    link: Link = unlinked
    streams: Streams | None = None

    def execute(self, owner: str, request: Request) -> Any:
        """The answer in the canonical model. Raises :class:`~.errors.A2AError`.

        What the card does not declare is refused before anything else is looked at (section 3.3.4).
        """
        message = request.send if isinstance(request, StreamMessage) else request
        if not self.push_notifications and (
            isinstance(request, PUSH_OPERATIONS) or getattr(message, "push_config", None) is not None
        ):
            raise PushNotificationNotSupported
        return in_answer(self._execute(owner, request), self.link)

    def _execute(self, owner: str, request: Request) -> Any:
        match request:
            case SendMessage():
                return self._send(owner, request)
            case StreamMessage() | SubscribeToTask():
                return self._stream(owner, request)
            case GetTask():
                return self.tasks.get(owner, request)
            case ListTasks():
                return self.tasks.list(owner, request)
            case CancelTask():
                return self.tasks.cancel(owner, request)
            case SetPushConfig():
                return self.push_configs.set(owner, request)
            case GetPushConfig():
                return self.push_configs.get(owner, request)
            case ListPushConfigs():
                return self.push_configs.list(owner, request)
            case DeletePushConfig():
                return self.push_configs.delete(owner, request)

    def _send(self, owner: str, request: SendMessage) -> Task | Message:
        self.reception.check(request)
        direct = self.reception.answer(owner, request.message)
        return direct if direct is not None else self.tasks.send(owner, request)

    def _stream(self, owner: str, request: StreamMessage | SubscribeToTask) -> Stream:
        streams = self.streams
        if streams is None:
            raise UnsupportedOperation
        if isinstance(request, SubscribeToTask):
            return streams.subscribe(owner, request)
        send = request.send
        self.reception.check(send)
        direct = self.reception.answer(owner, send.message)
        if direct is not None:
            return streams.direct(direct, send.dialect)
        return streams.send(owner, send, request.seconds)
