"""The time that others wait for a few: by owner and in all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from a2a_lambda.push.budget import Share, TimeBudget

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def budget() -> TimeBudget:
    return TimeBudget(Share(0.1, 4.0), Share(0.05, 2.0))


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_budget_is_full_at_first_and_never_fuller() -> None:
    assert budget().left("alice", NOW) == 2.0
    one = budget()
    one.spend({"alice": 0.5}, NOW)
    assert one.left("alice", later(1_000_000)) == 2.0


def test_what_one_owner_spent_is_missing_to_that_owner_and_in_all() -> None:
    one = budget()
    one.spend({"alice": 2.0}, NOW)
    assert one.left("alice", NOW) == 0.0
    assert one.left("bob", NOW) == 2.0
    one.spend({"bob": 2.0}, NOW)
    assert one.left("carol", NOW) == 0.0


def test_owners_for_whom_others_waited_at_the_same_time_spent_that_time_once() -> None:
    one = budget()
    one.spend({"alice": 2.0, "bob": 1.5, "carol": 0.5}, NOW)
    assert one.left("dave", NOW) == 2.0
    assert one.left("carol", NOW) == 1.5


def test_more_may_be_spent_than_there_is_and_has_to_be_earned_again() -> None:
    one = budget()
    one.spend({"alice": 3.0}, NOW)
    assert one.left("alice", NOW) == -1.0
    assert one.left("alice", later(20)) == pytest.approx(0.0)
    assert one.when("alice", 0.5, NOW) == later(50)


def test_nobody_owes_more_than_can_be_saved() -> None:
    one = budget()
    for _ in range(10):
        one.spend({"alice": 15.0}, NOW)
    assert one.left("alice", NOW) == -4.0  # in all
    assert one.left("alice", later(40)) == pytest.approx(0.0)


def test_a_clock_that_goes_back_gives_and_takes_nothing() -> None:
    one = budget()
    one.spend({"alice": 1.0}, NOW)
    assert one.left("alice", later(-100)) == 1.0
    one.spend({"alice": 0.5}, later(-100))
    assert one.left("alice", later(10)) == pytest.approx(1.0)


def test_what_is_allowed_now_is_so_from_now_on() -> None:
    assert budget().when("alice", 1.0, NOW) == NOW


def test_one_wait_is_half_of_what_is_left_and_none_after_the_half_is_spent_until_three_quarters_are_back() -> None:
    one = budget()
    assert one.allowed("alice", NOW) == 1.0
    one.spend({"alice": 1.0}, NOW)
    assert one.allowed("alice", NOW) == 0.5
    one.spend({"alice": 0.5}, NOW)
    assert one.allowed("alice", NOW) == 0.0
    assert one.allowed("alice", later(15)) == 0.0
    assert one.allowed("alice", one.when("alice", 0.1, NOW)) == pytest.approx(0.75)
    one.spend({"alice": 0.5}, later(20))
    assert one.allowed("alice", later(20)) == pytest.approx(0.5)
    assert one.allowed("alice", one.when("alice", 9.0, later(20))) == pytest.approx(1.0)


@pytest.mark.parametrize("owners", [10_000])
def test_owners_without_end_take_no_more_than_all_may(owners: int) -> None:
    one, spent = budget(), 0.0
    for number in range(owners):
        now = later(number / 100)
        left = one.left(f"owner {number}", now)
        if left > 0:
            one.spend({f"owner {number}": left}, now)
            spent += left
    assert spent <= 4.0 + 0.1 * owners / 100 + 1e-6
    assert len(one._owners) <= 4_096
