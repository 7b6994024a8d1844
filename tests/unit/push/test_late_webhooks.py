"""Webhooks that are late get no first attempts, and nobody waits for them beyond a budget: whoever owns them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from callers import ALICE, BOB, Caller
from deliveries import Deliveries, url_of

from a2a_lambda.core.lifecycle import with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.push.delivery_status import delivery_status
from a2a_lambda.push.first_attempts import OWNER_SHARE, TOTAL_SHARE
from a2a_lambda.push.outcome import Answer
from a2a_lambda.push.receivers import LATE_WEBHOOKS

HUNG = Answer(error="timeout", seconds=3.0)
FAST = Answer(status=200, seconds=0.02)


def owned(world: Deliveries, url: str, caller: Caller = ALICE, config: str = "a") -> str:
    """A task of the caller with one webhook; its creation is told already."""
    task_id: str = world.stack.send(caller=caller)["id"]
    world.stack.register(task_id, url, id=config, caller=caller)
    world.batch()
    return task_id


def cancel(world: Deliveries, task_id: str, caller: Caller = ALICE) -> None:
    world.stack.call("CancelTask", {"id": task_id}, caller=caller)


def go_on(world: Deliveries, task_id: str) -> None:
    """The task changes, and does not end."""
    record = world.stack.tasks.get(task_id)
    assert record is not None
    world.stack.time.sleep(0.01)
    world.stack.tasks.update(record.next(with_status(record.task, TaskState.WORKING, world.stack.time.now)))


def batch_seconds(world: Deliveries) -> float:
    """How long the shard waits for a batch of what is new."""
    before = world.stack.time.now
    world.notify()
    return (world.stack.time.now - before).total_seconds()


def attempts_at(world: Deliveries, url: str) -> int:
    return world.sender.urls().count(url)


# -------------------------------------------------------------------------------------------------- the webhook is late


def test_a_webhook_that_hung_gets_no_first_attempt_for_a_minute(world: Deliveries) -> None:
    first, second, third = world.task("a"), world.task("a"), world.task("a")
    world.sender.answers(url_of("a"), HUNG)
    cancel(world, first)
    world.notify()
    assert len(world.sender.posts) == 1
    cancel(world, second)
    assert world.notify().queued == 1
    assert len(world.sender.posts) == 1
    world.stack.time.sleep(61)
    world.sender.answers(url_of("a"), 200)
    cancel(world, third)
    assert world.notify().delivered == 1


@pytest.mark.parametrize("status", [200, 204, 410, 503])
def test_a_webhook_that_answers_after_1_45_s_is_late_whatever_it_says(world: Deliveries, status: int) -> None:
    first, second = world.task("a"), world.task("a")
    world.sender.answers(url_of("a"), Answer(status=status, seconds=1.45))
    for task_id in (first, second):
        cancel(world, task_id)
        report = world.notify()
    assert (len(world.sender.posts), report.queued) == (1, 1)


@pytest.mark.parametrize("seconds", [0.35, 0.5, 0.9, 1.45, 2.0, 2.9, 3.0])
def test_a_shard_waits_for_a_late_webhook_no_longer_than_its_owner_s_budget(world: Deliveries, seconds: float) -> None:
    world.sender.answers(url_of("a"), Answer(status=200, seconds=seconds))
    waited = 0.0
    for _ in range(50):
        cancel(world, world.task("a"))
        waited += batch_seconds(world)
        world.stack.time.sleep(5)
    assert waited <= 3.0 + OWNER_SHARE * 250 + 0.3 * 50 / 4


def test_a_webhook_that_once_answers_slowly_stays_prompt(world: Deliveries) -> None:
    world.sender.answers(url_of("a"), FAST, FAST, Answer(status=200, seconds=0.39), FAST)
    for _ in range(5):
        cancel(world, world.task("a"))
        assert world.notify().delivered == 1


def test_where_every_webhook_takes_its_time_that_is_prompt(world: Deliveries) -> None:
    for number in range(64):
        name = f"w{number % 8}"
        world.sender.answers(url_of(name), Answer(status=200, seconds=0.28))
        cancel(world, world.task(name))
        assert world.notify().delivered == 1
    world.sender.answers(url_of("w1"), Answer(status=200, seconds=0.7))
    for _ in range(5):
        cancel(world, world.task("w1"))
        assert world.notify().delivered == 1


def test_a_webhook_that_refuses_at_once_is_not_late(world: Deliveries) -> None:
    first, second = world.task("a"), world.task("a")
    world.sender.answers(url_of("a"), 500, 200)
    for task_id in (first, second):
        cancel(world, task_id)
        world.notify()
    assert len(world.sender.posts) == 2


def test_a_webhook_that_only_came_late_in_a_long_lane_is_not_late(world: Deliveries) -> None:
    first, second = world.task("a"), world.task("a")
    world.sender.answers(url_of("a"), Answer(error="timeout", seconds=0.2), 200)
    for task_id in (first, second):
        cancel(world, task_id)
        world.notify()
    assert len(world.sender.posts) == 2


def test_a_webhook_that_was_late_is_not_tried_for_less_time_than_it_needed(world: Deliveries) -> None:
    # An attempt that is cut off may have arrived: it would be a repetition.
    world.sender.answers(url_of("a"), Answer(status=200, seconds=1.45))
    for _ in range(20):
        cancel(world, world.task("a"))
        world.notify()
        world.stack.time.sleep(61)
    assert all(allowed >= 1.45 for allowed in world.sender.allowed)
    assert all(message.config_id == "a" for message in world.queue.messages)


# ------------------------------------------------------------------------------------- first the webhook, then the host


def test_a_webhook_on_the_host_of_one_that_hangs_is_tried(world: Deliveries) -> None:
    world.sender.answers(url_of("hangs"), HUNG)
    for _ in range(3):
        cancel(world, world.task("hangs"))
        world.notify()
    cancel(world, world.task("works"))
    assert world.notify().delivered == 1


def test_when_several_webhooks_of_a_host_hang_the_host_is_late_and_says_until_when(world: Deliveries) -> None:
    cancel(world, world.task("works"))
    assert world.notify().delivered == 1
    for number in range(LATE_WEBHOOKS):
        world.sender.answers(url_of(f"hangs{number}"), HUNG)
        cancel(world, world.task(f"hangs{number}"))
        world.notify()
    task_id = world.task("works")
    cancel(world, task_id)
    report = world.notify()
    assert (report.delivered, report.queued) == (0, 1)
    (held,) = report.held
    assert (held.config_id, held.reason) == ("works", "host")
    assert world.stack.time.now < held.until <= world.stack.time.now + timedelta(seconds=60)
    status = delivery_status(world.config(task_id, "works"))
    assert status["waitingFor"] == "host"
    assert "waitingUntil" in status


def test_nobody_else_is_held_for_an_owner_whose_webhook_on_the_same_host_hung(world: Deliveries) -> None:
    alice, bob = owned(world, url_of("alice"), ALICE), owned(world, url_of("bob"), BOB)
    world.sender.answers(url_of("alice"), HUNG)
    cancel(world, alice, ALICE)
    world.notify()
    cancel(world, bob, BOB)
    assert world.notify().delivered == 1
    assert world.told("bob") == ["TASK_STATE_CANCELED"]


def test_what_waits_says_so_until_it_was_delivered(world: Deliveries) -> None:
    world.sender.answers(url_of("a"), HUNG)
    cancel(world, world.task("a"))
    world.notify()
    task_id = world.task("a")
    cancel(world, task_id)
    world.notify()
    assert delivery_status(world.config(task_id, "a"))["waitingFor"] == "webhook"
    world.sender.answers(url_of("a"), 200)
    assert world.redeliver(world.queue.messages[-1]).result == "delivered"
    assert "waitingFor" not in delivery_status(world.config(task_id, "a"))


# ------------------------------------------------------------------------------------------- new ones come for ever


def attack(world: Deliveries, number: int, caller: Caller, seconds: float = 3.0) -> str:
    """The next webhook that hangs, on a host of its own."""
    url = f"https://h{number}.evil.example.com/"
    world.sender.answers(url, Answer(error="timeout", seconds=seconds))
    return owned(world, url, caller, "b")


@pytest.mark.parametrize("owners", [1, 3, 200])
def test_new_hosts_that_hang_take_a_small_share_of_the_time_however_many_come(world: Deliveries, owners: int) -> None:
    good = "https://hooks.example.com/good"
    world.sender.answers(good, FAST)
    healthy = [owned(world, good) for _ in range(401)]
    cancel(world, healthy.pop())
    world.notify()
    start, waited, longest = world.stack.time.now, 0.0, 0
    for number, task_id in enumerate(healthy):
        bad_caller = Caller(f"bob{number % owners}")
        bad = attack(world, number, bad_caller)
        cancel(world, bad, bad_caller)
        cancel(world, task_id)
        seconds = batch_seconds(world)
        waited += seconds
        longest += seconds > 0.1
        world.stack.time.sleep(0.5)
    passed = (world.stack.time.now - start).total_seconds()
    assert attempts_at(world, good) == 401
    assert waited - 400 * 0.02 <= 1.5 * 3.0 + TOTAL_SHARE * passed
    assert longest <= 10


def test_hosts_that_answer_once_and_then_hang_cost_no_more_than_the_budget_and_a_moment_each(
    world: Deliveries,
) -> None:
    stock = [f"https://h{number}.evil.example.com/" for number in range(60)]
    for url in stock:
        world.sender.answers(url, FAST, HUNG)
    for url in stock:  # all of them become known as prompt
        cancel(world, owned(world, url, BOB), BOB)
        world.notify()
    waited = 0.0
    for url in stock:
        cancel(world, owned(world, url, BOB), BOB)
        waited += batch_seconds(world)
    assert waited <= 2 * 3.0 + 60 * 0.7
    for url in stock:  # and once only
        cancel(world, owned(world, url, BOB), BOB)
        waited -= batch_seconds(world)
    assert attempts_at(world, stock[0]) == 2


def test_400_hanging_webhooks_of_one_owner_take_nothing_from_another(world: Deliveries) -> None:
    bad = [f"https://h{number}.evil.example.com/" for number in range(400)]
    for place in range(20):
        task_id = world.stack.send(caller=BOB)["id"]
        for url in bad[20 * place : 20 * place + 20]:
            world.sender.answers(url, HUNG)
            world.stack.register(task_id, url, id=f"b{url[9:12]}", caller=BOB)
        cancel(world, task_id, BOB)
    for _ in range(10):
        world.sender.answers("https://hooks.example.com/good", FAST)
        task_id = world.stack.send(caller=ALICE)["id"]
        world.stack.register(task_id, "https://hooks.example.com/good", id="a", caller=ALICE)
        cancel(world, task_id, ALICE)
    report = world.notify()
    assert report.delivered >= 10
    assert all(message.config_id != "a" for message in world.queue.messages)


def test_of_a_receiver_that_is_not_known_one_webhook_is_tried_and_the_others_follow_its_answer(
    world: Deliveries,
) -> None:
    good, bad = world.task(*(f"g{n}" for n in range(5))), owned(world, "https://bad.example.com/0", ALICE, "b0")
    for number in range(5):
        world.stack.register(bad, f"https://bad.example.com/{number}", id=f"b{number}")
        world.sender.answers(f"https://bad.example.com/{number}", HUNG)
    for task_id in (good, bad):
        cancel(world, task_id)
    report = world.notify()
    assert report.delivered == 5
    assert sum(url.startswith("https://bad") for url in world.sender.urls()) == 1
    assert len(world.queue.messages) == 5


def test_while_the_budget_is_spent_new_receivers_get_their_events_by_the_queue_and_it_says_so(
    world: Deliveries,
) -> None:
    for number in range(10):
        cancel(world, attack(world, number, ALICE))
        world.notify()
    task_id = owned(world, "https://new.example.com/")
    cancel(world, task_id)
    report = world.notify()
    assert (report.delivered, [held.reason for held in report.held]) == (0, ["turn"])
    held, message = report.held[0], world.queue.messages[-1]
    assert delivery_status(world.config(task_id, "a"))["waitingFor"] == "turn"
    assert world.redeliver(message).result == "delivered"
    world.stack.time.sleep((held.until - world.stack.time.now).total_seconds() + 1)
    cancel(world, owned(world, "https://new.example.com/"))
    assert world.notify().delivered == 1


def test_a_new_environment_under_an_attack_gets_to_know_the_webhooks_that_acknowledged_before(
    world: Deliveries,
) -> None:
    good = [f"https://good{number}.example.com/" for number in range(20)]
    tasks = [world.stack.send()["id"] for _ in good]
    world.batch()
    for task_id, url in zip(tasks, good, strict=True):
        world.stack.register(task_id, url, id="a")
        world.sender.answers(url, FAST)
        go_on(world, task_id)
    assert world.notify().delivered == 20
    world.notifier = world.new_notifier()
    for number in range(30):  # strangers have spent their budget before it sees any of the others
        cancel(world, attack(world, number, ALICE))
        world.notify()
    for task_id in tasks:
        cancel(world, task_id)
    report = world.notify()
    assert (report.delivered, report.queued) == (20, 0)


def test_what_redelivery_delivered_makes_a_webhook_known_to_a_new_environment(world: Deliveries) -> None:
    for number in range(10):
        cancel(world, attack(world, number, ALICE))
        world.notify()
    task_id = world.stack.send()["id"]
    world.batch()
    world.stack.register(task_id, "https://new.example.com/", id="a")
    world.sender.answers("https://new.example.com/", FAST)
    go_on(world, task_id)
    assert world.notify().delivered == 0
    for message in [message for message in world.queue.messages if message.task_id == task_id]:
        assert world.redeliver(message).result == "delivered"
    cancel(world, task_id)
    assert world.notify().delivered == 1


def test_webhooks_that_answer_once_cannot_spend_the_budget_of_others_for_ever(world: Deliveries) -> None:
    waited, start = 0.0, world.stack.time.now
    for number in range(200):
        url = f"https://h{number}.evil.example.com/"
        world.sender.answers(url, HUNG)
        task_id = world.stack.send(caller=BOB)["id"]
        world.stack.register(task_id, url, id="b", caller=BOB)
        go_on(world, task_id)  # and somebody else's environment had its answer
        world.batch()
        cancel(world, task_id, BOB)
        waited += batch_seconds(world)
        world.stack.time.sleep(1)
    passed = (world.stack.time.now - start).total_seconds()
    assert waited <= 2 * (3.0 + OWNER_SHARE * passed) + 1
