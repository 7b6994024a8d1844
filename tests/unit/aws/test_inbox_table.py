"""The table of the inbox, on moto, with the keys that the template gives it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cloud
import pytest

from a2a_lambda.aws.inbox_table import InboxTable
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.endpoint.inbox import Box, Push

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
BOX = Box("iam:alice", 3, LATER)


def push(number: int) -> Push:
    return Push(number, NOW, 200, {"webhook-id": f"e{number}"}, f"body {number}")


@pytest.fixture
def table(aws: None) -> InboxTable:
    return InboxTable(cloud.create_table("InboxTable"))


def test_a_box_is_read_as_it_was_made(table: InboxTable) -> None:
    table.make("box", BOX)

    assert table.get("box") == BOX
    assert table.get("other") is None


def test_pushes_are_counted_one_by_one_up_to_the_most(table: InboxTable) -> None:
    table.make("box", BOX)

    counted = [table.count("box", 2) for _ in range(3)]

    assert [box.pushes if box else None for box in counted] == [1, 2, None]


def test_in_a_box_that_is_not_there_nothing_is_counted_and_none_is_made(table: InboxTable) -> None:
    assert table.count("box", 2) is None
    assert table.get("box") is None


def test_pushes_are_read_in_order_of_their_numbers_a_page_at_a_time(table: InboxTable) -> None:
    table.make("box", BOX)
    for number in reversed(range(1, 26)):
        table.put("box", push(number), LATER)

    read: list[Push] = []
    while page := table.pushes("box", read[-1].number if read else 0):
        read += page

    assert read == [push(number) for number in range(1, 26)]


def test_a_box_is_removed_with_all_pushes_and_no_others(table: InboxTable) -> None:
    for name in ("box", "other"):
        table.make(name, BOX)
        for number in range(1, 15):
            table.put(name, push(number), LATER)

    table.delete("box")
    table.delete("box")

    assert table.get("box") is None
    assert table.pushes("box", 0) == []
    assert table.get("other") == BOX
    assert len(table.pushes("other", 0)) == 10


def test_a_table_that_is_away_is_said_to_be_so(table: InboxTable) -> None:
    with cloud.outage("dynamodb"), pytest.raises(Unavailable):
        table.get("box")
