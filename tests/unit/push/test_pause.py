"""An operator pauses a webhook: nothing is sent, nothing is lost, and order holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from deliveries import Deliveries, url_of
from harness import Stack

from a2a_lambda.core.ports import QueuedNotification
from a2a_lambda.push.delivery import HORIZON, KEPT_FAILURES, exhausted, failed
from a2a_lambda.push.delivery_status import delivery_status
from a2a_lambda.push.outcome import Answer

HOUR = timedelta(hours=1)


def pause(world: Deliveries, task_id: str, hours: int = 1) -> None:
    config = world.config(task_id, "a")
    assert world.stack.configs.pause(config, world.stack.time.now + hours * HOUR)


def test_a_paused_webhook_gets_no_first_attempt_and_hears_all_afterwards_in_order(world: Deliveries) -> None:
    task_id = world.task("a", "b")
    pause(world, task_id)
    world.stack.work(task_id)
    world.notify()
    assert world.told("a") == []
    assert len(world.told("b")) > 1, "the other one hears as ever"
    assert world.config(task_id, "a").backlogged

    waiting = list(world.queue.messages)
    assert {world.redeliver(message).result for message in waiting} == {"deferred"}
    world.stack.time.sleep(HOUR.total_seconds())
    assert [world.redeliver(message).result for message in waiting] == ["delivered"] * len(waiting)
    assert world.told("a") == world.told("b")


def test_a_paused_message_is_looked_at_often_enough_that_it_hears_of_the_end(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    pause(world, waiting[0].task_id, 24)
    delay = world.redeliver(waiting[0]).delay
    assert delay is not None
    assert delay <= 900
    world.stack.configs.pause(world.config(waiting[0].task_id, "a"), None)
    assert world.redeliver(waiting[0]).result == "delivered"


def test_days_of_pause_are_no_days_of_failing(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.sender.answers(url_of("a"), 500)
    assert world.redeliver(waiting[0]).result == "deferred"
    pause(world, waiting[0].task_id, 24 * 6)
    world.stack.time.sleep(24 * 6 * 3600 + 1)
    assert world.redeliver(waiting[0]).result == "deferred", "the first failure after the pause, not the last straw"
    assert world.config(waiting[0].task_id, "a").attempts == 1


def test_a_failure_that_was_under_way_when_the_pause_began_does_not_count_after_it(world: Deliveries) -> None:
    task_id = world.task("a")
    stale = failed(world.config(task_id, "a"), Answer(status=500), world.stack.time.now)
    world.stack.time.sleep(60)
    pause(world, task_id)
    world.stack.configs.record_failure(world.config(task_id, "a"), stale)
    world.stack.time.sleep(HORIZON.total_seconds() * 2)
    late = failed(world.config(task_id, "a"), Answer(status=500), world.stack.time.now)
    assert not exhausted(late)
    assert (late.attempts, late.failing_since) == (1, world.stack.time.now)


def test_the_client_sees_the_pause_and_setting_the_webhook_again_does_not_end_it(world: Deliveries) -> None:
    task_id = world.task("a")
    pause(world, task_id)
    until = delivery_status(world.config(task_id, "a"))["pausedUntil"]
    world.stack.register(task_id, url_of("new"), id="a")
    assert delivery_status(world.config(task_id, "a"))["pausedUntil"] == until
    assert "pausedUntil" not in delivery_status(replace(world.config(task_id, "a"), paused_until=None))


def test_the_last_failures_are_kept_with_their_events_and_no_more_than_eight(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    world.sender.answers(url_of("a"), 503)
    for _ in range(KEPT_FAILURES + 3):
        world.redeliver(waiting[0])
        world.stack.time.sleep(1000)
    kept = world.config(waiting[0].task_id, "a").recent_failures
    assert len(kept) == KEPT_FAILURES
    assert {failure.event for failure in kept} == {f"{waiting[0].generation}.{waiting[0].n}"}
    assert {failure.error for failure in kept} == {"status 503"}
    assert sorted(failure.at for failure in kept) == [failure.at for failure in kept]


@pytest.mark.parametrize("status", [413])
def test_every_letter_of_a_webhook_is_counted(
    world: Deliveries, waiting: list[QueuedNotification], status: int
) -> None:
    world.sender.answers(url_of("a"), status)
    assert {world.redeliver(message).result for message in waiting} == {"dead"}
    assert world.config(waiting[0].task_id, "a").dead_letters == len(waiting)


def test_pausing_and_counting_work_in_either_store_on_this_incarnation_only(stack: Stack) -> None:
    task_id = stack.send()["id"]
    stack.register(task_id, "https://hooks.example/a", id="a")
    config = stack.configs.get(task_id, "a")
    assert config is not None
    until = stack.time.now + HOUR
    failing = failed(config, Answer(error="dns", seconds=0.25), stack.time.now, event="3.1")
    assert stack.configs.record_failure(config, failing)
    assert stack.configs.pause(config, until)
    stack.configs.count_dead(config)
    assert stack.configs.get(task_id, "a") == replace(
        config,
        paused_until=until,
        recent_failures=failing.recent_failures,
        dead_letters=1,
        last_attempt_at=stack.time.now,
    )
    assert not stack.configs.pause(replace(config, incarnation="another"), None)
    assert stack.configs.pause(config, None)
    resumed = stack.configs.get(task_id, "a")
    assert resumed is not None
    assert resumed.paused_until is None
