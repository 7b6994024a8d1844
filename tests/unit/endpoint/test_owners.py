"""Who may see what: another owner's task or config is not found, and in no list (specification section 3.3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from callers import ALICE, BOB, CAROL, DAVE, NOBODY, Caller, iam_role
from harness import UNKNOWN_TASK, WEBHOOK, Options, Stack
from memory_stack import MemoryStack

from a2a_lambda.dialects import legacy_params, v0_3_params, v1_params

MESSAGE: dict[str, Any] = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]}
LEGACY_MESSAGE: dict[str, Any] = {"role": "user", "parts": [{"text": "x"}]}

V03_MESSAGE: dict[str, Any] = {"kind": "message", "messageId": "m", "role": "user"}
V03_MESSAGE["parts"] = [{"kind": "text", "text": "x"}]

NOT_FOUND: dict[str, Callable[[str], dict[str, Any]]] = {
    "GetTask": lambda task: {"id": task},
    "CancelTask": lambda task: {"id": task},
    "SendMessage": lambda task: {"message": {**MESSAGE, "taskId": task}},
    "CreateTaskPushNotificationConfig": lambda task: {"taskId": task, "id": "theirs", "url": WEBHOOK},
    "GetTaskPushNotificationConfig": lambda task: {"taskId": task, "id": "theirs"},
    "ListTaskPushNotificationConfigs": lambda task: {"taskId": task},
    "DeleteTaskPushNotificationConfig": lambda task: {"taskId": task, "id": "theirs"},
    "tasks/get": lambda task: {"id": task},
    "tasks/cancel": lambda task: {"id": task},
    "tasks/send": lambda task: {"id": task, "message": LEGACY_MESSAGE},
    "tasks/pushNotification/set": lambda task: {"id": task, "config": {"webhookUrl": WEBHOOK}},
    "tasks/pushNotification/get": lambda task: {"id": task},
    "tasks/pushNotification/delete": lambda task: {"id": task},
    "message/send": lambda task: {"message": {**V03_MESSAGE, "taskId": task}},
    "tasks/pushNotificationConfig/set": lambda task: {"taskId": task, "pushNotificationConfig": {"url": WEBHOOK}},
    "tasks/pushNotificationConfig/get": lambda task: {"id": task, "pushNotificationConfigId": "theirs"},
    "tasks/pushNotificationConfig/list": lambda task: {"id": task},
    "tasks/pushNotificationConfig/delete": lambda task: {"id": task, "pushNotificationConfigId": "theirs"},
}
NOT_FOUND_BY_STREAMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "SubscribeToTask": NOT_FOUND["GetTask"],
    "SendStreamingMessage": NOT_FOUND["SendMessage"],
    "message/stream": NOT_FOUND["message/send"],
    "tasks/resubscribe": NOT_FOUND["tasks/get"],
    "tasks/sendSubscribe": NOT_FOUND["tasks/send"],
}
PAIRS = [(ALICE, BOB), (CAROL, DAVE), (ALICE, CAROL), (ALICE, NOBODY), (NOBODY, CAROL)]


def assert_not_found(stack: Stack, method: str, task_id: str, stranger: Caller) -> None:
    version = "1.0" if method[0].isupper() else None
    params = {**NOT_FOUND, **NOT_FOUND_BY_STREAMS}[method]
    theirs = stack.request(method, params(task_id), caller=stranger, version=version)
    unknown = stack.request(method, params(UNKNOWN_TASK), caller=stranger, version=version)
    assert theirs["error"]["code"] == -32001
    assert theirs == unknown, "the answer tells whether the task exists"


@pytest.mark.parametrize(("owner", "stranger"), PAIRS, ids=lambda caller: caller.name)
@pytest.mark.parametrize("method", NOT_FOUND)
def test_a_task_of_another_owner_is_not_found(
    memory: MemoryStack, method: str, owner: Caller, stranger: Caller
) -> None:
    task_id = memory.send(caller=owner, webhook={"id": "theirs", "url": WEBHOOK})["id"]
    before = memory.snapshot()
    assert_not_found(memory, method, task_id, stranger)
    assert memory.snapshot() == before


@pytest.mark.parametrize(("owner", "stranger"), PAIRS, ids=lambda caller: caller.name)
@pytest.mark.parametrize("method", NOT_FOUND_BY_STREAMS)
def test_nobody_can_stream_a_task_of_another_owner(method: str, owner: Caller, stranger: Caller) -> None:
    stack = MemoryStack(Options(streaming=True))
    task_id = stack.send(caller=owner)["id"]
    before = stack.snapshot()
    assert_not_found(stack, method, task_id, stranger)
    assert stack.snapshot() == before


@pytest.mark.parametrize(("owner", "stranger"), PAIRS[:3], ids=lambda caller: caller.name)
def test_no_handler_finds_a_task_of_another_principal(
    cloud_stack: Callable[..., Stack], owner: Caller, stranger: Caller
) -> None:
    stack = cloud_stack()
    task_id = stack.send(caller=owner, webhook={"id": "theirs", "url": WEBHOOK})["id"]
    before = stack.snapshot()
    for method in NOT_FOUND:
        assert_not_found(stack, method, task_id, stranger)
    assert stack.snapshot() == before


@pytest.mark.parametrize(("owner", "stranger"), PAIRS, ids=lambda caller: caller.name)
def test_a_task_of_another_owner_is_in_no_list(stack: Stack, owner: Caller, stranger: Caller) -> None:
    task = stack.send(stack.message(contextId="shared"), caller=owner, webhook={"id": "theirs", "url": WEBHOOK})
    legacy = {"id": task["id"], "config": {"webhookUrl": WEBHOOK}}
    stack.call("tasks/pushNotification/set", legacy, caller=owner, version=None)
    assert stack.call("ListTasks", caller=stranger) == {
        "tasks": [],
        "nextPageToken": "",
        "pageSize": 50,
        "totalSize": 0,
    }
    assert stack.call("ListTasks", {"contextId": "shared"}, caller=stranger)["totalSize"] == 0
    assert stack.call("tasks/list", caller=stranger, version=None) == []
    assert stack.call("tasks/pushNotification/list", caller=stranger, version=None) == []
    assert stack.call("ListTasks", caller=owner)["totalSize"] == 1
    assert len(stack.call("tasks/pushNotification/list", caller=owner, version=None)) == 2


def test_every_method_of_every_dialect_that_names_a_task_is_in_the_table_above() -> None:
    dialects = (legacy_params.DIALECT, v0_3_params.DIALECT, v1_params.DIALECT)
    without_a_task = {"ListTasks", "tasks/list", "tasks/pushNotification/list"}
    not_offered = {"GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"}
    methods = {name for dialect in dialects for name in dialect.methods}
    assert methods - without_a_task - not_offered == set(NOT_FOUND) | set(NOT_FOUND_BY_STREAMS)


def test_a_role_sees_its_tasks_in_each_of_its_sessions(stack: Stack) -> None:
    task_id = stack.send(caller=ALICE)["id"]
    later = Caller("alice later", iam_role("alice", "another-session"))
    assert stack.call("GetTask", {"id": task_id}, caller=later)["id"] == task_id


def test_everybody_is_one_owner_on_a_stack_without_authorization(stack: Stack) -> None:
    task_id = stack.send(caller=NOBODY)["id"]
    assert stack.call("GetTask", {"id": task_id}, caller=NOBODY)["id"] == task_id
