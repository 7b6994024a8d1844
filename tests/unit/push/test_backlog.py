"""What waits for one config and for one owner is bounded: what goes over is a dead letter at once."""

from __future__ import annotations

import pytest
from callers import ALICE, BOB
from deliveries import Deliveries, raising, url_of

from a2a_lambda.core.ports import Unavailable
from a2a_lambda.push.backlog import FULL, PER_CONFIG, PER_OWNER, Backlog
from a2a_lambda.push.delivery_status import delivery_status
from a2a_lambda.testing.memory import MemoryWaitingCounts

SQS_LOOKS_AT = 120_000


@pytest.fixture
def counts() -> MemoryWaitingCounts:
    return MemoryWaitingCounts()


@pytest.fixture
def world(world: Deliveries, counts: MemoryWaitingCounts) -> Deliveries:
    bounded(world, counts)
    return world


def bounded(world: Deliveries, counts: MemoryWaitingCounts, **limits: int) -> None:
    world.notifier = world.new_notifier(backlog=Backlog(counts, world.dead_letters, **limits))


def failing_task(world: Deliveries, *names: str) -> str:
    """A task with a dead webhook for each name, done and not yet told."""
    task_id = world.task(*names)
    for name in names:
        world.sender.answers(url_of(name), 500)
    world.stack.work(task_id)
    return task_id


def letters(world: Deliveries) -> list[tuple[int, int]]:
    """Generation and place of the dead letters, in the order in which they were sent."""
    return [(message.generation, message.n) for message, reason in world.dead_letters.messages if reason == FULL]


def test_one_owner_cannot_fill_what_sqs_looks_at(world: Deliveries, counts: MemoryWaitingCounts) -> None:
    for _ in range(40):
        failing_task(world, *(f"w{number}" for number in range(20)))
        world.notify()
    assert len(world.queue.messages) <= PER_OWNER <= SQS_LOOKS_AT // 20
    assert len(world.queue.messages) == counts.of(ALICE.owner)
    assert len(letters(world)) + len(world.queue.messages) == 40 * 20 * 8


def test_another_owner_s_events_wait_all_the_same(world: Deliveries, counts: MemoryWaitingCounts) -> None:
    bounded(world, counts, per_owner=10)
    failing_task(world, "a", "b", "c")
    task_id = world.stack.send(caller=BOB)["id"]
    world.stack.register(task_id, url_of("bob"), id="bob", caller=BOB)
    world.sender.answers(url_of("bob"), 500)
    world.stack.call("CancelTask", {"id": task_id}, caller=BOB)
    world.notify()
    assert [message.config_id for message in world.queue.messages].count("bob") == 1
    assert sum(message.config_id != "bob" for message in world.queue.messages) <= 10


def test_what_is_too_much_is_given_up_in_order_after_what_waits_and_its_config_says_so(
    world: Deliveries, counts: MemoryWaitingCounts
) -> None:
    bounded(world, counts, per_owner=3)
    task_id = failing_task(world, "a")
    report = world.notify()
    waiting = [(message.generation, message.n) for message in world.queue.messages]
    assert report.dead == len(letters(world)) > 0
    assert waiting + letters(world) == sorted(waiting + letters(world))
    assert len(waiting) <= 3
    assert world.queue.messages[-1].last, "a generation is not divided: its end could never be settled"
    config = world.config(task_id, "a")
    assert (config.dead_letters, config.queued_through) == (report.dead, world.queue.messages[-1].generation)
    assert delivery_status(config)["lastError"] in (FULL, "status 500")


def test_what_waits_is_delivered_though_more_was_given_up(world: Deliveries, counts: MemoryWaitingCounts) -> None:
    bounded(world, counts, per_owner=3)
    task_id = failing_task(world, "a")
    world.notify()
    world.sender.answers(url_of("a"), 200)
    redeliverer = world.redeliverer(counts=counts)
    world.stack.time.sleep(100)
    for message in world.queue.messages:
        assert redeliverer.redeliver(message).result == "delivered"
    assert not world.config(task_id, "a").backlogged
    assert counts.of(ALICE.owner) == 0


