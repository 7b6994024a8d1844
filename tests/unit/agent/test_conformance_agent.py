"""The conformance agent does what the message's id says."""

from __future__ import annotations

from typing import Any

import pytest
from harness import Options
from memory_stack import MemoryStack

import conformance


@pytest.fixture
def stack() -> MemoryStack:
    return MemoryStack(Options(agent=conformance.agent))


def start(stack: MemoryStack, prefix: str, **fields: Any) -> dict[str, Any]:
    task = stack.send(stack.message(messageId=f"{prefix}-1a2b", **fields))
    stack.work(task["id"])
    done: dict[str, Any] = stack.call("GetTask", {"id": task["id"]})
    return done


@pytest.mark.parametrize(
    ("prefix", "content"),
    [
        ("tck-artifact-text", "text"),
        ("tck-artifact-file", "raw"),
        ("tck-artifact-file-url", "url"),
        ("tck-artifact-data", "data"),
    ],
)
def test_an_artifact_of_the_kind_that_is_asked_for(stack: MemoryStack, prefix: str, content: str) -> None:
    task = start(stack, prefix)
    ((part,),) = [artifact["parts"] for artifact in task["artifacts"]]
    assert content in part
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize(
    ("prefix", "state"),
    [
        ("tck-complete-task", "TASK_STATE_COMPLETED"),
        ("tck-reject-task", "TASK_STATE_REJECTED"),
        ("tck-input-required", "TASK_STATE_INPUT_REQUIRED"),
        ("tck-stream-001", "TASK_STATE_COMPLETED"),
        ("anything", "TASK_STATE_COMPLETED"),
    ],
)
def test_the_state_that_is_asked_for(stack: MemoryStack, prefix: str, state: str) -> None:
    assert start(stack, prefix)["status"]["state"] == state


def test_it_asks_as_often_as_it_is_told(stack: MemoryStack) -> None:
    task_id = start(stack, "tck-input-required")["id"]
    assert start(stack, "tck-input-required", taskId=task_id)["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    assert start(stack, "tck-complete-task", taskId=task_id)["status"]["state"] == "TASK_STATE_COMPLETED"


def test_a_direct_answer(stack: MemoryStack) -> None:
    result = stack.call("SendMessage", {"message": stack.message(messageId="tck-message-response-1a2b")})
    assert result["message"]["parts"] == [{"text": "Direct message response"}]
