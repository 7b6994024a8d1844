"""What an operation costs does not grow with the number of its owner's tasks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from counted_units import CountedTable
from many_tasks import LISTS, OLDEST, OPERATIONS, OWNER, SIZES, STORE, filled, identifier

from a2a_lambda.aws import task_table
from a2a_lambda.aws.task_table import MAX_LOOKED
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.ports import TaskPage, TaskQuery


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
