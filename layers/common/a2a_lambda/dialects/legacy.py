"""The dialect of the first A2A drafts, as it goes out: ``tasks/send`` and ``tasks/pushNotification/*``."""

from __future__ import annotations

from typing import Any

from ..core.changes import Change, status_update
from ..core.model import TERMINAL, Json, Message, Task, TaskStatus, dumps
from ..core.operations import FoundTask, PushConfigList, TaskList
from ..core.records import PushConfig
from . import v0_3
from .base import StreamForm

NAME = "legacy"
VERSION = ""
CONTENT_TYPE = "application/json"
DEFAULT_CONFIG_ID = "default"
"""The dialect knows one config per task and gives it no id."""


def state(canonical: str) -> str:
    """``TASK_STATE_INPUT_REQUIRED`` is ``input_required``."""
    return canonical.removeprefix("TASK_STATE_").lower()


def message(canonical: Message) -> Json:
    """Roles are ``user`` and ``agent``; parts are as in 1.0."""
    return {**canonical, "role": canonical["role"].removeprefix("ROLE_").lower()}


def status(canonical: TaskStatus) -> Json:
    """State in lower case, message in this dialect."""
    translated: Json = {**canonical, "state": state(canonical["state"])}
    if "message" in canonical:
        translated["message"] = message(canonical["message"])
    return translated


def task(canonical: Task) -> Json:
    """``artifacts`` and ``history`` are always there."""
    return {
        **canonical,
        "status": status(canonical["status"]),
        "artifacts": canonical.get("artifacts", []),
        "history": [message(entry) for entry in canonical.get("history", [])],
    }


def sent(answer: Task | Message) -> Json:
    """Answer to ``tasks/send``: the bare task, or the bare message of an agent that answers directly."""
    return message(answer) if "messageId" in answer else task(answer)  # type: ignore[arg-type]


def found(answer: FoundTask) -> Json:
    """Answer to ``tasks/get`` and ``tasks/cancel``. 0.3 has these methods too, and its clients send no version: each
    task is answered in the dialect in which it was sent, and where this one cannot be meant, in 0.3."""
    return task(answer.task) if answer.dialect == NAME else v0_3.task(answer.task)


def task_list(answer: TaskList) -> list[Json]:
    """Answer to ``tasks/list``: a bare array."""
    return [task(entry) for entry in answer.tasks]


def push_config(answer: PushConfig | None) -> Json | None:
    """``{id, pushNotificationConfig}``, or null where there is none."""
    if answer is None:
        return None
    config: Json = {"taskId": answer.task_id, "webhookUrl": answer.url, "eventTypes": list(answer.event_types)}
    if answer.authentication:
        names = {"scheme": "scheme", "credentials": "value", "headerName": "headerName"}
        config["authenticationInfo"] = {
            name: value for key, name in names.items() if (value := answer.authentication.get(key)) is not None
        }
    return {"id": answer.task_id, "pushNotificationConfig": config}


def push_config_list(answer: PushConfigList) -> list[Any]:
    """Answer to ``tasks/pushNotification/list``: a bare array."""
    return [push_config(config) for config in answer.configs]


def notifications(change: Change) -> list[tuple[int, str]]:
    """Status events only: the dialect has no other in its webhooks."""
    return [
        (n, dumps(_status_event(event["statusUpdate"])))
        for n, event in enumerate(change.events)
        if "statusUpdate" in event
    ]


def stream_event(event: Json) -> Json:
    """An event of a stream: a status as webhooks have it, an artifact in the same manner."""
    if "statusUpdate" in event:
        return _status_event(event["statusUpdate"])
    update = event["artifactUpdate"]
    return {
        "type": "TaskArtifactUpdateEvent",
        "taskId": update["taskId"],
        "contextId": update["contextId"],
        "artifact": update["artifact"],
        "append": update.get("append", False),
        "lastChunk": update["lastChunk"],
    }


def _first_status(answer: Task | Message) -> Json:
    """The task's status as an event, from which clients take the task's id; or the agent's direct message."""
    return message(answer) if "messageId" in answer else stream_event(status_update(answer))  # type: ignore[arg-type]


SENT = StreamForm(_first_status, stream_event, numbered=False)
"""The stream of ``tasks/sendSubscribe``: events alone."""


def resubscribed(sent_in: str) -> StreamForm:
    """The stream of ``tasks/resubscribe``, which 0.3 has as well: see :func:`found`."""
    return StreamForm(sent, stream_event, numbered=False) if sent_in == NAME else v0_3.STREAM


def _status_event(update: Json) -> Json:
    return {
        "type": "TaskStatusUpdateEvent",
        "taskId": update["taskId"],
        "contextId": update["contextId"],
        "status": status(update["status"]),
        "final": update["status"]["state"] in TERMINAL,
    }
