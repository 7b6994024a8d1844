"""The official Python SDK 0.3.26 as a client that streams: python stream_sdk_0_3.py ENDPOINT."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
from a2a import types as a2a
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientHTTPError, A2AClientJSONRPCError


def message(prefix: str = "m", **fields: str) -> a2a.Message:
    parts = [a2a.Part(root=a2a.TextPart(text="hi"))]
    return a2a.Message(message_id=f"{prefix}-{uuid.uuid4()}", role=a2a.Role.user, parts=parts, **fields)


async def collected(events: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in events]


async def whole(client: Client) -> str:
    """A sender and a subscriber see the task to its end, with the same events."""
    stream = client.send_message(message())
    task, update = await anext(stream)
    assert (task.status.state, update) == (a2a.TaskState.submitted, None)
    subscribed = client.resubscribe(a2a.TaskIdParams(id=task.id))
    again, _ = await anext(subscribed)
    assert again.id == task.id
    mine, theirs = await asyncio.gather(collected(stream), collected(subscribed))
    updates = [update for _, update in mine]
    assert [update.kind for update in updates] == ["status-update", "artifact-update", "status-update"]
    assert [update.final for update in updates if update.kind == "status-update"] == [False, True]
    assert [update for _, update in theirs] == updates[-len(theirs) :]
    assert mine[-1][0].artifacts[0].parts[0].root.text == "You said: hi"
    return str(task.id)


async def turns(client: Client) -> None:
    """A stream ends with a question; the answer opens another one."""
    *_, (asked, update) = await collected(client.send_message(message("tck-input-required")))
    assert (update.final, update.status.state) == (True, a2a.TaskState.input_required)
    *_, (_, update) = await collected(client.send_message(message("tck-complete-task", task_id=asked.id)))
    assert (update.final, update.status.state) == (True, a2a.TaskState.completed)


async def direct(client: Client) -> None:
    """A direct answer is the only event."""
    (answer,) = await collected(client.send_message(message("tck-message-response")))
    assert answer.parts[0].root.text == "Direct message response"


async def refused(client: Client, ended: str) -> None:
    """The SDK's errors, wherever it looks for them."""
    for task_id, code in ((ended, -32004), ("unknown", -32001)):
        try:
            await collected(client.resubscribe(a2a.TaskIdParams(id=task_id)))
        except A2AClientJSONRPCError as error:
            found = error.error.code
        except A2AClientHTTPError:
            found = -32004  # the SDK takes a refusal that is no stream for an error of HTTP
        else:
            found = None
        assert found == code, (task_id, found)


async def main(endpoint: str) -> None:
    """All of it."""
    async with httpx.AsyncClient(timeout=40) as http:
        card = await A2ACardResolver(http, endpoint).get_agent_card()
        assert card.capabilities.streaming
        client = ClientFactory(ClientConfig(streaming=True, httpx_client=http)).create(card)
        ended = await whole(client)
        await turns(client)
        await direct(client)
        await refused(client, ended)


asyncio.run(main(sys.argv[1]))
