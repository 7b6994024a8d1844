"""The official Python SDK as a client: card, send with an inline config, tasks, configs, and webhooks in its types."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import httpx
import pytest
from a2a.client import Client, ClientConfig, create_client
from a2a.client.errors import A2AClientError
from a2a.types import a2a_pb2 as a2a
from a2a.utils.errors import A2AError
from google.protobuf.json_format import ParseDict

from push_webhook import Receiver
from stack import Stack

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def sdk(stack: Stack) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(timeout=40) as http:
        yield await create_client(stack.endpoint, ClientConfig(streaming=False, polling=True, httpx_client=http))


def message(text: str) -> a2a.Message:
    return a2a.Message(message_id=str(uuid.uuid4()), role=a2a.ROLE_USER, parts=[a2a.Part(text=text)])


async def send(sdk: Client, request: a2a.SendMessageRequest) -> a2a.Task:
    (answer,) = [event async for event in sdk.send_message(request)]
    return answer.task


async def test_an_inline_config_hears_of_every_change_in_bodies_that_the_sdk_parses(
    sdk: Client, receiver: Receiver
) -> None:
    config = a2a.TaskPushNotificationConfig(url=receiver.url, token="a-token")
    request = a2a.SendMessageRequest(
        message=message("run push demo"),
        configuration=a2a.SendMessageConfiguration(task_push_notification_config=config, return_immediately=True),
    )
    task = await send(sdk, request)
    assert task.status.state == a2a.TASK_STATE_SUBMITTED

    events = []
    while not events or events[-1].status_update.status.state != a2a.TASK_STATE_COMPLETED:
        push = receiver.next(30)
        assert push is not None
        events.append(ParseDict(push.payload, a2a.StreamResponse()))
    kinds = [event.WhichOneof("payload") for event in events]
    # submitted, working, three times an artifact and its status, completed
    assert kinds == ["status_update"] * 2 + ["artifact_update", "status_update"] * 3 + ["status_update"]
    assert all(getattr(event, kind).task_id == task.id for event, kind in zip(events, kinds, strict=True))

    finished = await sdk.get_task(a2a.GetTaskRequest(id=task.id))
    assert finished.status.state == a2a.TASK_STATE_COMPLETED
    assert [artifact.name for artifact in finished.artifacts] == ["part-1", "part-2", "part-3"]


async def test_configs_are_created_read_listed_and_deleted(sdk: Client, receiver: Receiver) -> None:
    task = await send(
        sdk,
        a2a.SendMessageRequest(
            message=message("x"), configuration=a2a.SendMessageConfiguration(return_immediately=True)
        ),
    )
    created = await sdk.create_task_push_notification_config(
        a2a.TaskPushNotificationConfig(
            task_id=task.id,
            id="mine",
            url=receiver.url,
            authentication=a2a.AuthenticationInfo(scheme="Bearer", credentials="secret"),
        )
    )
    assert (created.id, created.url) == ("mine", receiver.url)
    read = await sdk.get_task_push_notification_config(
        a2a.GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
    )
    assert read == created
    listed = await sdk.list_task_push_notification_configs(a2a.ListTaskPushNotificationConfigsRequest(task_id=task.id))
    assert list(listed.configs) == [created]
    for _ in range(2):  # deleting is idempotent
        await sdk.delete_task_push_notification_config(
            a2a.DeleteTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        )
    with pytest.raises((A2AError, A2AClientError), match="not found"):
        await sdk.get_task_push_notification_config(
            a2a.GetTaskPushNotificationConfigRequest(task_id=task.id, id="mine")
        )


async def test_a_blocking_send_answers_with_the_finished_task(stack: Stack) -> None:
    async with httpx.AsyncClient(timeout=40) as http:
        sdk = await create_client(stack.endpoint, ClientConfig(streaming=False, httpx_client=http))
        task = await send(sdk, a2a.SendMessageRequest(message=message("block")))
    assert task.status.state == a2a.TASK_STATE_COMPLETED


async def test_a_running_task_is_canceled_and_listed_as_such(sdk: Client) -> None:
    task = await send(
        sdk,
        a2a.SendMessageRequest(
            message=message("cancel me"), configuration=a2a.SendMessageConfiguration(return_immediately=True)
        ),
    )
    canceled = await sdk.cancel_task(a2a.CancelTaskRequest(id=task.id))
    assert canceled.status.state == a2a.TASK_STATE_CANCELED
    page = await sdk.list_tasks(a2a.ListTasksRequest(context_id=task.context_id, status=a2a.TASK_STATE_CANCELED))
    assert [listed.id for listed in page.tasks] == [task.id]
