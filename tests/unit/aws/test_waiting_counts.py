"""The counts of what waits, in PushConfigsTable."""

from __future__ import annotations

from collections.abc import Callable

import cloud
import pytest
from cloud_stack import CloudStack

from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.waiting_counts import WaitingCountTable
from a2a_lambda.core.ports import Unavailable

DAY, NEXT = "2026-01-31", "2026-02-01"


class Seconds:
    """A clock in seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack()


@pytest.fixture
def counts(stack: CloudStack, clock: Seconds) -> WaitingCountTable:
    return WaitingCountTable(stack.configs_table, clock)


def test_nobody_waits_at_first(counts: WaitingCountTable) -> None:
    assert counts.of("alice") == 0


def test_an_owner_s_count_is_that_of_all_days_and_of_no_other_owner(counts: WaitingCountTable) -> None:
    counts.change("alice", DAY, 5)
    counts.change("alice", NEXT, 2)
    counts.change("bob", DAY, 9)
    assert (counts.of("alice"), counts.of("bob")) == (7, 9)
    counts.change("alice", DAY, -4)
    assert counts.of("alice") == 3


def test_a_count_is_never_below_zero(counts: WaitingCountTable) -> None:
    counts.change("alice", DAY, -4)
    assert counts.of("alice") == 0


def test_a_count_is_read_again_after_some_seconds_and_knows_its_own_changes_at_once(
    stack: CloudStack, counts: WaitingCountTable, clock: Seconds
) -> None:
    assert counts.of("alice") == 0
    WaitingCountTable(stack.configs_table).change("alice", DAY, 10)
    counts.change("alice", DAY, 1)
    with cloud.calls("dynamodb") as calls:
        assert counts.of("alice") == 1
        assert calls == []
        clock.now = 5.1
        assert counts.of("alice") == 11
    assert [name for name, _ in calls] == ["Query"]


def test_a_day_is_forgotten_when_none_of_its_messages_can_be_in_the_queue(
    stack: CloudStack, counts: WaitingCountTable
) -> None:
    counts.change("alice", DAY, 1)
    (item,) = cloud.items(stack.configs_table)
    assert int(item["expiresAt"]["N"]) == 1_771_200_000  # 2026-02-16


def test_an_item_names_its_owner_to_nobody_and_is_in_no_list_of_configs(
    stack: CloudStack, counts: WaitingCountTable
) -> None:
    counts.change("arn:aws:iam::111122223333:user/alice", DAY, 1)
    (item,) = cloud.items(stack.configs_table)
    assert "alice" not in repr(item)
    assert PushConfigTable(stack.configs_table).of_owner("arn:aws:iam::111122223333:user/alice") == []


def test_a_table_that_does_not_answer_is_unavailable(counts: WaitingCountTable) -> None:
    with cloud.outage("dynamodb", "Query"), pytest.raises(Unavailable):
        counts.of("alice")
    with cloud.outage("dynamodb", "UpdateItem"), pytest.raises(Unavailable):
        counts.change("alice", DAY, 1)


@pytest.mark.parametrize("stored", [{"S": "many"}, {"L": []}, {"BOOL": True}])
def test_a_count_that_is_no_number_is_none_and_begins_anew(
    stack: CloudStack, counts: WaitingCountTable, clock: Seconds, stored: dict[str, object]
) -> None:
    counts.change("alice", DAY, 5)
    (item,) = cloud.items(stack.configs_table)
    cloud.client("dynamodb").put_item(TableName=stack.configs_table, Item={**item, "waiting": stored})
    clock.now = 6.0
    assert counts.of("alice") == 0
    counts.change("alice", DAY, 2)
    clock.now = 12.0
    assert counts.of("alice") == 2
