"""What a client learns of the delivery to its webhook."""

from __future__ import annotations

from collections.abc import Sequence

from deliveries import Deliveries, url_of
from harness import Options
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_stack import MemoryStack
from scripted import header

from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.push.delivery_status import delivery_status


def steady(writes: int) -> Agent:
    agent = Agent(name="Steady", version="1", description="d")

    @agent.step
    def work(task: TaskContext) -> None:
        for number in range(writes):
            task.status(f"{number}")
        task.complete()

    return agent


def test_a_webhook_that_hears_of_everything_at_once_has_no_generation_that_would_be_old(world: Deliveries) -> None:
    task_id = world.task("a")
    world.stack.work(task_id)
    world.notify()
    assert len(world.told("a")) > 3
    status = delivery_status(world.config(task_id, "a"))
    assert (status["state"], "deliveredGeneration" in status) == ("healthy", False)


def test_a_webhook_that_fails_after_eight_deliveries_shows_how_far_it_has_come() -> None:
    world = Deliveries(MemoryStack(Options(agent=steady(9))))
    task_id = world.task("a")
    world.stack.work(task_id)
    for record in (batch := world.batch())[:8]:
        world.notify([record])
    assert batch[8].new is not None
    world.sender.answers(url_of("a"), 500)
    world.notify(batch[8:9])
    status = delivery_status(world.config(task_id, "a"))
    assert (status["state"], status["deliveredGeneration"]) == ("retrying", batch[8].new.generation - 1)


def test_a_webhook_that_has_heard_of_nothing_shows_no_generation(world: Deliveries) -> None:
    task_id = world.task("a")
    world.sender.answers(url_of("a"), 500)
    world.stack.work(task_id)
    world.notify()
    status = delivery_status(world.config(task_id, "a"))
    assert (status["state"], "deliveredGeneration" in status) == ("retrying", False)


ANSWERS = st.sampled_from([200, 200, 200, 500, 413])


@settings(max_examples=60, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=40), st.lists(st.booleans(), min_size=40, max_size=40))
def test_the_delivered_generation_is_right_or_absent(answers: Sequence[int], turns: Sequence[bool]) -> None:
    """The writes of a task, one by one, between later attempts, at a webhook that answers whatever it likes."""
    world = Deliveries(MemoryStack(Options(agent=steady(12))))
    task_id = world.task("a")
    world.stack.work(task_id)
    world.sender.answers(url_of("a"), *answers)
    batch = world.batch()
    delivered = 0
    for turn in turns:
        before = len(world.sender.posts)
        script = [*world.sender.script(url_of("a"))]
        if turn and batch:
            world.notify([batch.pop(0)])
        elif world.queue.messages and world.redeliver(world.queue.messages[0]).delay is None:
            world.queue.messages.pop(0)
        for post, answer in zip(world.sender.posts[before:], [*script, *[script[-1]] * 20], strict=False):
            if answer.status == 200:
                delivered = int(header(post, "webhook-id").split(".")[1])
        world.stack.time.sleep(100_000)
        status = delivery_status(world.config(task_id, "a"))
        shown = status.get("deliveredGeneration")
        assert shown in (None, delivered)
        if status["state"] != "healthy" and delivered:
            assert shown == delivered
