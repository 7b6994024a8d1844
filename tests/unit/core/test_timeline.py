"""A task remembers when its state changed, in the write that changes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from harness import Stack

from a2a_lambda.aws.items import item_size, task_item, task_record
from a2a_lambda.core.lifecycle import with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import FIRST_CHANGES, LATEST_CHANGES, TaskRecord
from a2a_lambda.testing.memory import VirtualTime


def stored(stack: Stack) -> TaskRecord:
    task_id = stack.send()["id"]
    stack.work(task_id)
    record = stack.tasks.get(task_id)
    assert record is not None
    return record


def test_a_task_keeps_its_changes_of_state_and_costs_no_more_than_a_few_bytes(stack: Stack) -> None:
    record = stored(stack)
    assert [change.state for change in record.timeline] == ["TASK_STATE_WORKING", "TASK_STATE_COMPLETED"]
    assert sorted(change.milliseconds for change in record.timeline) == [
        change.milliseconds for change in record.timeline
    ]
    item = task_item(record)
    assert task_record(item).timeline == record.timeline
    with_it = item_size(item)
    del item["timeline"]
    assert with_it - item_size(item) <= 70


def test_a_task_of_a_thousand_changes_keeps_the_first_and_the_latest(memory: Stack) -> None:
    time = VirtualTime(datetime(2026, 1, 1, tzinfo=UTC))
    record = stored(memory)
    states = [TaskState.WORKING, TaskState.INPUT_REQUIRED] * 500
    for place, state in enumerate(states):
        time.sleep(3600)
        record = record.next(with_status(record.task, state, time.now + timedelta(seconds=place)))
    assert len(record.timeline) == FIRST_CHANGES + LATEST_CHANGES
    assert record.timeline[-1].state == states[-1]
    assert record.timeline[0].state == "TASK_STATE_WORKING"
    item = task_item(record)
    assert len(item["timeline"]["S"]) < 600


def test_a_write_that_changes_no_state_adds_nothing(memory: Stack) -> None:
    record = stored(memory)
    assert record.next(record.task).timeline == record.timeline


@pytest.mark.parametrize("broken", ["", "7", "[[1]]", '[["x","working"]]', "[[1,2]]", "{"])
def test_a_timeline_that_cannot_be_read_keeps_no_task_waiting(memory: Stack, broken: str) -> None:
    item = task_item(stored(memory))
    item["timeline"] = {"S": broken}
    assert task_record(item).timeline == ()
