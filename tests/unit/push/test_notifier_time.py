"""The notifier ends in time: a function that is killed reports nothing, and forgets what was acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from deliveries import Deliveries, raising, url_of

from a2a_lambda.core.ports import QueuedNotification, Unavailable
from a2a_lambda.push.delivery import failed
from a2a_lambda.push.notifier import READING, SETTLING, Report
from a2a_lambda.push.outcome import Answer

CALL = timedelta(seconds=21)
"""For how long a call of AWS may hang."""


def hanging(world: Deliveries) -> Callable[..., Any]:
    """A call that is not answered."""

    def call(*_: object) -> Any:
        world.stack.time.sleep(CALL.total_seconds())
        raise Unavailable

    return call


def canceled(world: Deliveries, number: int, answer: int | Answer) -> list[str]:
    """Tasks that were canceled, each with a webhook of its own that answers so."""
    task_ids = []
    for place in range(number):
        task_ids.append(world.task(f"w{place}"))
        world.sender.answers(url_of(f"w{place}"), answer)
    for task_id in task_ids:
        world.stack.call("CancelTask", {"id": task_id})
    return task_ids


def notified(world: Deliveries) -> tuple[Report, timedelta]:
    """The report on what is new, and how long it took."""
    start = world.stack.time.now
    return world.notify(), world.stack.time.now - start


def test_configs_are_read_for_some_time_only_and_the_rest_of_the_batch_comes_again(world: Deliveries) -> None:
    task_ids = canceled(world, 10, 200)
    of_task = world.stack.configs.of_task

    def slow(task_id: str) -> Any:
        world.stack.time.sleep(6)
        return of_task(task_id)

    world.stack.configs.of_task = slow  # type: ignore[method-assign]
    report, took = notified(world)
    assert (report.delivered, len(report.failed)) == (4, len(task_ids) - 4)
    assert took <= READING + timedelta(seconds=6)


@pytest.mark.parametrize("call", ["raise_queued", "recover"])
def test_when_cursors_cannot_be_written_the_rest_is_reported_while_there_is_time(world: Deliveries, call: str) -> None:
    canceled(world, 30, 500)
    if call == "recover":
        for config in list(world.stack.configs.items.values()):
            world.stack.configs.record_failure(config, failed(config, Answer(status=500), world.stack.time.now))
        for place in range(30):
            world.sender.answers(url_of(f"w{place}"), 200)
    setattr(world.stack.configs, call, hanging(world))
    report, took = notified(world)
    assert len(report.failed) == 30
    assert took <= SETTLING + CALL


def test_when_the_queue_does_not_answer_the_rest_is_reported_while_there_is_time(world: Deliveries) -> None:
    canceled(world, 100, 500)
    hang = hanging(world)

    def send(messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        with pytest.raises(Unavailable):
            hang()
        return frozenset((message.task_id, message.config_id) for message in messages)

    world.queue.send = send  # type: ignore[method-assign]
    report, took = notified(world)
    assert len(report.failed) == 100
    assert took <= SETTLING + CALL


def test_a_queue_that_raises_fails_the_records_of_its_messages_only(world: Deliveries) -> None:
    good = world.task("good")
    (bad,) = canceled(world, 1, 500)
    world.stack.call("CancelTask", {"id": good})
    world.queue.send = raising(Unavailable())  # type: ignore[method-assign]
    batch = world.batch()
    assert [record.task_id for record in batch] == [bad, good]
    assert world.notify(batch).failed == [batch[0].sequence]


def test_what_was_delivered_is_not_reported_although_the_time_is_over(world: Deliveries) -> None:
    task_id = world.task("good")
    canceled(world, 30, 500)
    world.stack.call("CancelTask", {"id": task_id})
    world.stack.configs.raise_queued = hanging(world)  # type: ignore[method-assign]
    report, _ = notified(world)
    assert report.delivered == 1
    assert len(report.failed) == 30


def test_after_a_hang_nothing_that_arrived_is_sent_again_and_the_rest_is_queued(world: Deliveries) -> None:
    task_id = world.task("a", "b")
    world.sender.answers(url_of("b"), 500)
    world.stack.call("CancelTask", {"id": task_id})
    batch = world.batch()
    raise_queued = world.stack.configs.raise_queued
    world.stack.configs.raise_queued = hanging(world)  # type: ignore[method-assign]
    assert world.notify(batch).failed
    world.stack.configs.raise_queued = raise_queued  # type: ignore[method-assign]
    assert world.notify(batch).failed == []
    assert world.told("a") == ["TASK_STATE_CANCELED"]
    assert [message.config_id for message in world.queue.messages] == ["b"]


def test_configs_of_tasks_that_have_expired_are_removed_for_some_time_only(world: Deliveries) -> None:
    task_ids = [world.task("a") for _ in range(10)]
    for task_id in task_ids:
        world.stack.tasks.remove(task_id)
    world.stack.configs.delete = hanging(world)  # type: ignore[method-assign]
    report, took = notified(world)
    assert len(report.failed) == 10
    assert took <= SETTLING + CALL
