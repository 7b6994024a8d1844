"""Later attempts: one message at a time per config, with a schedule that belongs to the config."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from deliveries import Deliveries, raising, result_of, url_of
from scripted import header

from a2a_lambda.core.ports import QueuedNotification, Unavailable
from a2a_lambda.push import schedule
from a2a_lambda.push.dead_letters import DeadLetter, redrive
from a2a_lambda.push.outcome import Answer
from a2a_lambda.push.redelivery import Redelivery

HORIZON = timedelta(seconds=schedule.HORIZON)


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


# ------------------------------------------------------------------------------------- refused at the first attempt


def refused_at_first(world: Deliveries) -> list[QueuedNotification]:
    """The events of a task whose webhook answers the first of them with 413, as they are queued."""
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 413)
    world.stack.work(task_id)
    world.notify()
    world.sender.posts.clear()
    world.sender.answers(url_of("a"), 200)
    return [*world.queue.messages]


def test_an_event_that_is_refused_at_the_first_attempt_has_no_second_one(world: Deliveries) -> None:
    first, *others = refused_at_first(world)
    assert result_of(world.redeliver(first)) == ("dead", None)
    assert world.sender.posts == []
    ((dead, reason),) = world.dead_letters.messages
    assert (dead, reason.startswith("status 413; given up at ")) == (first, True)
    assert {world.redeliver(message).result for message in others} == {"delivered"}
    assert len(world.sender.posts) == len(others)
    assert not world.config(first.task_id, "a").backlogged


def test_an_event_that_was_refused_has_its_attempt_at_the_webhook_that_is_set_since(world: Deliveries) -> None:
    first = refused_at_first(world)[0]
    world.stack.register(first.task_id, url_of("b"), id="a")
    assert world.redeliver(first).result == "delivered"
    assert [post.url for post in world.sender.posts] == [url_of("b")]


def test_an_event_that_was_refused_and_is_brought_back_has_an_attempt(world: Deliveries) -> None:
    first = refused_at_first(world)[0]
    world.redeliver(first)
    letter = DeadLetter("l-1", "receipt", "status 413", world.dead_letters.messages[0][0])
    world.queue.messages.clear()
    assert redrive(letter, world.stack.configs, world.queue) == "redriven"
    assert world.redeliver(world.queue.messages[0]).result == "delivered"
