"""Later attempts when something fails or hangs, and of what an operator brings back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from callers import ALICE, BOB
from deliveries import Deliveries, raising, result_of, url_of

from a2a_lambda.core.ports import QueuedNotification, Unavailable
from a2a_lambda.push import schedule
from a2a_lambda.push.dead_letters import DeadLetter, redrive
from a2a_lambda.push.delivery_status import delivery_status
from a2a_lambda.push.outcome import Answer

HORIZON = timedelta(seconds=schedule.HORIZON)


# -------------------------------------------------------------------------------------------------------------- faults


def test_a_table_that_does_not_answer_defers_the_message_and_changes_no_schedule(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    world.stack.configs.get = raising(Unavailable())  # type: ignore[method-assign]
    redelivery = world.redeliver(waiting[0])
    assert redelivery.result == "deferred"
    assert redelivery.delay is not None
    assert world.sender.posts == []


def a_table_that_does_not_answer(world: Deliveries) -> dict[str, Any]:
    world.stack.configs.get = raising(Unavailable())  # type: ignore[method-assign]
    return {}


def a_cursor_that_cannot_be_written(world: Deliveries) -> dict[str, Any]:
    world.stack.configs.settle = raising(Unavailable())  # type: ignore[method-assign]
    return {}


def a_failure_that_cannot_be_written(world: Deliveries) -> dict[str, Any]:
    world.sender.answers(url_of("a"), 503)
    world.stack.configs.record_failure = raising(Unavailable())  # type: ignore[method-assign]
    return {}


def a_key_that_cannot_be_had(_: Deliveries) -> dict[str, Any]:
    return {"sign": raising(Unavailable())}


def dead_letters_that_do_not_answer(world: Deliveries) -> dict[str, Any]:
    world.sender.answers(url_of("a"), 413)
    world.dead_letters.send = raising(Unavailable())  # type: ignore[method-assign]
    return {}


def a_host_that_hangs(world: Deliveries) -> dict[str, Any]:
    world.sender.answers(url_of("a"), Answer(error="timeout", seconds=15.0))
    return {}


def a_config_that_is_always_set_again(world: Deliveries) -> dict[str, Any]:
    world.stack.configs.settle = lambda *_: False  # type: ignore[method-assign]
    return {}


@pytest.mark.parametrize(
    "fault",
    [
        a_table_that_does_not_answer,
        a_cursor_that_cannot_be_written,
        a_failure_that_cannot_be_written,
        a_key_that_cannot_be_had,
        dead_letters_that_do_not_answer,
        a_host_that_hangs,
        a_config_that_is_always_set_again,
    ],
)
def test_the_queue_takes_no_message_away_that_has_not_had_its_horizon(
    world: Deliveries, waiting: list[QueuedNotification], fault: Callable[[Deliveries], dict[str, Any]]
) -> None:
    message = next(message for message in waiting if message.last)
    redeliverer = world.redeliverer(**fault(world))
    start, receives = world.stack.time.now, 0
    while receives < schedule.RECEIVES:
        receives += 1
        redelivery = redeliverer.redeliver(message, receives)
        if redelivery.delay is None:
            assert redelivery.result == "dead"
            break
        world.stack.time.sleep(redelivery.delay)
    assert world.stack.time.now - start >= HORIZON


def test_after_an_outage_of_some_minutes_a_message_goes_on_within_one(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    redeliverer = world.redeliverer(sign=raising(Unavailable()))
    start, receives = world.stack.time.now, 0
    while world.stack.time.now - start < timedelta(minutes=10):
        receives += 1
        delay = redeliverer.redeliver(waiting[0], receives).delay
        assert delay is not None
        assert delay <= 60
        world.stack.time.sleep(delay)
    assert world.redeliverer().redeliver(waiting[0], receives + 1).result == "delivered"


def test_what_arrived_is_not_sent_again_only_because_the_cursor_could_not_be_written(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    redeliverer = world.redeliverer()
    settle = world.stack.configs.settle
    message = next(message for message in waiting if message.last)
    world.stack.configs.settle = raising(Unavailable())  # type: ignore[method-assign]
    assert redeliverer.redeliver(message).result == "deferred"
    world.stack.configs.settle = settle  # type: ignore[method-assign]
    assert redeliverer.redeliver(message).result == "delivered"
    assert len(world.sender.posts) == 1


@pytest.mark.parametrize("status", [503, 410])
def test_a_config_that_is_set_again_while_its_old_webhook_fails_starts_with_a_clean_schedule(
    world: Deliveries, waiting: list[QueuedNotification], status: int
) -> None:
    task_id = waiting[0].task_id
    world.sender.answers(url_of("a"), status)
    world.set_again_meanwhile(task_id, url_of("b"))
    redelivery = world.redeliver(waiting[0])
    assert (redelivery.result, redelivery.delay) == ("deferred", 1)
    assert world.config(task_id, "a").attempts == 0


def test_the_log_hears_of_an_attempt_without_body_and_credentials(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    attempt = world.redeliver(waiting[0]).attempt
    assert attempt is not None
    assert (attempt.host, attempt.outcome) == ("hooks.example.com", "200")
    said = json.dumps([attempt.webhook_id, attempt.host, attempt.outcome])
    assert "t-1" not in said


# ------------------------------------------------------------------------------------------------------ hosts that hang


def test_a_host_that_hung_holds_up_an_environment_for_one_attempt_a_minute(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    redeliverer = world.redeliverer()
    world.sender.answers(url_of("a"), Answer(error="timeout", seconds=15.0))
    assert result_of(redeliverer.redeliver(waiting[0])) == ("deferred", 10)
    world.stack.time.sleep(10)
    assert result_of(redeliverer.redeliver(waiting[0])) == ("deferred", 50)
    assert len(world.sender.posts) == 1
    assert world.config(waiting[0].task_id, "a").attempts == 1
    world.stack.time.sleep(50)
    world.sender.answers(url_of("a"), 200)
    assert redeliverer.redeliver(waiting[0]).result == "delivered"


def test_an_owners_hosts_that_hang_hold_up_nobody_else(world: Deliveries) -> None:
    """However many there are: otherwise each that hangs would buy another minute."""
    owners = [ALICE, ALICE, ALICE, BOB]
    for caller in owners:
        task_id = world.stack.send(world.stack.message(messageId=str(uuid4())), caller=caller)["id"]
        world.stack.register(task_id, url_of(caller.name), caller=caller, id="a")
        world.batch()
        world.sender.answers(url_of(caller.name), "timeout")
        world.stack.call("CancelTask", {"id": task_id}, caller=caller)
        world.notify()
    world.sender.answers(url_of("alice"), Answer(error="timeout", seconds=15.0))
    world.sender.answers(url_of("bob"), 200)
    redeliverer = world.redeliverer()
    results = [redeliverer.redeliver(message) for message in world.queue.messages]
    assert [redelivery.result for redelivery in results] == ["deferred"] * 3 + ["delivered"]
    assert len([url for url in world.sender.urls() if url == url_of("alice")]) == 3 + 1


@pytest.mark.parametrize("status", [410, 500])
@pytest.mark.parametrize(("seconds", "again"), [(3.01, 1), (3.0, 2)])
def test_a_webhook_hangs_that_takes_more_than_a_fifth_of_an_attempt_to_fail(
    world: Deliveries, waiting: list[QueuedNotification], status: int, seconds: float, again: int
) -> None:
    other = world.task("a")
    world.sender.answers(url_of("a"), "timeout")
    world.stack.call("CancelTask", {"id": other})
    world.notify()
    world.sender.posts.clear()
    redeliverer = world.redeliverer()
    world.sender.answers(url_of("a"), Answer(status=status, seconds=seconds))
    redeliverer.redeliver(waiting[0])
    redeliverer.redeliver(world.queue.messages[-1])
    assert len(world.sender.posts) == again


def test_a_host_that_takes_its_time_and_takes_the_event_gets_the_next_one(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    redeliverer = world.redeliverer()
    world.sender.answers(url_of("a"), Answer(status=200, seconds=14.0))
    assert [redeliverer.redeliver(message).result for message in waiting[:2]] == ["delivered"] * 2


def test_a_host_that_refuses_at_once_is_tried_when_its_schedule_says(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    redeliverer = world.redeliverer()
    world.sender.answers(url_of("a"), Answer(error="connect", seconds=0.01), 200)
    assert result_of(redeliverer.redeliver(waiting[0])) == ("deferred", 10)
    world.stack.time.sleep(10)
    assert redeliverer.redeliver(waiting[0]).result == "delivered"


# ----------------------------------------------------------------------------------------- what an operator brings back


def brought_back(world: Deliveries, *letters: QueuedNotification) -> list[QueuedNotification]:
    """The messages as which these letters are queued again."""
    known = len(world.queue.messages)
    for number, letter in enumerate(letters):
        dead = DeadLetter(f"letter-{number}", "receipt", "given up", letter)
        assert redrive(dead, world.stack.configs, world.queue) == "redriven"
    return world.queue.messages[known:]


def state_of(world: Deliveries, task_id: str) -> str:
    state: str = delivery_status(world.config(task_id, "a"))["state"]
    return state


@pytest.mark.parametrize("status", [200, 413])
def test_a_config_is_healthy_again_when_what_was_brought_back_is_dealt_with(
    world: Deliveries, waiting: list[QueuedNotification], status: int
) -> None:
    """Whatever the place of the letter in its generation, and however far the config has come since."""
    task_id = waiting[0].task_id
    world.sender.answers(url_of("a"), 413, 200)
    for message in waiting:
        world.redeliver(message)
    ((letter, _),) = world.dead_letters.messages
    for given_up in (letter, replace(letter, last=not letter.last)):
        (message,) = brought_back(world, given_up)
        assert state_of(world, task_id) == "retrying"
        world.sender.answers(url_of("a"), status)
        assert world.redeliver(message).result == ("delivered" if status == 200 else "dead")
        assert state_of(world, task_id) == "healthy"
        config = world.config(task_id, "a")
        assert config.settled_through == config.queued_through == waiting[-1].generation


def test_a_config_waits_until_the_last_of_what_was_brought_back_is_dealt_with(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    world.sender.answers(url_of("a"), 413)
    for message in waiting:
        world.redeliver(message)
    world.sender.answers(url_of("a"), 200)
    *others, last = brought_back(world, *(message for message, _ in world.dead_letters.messages))
    assert len(others) == len(waiting) - 1
    for message in others:
        assert world.redeliver(message).result == "delivered"
        assert world.config(message.task_id, "a").backlogged
    assert world.redeliver(last).result == "delivered"
    assert not world.config(last.task_id, "a").backlogged


def test_what_happens_meanwhile_waits_behind_what_was_brought_back(world: Deliveries) -> None:
    task_id = world.task("a")
    letter = QueuedNotification(
        task_id, "a", world.config(task_id, "a").incarnation, 1, 0, "{}", True, "1.0", "2026-01-01T00:00:00.000Z"
    )
    (message,) = brought_back(world, letter)
    world.stack.call("CancelTask", {"id": task_id})
    assert world.notify().queued == 1
    assert world.sender.posts == []
    assert [world.redeliver(each).result for each in world.queue.messages] == ["delivered", "delivered"]
    assert not world.config(message.task_id, "a").backlogged


def test_what_was_brought_back_goes_to_a_webhook_that_is_set_again_and_others_still_wait_for_it(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    for message in waiting:
        world.redeliver(message)
    (message,) = brought_back(world, waiting[0])
    world.stack.register(message.task_id, url_of("new"), id="a")
    assert world.config(message.task_id, "a").redriven == message.redrive
    world.sender.posts.clear()
    assert world.redeliver(message).result == "delivered"
    assert world.sender.urls() == [url_of("new")]


def test_what_was_brought_back_is_not_sent_twice_because_the_config_could_not_be_written(
    world: Deliveries, waiting: list[QueuedNotification], monkeypatch: pytest.MonkeyPatch
) -> None:
    for message in waiting:
        world.redeliver(message)
    (message,) = brought_back(world, waiting[0])
    world.sender.posts.clear()
    redeliverer = world.redeliverer()
    with monkeypatch.context() as patch:
        patch.setattr(world.stack.configs, "close", raising(Unavailable()))
        assert result_of(redeliverer.redeliver(message)) == ("deferred", 10)
    assert result_of(redeliverer.redeliver(message)) == ("delivered", None)
    assert len(world.sender.posts) == 1
    assert not world.config(message.task_id, "a").backlogged
