"""Random tasks, generation by generation: whatever an agent or a client may do in a write."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from a2a_lambda.core.changes import lengthened_by
from a2a_lambda.core.lifecycle import agent_message, new_task, with_artifact, with_message, with_status
from a2a_lambda.core.model import Artifact, Message, TaskState, dumps, loads
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.core.trace import MAX_BYTES, packed, unpacked

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE: Message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}


def stored(record: TaskRecord) -> TaskRecord:
    """The record after the way into the table and back."""
    assert record.trace is not None
    text = dumps(packed(record.trace))
    assert len(text.encode()) <= MAX_BYTES
    return replace(record, trace=unpacked(loads(text)))


def created(random: Random) -> TaskRecord:
    task = new_task(str(uuid.UUID(int=random.getrandbits(128))), "c", MESSAGE, NOW)
    return TaskRecord(task, "owner", 1, "1.0", NOW, trace=())


def written(random: Random, record: TaskRecord, number: int, replaces: bool) -> TaskRecord:
    """The next generation of a task, with whatever an agent or a client may do in one write."""
    now, task, open_artifacts = NOW + timedelta(seconds=number), record.task, set(record.open_artifacts)
    appended = set()
    if random.random() < 0.15:
        task = with_message(task, {**MESSAGE, "messageId": f"u{number}"})
        if record.interrupted:
            task = with_status(task, TaskState.WORKING, now)
        return stored(record.next(task))
    for _ in range(random.randint(0, 3)):
        artifact_id = random.choice("abcd")
        known = {artifact["artifactId"] for artifact in task.get("artifacts", [])}
        parts = [{"text": f"{number}.{random.random()}"} for _ in range(random.randint(1, 3))]
        artifact: Artifact = {"artifactId": artifact_id, "name": artifact_id, "parts": parts}  # type: ignore[typeddict-item]
        append = artifact_id in known and not (replaces and random.random() < 0.3)
        task = with_artifact(task, artifact, append)
        (appended.add if append else appended.discard)(artifact_id)
        (open_artifacts.add if random.random() < 0.5 else open_artifacts.discard)(artifact_id)
    if random.random() < 0.7:
        state = random.choice([TaskState.WORKING] * 4 + [TaskState.INPUT_REQUIRED])
        says = random.random() < 0.7
        message = agent_message(task, f"a{number}", [{"text": f"step {number}"}]) if says else None
        task = with_status(task, state, now, message)
    lengthened = lengthened_by(record.task, task, appended)
    return stored(record.next(task, open_artifacts=frozenset(open_artifacts), lengthened=lengthened))


def life(random: Random, replaces: bool) -> list[TaskRecord]:
    """A task at each of its generations."""
    records = [created(random)]
    for number in range(random.randint(1, 40)):
        records.append(written(random, records[-1], number, replaces))
    return records
