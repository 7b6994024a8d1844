"""An invocation that dies at any of its writes, and the one that comes after it.

A crash is before the write (nobody saw it) or after it (the table has it, the process never learned). Either way the
next invocation goes on, each status and artifact is there once, and no generation is used twice.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from agents import asking, named
from harness import Options
from memory_stack import MemoryStack
from scripted import Crash

import push_agent
from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.testing.memory import MemoryTasks


class DyingTasks(MemoryTasks):
    """A table whose writer dies at the n-th write, before or after it is made."""

    def __init__(self, at: int, when: str, error: type[BaseException]) -> None:
        super().__init__()
        self._at, self._when, self._error = at, when, error
        self._writes = 0
        self.died = False

    def update(self, record: TaskRecord) -> None:
        self._writes += 1
        now = self._writes == self._at
        if now and self._when == "before":
            self._die()
        super().update(record)
        if now and self._when == "after":
            self._die()

    def _die(self) -> None:
        self.died = True
        raise self._error


def eloquent() -> Agent:
    """Many writes in few steps: statuses, artifacts, a repeated step, memory."""
    agent = named()

    @agent.step
    def talk(task: TaskContext) -> None:
        for number in range(3):
            task.artifact(f"a-{number}", text=str(number))
            task.status(f"talk {number}")

    @agent.step(wait=1)
    def loop(task: TaskContext) -> None:
        task.state["rounds"] = task.state.get("rounds", 0) + 1
        task.artifact("log", text=f"round {task.state['rounds']}", append=task.state["rounds"] > 1)
        task.status(f"round {task.state['rounds']}")
        if task.state["rounds"] < 2:
            task.repeat(wait=1)

    @agent.step
    def quiet(task: TaskContext) -> None:
        task.artifact("last", text="last")

    return agent


AGENTS: dict[str, Callable[[], Agent]] = {"demo": lambda: push_agent.agent, "eloquent": eloquent}


def outcome(stack: MemoryStack, task_id: str) -> tuple[object, ...]:
    """All that a client can see, without moments."""
    task = stack.stored(task_id).task
    return (
        task["status"]["state"],
        task["status"].get("message"),
        task.get("artifacts"),
        task.get("history"),
    )


def work_through_deaths(stack: MemoryStack, task_id: str, error: type[BaseException]) -> None:
    """What the state machine does with an invocation that dies: it invokes again."""
    for _ in range(3):
        try:
            stack.work(task_id)
        except error:
            continue
        return
    raise AssertionError("one death needs one further invocation")


def undisturbed(agent: Agent) -> tuple[MemoryStack, str]:
    stack = MemoryStack(Options(agent=agent))
    task_id: str = stack.send(stack.message(contextId="context"))["id"]
    stack.work(task_id)
    return stack, task_id


def writes_of(agent: Agent) -> int:
    stack, task_id = undisturbed(agent)
    return stack.stored(task_id).generation - 1


CASES = [(name, at) for name, make in AGENTS.items() for at in range(1, writes_of(make()) + 1)]


@pytest.mark.parametrize("error", [Crash, Unavailable])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("name", "at"), CASES)
def test_a_death_at_any_write_loses_nothing_and_repeats_nothing(
    name: str, at: int, when: str, error: type[BaseException]
) -> None:
    expected, expected_id = undisturbed(AGENTS[name]())
    tasks = DyingTasks(at, when, error)
    stack = MemoryStack(Options(agent=AGENTS[name]()), tasks)
    task_id = stack.send(stack.message(contextId="context"))["id"]
    work_through_deaths(stack, task_id, error)
    assert tasks.died
    assert task_id == expected_id
    assert outcome(stack, task_id) == outcome(expected, expected_id)
    generations = [new.generation for _, new in tasks.images if new is not None]
    assert generations == list(range(1, len(generations) + 1)), "no generation is left out or used twice"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_death_around_a_question_asks_it_once(when: str, at: int) -> None:
    tasks = DyingTasks(at, when, Crash)
    stack = MemoryStack(Options(agent=asking()), tasks)
    task_id = stack.send(stack.message("colour"))["id"]
    answer = stack.message("red", taskId=task_id)
    for _ in range(4):
        try:
            if stack.work(task_id) == {"next": "input"}:
                stack.send(answer)
        except Crash:
            continue
    status = stack.stored(task_id).task["status"]
    assert (status["state"], status["message"]["parts"]) == ("TASK_STATE_COMPLETED", [{"text": "colour: red"}])
    history = [message["parts"][0]["text"] for message in stack.stored(task_id).task["history"]]
    assert history == ["colour", "Which one?", "red"]
