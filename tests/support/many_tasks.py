"""Ten to a hundred thousand tasks of one owner, and the operations of the task store that are counted on them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from counted_units import CountedTable
from stored import MESSAGE, NOW

from a2a_lambda.aws.items import task_item
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.core.lifecycle import new_task, with_status
from a2a_lambda.core.model import TaskState, timestamp
from a2a_lambda.core.ports import TaskQuery
from a2a_lambda.core.records import TaskRecord

OWNER = "arn:aws:iam::123456789012:role/an-owner-of-many-tasks"
SIZES = (10, 1_000, 100_000)
OLDEST = 0


def identifier(number: int) -> str:
    return str(uuid.UUID(int=number))


def record(number: int) -> TaskRecord:
    """A completed task of the owner, one a second; the oldest still works."""
    at = NOW + timedelta(seconds=number)
    task = new_task(identifier(number), "context", MESSAGE, at)
    state = TaskState.WORKING if number == OLDEST else TaskState.COMPLETED
    return TaskRecord(with_status(task, state, at), OWNER, 2, "1.0", at, expires_at=1)


def filled(number: int) -> CountedTable:
    """The table with so many tasks. Items differ in what is ordered by alone, so that it is made in a moment."""
    model = task_item(record(1))
    items = [
        {**model, "taskId": {"S": identifier(each)}, "updatedAt": {"S": timestamp(NOW + timedelta(seconds=each))}}
        for each in range(number)
    ]
    newest = min(number, 200)  # these are read whole: a page is at most 100
    items[-newest:] = [task_item(record(each)) for each in range(number - newest, number)]
    items[OLDEST] = task_item(record(OLDEST))
    table = CountedTable("taskId")
    table.load(items)
    return table


def place(number: int) -> tuple[str, str]:
    return timestamp(NOW + timedelta(seconds=number)), identifier(number)


STORE = TaskTable("tasks")
OPERATIONS: dict[str, Callable[[int], Any]] = {
    "get": lambda size: STORE.get(identifier(size - 1)),
    "a look": lambda size: STORE.peek(identifier(size - 1)),
    "send": lambda size: STORE.create(replace(record(1), task={**record(1).task, "id": identifier(10**9)})),
    "cancel and each step": lambda size: STORE.update(record(size - 1).next(record(size - 1).task)),
}
LISTS: dict[str, Callable[[int], TaskQuery]] = {
    "the first page": lambda _: TaskQuery(OWNER, limit=5),
    "the second page": lambda size: TaskQuery(OWNER, limit=5, position=place(size - 5)),
    "a context": lambda _: TaskQuery(OWNER, context_id="context", limit=5),
    "a state of all": lambda _: TaskQuery(OWNER, state=TaskState.COMPLETED, limit=5),
    "a state of one, the oldest": lambda _: TaskQuery(OWNER, state=TaskState.WORKING, limit=5),
    "a state of none": lambda _: TaskQuery(OWNER, state=TaskState.FAILED, limit=5),
    "after a moment": lambda size: TaskQuery(OWNER, after=place(size - 3)[0], limit=5),
    "after the first of all": lambda _: TaskQuery(OWNER, after=place(0)[0], limit=5),
    "the second page of a state": lambda size: TaskQuery(
        OWNER, state=TaskState.WORKING, limit=5, position=place(size - 5)
    ),
}
