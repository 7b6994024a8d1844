"""Records as they are stored, plain unless told otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cloud_stack import CloudStack

from a2a_lambda.core.lifecycle import new_task
from a2a_lambda.core.records import PushConfig, TaskRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE: Any = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}


def record(task_id: str = "t", **changed: Any) -> TaskRecord:
    """A new task."""
    task = new_task(task_id, "context", MESSAGE, NOW)
    return replace(TaskRecord(task, "owner", 1, "1.0", NOW, expires_at=1), **changed)


def config(name: str = "c", **changed: Any) -> PushConfig:
    """A config of it."""
    plain = PushConfig("t", name, "owner", "https://example.com/", "1.0", "i", "r", expires_at=1)
    return replace(plain, **changed)


def put(stack: CloudStack, *configs: PushConfig) -> None:
    """The task and its configs, in the tables."""
    assert stack.tasks.create(record(), configs)
