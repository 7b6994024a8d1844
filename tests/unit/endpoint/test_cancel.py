"""Canceling a task (specification section 3.1.5)."""

from __future__ import annotations

from collections.abc import Callable

import cloud
import pytest
from agents import asking, one_step
from busy import busy
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK, Stack
from memory_stack import MemoryStack

from a2a_lambda.core.ports import Conflict
from a2a_lambda.core.records import TaskRecord


def test_a_canceled_task_is_canceled_at_once_and_its_execution_is_stopped(stack: Stack) -> None:
    task_id = stack.send()["id"]
    stack.time.sleep(2)
    task = stack.call("CancelTask", {"id": task_id})
    assert task["status"] == {"state": "TASK_STATE_CANCELED", "timestamp": "2026-01-01T00:00:02.000Z"}
    assert stack.state(task_id) == "canceled"
    assert stack.stopped() == [task_id]


@pytest.mark.parametrize("name", ["id", "taskId", "task_id"])
def test_the_legacy_method_takes_the_id_by_each_of_its_names(stack: Stack, name: str) -> None:
    sent = stack.call("tasks/send", {"message": {"role": "user", "parts": [{"text": "x"}]}}, version=None)
    assert stack.call("tasks/cancel", {name: sent["id"]}, version=None)["status"]["state"] == "canceled"


@pytest.mark.parametrize("end", ["canceled", "completed", "failed"])
def test_a_task_that_has_ended_cannot_be_canceled(new_stack: Callable[..., Stack], end: str) -> None:
    stack = new_stack(agent=one_step())
    task_id = stack.send()["id"]
    if end == "canceled":
        stack.call("CancelTask", {"id": task_id})
    elif end == "completed":
        stack.work(task_id)
    else:
        stack.give_up(task_id)
    before = stack.snapshot()
    assert stack.code("CancelTask", {"id": task_id}) == -32002
    assert stack.snapshot() == before


def test_a_task_that_does_not_exist_cannot_be_canceled(stack: Stack) -> None:
    assert stack.code("CancelTask", {"id": UNKNOWN_TASK}) == -32001
    assert stack.code("tasks/cancel", {"id": UNKNOWN_TASK}, version=None) == -32001


def test_a_task_that_waits_for_its_client_can_be_canceled(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=asking())
    task_id = stack.send()["id"]
    stack.work(task_id)
    task = stack.call("CancelTask", {"id": task_id})
    assert task["status"]["state"] == "TASK_STATE_CANCELED"
    assert task["history"][-1]["parts"] == [{"text": "Which one?"}]


def test_a_canceled_task_stays_canceled_whatever_its_agent_does(stack: Stack) -> None:
    task_id = stack.send()["id"]
    stack.call("CancelTask", {"id": task_id})
    before = stack.snapshot()
    assert stack.run(task_id) == {"next": "done"}
    assert stack.snapshot() == before


def test_a_cancelation_holds_even_if_the_execution_could_not_be_stopped(stack: Stack) -> None:
    """The write decides; the execution finds the end at its next look at the task."""
    task_id = stack.send()["id"]
    stack.break_workflow()
    assert stack.call("CancelTask", {"id": task_id})["status"]["state"] == "TASK_STATE_CANCELED"
    assert stack.state(task_id) == "canceled"


@pytest.mark.parametrize("code", ["ExecutionDoesNotExist", "ValidationException", "ThrottlingException"])
def test_a_cancelation_holds_whatever_step_functions_says_of_the_execution(
    cloud_stack: Callable[..., CloudStack], code: str
) -> None:
    stack = cloud_stack()
    task_id = stack.send()["id"]
    with cloud.outage("stepfunctions", "StopExecution", code=code) as tried:
        assert stack.call("CancelTask", {"id": task_id})["status"]["state"] == "TASK_STATE_CANCELED"
    assert tried


def test_a_task_without_an_execution_can_be_canceled(stack: Stack) -> None:
    stack.break_workflow()
    stack.request("SendMessage", {"message": stack.message()})
    stack.mend_workflow()
    task_id = stack.call("ListTasks")["tasks"][0]["id"]
    assert stack.call("CancelTask", {"id": task_id})["status"]["state"] == "TASK_STATE_CANCELED"


def test_a_cancelation_that_meets_another_write_is_tried_on_what_that_one_left(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    writes: list[TaskRecord] = []

    def interfere(record: TaskRecord) -> None:
        writes.append(record)
        if len(writes) == 1:
            memory.run(task_id, remaining_ms=lambda: 60_000 if len(writes) < 2 else 0)

    memory.tasks.before_write = interfere
    memory.call("CancelTask", {"id": task_id})
    assert memory.state(task_id) == "canceled"
    assert len({record.generation for record in memory.tasks.records.values()}) == 1


def test_a_cancelation_that_loses_against_the_end_of_the_task_says_so(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]

    def end_first(record: TaskRecord) -> None:
        memory.tasks.before_write = lambda _: None
        memory.give_up(task_id)

    memory.tasks.before_write = end_first
    assert memory.code("CancelTask", {"id": task_id}) == -32002
    assert memory.state(task_id) == "failed"


def test_a_task_whose_agent_writes_all_the_time_is_canceled_in_a_pause_of_it(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    chunks = busy(memory, seconds=1)
    memory.call("CancelTask", {"id": task_id})
    assert memory.state(task_id) == "canceled"
    assert chunks() > 5


def test_the_client_of_a_task_that_is_never_at_rest_waits_for_three_seconds_at_most(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]
    begun = memory.time.now
    busy(memory, seconds=60)
    assert memory.code("CancelTask", {"id": task_id}) == -32603
    assert 1 < (memory.time.now - begun).total_seconds() < 3


def test_a_cancelation_that_never_gets_through_is_an_internal_error(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]

    def conflict(record: TaskRecord) -> None:
        raise Conflict

    memory.tasks.before_write = conflict
    assert memory.code("CancelTask", {"id": task_id}) == -32603
    assert memory.stopped() == []
