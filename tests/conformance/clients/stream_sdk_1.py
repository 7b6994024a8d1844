"""The official Python SDK 1.3 as a client that streams: python stream_sdk_1.py ENDPOINT VERSION BINDING."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator

import httpx
from a2a.client import ClientConfig
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client
from a2a.client.client_factory import ClientFactory
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import TaskNotFoundError, UnsupportedOperationError


def request(prefix: str = "m", task_id: str = "") -> a2a.SendMessageRequest:
    parts = [a2a.Part(text="hi")]
    message = a2a.Message(message_id=f"{prefix}-{uuid.uuid4()}", role=a2a.ROLE_USER, parts=parts, task_id=task_id)
    return a2a.SendMessageRequest(message=message)


async def collected(events: AsyncIterator[a2a.StreamResponse]) -> list[a2a.StreamResponse]:
    return [event async for event in events]


def kinds(events: list[a2a.StreamResponse]) -> list[str]:
    return [str(event.WhichOneof("payload")) for event in events]


def states(events: list[a2a.StreamResponse]) -> list[int]:
    return [int(event.status_update.status.state) for event in events if event.HasField("status_update")]


async def whole(client: Client) -> None:
    """A sender and a subscriber see the task to its end, with the same events."""
    stream = client.send_message(request())
    first = await anext(stream)
    assert first.WhichOneof("payload") == "task", first
    subscribed = client.subscribe(a2a.SubscribeToTaskRequest(id=first.task.id))
    again = await anext(subscribed)
    assert again.task.id == first.task.id
    mine, theirs = await asyncio.gather(collected(stream), collected(subscribed))
    assert kinds(mine) == ["status_update", "artifact_update", "status_update"], mine
    assert states(mine) == [a2a.TASK_STATE_WORKING, a2a.TASK_STATE_COMPLETED]
    assert mine[1].artifact_update.artifact.parts[0].text == "You said: hi"
    assert theirs == mine[-len(theirs) :]
    assert states(theirs)[-1] == a2a.TASK_STATE_COMPLETED
    for task_id, error in ((first.task.id, UnsupportedOperationError), ("unknown", TaskNotFoundError)):
        try:
            await collected(client.subscribe(a2a.SubscribeToTaskRequest(id=task_id)))
        except error:
            continue
        raise AssertionError(f"no {error.__name__}")


async def turns(client: Client) -> None:
    """A stream ends with a question; the answer opens another one."""
    first, *events = await collected(client.send_message(request("tck-input-required")))
    assert states(events)[-1] == a2a.TASK_STATE_INPUT_REQUIRED
    events = await collected(client.send_message(request("tck-complete-task", first.task.id)))
    assert states(events)[-1] == a2a.TASK_STATE_COMPLETED


async def direct(client: Client) -> None:
    """A direct answer is the only event."""
    (answer,) = await collected(client.send_message(request("tck-message-response")))
    assert answer.message.parts[0].text == "Direct message response"


async def hang_up(client: Client) -> None:
    """Who reads no further stops nothing."""
    stream = client.send_message(request())
    task_id = (await anext(stream)).task.id
    await stream.aclose()  # type: ignore[attr-defined]
    for _ in range(100):
        task = await client.get_task(a2a.GetTaskRequest(id=task_id))
        if task.status.state == a2a.TASK_STATE_COMPLETED:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(task)


async def main(endpoint: str, version: str, binding: str) -> None:
    """All of it."""
    async with httpx.AsyncClient(timeout=40) as http:
        card = await A2ACardResolver(http, endpoint).get_agent_card()
        assert card.capabilities.streaming
        chosen = [
            i for i in card.supported_interfaces if (i.protocol_version, i.protocol_binding) == (version, binding)
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(chosen)
        config = ClientConfig(streaming=True, httpx_client=http, supported_protocol_bindings=[binding])
        client = ClientFactory(config).create(card)
        await whole(client)
        await turns(client)
        await direct(client)
        await hang_up(client)


asyncio.run(main(*sys.argv[1:]))
