"""What an operation costs does not grow with the number of its owner's tasks."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from counted_units import CountedTable
from stored import MESSAGE, NOW

from a2a_lambda.aws import task_table
from a2a_lambda.aws.items import task_item
from a2a_lambda.aws.task_table import MAX_LOOKED, TaskTable
from a2a_lambda.core.lifecycle import new_task, with_status
from a2a_lambda.core.model import TaskState, timestamp
from a2a_lambda.core.ports import TaskPage, TaskQuery
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


@pytest.fixture(scope="module")
def tables() -> dict[int, CountedTable]:
    return {size: filled(size) for size in SIZES}


@pytest.fixture
def on(tables: dict[int, CountedTable], monkeypatch: pytest.MonkeyPatch) -> Callable[[int], CountedTable]:
    def use(size: int) -> CountedTable:
        table = tables[size]
        table.reads = table.writes = table.calls = 0
        monkeypatch.setattr(task_table, "client", lambda _: table)
        return table

    return use


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


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_on_one_task_costs_the_same_among_ten_and_among_a_hundred_thousand(
    operation: str, on: Callable[[int], CountedTable]
) -> None:
    costs = set()
    for size in SIZES:
        table = on(size)
        OPERATIONS[operation](size)
        table.items.pop(identifier(10**9), None)
        costs.add((table.reads, table.writes, table.calls))
    assert len(costs) == 1
    assert sum(costs.pop()) > 1


@pytest.mark.parametrize("query", LISTS)
def test_a_list_stops_growing_at_its_bound(query: str, on: Callable[[int], CountedTable]) -> None:
    costs = []
    for size in SIZES:
        table = on(size)
        STORE.query(LISTS[query](size))
        assert table.writes == 0
        assert table.calls <= 3
        costs.append(table.reads)
    few, at_the_bound, many = costs
    assert 0 < few <= at_the_bound
    assert many <= at_the_bound + 1  # a page may have five tasks where it had one, or none
    assert many <= 80


def everything(query: TaskQuery) -> list[TaskPage]:
    pages = [STORE.query(query)]
    while pages[-1].position is not None:
        pages.append(STORE.query(replace(query, position=pages[-1].position)))
    return pages


def test_the_only_task_of_a_state_is_found_behind_pages_without_any(on: Callable[[int], CountedTable]) -> None:
    on(100_000)
    pages = everything(TaskQuery(OWNER, state=TaskState.WORKING))
    assert [record.task_id for page in pages for record in page.records] == [identifier(OLDEST)]
    assert len(pages) == 100_000 / MAX_LOOKED


@pytest.mark.parametrize(("size", "total"), [(10, 10), (1_000, 1_000), (100_000, 1_000)])
def test_the_total_is_exact_up_to_the_bound_and_on_every_page(
    size: int, total: int, on: Callable[[int], CountedTable]
) -> None:
    on(size)
    first = STORE.query(TaskQuery(OWNER, limit=5))
    second = STORE.query(TaskQuery(OWNER, limit=5, position=first.position))
    assert (first.total, second.total) == (total, total)
    assert [record.task_id for page in (first, second) for record in page.records] == [
        identifier(size - each) for each in range(1, 11)
    ]
