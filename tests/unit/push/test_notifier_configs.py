"""Configs that come and go while notifications are on their way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from deliveries import Deliveries, raising, url_of
from scripted import ScriptedSender, header

from a2a_lambda.core.ports import TaskConfigs, Unavailable
from a2a_lambda.push.delivery import failed
from a2a_lambda.push.outcome import Answer

HUNG = Answer(error="timeout", seconds=3.0)


# ------------------------------------------------------------------------------------------- configs that come and go


def test_a_receiver_that_is_gone_loses_its_config_and_gets_nothing_more(world: Deliveries) -> None:
    task_id = world.task("a", "b")
    world.sender.answers(url_of("a"), 200, 410)
    world.stack.work(task_id)
    report = world.notify()
    assert (report.gone, report.queued, len(world.told("a"))) == (1, 0, 2)
    assert [config.config_id for config in world.stack.configs.of_task(task_id)] == ["b"]


def test_a_config_that_was_set_again_while_its_old_webhook_said_gone_stays(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 410)
    world.stack.call("CancelTask", {"id": task_id})
    batch = world.batch()
    world.set_again_meanwhile(task_id, url_of("new"))
    world.notify(batch)
    assert world.config(task_id, "a").url == url_of("new")


def test_a_config_that_was_deleted_meanwhile_gets_nothing_queued(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500)
    world.stack.call("CancelTask", {"id": task_id})
    config = world.config(task_id, "a")
    of_task = world.stack.configs.of_task
    world.stack.configs.of_task = lambda _: TaskConfigs([config])  # type: ignore[method-assign]
    batch = world.batch()
    world.stack.configs.delete(config)
    report = world.notify(batch)
    assert (report.queued, report.failed, world.queue.messages) == (0, [], [])
    assert of_task(task_id) == []


def test_a_task_that_has_expired_takes_its_configs_along(world: Deliveries) -> None:
    first, second = world.task("a", "b"), world.task("c")
    world.stack.tasks.remove(first)
    report = world.notify()
    assert (report.failed, report.attempts) == ([], [])
    assert [config.task_id for config in world.stack.configs.items.values()] == [second]


def test_what_happened_just_before_a_task_expired_is_told_first(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.call("CancelTask", {"id": task_id})
    world.stack.tasks.remove(task_id)
    world.notify()
    assert world.told("a") == ["TASK_STATE_CANCELED"]
    assert world.stack.configs.items == {}


def test_the_configs_of_a_task_that_has_expired_stay_until_its_last_events_are_queued(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500)
    world.stack.call("CancelTask", {"id": task_id})
    world.stack.tasks.remove(task_id)
    batch = world.batch()
    world.queue.refused = {"a"}
    assert world.notify(batch).failed == [record.sequence for record in batch]
    assert world.config(task_id, "a").backlogged
    world.queue.refused = set()
    assert world.notify(batch).failed == []
    assert (len(world.queue.messages), world.stack.configs.items) == (1, {})


def test_a_first_attempt_that_succeeds_clears_the_failures_before_it(world: Deliveries) -> None:
    task_id = world.task("a")
    config = world.config(task_id, "a")
    long_ago = world.stack.time.now - timedelta(days=30)
    world.stack.configs.record_failure(config, failed(config, Answer(status=500), long_ago))
    world.stack.call("CancelTask", {"id": task_id})
    assert world.notify().delivered == 1
    config = world.config(task_id, "a")
    assert (config.attempts, config.failing_since, config.last_error) == (0, None, None)


def test_a_late_registration_hears_the_state_once_and_the_others_do_not(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.call("CancelTask", {"id": task_id})
    world.notify()
    world.stack.register(task_id, url_of("late"), id="late")
    world.notify()
    assert (world.told("a"), world.told("late")) == (["TASK_STATE_CANCELED"], ["TASK_STATE_CANCELED"])


def test_a_late_registration_hears_the_state_once_even_if_the_stream_has_yet_to_tell_of_it(world: Deliveries) -> None:
    task_id = world.task()
    world.stack.work(task_id)
    world.stack.register(task_id, url_of("late"), id="late")
    world.notify()
    assert world.told("late") == ["All 3 steps complete"]
    (post,) = world.sender.posts
    assert header(post, "webhook-id").endswith(f".late.{world.stack.stored(task_id).announcement[1]}")


def test_a_webhook_that_is_set_again_is_still_owed_what_the_old_one_has_not_heard(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.work(task_id)
    world.stack.register(task_id, url_of("new"), id="a")
    world.notify()
    steps = ["Step 1/3 complete", "Step 2/3 complete", "Step 3/3 complete", "All 3 steps complete"]
    assert [text for text in world.told("new") if "complete" in text] == [*steps, steps[-1]]
    assert world.told("a") == []


def test_each_late_registration_of_one_config_hears_the_state_again(world: Deliveries) -> None:
    task_id = world.task()
    world.stack.call("CancelTask", {"id": task_id})
    world.batch()
    for _ in range(2):
        world.stack.register(task_id, url_of("late"), id="late")
    world.notify()
    ids = [header(post, "webhook-id") for post in world.sender.posts]
    assert len(ids) == len(set(ids)) == 2


def test_a_webhook_that_is_set_again_hears_the_end_that_redelivery_settled_for_the_old_one(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), "timeout", 200)
    world.stack.call("CancelTask", {"id": task_id})
    world.notify()
    (message,) = world.queue.messages
    assert world.redeliver(message).result == "delivered"
    world.stack.register(task_id, url_of("new"), id="a")
    world.notify()
    (announcement,) = set(world.queue.messages) - {message}
    assert world.redeliver(announcement).result == "delivered"
    assert world.told("new") == ["TASK_STATE_CANCELED"]


def test_a_resume_token_is_a_write_that_no_webhook_hears_of(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.await_input(task_id, "token")
    world.notify()
    assert world.sender.posts == []


def test_an_event_whose_signature_cannot_be_made_goes_to_the_queue_unsent(world: Deliveries) -> None:
    task_id = world.task("a")
    world.notifier = world.new_notifier(sign=raising(Unavailable()))
    world.stack.call("CancelTask", {"id": task_id})
    assert (world.notify().queued, world.sender.posts) == (1, [])


def test_the_time_of_a_host_that_hung_is_kept_per_environment(world: Deliveries) -> None:
    first, second = world.task("a"), world.task("a")
    world.sender.answers(url_of("a"), HUNG)
    world.stack.call("CancelTask", {"id": first})
    world.notify()
    world.sender = ScriptedSender()
    world.notifier = world.new_notifier(shun=timedelta(seconds=1))
    world.stack.call("CancelTask", {"id": second})
    assert world.notify().delivered == 1


def test_the_webhook_of_a_task_made_anew_survives_the_removal_of_the_old_one(world: Deliveries) -> None:
    """The removal may be handled late, and the same message makes a task of the same id."""
    message = world.stack.message("monthly report")
    first = world.stack.send(message, webhook={"id": "a", "url": url_of("a")})["id"]
    world.stack.register(first, url_of("b"), id="b")
    world.stack.work(first)
    world.notify()
    world.stack.tasks.remove(first)
    world.sender.posts.clear()
    assert world.stack.send(message, webhook={"id": "a", "url": url_of("a")})["id"] == first

    world.notify()  # the removal, and then the new task
    assert [key for _, key in sorted(world.stack.configs.items)] == ["a"]
    world.stack.work(first)
    world.notify()
    assert world.told("a")[-1] == "All 3 steps complete"
    assert world.told("b") == []  # it was the old task's


def test_a_webhook_of_a_task_that_has_expired_is_not_taken_for_one_of_the_task_made_anew(world: Deliveries) -> None:
    message = world.stack.message("monthly report")
    first = world.stack.send(message)["id"]
    world.stack.register(first, url_of("old"), id="b", token="old")
    world.stack.work(first)
    world.notify()
    old = world.config(first, "b")
    world.stack.tasks.remove(first)
    world.stack.send(message)
    world.stack.register(first, url_of("new"), id="b")

    new = world.config(first, "b")
    assert (new.url, new.token) == (url_of("new"), None)
    assert new.incarnation != old.incarnation
    world.notify()
    world.stack.work(first)
    world.notify()
    assert world.told("new")[-1] == "All 3 steps complete"
    assert world.told("old")[-1:] == ["All 3 steps complete"]  # of the task that it was registered for


def test_a_webhook_from_before_the_creation_was_kept_goes_with_its_task(world: Deliveries) -> None:
    task_id = world.task("a")
    key = (task_id, "a")
    world.stack.configs.items[key] = replace(world.stack.configs.items[key], task_created_at=None)
    world.stack.tasks.remove(task_id)
    world.notify()
    assert world.stack.configs.items == {}
