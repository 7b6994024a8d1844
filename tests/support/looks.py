"""Tasks that change at their own moments while a stream sleeps, and how often the stream looks at them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from harness import Options
from memory_stack import MemoryStack
from watching import read

from a2a_lambda.core.lifecycle import agent_message, with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.ports import Glimpse


def idle(stack: MemoryStack | None = None) -> tuple[MemoryStack, str]:
    """A task that works and at which nothing happens."""
    stack = stack or MemoryStack(Options(streaming=True))
    task_id = stack.send()["id"]
    write(stack, task_id, TaskState.WORKING)
    return stack, task_id


def write(stack: MemoryStack, task_id: str, state: TaskState, text: str = "") -> None:
    """The agent's next write."""
    record = stack.stored(task_id)
    message = agent_message(record.task, f"a{record.generation}", [{"text": text}]) if text else None
    stack.tasks.update(record.next(with_status(record.task, state, stack.time(), message)))


def every(stack: MemoryStack, seconds: float, do: Callable[[], object]) -> None:
    """Something happens in intervals, at its own moments, while a stream sleeps."""
    due = [stack.time() + timedelta(seconds=seconds)]

    def happens() -> None:
        woken = stack.time.now
        while due[0] <= woken:
            stack.time.now = due[0]
            do()
            due[0] += timedelta(seconds=seconds)
        stack.time.now = woken

    stack.time.on_sleep = happens


def peeks(stack: MemoryStack, look: Callable[[str], Glimpse | None] | None = None) -> list[str]:
    """The looks from now on. ``look`` takes the place of the store's."""
    made: list[str] = []
    real = look or stack.tasks.peek

    def counted(task_id: str) -> Glimpse | None:
        made.append(task_id)
        return real(task_id)

    stack.tasks.peek = counted  # type: ignore[method-assign]
    return made


def looks_per_minute(stack: MemoryStack, task_id: str) -> float:
    """Of a stream of this task, until it ends."""
    made = peeks(stack)
    began = stack.time()
    read(stack, "SubscribeToTask", {"id": task_id})
    return len(made) / ((stack.time() - began).total_seconds() / 60)
