"""First attempts: from the stream to the webhooks, or to the queue."""

from __future__ import annotations

import pytest
from deliveries import Deliveries, raising, url_of
from scripted import header

from a2a_lambda.core.ports import TaskConfigs, Unavailable, Unreached, UnreadableConfig
from a2a_lambda.push.outcome import Answer

HUNG = Answer(error="timeout", seconds=3.0)


WHOLE = [
    "TASK_STATE_WORKING",
    *("part-1", "Step 1/3 complete", "part-2", "Step 2/3 complete", "part-3", "Step 3/3 complete"),
    "All 3 steps complete",
]


# ---------------------------------------------------------------------------------------------------------- happy paths


def test_a_webhook_hears_of_every_change_in_order_and_nothing_is_written_about_it(world: Deliveries) -> None:
    task_id = world.task("a")
    before = world.config(task_id, "a")
    world.stack.work(task_id)
    report = world.notify()
    assert world.told("a") == WHOLE
    assert (report.failed, report.queued, report.delivered) == ([], 0, len(WHOLE))
    assert world.config(task_id, "a") == before


def test_a_config_inline_on_a_send_hears_of_the_creation_too(world: Deliveries) -> None:
    world.stack.send(webhook={"id": "a", "url": url_of("a")})
    world.notify()
    assert world.told("a") == ["TASK_STATE_SUBMITTED"]


def test_changes_before_the_registration_are_not_told(world: Deliveries) -> None:
    task_id = world.stack.send()["id"]
    world.stack.register(task_id, url_of("a"), id="a")
    assert world.notify().attempts == []


def test_a_follow_up_message_is_a_change_that_no_webhook_hears_of(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.send(world.stack.message(taskId=task_id))
    world.notify()
    assert world.told("a") == []


def test_all_webhooks_of_a_batch_are_tried_at_once_under_one_deadline(world: Deliveries) -> None:
    for task_id in (world.task("a", "b"), world.task("c", "d")):
        world.stack.work(task_id)
    world.notify()
    assert world.sender.budgets == [3.0]
    assert [world.told(name) for name in "abcd"] == [WHOLE] * 4


def test_a_batch_without_webhooks_makes_no_attempt(world: Deliveries) -> None:
    world.stack.work(world.task())
    report = world.notify()
    assert (report.failed, report.attempts, world.sender.budgets) == ([], [], [])


def test_a_webhook_id_is_the_same_for_the_same_event_and_different_for_every_other(world: Deliveries) -> None:
    task_id = world.task("a", "b")
    world.stack.work(task_id)
    batch = world.batch()
    world.notify(batch)
    first = [header(post, "webhook-id") for post in world.sender.posts]
    assert len(set(first)) == len(first) == 2 * len(WHOLE)
    again = Deliveries(world.stack)
    again.notifier.notify(batch)
    assert [header(post, "webhook-id") for post in again.sender.posts] == first


def test_the_latency_of_a_delivery_runs_from_the_write_to_the_acknowledgement(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), Answer(status=200, seconds=0.25))
    world.stack.call("CancelTask", {"id": task_id})
    world.stack.time.sleep(2)
    (attempt,) = world.notify().attempts
    assert (attempt.latency, attempt.milliseconds, attempt.outcome) == (pytest.approx(2.25), 250, "200")


# ------------------------------------------------------------------------------------------------------ what is queued


@pytest.mark.parametrize("failure", [500, 503, 429, 404, 301, 400, "connect", "dns", "tls", "refused address", "reset"])
def test_what_is_not_acknowledged_goes_to_the_queue_with_all_behind_it(world: Deliveries, failure: int | str) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 200, 200, failure)  # type: ignore[arg-type]
    world.stack.work(task_id)
    report = world.notify()
    assert world.told("a") == WHOLE[:3]
    queued = [(message.generation, message.n) for message in world.queue.messages]
    assert len(queued) == report.queued == len(WHOLE) - 2
    assert queued == sorted(queued)
    config = world.config(task_id, "a")
    assert config.backlogged
    assert config.queued_through == world.queue.messages[-1].generation == world.stack.stored(task_id).generation
    assert report.failed == []


def test_the_last_message_of_a_generation_is_marked_as_such(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500)
    world.stack.work(task_id)
    world.notify()
    by_generation: dict[int, list[bool]] = {}
    for message in world.queue.messages:
        by_generation.setdefault(message.generation, []).append(message.last)
    assert all(marks == [False] * (len(marks) - 1) + [True] for marks in by_generation.values())


def test_a_failing_webhook_delays_no_other(world: Deliveries) -> None:
    task_id = world.task("b")
    world.stack.register(task_id, "https://other.example.com/", id="a")
    world.batch()
    world.sender.answers("https://other.example.com/", HUNG)
    world.stack.work(task_id)
    world.notify()
    assert world.told("b") == WHOLE


def test_a_config_with_a_backlog_gets_no_direct_attempt(world: Deliveries) -> None:
    task_id, other = world.task("a"), world.task("a")
    world.sender.answers(url_of("a"), 500, 200)
    world.stack.run(task_id, iter([60_000, 0]).__next__)
    world.notify()
    world.stack.call("CancelTask", {"id": task_id})
    assert (world.notify().queued, len(world.sender.posts)) == (1, 1)
    assert [message.generation for message in world.queue.messages] == [2, 3]
    world.stack.call("CancelTask", {"id": other})
    assert world.notify().delivered == 1, "the config of another task has no backlog, though the same URL"


