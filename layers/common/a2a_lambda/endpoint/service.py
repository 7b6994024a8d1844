"""One entrance to all operations, for every binding."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..core.blobs import Link, in_answer, unlinked
from ..core.errors import PushNotificationNotSupported
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
)
from ..push.configs import PushConfigService
from .reception import Reception
from .tasks import TaskService


@dataclass(frozen=True, slots=True)
class AgentService:
    """What the agent can do for a caller. ``push_notifications`` is the capability on its card; ``reception`` sees
    messages first, ``link`` leads to large contents."""

    tasks: TaskService
    push_configs: PushConfigService
    push_notifications: bool = True
    reception: Reception = field(default_factory=Reception)
    link: Link = unlinked

    def execute(self, owner: str, request: Request) -> Any:
        """The answer in the canonical model. Raises :class:`~.errors.A2AError`.

        What the card does not declare is refused before anything else is looked at (section 3.3.4).
        """
        if not self.push_notifications and (
            isinstance(request, PUSH_OPERATIONS) or getattr(request, "push_config", None) is not None
        ):
            raise PushNotificationNotSupported
        return in_answer(self._execute(owner, request), self.link)

    def _execute(self, owner: str, request: Request) -> Any:
        match request:
            case SendMessage():
                return self._send(owner, request)
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
