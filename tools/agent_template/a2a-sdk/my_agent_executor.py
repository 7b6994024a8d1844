"""The executor: what you have, or what you write for a2a-sdk. `model` is where yours is called."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.tasks import TaskUpdater


async def model(question: str) -> AsyncIterator[str]:
    """A stand-in for a model, which says its answer word by word."""
    for word in f"It is sunny in {question}.".split():
        yield f"{word} "


class MyAgentExecutor(AgentExecutor):
    async def execute(self, context: Any, event_queue: Any) -> None:
        task = context.current_task
        if task is None:
            task = new_task_from_user_message(context.message)
            await event_queue.enqueue_event(task)
        updater = TaskUpdater(event_queue, task.id, task.context_id)
        question = context.get_user_input().strip()
        if not question:
            await updater.requires_input(new_text_message("Of which city?"))
            return
        await updater.start_work(new_text_message("Looking out of the window."))
        artifact_id, begun = str(uuid4()), False
        async for piece in model(question):
            await updater.add_artifact([new_text_part(piece)], artifact_id, "answer", append=begun, last_chunk=False)
            begun = True
        await updater.complete()

    async def cancel(self, context: Any, event_queue: Any) -> None:
        """Nothing to do: the stack stops `execute`, and the task is canceled already."""
