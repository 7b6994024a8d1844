"""Executors as people write them for the official SDK, in the shapes of its public samples, for both of its lines."""

from __future__ import annotations

import asyncio
import importlib.metadata
import itertools
from typing import Any

from a2a.server.agent_execution import AgentExecutor
from a2a.server.tasks import TaskUpdater

from a2a_lambda.adapters.a2a_sdk import agent_from
from a2a_lambda.agent import Agent

V1 = importlib.metadata.version("a2a-sdk").startswith("1.")

if V1:
    from a2a.helpers import new_task_from_user_message as new_task
    from a2a.helpers import new_text_message as text_message
    from a2a.types import Artifact, Part, Task, TaskState, TaskStatus, TaskStatusUpdateEvent
    from google.protobuf.json_format import ParseDict
    from google.protobuf.struct_pb2 import Value

    WORKING, COMPLETED = TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED
    INPUT_REQUIRED = TaskState.TASK_STATE_INPUT_REQUIRED
    SUBMITTED, CANCELED = TaskState.TASK_STATE_SUBMITTED, TaskState.TASK_STATE_CANCELED

    def text(content: str) -> Part:
        return Part(text=content)

    def data(content: Any) -> Part:
        return Part(data=ParseDict(content, Value()))

    def raw(content: bytes, name: str, media_type: str) -> Part:
        return Part(raw=content, filename=name, media_type=media_type)

    def link(url: str) -> Part:
        return Part(url=url)

else:
    import base64

    from a2a.types import (
        Artifact,
        DataPart,
        FilePart,
        FileWithBytes,
        FileWithUri,
        Part,
        Task,
        TaskState,
        TaskStatus,
        TaskStatusUpdateEvent,
        TextPart,
    )
    from a2a.utils import new_agent_text_message as text_message
    from a2a.utils import new_task

    WORKING, COMPLETED, INPUT_REQUIRED = TaskState.working, TaskState.completed, TaskState.input_required
    SUBMITTED, CANCELED = TaskState.submitted, TaskState.canceled

    def text(content: str) -> Part:
        return Part(root=TextPart(text=content))

    def data(content: Any) -> Part:
        return Part(root=DataPart(data=content))

    def raw(content: bytes, name: str, media_type: str) -> Part:
        encoded = base64.b64encode(content).decode()
        return Part(root=FilePart(file=FileWithBytes(bytes=encoded, name=name, mime_type=media_type)))

    def link(url: str) -> Part:
        return Part(root=FilePart(file=FileWithUri(uri=url)))


class Executor(AgentExecutor):
    """What most samples do on cancellation."""

    async def cancel(self, context: Any, event_queue: Any) -> None:
        raise NotImplementedError("cancel not supported")


async def updater_of(context: Any, queue: Any) -> TaskUpdater:
    """As samples begin: a task that is not known yet is made and enqueued."""
    task = context.current_task
    if task is None:
        task = new_task(context.message)
        await queue.enqueue_event(task)
    return TaskUpdater(queue, task.id, task.context_id)


class HelloWorld(Executor):
    """Says that it works, gives one artifact, is done."""

    async def execute(self, context: Any, event_queue: Any) -> None:
        updater = await updater_of(context, event_queue)
        await updater.start_work()
        await updater.start_work(text_message("Processing request..."))
        await updater.add_artifact([text("Hello, World!")], name="result")
        await updater.complete()


class Currency(Executor):
    """An agent that streams its progress, and asks for what is missing: each event of its model is one update."""

    async def execute(self, context: Any, event_queue: Any) -> None:
        updater = await updater_of(context, event_queue)
        said = context.get_user_input()
        if " to " not in said:
            await updater.update_status(INPUT_REQUIRED, text_message("To which currency?"))
            return
        for step in ("Looking up the exchange rates...", "Processing the exchange rates.."):
            await updater.update_status(WORKING, text_message(step))
        turns = len(context.current_task.history) if context.current_task else 1
        await updater.add_artifact([text(f"{said}: 0.9 ({turns})")], name="conversion_result")
        await updater.complete()


class Chunks(Executor):
    """Streams an artifact under an id that the SDK makes up, and ends it with an empty chunk."""

    async def execute(self, context: Any, event_queue: Any) -> None:
        updater = await updater_of(context, event_queue)
        await updater.start_work(text_message("Thinking"))
        artifact_id = updater._artifact_id_generator.generate(None)
        for number, word in enumerate(context.get_user_input().split()):
            await asyncio.sleep(0)
            await updater.add_artifact([text(f"{word} ")], artifact_id=artifact_id, name="answer", append=number > 0)
        await updater.add_artifact([], artifact_id=artifact_id, append=True, last_chunk=True)
        await updater.complete(text_message("Done"))


class Answers(Executor):
    """Makes no task: its answer is a message."""

    async def execute(self, context: Any, event_queue: Any) -> None:
        await event_queue.enqueue_event(text_message(f"Hi {context.get_user_input()}"))


class Fickle(Executor):
    """A model that never says the same twice: every word has the number of its try."""

    tries = itertools.count(1)

    def __init__(self) -> None:
        self._tries = itertools.count(1)

    async def execute(self, context: Any, event_queue: Any) -> None:
        number = next(self._tries)
        updater = await updater_of(context, event_queue)
        await updater.start_work(text_message("Thinking"))
        artifact_id = updater._artifact_id_generator.generate(None)
        for word in "abc":
            await updater.add_artifact(
                [text(f"{word}{number} ")], artifact_id=artifact_id, name="answer", append=word != "a"
            )
        if number % 2:
            await updater.add_artifact([text(f"d{number} ")], name="only in odd tries")
        await updater.complete(text_message(f"e{number} "))


class Of(Executor):
    """An executor of one function, for a test."""

    def __init__(self, execute: Any, cancel: Any = None) -> None:
        self._execute, self._cancel = execute, cancel

    async def execute(self, context: Any, event_queue: Any) -> None:
        await self._execute(context, event_queue)

    async def cancel(self, context: Any, event_queue: Any) -> None:
        if self._cancel is None:
            raise NotImplementedError
        await self._cancel(context, event_queue)


__all__ = ["Artifact", "Task", "TaskStatus", "TaskStatusUpdateEvent"]


CARD = {"name": "Tested", "version": "1", "description": "d"}


def agent_of(executor: Any, **options: Any) -> Agent:
    return agent_from(executor, card=CARD, **options)