def test_without_room_for_anything_the_event_is_given_up_and_the_next_one_tried(
    world: Deliveries, counts: MemoryWaitingCounts
) -> None:
    bounded(world, counts, per_owner=0)
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500)
    world.stack.call("CancelTask", {"id": task_id})
    report = world.notify()
    assert (report.queued, report.dead) == (0, 1)
    assert not world.config(task_id, "a").backlogged


def test_a_config_has_no_more_than_its_generations(world: Deliveries, counts: MemoryWaitingCounts) -> None:
    bounded(world, counts, per_config=2)
    failing_task(world, "a")
    world.notify()
    assert len({message.generation for message in world.queue.messages}) == 2
    assert PER_CONFIG * 20 < SQS_LOOKS_AT


def test_a_batch_that_comes_again_is_counted_once_and_nothing_of_it_is_given_up(
    world: Deliveries, counts: MemoryWaitingCounts
) -> None:
    bounded(world, counts, per_owner=8)
    failing_task(world, "a")
    batch = world.batch()
    for _ in range(3):
        world.notify(batch)
    assert (counts.of(ALICE.owner), letters(world)) == (len(world.queue.messages), [])


def test_what_could_not_be_queued_is_not_counted(world: Deliveries, counts: MemoryWaitingCounts) -> None:
    failing_task(world, "a", "b")
    world.queue.refused = {"b"}
    world.notify()
    assert counts.of(ALICE.owner) == sum(message.config_id == "a" for message in world.queue.messages)


@pytest.mark.parametrize("result", ["delivered", "dropped", "dead"])
def test_each_message_that_leaves_the_queue_makes_room(
    world: Deliveries, counts: MemoryWaitingCounts, result: str
) -> None:
    task_id = failing_task(world, "a")
    world.notify()
    before = counts.of(ALICE.owner)
    message = world.queue.messages[0]
    world.stack.time.sleep(100)
    world.sender.answers(url_of("a"), 413 if result == "dead" else 200)
    if result == "dropped":
        world.stack.configs.delete(world.config(task_id, "a"))
    assert world.redeliver(message, counts=counts).result == result
    assert counts.of(ALICE.owner) == before - 1


def test_a_message_whose_leave_cannot_be_counted_stays_and_is_not_sent_again(
    world: Deliveries, counts: MemoryWaitingCounts
) -> None:
    failing_task(world, "a")
    world.notify()
    world.stack.time.sleep(100)
    world.sender.answers(url_of("a"), 200)
    redeliverer, change = world.redeliverer(counts=counts), counts.change
    posts = len(world.sender.posts)
    counts.change = raising(Unavailable())  # type: ignore[method-assign]
    assert redeliverer.redeliver(world.queue.messages[0]).result == "deferred"
    counts.change = change  # type: ignore[method-assign]
    assert redeliverer.redeliver(world.queue.messages[0]).delay is None
    assert len(world.sender.posts) == posts + 1


def test_when_nobody_knows_how_many_wait_the_records_come_again(world: Deliveries, counts: MemoryWaitingCounts) -> None:
    failing_task(world, "a")
    counts.of = raising(Unavailable())  # type: ignore[method-assign]
    batch = world.batch()
    report = world.notify(batch)
    assert report.failed
    assert world.queue.messages == world.dead_letters.messages == []


def test_when_what_is_too_much_cannot_be_given_up_the_records_come_again_and_nothing_overtakes(
    world: Deliveries, counts: MemoryWaitingCounts
) -> None:
    bounded(world, counts, per_owner=0)
    failing_task(world, "a")
    world.dead_letters.send_all = raising(Unavailable())  # type: ignore[method-assign]
    assert world.notify().failed


def test_a_healthy_webhook_is_never_asked_for(world: Deliveries, counts: MemoryWaitingCounts) -> None:
    counts.of = counts.change = raising(AssertionError())  # type: ignore[method-assign]
    task_id = world.task("a")
    world.stack.work(task_id)
    assert world.notify().delivered == 8
