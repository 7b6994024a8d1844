"""The SDK's types, of whichever version is installed, to and from A2A 1.0 JSON. Only functions import the SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Protocol, cast

from ..agent.context import TaskContext
from ..agent.writing import AgentError
from ..core.model import Json, Message, Task, TaskState
from ..dialects import v0_3

ANONYMOUS = "anonymous"
"""``task.caller`` where nobody has to say who they are."""

Record = Callable[[Json], None]


class Wire(Protocol):
    """One version of the SDK."""

    def context(self, task: TaskContext) -> Any:
        """The ``RequestContext`` of a run."""

    def queue(self, record: Record) -> Any:
        """An ``EventQueue`` that hands each event on as A2A 1.0 JSON."""


@cache
def wire() -> Wire:
    """The installed version's. Raises :class:`AgentError` where there is none."""
    try:
        types: Any = import_module("a2a.types")
    except ImportError as error:
        raise AgentError(
            "the package a2a-sdk is not there: name it in layers/agents/requirements.in and run make lock-agent"
        ) from error
    return V1() if hasattr(types, "SendMessageRequest") and hasattr(types.Task, "DESCRIPTOR") else V03()


class V1:
    """a2a-sdk 1.x: protobuf messages, whose JSON is A2A 1.0's."""

    def context(self, task: TaskContext) -> Any:
        """See :class:`Wire`."""
        types: Any = import_module("a2a.types")
        parse = import_module("google.protobuf.json_format").ParseDict
        request = {
            "message": _in_conversation(task.message, task),
            "configuration": {"acceptedOutputModes": [*task.accepted_output_modes]},
            "metadata": task.request_metadata,
        }
        current = current_task(task)
        execution: Any = import_module("a2a.server.agent_execution")
        return execution.RequestContext(
            _call_context(task),
            parse(request, types.SendMessageRequest(), ignore_unknown_fields=True),
            task_id=task.id,
            context_id=task.conversation,
            task=parse(current, types.Task(), ignore_unknown_fields=True) if current else None,
        )

    def queue(self, record: Record) -> Any:
        """See :class:`Wire`."""
        to_json = import_module("google.protobuf.json_format").MessageToDict
        return _queue(lambda event: record(_whole(to_json(event))))


class V03:
    """a2a-sdk 0.3: pydantic models of A2A 0.3's JSON."""

    def context(self, task: TaskContext) -> Any:
        """See :class:`Wire`."""
        types: Any = import_module("a2a.types")
        request = {
            "message": v0_3.message(cast("Message", _in_conversation(task.message, task))),
            "configuration": {"acceptedOutputModes": [*task.accepted_output_modes]},
            "metadata": task.request_metadata or None,
        }
        current = current_task(task)
        execution: Any = import_module("a2a.server.agent_execution")
        return execution.RequestContext(
            types.MessageSendParams.model_validate(request),
            task_id=task.id,
            context_id=task.conversation,
            task=types.Task.model_validate(v0_3.task(cast("Task", current))) if current else None,
            call_context=_call_context(task),
        )

    def queue(self, record: Record) -> Any:
        """See :class:`Wire`."""
        return _queue(lambda event: record(canonical(event.model_dump(mode="json", by_alias=True, exclude_none=True))))


def current_task(task: TaskContext) -> Json | None:
    """The task as an executor knows it; None in its first run, because executors make the tasks they do not know."""
    if sum(message["role"] == "ROLE_USER" for message in task.history) < 2:
        return None
    stored: Json = {**task.stored, "contextId": task.conversation}
    stored["history"] = [_in_conversation(each, task) for each in task.stored.get("history", [])]
    if "message" in stored["status"]:
        stored["status"] = {**stored["status"], "message": _in_conversation(stored["status"]["message"], task)}
    return stored


def _in_conversation(message: Message, task: TaskContext) -> Json:
    """With the context id that no other caller's messages have: frameworks keep their sessions by it."""
    return {**message, "contextId": task.conversation, "taskId": task.id}


def _call_context(task: TaskContext) -> Any:
    context: Any = import_module("a2a.server.context")
    users: Any = import_module("a2a.auth.user")
    name = "" if task.caller == ANONYMOUS else task.caller
    members = {"is_authenticated": property(lambda _: bool(name)), "user_name": property(lambda _: name)}
    return context.ServerCallContext(
        user=type("Caller", (users.User,), members)(), requested_extensions=set(task.requested_extensions)
    )


def _queue(record: Callable[[Any], None]) -> Any:
    """An ``EventQueue`` that records, and lets the loop's other work have its turn after each event."""
    events: Any = import_module("a2a.server.events")

    async def enqueue_event(_: Any, event: Any) -> None:
        record(event)
        await asyncio.sleep(0)

    return type("RecordingQueue", (events.EventQueue,), {"enqueue_event": enqueue_event})()


def _whole(value: Any) -> Any:
    """JSON as it was given: protobuf has no other numbers in it than floats."""
    if isinstance(value, dict):
        return {key: _whole(each) for key, each in value.items()}
    if isinstance(value, list):
        return [*map(_whole, value)]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


# ------------------------------------------------------------------------------------------------- A2A 0.3 as A2A 1.0


def canonical(event: Mapping[str, Any]) -> Json:
    """A task, a message or an update of A2A 0.3 as A2A 1.0 JSON."""
    if event.get("kind") == "message":
        return _message(event)
    translated: Json = {key: value for key, value in event.items() if key not in ("kind", "final", "history")}
    if "status" in event:
        translated["status"] = _status(event["status"])
    if "artifact" in event:
        translated["artifact"] = _artifact(event["artifact"])
    if "artifacts" in event:
        translated["artifacts"] = [*map(_artifact, event["artifacts"])]
    return translated


def _status(status: Mapping[str, Any]) -> Json:
    state = "TASK_STATE_" + status["state"].upper().replace("-", "_")
    translated = {**status, "state": state if state in _STATES else TaskState.WORKING.value}
    if "message" in status:
        translated["message"] = _message(status["message"])
    return translated


def _message(message: Mapping[str, Any]) -> Json:
    translated: Json = {key: value for key, value in message.items() if key != "kind"}
    return {**translated, "role": "ROLE_" + message["role"].upper(), "parts": [*map(_part, message["parts"])]}


def _artifact(artifact: Mapping[str, Any]) -> Json:
    return {**artifact, "parts": [*map(_part, artifact["parts"])]}


def _part(part: Mapping[str, Any]) -> Json:
    beside: Json = {key: part[key] for key in ("metadata", "mediaType", "filename") if key in part}
    if part["kind"] == "text":
        return {"text": part["text"], **beside}
    if part["kind"] == "data":
        return {**_data(part["data"], beside.pop("metadata", None)), **beside}
    file = part["file"]
    content = {"raw": file["bytes"]} if "bytes" in file else {"url": file["uri"]}
    names = {"mediaType": file.get("mimeType"), "filename": file.get("name")}
    return {**content, **{key: value for key, value in names.items() if value is not None}, **beside}


def _data(data: Mapping[str, Any], metadata: Json | None) -> Json:
    """Data that is no object is wrapped in 0.3, as the official SDKs wrap it."""
    content: Any = data
    if metadata and metadata.get(v0_3.WRAPPED) and "value" in data:
        content = data["value"]
        metadata = {key: value for key, value in metadata.items() if key != v0_3.WRAPPED}
    return {"data": content, **({"metadata": metadata} if metadata else {})}


_STATES = {state.value for state in TaskState}
