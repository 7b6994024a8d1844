"""What can happen to a task, as pure functions from one task to the next (specification section 3.4, 4.1)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from .model import Artifact, Message, Part, Task, TaskState, TaskStatus, timestamp
from .records import Base

MAX_DOCUMENT = 350_000
"""Bytes of a task as JSON: an item of DynamoDB holds 400 kB with everything beside it, and there has to be room for the
end of the task."""

MAX_ARTIFACTS = 1_500
"""Artifacts of a task: each is an event of its own for every webhook, and one write may bring all of them."""

MAX_LIFE = timedelta(days=400)
"""How long a task that has not ended is kept: longer than an execution of Step Functions can last (one year)."""

_identity = msgspec.json.Encoder(order="deterministic").encode
"""The same bytes for the same content, whatever the order of its keys."""

_CONVERSATION_IDS = uuid.UUID("0c5e1f6e-6d5b-5f0e-8a55-9a8e7a3f5b21")
_TASK_IDS = uuid.UUID("6f1d3a52-0f0e-5d3c-9c38-2d0c4a0a5a11")


def expiry(now: datetime, terminal: bool, retention: timedelta) -> int:
    """When DynamoDB may remove the item, in epoch seconds."""
    return int((now + (retention if terminal else MAX_LIFE)).timestamp())


def task_id_for(owner: str, message: Message) -> str:
    """The id of the task that this message of this owner creates.

    It depends on nothing else, so the same message sent twice names one task, without a table of messages seen; the
    order of keys in its JSON is nothing. Two different messages under one messageId (test kits do that) are two tasks.
    """
    seed = hashlib.sha256(_identity([owner, message])).hexdigest()
    return str(uuid.uuid5(_TASK_IDS, seed))


def task_ids_for(owner: str, message: Message) -> Iterator[str]:
    """The ids of the tasks that this message of this owner creates, should it be sent anew on purpose."""
    task_id = task_id_for(owner, message)
    while True:
        yield task_id
        task_id = str(uuid.uuid5(_TASK_IDS, task_id))


def is_known_to_client(task: Task) -> bool:
    """Whether the client has shown that it knows the task: by a follow-up or a cancellation, which name its id.

    A client that sends a message again because the answer was lost cannot have done so. One that has done so, and sends
    the message again, wants another task (test kits do that).
    """
    messages = sum(message["role"] == "ROLE_USER" for message in task.get("history", []))
    return messages > 1 or task["status"]["state"] == TaskState.CANCELED


def new_task(task_id: str, context_id: str, message: Message, now: datetime) -> Task:
    """A task as it is before the agent has seen it: submitted, with the client's message as its history."""
    return {
        "id": task_id,
        "contextId": context_id,
        "status": {"state": TaskState.SUBMITTED, "timestamp": timestamp(now)},
        "history": [addressed(message, task_id, context_id)],
    }


def addressed(message: Message, task_id: str, context_id: str) -> Message:
    """The message with the ids of the task it belongs to."""
    return {**message, "taskId": task_id, "contextId": context_id}


def agent_message(task: Task, message_id: str, parts: list[Part]) -> Message:
    """A message from the agent within the task."""
    return {
        "messageId": message_id,
        "role": "ROLE_AGENT",
        "parts": parts,
        "taskId": task["id"],
        "contextId": task["contextId"],
    }


def with_status(task: Task, state: TaskState, now: datetime, message: Message | None = None) -> Task:
    """The task in a new status. The message of the status before becomes part of the history, so that none is lost."""
    status: TaskStatus = {"state": state, "timestamp": timestamp(now)}
    if message is not None:
        status["message"] = message
    changed: Task = {**task, "status": status}
    before = task["status"].get("message")
    return with_message(changed, before) if before is not None else changed


def with_message(task: Task, message: Message) -> Task:
    """The task with the message at the end of its history."""
    return {**task, "history": [*task.get("history", []), message]}


def with_artifact(task: Task, artifact: Artifact, append: bool = False) -> Task:
    """The task with the artifact added, replaced, or (``append``) longer by the artifact's parts. A text that goes on
    where one of the same kind ends becomes one part with it: an answer in a thousand pieces is no thousand parts."""
    artifacts = list(task.get("artifacts", []))
    for place, before in enumerate(artifacts):
        if before["artifactId"] == artifact["artifactId"]:
            artifacts[place] = {**before, "parts": joined(before["parts"], artifact["parts"])} if append else artifact
            break
    else:
        artifacts.append(artifact)
    return {**task, "artifacts": artifacts}


def base_of(task: Task, open_artifacts: frozenset[str], artifact_id: str) -> Base:
    """The artifact of this id as it is, for :func:`taken_back`."""
    for artifact in task.get("artifacts", []):
        if artifact["artifactId"] == artifact_id:
            characters = len(artifact["parts"][-1].get("text", ""))
            return Base(len(artifact["parts"]), characters, artifact_id in open_artifacts)
    return Base()


def taken_back(task: Task, open_artifacts: frozenset[str], bases: Mapping[str, Base]) -> tuple[Task, frozenset[str]]:
    """The task and its open artifacts, with these artifacts as they were: shorter again, or not there."""
    kept = []
    for artifact in task.get("artifacts", []):
        base = bases.get(artifact["artifactId"])
        if base is None:
            kept.append(artifact)
        elif base.parts:
            parts = artifact["parts"][: base.parts]
            if "text" in parts[-1]:
                parts[-1] = {**parts[-1], "text": parts[-1]["text"][: base.characters]}
            kept.append({**artifact, "parts": parts})
    changed: Task = {**task, "artifacts": kept}
    if not kept:
        del changed["artifacts"]
    return changed, (open_artifacts - bases.keys()) | {name for name, base in bases.items() if base.open}


def conversation_id(owner: str, context_id: str) -> str:
    """The id of a context that no other owner's has, whatever ids their clients choose."""
    return str(uuid.uuid5(_CONVERSATION_IDS, json.dumps([owner, context_id])))


def joined(before: list[Part], after: list[Part]) -> list[Part]:
    """The parts one after the other; a text on both sides of the seam is one part, if nothing else of them differs."""
    if before and after and "text" in before[-1] and "text" in after[0]:
        left, right = before[-1], after[0]
        if {**left, "text": ""} == {**right, "text": ""}:
            return [*before[:-1], {**left, "text": left["text"] + right["text"]}, *after[1:]]
    return [*before, *after]


def with_history_length(task: Task, length: int | None) -> Task:
    """The task as a client asked to see it (section 3.2.4): the last ``length`` messages, none at all for 0."""
    if length is None or "history" not in task:
        return task
    trimmed: Task = {**task}
    if length == 0:
        del trimmed["history"]
    else:
        trimmed["history"] = task["history"][-length:]
    return trimmed
