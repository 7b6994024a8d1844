"""Tasks of one conversation in each other's way: what each remembers is kept once."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from crash_points import Crash
from harness import Options, Stack
from memory_stack import MemoryStack

from a2a_lambda.agent import Agent
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.testing.memory import MemoryTasks


def agent(*steps: Any, **options: Any) -> Agent:
    made = Agent(name="Remembers", version="1", description="d")
    for number, step in enumerate(steps):
        made.step(name=f"step-{number}", **options)(step)
    return made


def conversation(stack: Stack, text: str) -> str | None:
    """A whole task in the one context; what it says in the end."""
    task_id = stack.send(stack.message(text, contextId="chat"))["id"]
    stack.work(task_id)
    return stack.status_text(task_id)


def test_of_two_tasks_at_once_the_later_one_starts_anew_with_what_the_first_remembered(
    new_stack: Callable[..., Stack],
) -> None:
    others = iter(["b"])
    tries: list[str] = []

    def step(task: Any) -> None:
        tries.append(task.text)
        said = task.memory.setdefault("said", [])
        said.append(task.text)
        if task.text == "a":
            for text in others:
                assert conversation(stack, text) == text
        task.complete(" ".join(said))

    stack = new_stack(agent=agent(step, rerun="restart"))
    assert conversation(stack, "a") == "b a"
    assert tries == ["a", "b", "a"]
    assert conversation(stack, "c") == "b a c"


def test_a_task_that_only_reads_is_never_run_again_for_it(new_stack: Callable[..., Stack]) -> None:
    tries: list[str] = []

    def step(task: Any) -> None:
        tries.append(task.text)
        if task.text == "reads":
            found = dict(task.memory)
            conversation(stack, "writes")
            task.complete(str(found))
        else:
            task.memory["n"] = 1

    stack = new_stack(agent=agent(step))
    assert conversation(stack, "reads") == "{}"
    assert tries == ["reads", "writes"]


def test_a_task_that_is_canceled_before_its_run_ends_remembers_nothing(new_stack: Callable[..., Stack]) -> None:
    def step(task: Any) -> None:
        task.memory["n"] = 1
        if task.text == "cancel me":
            stack.call("CancelTask", {"id": task.id})
        task.complete(str(task.memory))

    stack = new_stack(agent=agent(step))
    conversation(stack, "cancel me")

    def look(task: Any) -> None:
        task.complete(str(task.memory))

    stack = new_stack(agent=agent(look))
    assert conversation(stack, "look") == "{}"


def test_a_message_that_comes_while_the_run_ends_is_kept_and_so_is_the_memory(new_stack: Callable[..., Stack]) -> None:
    def step(task: Any) -> None:
        task.memory.setdefault("said", []).append(task.text)
        stack.send(stack.message("more", taskId=task.id))
        task.complete()

    stack = new_stack(agent=agent(step))
    task_id = stack.send(stack.message("a", contextId="chat"))["id"]
    stack.work(task_id)
    assert [message["parts"][0]["text"] for message in stack.stored(task_id).task["history"]] == ["a", "more"]
    assert stack.state(task_id) == "completed"


class OftenDying(MemoryTasks):
    """Dies before or after writes by chance, twenty times at most."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random, self._left = random, 20

    def update(self, record: TaskRecord) -> None:
        chance = self._random.random() if self._left else 1.0
        self._left -= chance < 0.3
        if chance < 0.15:
            raise Crash
        super().update(record)
        if chance < 0.3:
            raise Crash


@pytest.mark.parametrize("seed", range(100))
@pytest.mark.parametrize("rerun", ["skip", "restart"])
def test_of_many_tasks_in_each_others_way_each_is_remembered_once_however_often_functions_die(
    seed: int, rerun: Any
) -> None:
    random, running = Random(seed), [0]
    waiting: list[str] = []

    def first(task: Any) -> None:
        task.memory.setdefault("said", []).append(f"{task.text} begins")
        others()
        task.status("Noted.")

    def second(task: Any) -> None:
        said = task.memory["said"]
        others()
        said.append(f"{task.text} ends")
        task.complete()

    def others() -> None:
        """Other functions work on other tasks, in the middle of a step."""
        while waiting and running[0] < 4 and random.random() < 0.5:
            work(waiting.pop(random.randrange(len(waiting))))

    def work(task_id: str) -> None:
        running[0] += 1
        try:
            stack.work(task_id)
        except Crash:
            waiting.append(task_id)
        finally:
            running[0] -= 1

    stack = MemoryStack(Options(agent=agent(first, second, rerun=rerun)), OftenDying(random))
    waiting += [stack.send(stack.message(f"{number}", contextId="chat"))["id"] for number in range(6)]
    while waiting:
        work(waiting.pop(0))
    (remembered,) = stack.contexts.items.values()
    assert sorted(remembered.content["said"]) == sorted(
        f"{number} {what}" for number in range(6) for what in ("begins", "ends")
    )
    for number in range(6):
        said = remembered.content["said"]
        assert said.index(f"{number} begins") < said.index(f"{number} ends")
