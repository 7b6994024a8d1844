"""Later attempts: one message at a time per config, with a schedule that belongs to the config."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from callers import ALICE, BOB
from deliveries import Deliveries, raising, url_of
from scripted import header

from a2a_lambda import schedule
from a2a_lambda.dead_letters import DeadLetter, redrive
from a2a_lambda.delivery_status import delivery_status
from a2a_lambda.outcome import Answer
from a2a_lambda.ports import QueuedNotification, Unavailable
from a2a_lambda.redelivery import Redelivery

HORIZON = timedelta(seconds=schedule.HORIZON)


@pytest.fixture
def waiting(world: Deliveries) -> list[QueuedNotification]:
    """A whole task's notifications, all in the queue: the first attempt ran into its deadline."""
    task_id = world.task("a", token="t-1")
    world.sender.answers(url_of("a"), "timeout")
    world.stack.work(task_id)
    world.notify()
    world.sender.posts.clear()
    world.sender.answers(url_of("a"), 200)
    return list(world.queue.messages)


def result_of(redelivery: Redelivery) -> tuple[str, int | None]:
    return redelivery.result, redelivery.delay


# ------------------------------------------------------------------------------------------------------------ success


def test_a_message_is_posted_as_the_first_attempt_would_have_been(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    message = waiting[0]
    assert result_of(world.redeliver(message)) == ("delivered", None)
    (post,) = world.sender.posts
    assert post.body.decode() == message.body
    assert post.url == url_of("a")
    assert header(post, "webhook-id") == f"{message.task_id}.{message.generation}.{message.n}.a"
    assert header(post, "X-A2A-Notification-Token") == "t-1"
    assert header(post, "Content-Type") == "application/a2a+json"
    assert world.sender.budgets[-1] == 15.0


def test_the_cursor_moves_when_the_last_message_of_a_generation_has_arrived(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    for message in waiting:
        before = world.config(message.task_id, "a").settled_through
        assert world.redeliver(message).result == "delivered"
        after = world.config(message.task_id, "a").settled_through
        assert after == (message.generation if message.last else before)
    assert not world.config(waiting[0].task_id, "a").backlogged


def test_a_generation_that_is_settled_is_dropped(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    for message in waiting:
        world.redeliver(message)
    world.sender.posts.clear()
    assert [result_of(world.redeliver(message)) for message in waiting] == [("dropped", None)] * len(waiting)
    assert world.sender.posts == []


def test_a_message_that_an_operator_brings_back_is_sent_although_it_was_settled(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    for message in waiting:
        world.redeliver(message)
    assert world.redeliver(replace(waiting[-1], redrive="r-1")).result == "delivered"


def test_a_secret_that_was_rotated_meanwhile_is_used(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.stack.register(waiting[0].task_id, url_of("a"), id="a", token="t-2")
    world.redeliver(waiting[0])
    assert header(world.sender.posts[-1], "X-A2A-Notification-Token") == "t-2"


def test_a_url_that_was_set_again_meanwhile_is_used(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.stack.register(waiting[0].task_id, url_of("b"), id="a")
    world.redeliver(waiting[0])
    assert world.sender.urls() == [url_of("b")]


# ------------------------------------------------------------------------------------------------------------ schedule


def test_a_failure_puts_the_message_off_and_counts_for_the_config(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    world.sender.answers(url_of("a"), 503)
    assert result_of(world.redeliver(waiting[0])) == ("deferred", 10)
    config = world.config(waiting[0].task_id, "a")
    now = world.stack.time.now
    assert (config.attempts, config.failing_since, config.last_error) == (1, now, "status 503")
    assert config.next_attempt_at == now + timedelta(seconds=10)


def test_the_delays_grow_from_failure_to_failure(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.sender.answers(url_of("a"), 503)
    delays = []
    for _ in range(4):
        redelivery = world.redeliver(waiting[0])
        assert redelivery.delay is not None
        delays.append(redelivery.delay)
        world.stack.time.sleep(redelivery.delay)
    assert delays == [10, 20, 30, 40]


def test_a_message_that_comes_before_its_time_waits_for_the_rest_and_makes_no_attempt(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    world.sender.answers(url_of("a"), 503)
    world.redeliver(waiting[0])
    world.stack.time.sleep(4)
    assert result_of(world.redeliver(waiting[0])) == ("deferred", 6)
    assert len(world.sender.posts) == 1


def test_the_schedule_belongs_to_the_config_so_what_is_behind_does_not_start_anew(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    world.sender.answers(url_of("a"), 503)
    world.redeliver(waiting[0])
    assert result_of(world.redeliver(waiting[1])) == ("deferred", 10)
    assert len(world.sender.posts) == 1


def test_a_success_forgets_the_failures(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.sender.answers(url_of("a"), 503, 200)
    world.redeliver(waiting[0])
    world.stack.time.sleep(10)
    assert world.redeliver(waiting[0]).result == "delivered"
    config = world.config(waiting[0].task_id, "a")
    assert (config.attempts, config.failing_since, config.next_attempt_at, config.last_error) == (0, None, None, None)


def test_the_schedule_hears_what_the_receiver_asked_for(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    asked = []
    world.sender.answers(url_of("a"), Answer(status=429, retry_after=120.0))

    def delay(failures: int, retry_after: float | None) -> int:
        asked.append((failures, retry_after))
        return 77

    assert result_of(world.redeliver(waiting[0], delay=delay)) == ("deferred", 77)
    assert asked == [(1, 120.0)]


def test_no_delay_is_longer_than_the_queue_looks_away(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    """A config that is set again, or redriven, must not wait for the old schedule for half a day."""
    world.sender.answers(url_of("a"), 503)
    redelivery = world.redeliver(waiting[0], delay=lambda *_: schedule.LONGEST)
    assert redelivery.delay == schedule.LOOK
    assert schedule.LOOK <= schedule.LONGEST


@pytest.mark.parametrize("failure", [503, Answer(error="timeout", seconds=15.0)])
def test_a_message_that_was_handed_out_often_is_put_off_for_longer(
    world: Deliveries, waiting: list[QueuedNotification], failure: int | Answer
) -> None:
    redeliverer = world.redeliverer()
    world.sender.answers(url_of("a"), failure)
    assert redeliverer.redeliver(waiting[0], 4).delay == 10, "the schedule's"
    assert redeliverer.redeliver(waiting[0], 100).delay == schedule.patience(100)
    assert len(world.sender.posts) == 1, "it was not its time, or its host had just hung"


def test_what_is_done_is_done_however_often_it_was_handed_out(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    assert result_of(world.redeliverer().redeliver(waiting[0], schedule.RECEIVES)) == ("delivered", None)


# ------------------------------------------------------------------------------------------------- nobody to send it to


def test_what_was_queued_for_a_deleted_config_is_dropped(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.stack.configs.delete(world.config(waiting[0].task_id, "a"))
    assert result_of(world.redeliver(waiting[0])) == ("dropped", None)
    assert world.sender.posts == []


def test_what_was_queued_for_an_earlier_config_of_the_same_id_is_dropped(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    task_id = waiting[0].task_id
    before = world.config(task_id, "a")
    world.stack.configs.delete(before)
    world.stack.register(task_id, url_of("b"), id="a")
    present = world.config(task_id, "a")
    assert present.incarnation != before.incarnation
    world.stack.configs.items[task_id, "a"] = replace(present, settled_through=0)
    assert result_of(world.redeliver(waiting[0])) == ("dropped", None)
    assert world.sender.posts == []


def test_a_receiver_that_is_gone_loses_its_config(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.sender.answers(url_of("a"), 410)
    assert result_of(world.redeliver(waiting[0])) == ("gone", None)
    assert world.stack.configs.items == {}
    assert result_of(world.redeliver(waiting[1])) == ("dropped", None)


# --------------------------------------------------------------------------------------------------------- dead letters


def test_a_body_that_the_receiver_will_never_take_is_given_up_and_the_next_one_goes_on(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    world.sender.answers(url_of("a"), 413, 200)
    assert result_of(world.redeliver(waiting[0])) == ("dead", None)
    ((dead, reason),) = world.dead_letters.messages
    assert (dead, reason.startswith("status 413")) == (waiting[0], True)
    assert world.redeliver(waiting[1]).result == "delivered"


def fail_for(world: Deliveries, message: QueuedNotification, period: timedelta) -> Redelivery:
    """Attempts at a message whenever it is their time, until the period is over; the last result."""
    world.sender.answers(url_of("a"), 503)
    end = world.stack.time.now + period
    while True:
        redelivery = world.redeliver(message, delay=lambda *_: 7_200)
        if redelivery.delay is None or world.stack.time.now >= end:
            return redelivery
        world.stack.time.sleep(redelivery.delay)


def test_after_the_whole_horizon_the_waiting_messages_go_to_the_dead_letters_at_once_and_in_order(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    assert fail_for(world, waiting[0], HORIZON * 2).result == "dead"
    attempts = len(world.sender.posts)
    assert [world.redeliver(message).result for message in waiting[1:]] == ["dead"] * (len(waiting) - 1)
    assert len(world.sender.posts) == attempts, "what is behind is not tried one by one"
    assert [message for message, _ in world.dead_letters.messages] == waiting
    assert world.config(waiting[0].task_id, "a").settled_through == waiting[-1].generation


def test_the_very_attempt_that_completes_the_horizon_gives_up(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    config = world.config(waiting[0].task_id, "a")
    failing = replace(config, attempts=9, failing_since=world.stack.time.now - HORIZON)
    world.stack.configs.items[config.task_id, "a"] = failing
    world.sender.answers(url_of("a"), 503)
    assert result_of(world.redeliver(waiting[0])) == ("dead", None)
    assert [message for message, _ in world.dead_letters.messages] == [waiting[0]]


def test_before_the_horizon_nothing_is_given_up(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    assert fail_for(world, waiting[0], HORIZON - timedelta(hours=3)).result == "deferred"
    assert world.dead_letters.messages == []


def test_after_the_horizon_a_probe_that_succeeds_revives_the_config(
    world: Deliveries, waiting: list[QueuedNotification]
) -> None:
    fail_for(world, waiting[0], HORIZON * 2)
    world.stack.time.sleep(7_200)
    world.sender.answers(url_of("a"), 200)
    assert world.redeliver(waiting[1]).result == "delivered"
    assert world.config(waiting[0].task_id, "a").failing_since is None


def test_a_dead_letter_is_kept_before_the_cursor_moves(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    """So that a crash in between loses nothing."""
    world.sender.answers(url_of("a"), 413)
    world.dead_letters.send = raising(Unavailable())  # type: ignore[method-assign]
    before = world.config(waiting[0].task_id, "a")
    assert world.redeliver(waiting[0]).result == "deferred"
    assert world.config(waiting[0].task_id, "a") == before


def test_a_dead_letter_holds_no_credentials(world: Deliveries, waiting: list[QueuedNotification]) -> None:
    world.sender.answers(url_of("a"), 413)
    world.redeliver(waiting[0])
    assert "t-1" not in repr(world.dead_letters.messages)


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
    run = world.sender.run

    def set_again(*arguments: object, **named: object) -> object:
        answers = run(*arguments, **named)  # type: ignore[arg-type]
        world.stack.register(task_id, url_of("b"), id="a")
        return answers

    world.sender.run = set_again  # type: ignore[method-assign, assignment]
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
@pytest.mark.parametrize(("seconds", "again"), [(3.75, 1), (3.74, 2)])
def test_a_host_hangs_that_takes_a_quarter_of_an_attempt_or_more_to_fail(
    world: Deliveries, waiting: list[QueuedNotification], status: int, seconds: float, again: int
) -> None:
    other = world.task("b")
    world.sender.answers(url_of("b"), "timeout")
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
    assert [redeliverer.redeliver(message).result for message in waiting] == ["delivered"] * len(waiting)


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
