"""Express may run two executions of a task at once, and nobody hears of their ends: over all orders of their calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from race_world import ORDERS, World, chooser, talkative

from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.agent.caretaker import OVER, STARTED
from a2a_lambda.agent.express import Express
from a2a_lambda.core.model import TaskState


class Watched:
    """The caretaker's queue: what is sent there is of no interest here."""

    def later(self, task_id: str, seconds: float) -> None:
        """Nothing."""


def execution(world: World) -> Callable[[], None]:
    """A whole Express execution: the executor until it is done, then nothing. Nobody stops it, and others may run."""

    def run() -> None:
        while world.executor.run(world.task_id, lambda: 60_000)["next"] == "step":
            pass

    return run


@ORDERS
@given(data=st.data(), canceled=st.booleans(), over=st.booleans())
def test_two_express_executions_of_a_task_write_everything_once_whoever_ends_it(data, canceled, over):
    world = World(chooser(data), talkative())
    world.executor = replace(world.executor, express=Express())
    late = timedelta(seconds=OVER if over else STARTED)
    caretaker = replace(world.caretaker, watch=Watched(), clock=lambda: world.record.created_at + late)
    actors: dict[str, Callable[[], object]] = {"first": execution(world), "second": execution(world)}
    actors["caretaker"] = lambda: caretaker.look_after(world.task_id)

    world.order.run({**actors, **({"cancel": world.cancel} if canceled else {})})

    ends = (
        {TaskState.COMPLETED} | ({TaskState.CANCELED} if canceled else set()) | ({TaskState.FAILED} if over else set())
    )
    assert world.record.state in ends
    said = [text for text in world.texts if text in ("0", "1", "2", "done")]
    assert said == ["0", "1", "2", "done"][: len(said)]
    assert (world.record.state is TaskState.COMPLETED) == (said[-1:] == ["done"])
    world.assert_sound()
    assert world.run() == {"next": "done"}


@ORDERS
@given(data=st.data())
def test_effects_outside_the_task_may_happen_twice_at_once_but_under_one_key(data):
    agent = Agent(name="Pays", version="1", description="d")
    paid: list[str] = []

    @agent.step
    def pay(task: TaskContext) -> None:
        paid.append(task.idempotency_key)
        world.order.checkpoint()
        task.complete("paid")

    world = World(chooser(data), agent)
    world.executor = replace(world.executor, express=Express())
    world.order.run({"first": execution(world), "second": execution(world)})

    assert len(set(paid)) == 1
    assert world.texts == ["paid"]