def test_once_the_backlog_is_settled_direct_attempts_are_made_again(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500, 200)
    world.stack.run(task_id, iter([60_000, 0]).__next__)
    world.notify()
    assert world.config(task_id, "a").backlogged
    world.stack.configs.settle(world.config(task_id, "a"), 2, world.stack.time.now)
    world.stack.call("CancelTask", {"id": task_id})
    world.notify()
    assert world.told("a") == ["TASK_STATE_WORKING", "TASK_STATE_CANCELED"]


def test_queued_messages_hold_no_credentials(world: Deliveries) -> None:
    task_id = world.task("a", token="secret-token", authentication={"scheme": "Bearer", "credentials": "secret-c"})
    world.sender.answers(url_of("a"), 500)
    world.stack.call("CancelTask", {"id": task_id})
    world.notify()
    (message,) = world.queue.messages
    assert "secret" not in repr(message)
    assert header(world.sender.posts[0], "Authorization") == "Bearer secret-c"


# -------------------------------------------------------------------------------------------- replays and interruptions


def test_a_batch_that_comes_again_sends_again_only_what_was_not_acknowledged(world: Deliveries) -> None:
    task_id = world.task("a", "b")
    world.queue.refused = {"b"}
    world.sender.answers(url_of("b"), 500)
    world.stack.call("CancelTask", {"id": task_id})
    batch = world.batch()
    assert world.notify(batch).failed == [record.sequence for record in batch]
    world.queue.refused = set()
    assert world.notify(batch).failed == []
    assert world.told("a") == ["TASK_STATE_CANCELED"]
    assert [message.config_id for message in world.queue.messages] == ["b"]


def test_a_batch_that_comes_again_to_another_environment_queues_nothing_twice(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500)
    world.stack.work(task_id)
    batch = world.batch()
    world.notify(batch)
    before = list(world.queue.messages)
    world.new_notifier().notify(batch)
    assert world.queue.messages == before


def test_what_was_settled_meanwhile_is_not_told_again(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.call("CancelTask", {"id": task_id})
    world.stack.configs.settle(world.config(task_id, "a"), 2, world.stack.time.now)
    assert world.notify().attempts == []


def test_when_the_queue_refuses_one_config_only_the_records_of_its_task_fail(world: Deliveries) -> None:
    first, second = world.task("a"), world.task("b")
    world.sender.answers(url_of("a"), 500)
    world.sender.answers(url_of("b"), 500)
    world.queue.refused = {"a"}
    world.stack.call("CancelTask", {"id": first})
    world.stack.call("CancelTask", {"id": second})
    batch = world.batch()
    report = world.notify(batch)
    assert report.failed == [record.sequence for record in batch if record.task_id == first]
    assert [message.task_id for message in world.queue.messages] == [second]
    assert world.config(first, "a").backlogged, "nothing can overtake what is about to come again"


def test_when_the_configs_of_a_task_cannot_be_read_only_its_records_fail(world: Deliveries) -> None:
    first, second = world.task("a"), world.task("b")
    of_task = world.stack.configs.of_task
    world.stack.configs.of_task = lambda task_id: (  # type: ignore[method-assign]
        raising(Unavailable())() if task_id == first else of_task(task_id)
    )
    world.stack.call("CancelTask", {"id": first})
    world.stack.call("CancelTask", {"id": second})
    batch = world.batch()
    assert world.notify(batch).failed == [record.sequence for record in batch if record.task_id == first]
    assert world.told("b") == ["TASK_STATE_CANCELED"]


def test_when_the_cursor_cannot_be_raised_nothing_is_queued_and_the_records_fail(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500)
    world.stack.configs.raise_queued = raising(Unavailable())  # type: ignore[method-assign]
    world.stack.call("CancelTask", {"id": task_id})
    batch = world.batch()
    assert world.notify(batch).failed == [record.sequence for record in batch]
    assert world.queue.messages == []


def test_a_config_that_cannot_be_read_is_named_and_all_others_of_its_task_receive_the_change(world: Deliveries) -> None:
    task_id = world.task("a")
    of_task = world.stack.configs.of_task
    broken = UnreadableConfig(task_id, "broken", "KeyError")
    world.stack.configs.of_task = lambda task: TaskConfigs(of_task(task), [broken])  # type: ignore[method-assign]
    world.stack.call("CancelTask", {"id": task_id})
    (record,) = world.batch()
    report = world.notify([record])
    error = report.poison[record.sequence]
    assert isinstance(error, Unreached)
    assert (error.config_ids, error.reason) == (["broken"], "KeyError")
    assert (report.failed, world.told("a")) == ([], ["TASK_STATE_CANCELED"])


def test_an_announcement_for_another_config_is_no_loss_for_one_that_cannot_be_read(world: Deliveries) -> None:
    task_id = world.task()
    world.stack.call("CancelTask", {"id": task_id})
    world.batch()
    world.stack.register(task_id, url_of("late"), id="late")
    of_task = world.stack.configs.of_task
    broken = UnreadableConfig(task_id, "broken", "KeyError")
    world.stack.configs.of_task = lambda task: TaskConfigs(of_task(task), [broken])  # type: ignore[method-assign]
    assert world.notify().poison == {}
    assert world.told("late") == ["TASK_STATE_CANCELED"]


def test_a_record_that_cannot_be_told_is_poison_and_the_next_one_is_told(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.run(task_id, iter([60_000, 60_000, 0]).__next__)
    world.stack.call("CancelTask", {"id": task_id})
    first, *rest = world.batch()
    assert first.new is not None
    broken = first.new._replace(task={**first.new.task, "artifacts": [{}]})  # type: ignore[typeddict-item]
    report = world.notify([first._replace(new=broken), *rest])
    assert list(report.poison) == [first.sequence]
    assert world.told("a")[-1] == "TASK_STATE_CANCELED"
