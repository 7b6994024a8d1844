"""The official Python SDK 0.3.26 as a client: python sdk_0_3.py ENDPOINT. Fails with a traceback."""

from __future__ import annotations

import asyncio
import sys
import uuid

import httpx
from a2a import types as a2a
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientJSONRPCError
from webhooks import Webhooks

ORDER = [a2a.TaskState.submitted, a2a.TaskState.working, a2a.TaskState.completed]


def message(prefix: str = "m", **fields: str) -> a2a.Message:
    """A message with a part of each kind."""
    file = a2a.FileWithUri(uri="https://example.com/a.txt", mime_type="text/plain")
    parts = [a2a.TextPart(text="hi"), a2a.DataPart(data={"a": 1}), a2a.FilePart(file=file)]
    return a2a.Message(
        message_id=f"{prefix}-{uuid.uuid4()}",
        role=a2a.Role.user,
        parts=[a2a.Part(root=part) for part in parts],
        **fields,
    )


async def send(client: Client, sent: a2a.Message) -> a2a.Task:
    """Start a task, or go on with one."""
    (answer,) = [event async for event in client.send_message(sent)]
    assert isinstance(answer, tuple)
    return answer[0]


async def push(http: httpx.AsyncClient, card: a2a.AgentCard) -> None:
    """An inline config hears of the task until its end: a bare task each time."""
    with Webhooks() as webhooks:
        config = a2a.PushNotificationConfig(url=webhooks.url, token="token")
        options = ClientConfig(streaming=False, polling=True, httpx_client=http, push_notification_configs=[config])
        client = ClientFactory(options).create(card)
        task = await send(client, message())
        assert [part.root.kind for part in task.history[0].parts] == ["text", "data", "file"]
        states = []
        while a2a.TaskState.completed not in states:
            headers, body = await asyncio.to_thread(webhooks.next)
            assert headers["X-A2A-Notification-Token"] == "token"
            told = a2a.Task.model_validate_json(body)
            assert told.id == task.id
            states.append(told.status.state)
        assert states == sorted(states, key=ORDER.index), states
    done = await client.get_task(a2a.TaskQueryParams(id=task.id))
    assert done.artifacts[0].parts[0].root.text == "You said: hi"


async def configs(client: Client) -> None:
    """Configs with an id and without."""
    task = await send(client, message("tck-input-required"))
    authentication = a2a.PushNotificationAuthenticationInfo(schemes=["Bearer"], credentials="secret")
    url = "http://127.0.0.1:9299/"
    for config_id, found in (("mine", "mine"), (None, "default")):
        config = a2a.PushNotificationConfig(id=config_id, url=url, token="token", authentication=authentication)
        wanted = a2a.TaskPushNotificationConfig(task_id=task.id, push_notification_config=config)
        answer = await client.set_task_callback(wanted)
        assert answer.push_notification_config == config.model_copy(update={"id": found})
        one = a2a.GetTaskPushNotificationConfigParams(id=task.id, push_notification_config_id=found)
        assert await client.get_task_callback(one) == answer


async def turns(client: Client) -> None:
    """Several turns of a client that waits for answers."""
    asked = await send(client, message("tck-input-required"))
    assert asked.status.state == a2a.TaskState.input_required
    answered = await send(client, message("tck-complete-task", task_id=asked.id))
    assert (answered.id, answered.context_id) == (asked.id, asked.context_id)
    assert answered.status.state == a2a.TaskState.completed


async def tasks(client: Client) -> None:
    """A direct message, a cancelation, and errors."""
    (direct,) = [event async for event in client.send_message(message("tck-message-response"))]
    assert direct.parts[0].root.text == "Direct message response"
    task = await send(client, message("tck-input-required"))
    assert (await client.cancel_task(a2a.TaskIdParams(id=task.id))).status.state == a2a.TaskState.canceled
    for task_id, code in ((task.id, -32002), ("unknown", -32001)):
        try:
            await client.cancel_task(a2a.TaskIdParams(id=task_id))
        except A2AClientJSONRPCError as error:
            found = error.error.code
        else:
            found = None
        assert found == code


async def main(endpoint: str) -> None:
    """All of it."""
    async with httpx.AsyncClient(timeout=40) as http:
        card = await A2ACardResolver(http, endpoint).get_agent_card()
        assert card.preferred_transport == "JSONRPC"
        assert card.capabilities.push_notifications
        client = ClientFactory(ClientConfig(streaming=False, polling=True, httpx_client=http)).create(card)
        patient = ClientFactory(ClientConfig(streaming=False, httpx_client=http)).create(card)
        await push(http, card)
        await configs(client)
        await turns(patient)
        await tasks(client)


asyncio.run(main(sys.argv[1]))
