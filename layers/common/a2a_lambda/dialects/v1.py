"""A2A 1.0 as it goes out. The canonical model is this dialect, so there is little to translate."""

from __future__ import annotations

from ..core.changes import Change
from ..core.model import Json, Message, Task, dumps
from ..core.operations import FoundTask, PushConfigList, TaskList
from ..core.records import PushConfig
from .base import StreamForm

NAME = VERSION = "1.0"
CONTENT_TYPE = "application/a2a+json"
"""Of webhooks (section 4.3.3)."""


def sent(answer: Task | Message) -> Json:
    """Answer to ``SendMessage``: exactly one of ``task`` and ``message``."""
    return {"message": answer} if "messageId" in answer else {"task": answer}


def found(answer: FoundTask) -> Task:
    """Answer to ``GetTask`` and ``CancelTask``."""
    return answer.task


def task_list(answer: TaskList) -> Json:
    """Answer to ``ListTasks``. ``nextPageToken`` is always there."""
    return {
        "tasks": list(answer.tasks),
        "nextPageToken": answer.next_page_token,
        "pageSize": answer.page_size,
        "totalSize": answer.total_size,
    }


def push_config(answer: PushConfig) -> Json:
    """A ``TaskPushNotificationConfig``."""
    config: Json = {"taskId": answer.task_id, "id": answer.config_id, "url": answer.url}
    if answer.token:
        config["token"] = answer.token
    if answer.authentication:
        config["authentication"] = {
            key: value for key, value in answer.authentication.items() if key in ("scheme", "credentials")
        }
    return config


def push_config_list(answer: PushConfigList) -> Json:
    """Answer to ``ListTaskPushNotificationConfigs``."""
    listed: Json = {"configs": [push_config(config) for config in answer.configs]}
    if answer.next_page_token:
        listed["nextPageToken"] = answer.next_page_token
    return listed


STREAM = StreamForm(sent, lambda event: event)
"""A ``StreamResponse`` for the task or message, and for each event: that of the webhooks."""


def notifications(change: Change) -> list[tuple[int, str]]:
    """The webhook bodies of a change: a ``StreamResponse`` for each of its events."""
    return [(n, dumps(event)) for n, event in enumerate(change.events)]
