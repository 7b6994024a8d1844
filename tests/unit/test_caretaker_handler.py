"""The caretaker's handler on moto: it does again what was left undone, and ends what cannot go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cloud
import pytest
from agents import asking, one_step
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK


@pytest.fixture
def aws_stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack(agent=asking())


def look(stack: CloudStack, records: list[dict[str, Any]]) -> list[str]:
    answer = stack.invoke("caretaker", {"Records": records})
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def ended(task_id: str, status: str = "TIMED_OUT", successor: str = "") -> dict[str, Any]:
    name = f"{task_id}-1767225600{successor}"
    event: dict[str, Any] = json.loads((cloud.ROOT / "events" / "caretaker-execution-ended.json").read_text())
    return {**event, "detail": {**event["detail"], "name": name, "status": status}}


def unstarted(stack: CloudStack) -> str:
    """A task whose send died between the table and Step Functions."""
    stack.break_workflow()
    stack.request("SendMessage", {"message": stack.message()})
    stack.mend_workflow()
    (task,) = stack.call("ListTasks")["tasks"]
    identifier: str = task["id"]
    assert stack.started() == []
    return identifier


def test_a_task_without_an_execution_is_started_without_its_client_doing_anything(aws_stack: CloudStack) -> None:
    task_id = unstarted(aws_stack)
    assert look(aws_stack, aws_stack.new_records()) == []
    assert aws_stack.started() == [task_id]


def test_a_task_that_has_its_execution_gets_no_second_one(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    assert look(aws_stack, aws_stack.new_records()) == []
    assert aws_stack.started() == [task_id]


def test_an_answer_whose_resumption_was_lost_is_resumed(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    aws_stack.work(task_id)
    aws_stack.await_input(task_id, "token")
    aws_stack.break_workflow()
    aws_stack.request("SendMessage", {"message": aws_stack.message(taskId=task_id)})
    aws_stack.mend_workflow()
    before = aws_stack.resumed()
    assert look(aws_stack, aws_stack.new_records()[-1:]) == []
    assert aws_stack.resumed() == [*before, "token"]


def test_a_task_that_waits_for_its_client_is_not_resumed_without_an_answer(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    aws_stack.work(task_id)
    aws_stack.await_input(task_id, "token")
    assert look(aws_stack, aws_stack.new_records()) == []
    assert aws_stack.resumed() == []


@pytest.mark.parametrize("end", ["CancelTask", "GetTask"])
def test_a_task_that_is_over_or_gone_on_is_left_alone(cloud_stack: Callable[..., CloudStack], end: str) -> None:
    stack = cloud_stack(agent=one_step())
    task_id = stack.send()["id"]
    if end == "CancelTask":
        stack.call("CancelTask", {"id": task_id})
    else:
        stack.work(task_id)
    before = stack.snapshot()
    assert look(stack, stack.new_records()) == []
    assert stack.snapshot() == before


@pytest.mark.parametrize("service", ["stepfunctions", "dynamodb"])
def test_a_record_comes_again_when_a_service_does_not_answer(aws_stack: CloudStack, service: Any) -> None:
    task_id = unstarted(aws_stack)
    records = aws_stack.new_records()
    with cloud.outage(service):
        assert look(aws_stack, records) == [record["dynamodb"]["SequenceNumber"] for record in records]
    assert look(aws_stack, records) == []
    assert aws_stack.started() == [task_id]


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_the_task_of_an_execution_that_ended_without_it_fails(aws_stack: CloudStack, status: str) -> None:
    task_id = aws_stack.send()["id"]
    assert aws_stack.invoke("caretaker", ended(task_id, status)) == {}
    assert aws_stack.state(task_id) == "failed"


@pytest.mark.parametrize("successor", ["_", "_" * 33])
def test_the_task_of_a_successor_that_ended_without_it_fails(aws_stack: CloudStack, successor: str) -> None:
    task_id = aws_stack.send()["id"]
    assert aws_stack.invoke("caretaker", ended(task_id, successor=successor)) == {}
    assert aws_stack.state(task_id) == "failed"


def test_the_execution_of_a_canceled_task_changes_nothing_when_it_is_aborted(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    aws_stack.call("CancelTask", {"id": task_id})
    before = aws_stack.snapshot()
    assert aws_stack.invoke("caretaker", ended(task_id, "ABORTED")) == {}
    assert aws_stack.snapshot() == before


def test_an_execution_of_no_task_of_ours_changes_nothing(aws_stack: CloudStack) -> None:
    before = aws_stack.snapshot()
    assert aws_stack.invoke("caretaker", ended(UNKNOWN_TASK)) == {}
    assert aws_stack.snapshot() == before
