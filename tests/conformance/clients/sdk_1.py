"""The official Python SDK 1.3 as a client: python sdk_1.py ENDPOINT VERSION BINDING. Fails with a traceback."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid

import httpx
from a2a.client import ClientConfig
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import Client
from a2a.client.client_factory import ClientFactory
from a2a.compat.v0_3 import conversions
from a2a.compat.v0_3 import types as v03
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import TaskNotCancelableError, TaskNotFoundError
from google.protobuf.json_format import ParseDict
from webhooks import Webhooks


async def send(client: Client, webhook: str | None = None, prefix: str = "m") -> a2a.Task:
    """Start a task, at once."""
    parts = [a2a.Part(text="hi"), a2a.Part(url="https://example.com/a.txt", media_type="text/plain"), a2a.Part()]
    parts[2].data.struct_value.update({"a": 1})
    message = a2a.Message(message_id=f"{prefix}-{uuid.uuid4()}", role=a2a.ROLE_USER, parts=parts)
    configuration = a2a.SendMessageConfiguration(return_immediately=True)
    if webhook is not None:
        config = a2a.TaskPushNotificationConfig(url=webhook, token="token")
        configuration.task_push_notification_config.CopyFrom(config)
    request = a2a.SendMessageRequest(message=message, configuration=configuration)
    (answer,) = [event async for event in client.send_message(request)]
    assert [part.WhichOneof("content") for part in answer.task.history[0].parts] == ["text", "url", "data"]
    return answer.task


def state_in(body: str, version: str) -> int:
    """The state that a webhook body tells of, or 0, read with the SDK's own types."""
    if version == "0.3":
        return int(conversions.to_core_task(v03.Task.model_validate(json.loads(body))).status.state)
    event = ParseDict(json.loads(body), a2a.StreamResponse())
    return int(event.status_update.status.state) if event.HasField("status_update") else 0


async def push(client: Client, version: str) -> None:
    """An inline config hears of the task until its end."""
    with Webhooks() as webhooks:
        task = await send(client, webhooks.url)
        states = []
        while a2a.TASK_STATE_COMPLETED not in states:
            headers, body = await asyncio.to_thread(webhooks.next)
            assert headers["X-A2A-Notification-Token"] == "token"
            states.append(state_in(body, version))
        known = [state for state in states if state]
        assert known[0] == a2a.TASK_STATE_SUBMITTED
        assert known == sorted(known), known
    done = await client.get_task(a2a.GetTaskRequest(id=task.id))
    assert done.status.state == a2a.TASK_STATE_COMPLETED
    assert done.artifacts[0].parts[0].text == "You said: hi"
    assert not (await client.get_task(a2a.GetTaskRequest(id=task.id, history_length=0))).history


async def configs(client: Client) -> None:
    """A config is created, read, listed and deleted."""
    task = await send(client, prefix="tck-input-required")
    authentication = a2a.AuthenticationInfo(scheme="Bearer", credentials="secret")
    wanted = a2a.TaskPushNotificationConfig(
        task_id=task.id, id="mine", url="http://127.0.0.1:9299/", token="token", authentication=authentication
    )
    assert await client.create_task_push_notification_config(wanted) == wanted
    one = a2a.GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
    assert await client.get_task_push_notification_config(one) == wanted
    every = a2a.ListTaskPushNotificationConfigsRequest(task_id=task.id)
    assert list((await client.list_task_push_notification_configs(every)).configs) == [wanted]
    await client.delete_task_push_notification_config(
        a2a.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
    )
    assert not (await client.list_task_push_notification_configs(every)).configs


async def tasks(client: Client, version: str) -> None:
    """Tasks are listed and canceled, and errors are the SDK's."""
    task = await send(client, prefix="tck-input-required")
    if version == "1.0":  # 0.3 has no such method in JSON-RPC
        listed = await client.list_tasks(a2a.ListTasksRequest(context_id=task.context_id, page_size=1))
        assert [entry.id for entry in listed.tasks] == [task.id]
    assert (await client.cancel_task(a2a.CancelTaskRequest(id=task.id))).status.state == a2a.TASK_STATE_CANCELED
    for request, error in ((task.id, TaskNotCancelableError), ("unknown", TaskNotFoundError)):
        try:
            await client.cancel_task(a2a.CancelTaskRequest(id=request))
        except error:
            continue
        raise AssertionError(f"no {error.__name__}")


async def main(endpoint: str, version: str, binding: str) -> None:
    """All of it."""
    async with httpx.AsyncClient(timeout=40) as http:
        card = await A2ACardResolver(http, endpoint).get_agent_card()
        chosen = [
            i for i in card.supported_interfaces if (i.protocol_version, i.protocol_binding) == (version, binding)
        ]
        del card.supported_interfaces[:]
        card.supported_interfaces.extend(chosen)
        config = ClientConfig(streaming=False, polling=True, httpx_client=http, supported_protocol_bindings=[binding])
        client = ClientFactory(config).create(card)
        await push(client, version)
        await configs(client)
        await tasks(client, version)


asyncio.run(main(*sys.argv[1:]))
