"""A2A 0.3 as it goes out (0.3 specification, sections 5 to 7): ``kind`` discriminators, states with hyphens.

What 0.3 has no place for is written where its readers do not look, so that a round trip loses nothing: the media type
and file name of a text or data part stay beside its content, and data that is no object is wrapped as the official
SDKs wrap it.
"""

from __future__ import annotations

from ..core.changes import Change
from ..core.model import INTERRUPTED, TERMINAL, Artifact, Json, Message, Part, Task, TaskStatus, dumps
from ..core.operations import FoundTask, PushConfigList
from ..core.records import PushConfig
from .base import StreamForm

NAME = VERSION = "0.3"
CONTENT_TYPE = "application/json"
DEFAULT_CONFIG_ID = "default"
"""Of a config that its client gave no id: setting it again replaces it."""

WRAPPED = "data_part_compat"
"""The mark in a data part's metadata that says that its content is ``data.value``."""


def state(canonical: str) -> str:
    """``TASK_STATE_INPUT_REQUIRED`` is ``input-required``."""
    return canonical.removeprefix("TASK_STATE_").lower().replace("_", "-")


def part(canonical: Part) -> Json:
    """A text, file or data part."""
    metadata = canonical.get("metadata")
    file = {
        **({"name": canonical["filename"]} if "filename" in canonical else {}),
        **({"mimeType": canonical["mediaType"]} if "mediaType" in canonical else {}),
    }
    translated: Json
    if "raw" in canonical:
        translated = {"kind": "file", "file": {"bytes": canonical["raw"], **file}}
    elif "url" in canonical:
        translated = {"kind": "file", "file": {"uri": canonical["url"], **file}}
    else:
        beside = {key: value for key, value in canonical.items() if key in ("filename", "mediaType")}
        if "text" in canonical:
            translated = {"kind": "text", "text": canonical["text"], **beside}
        elif isinstance(canonical["data"], dict):
            translated = {"kind": "data", "data": canonical["data"], **beside}
        else:
            translated = {"kind": "data", "data": {"value": canonical["data"]}, **beside}
            metadata = {**(metadata or {}), WRAPPED: True}
    return {**translated, "metadata": metadata} if metadata is not None else translated


def message(canonical: Message) -> Json:
    """A message, as part of a task or as an answer of its own."""
    return {
        **canonical,
        "kind": "message",
        "role": canonical["role"].removeprefix("ROLE_").lower(),
        "parts": [part(entry) for entry in canonical["parts"]],
    }


def status(canonical: TaskStatus) -> Json:
    """A task's status."""
    translated: Json = {**canonical, "state": state(canonical["state"])}
    if "message" in canonical:
        translated["message"] = message(canonical["message"])
    return translated


def artifact(canonical: Artifact) -> Json:
    """An artifact."""
    return {**canonical, "parts": [part(entry) for entry in canonical["parts"]]}


def task(canonical: Task) -> Json:
    """A task."""
    translated: Json = {**canonical, "kind": "task", "status": status(canonical["status"])}
    if "artifacts" in canonical:
        translated["artifacts"] = [artifact(entry) for entry in canonical["artifacts"]]
    if "history" in canonical:
        translated["history"] = [message(entry) for entry in canonical["history"]]
    return translated


def sent(answer: Task | Message) -> Json:
    """Answer to ``message/send``: the bare task, or the bare message of an agent that answers directly."""
    return message(answer) if "messageId" in answer else task(answer)  # type: ignore[arg-type]


def found(answer: FoundTask) -> Json:
    """Answer to ``tasks/get`` and ``tasks/cancel``."""
    return task(answer.task)


def push_config(answer: PushConfig) -> Json:
    """A ``TaskPushNotificationConfig``."""
    config: Json = {"id": answer.config_id, "url": answer.url}
    if answer.token:
        config["token"] = answer.token
    if answer.authentication:
        config["authentication"] = {"schemes": answer.authentication.get("schemes", [answer.authentication["scheme"]])}
        if "credentials" in answer.authentication:
            config["authentication"]["credentials"] = answer.authentication["credentials"]
    return {"taskId": answer.task_id, "pushNotificationConfig": config}


def push_config_list(answer: PushConfigList) -> list[Json]:
    """Answer to ``tasks/pushNotificationConfig/list``: a bare array."""
    return [push_config(config) for config in answer.configs]


def stream_event(event: Json) -> Json:
    """An event of a stream (sections 7.2.2 and 7.2.3). ``final`` marks the last one."""
    if "artifactUpdate" in event:
        update = event["artifactUpdate"]
        return {**update, "kind": "artifact-update", "artifact": artifact(update["artifact"])}
    update = event["statusUpdate"]
    final = update["status"]["state"] in TERMINAL | INTERRUPTED
    return {**update, "kind": "status-update", "status": status(update["status"]), "final": final}


STREAM = StreamForm(sent, stream_event)


def notifications(change: Change) -> list[tuple[int, str]]:
    """The whole task, once per change: 0.3 has no other event in its webhooks."""
    return [(0, dumps(task(change.task)))] if change.events else []
