"""A task whose agent writes all the time."""

from __future__ import annotations

from collections.abc import Callable

from memory_stack import MemoryStack

from a2a_lambda.core.lifecycle import with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import TaskRecord


def busy(stack: MemoryStack, seconds: float) -> Callable[[], int]:
    """For so long a chunk is written between whoever reads a task and writes it. Answers how many were."""
    until = stack.time.now.timestamp() + seconds
    get, chunks = stack.tasks.get, []

    def read(task_id: str) -> TaskRecord | None:
        record = get(task_id)
        if record is not None and not record.terminal and stack.time.now.timestamp() < until:
            chunks.append(task_id)
            stack.tasks.update(record.next(with_status(record.task, TaskState.WORKING, stack.time.now)))
        return record

    stack.tasks.get = read  # type: ignore[method-assign]
    return lambda: len(chunks)
