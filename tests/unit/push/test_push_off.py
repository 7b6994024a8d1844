"""A stack with ``PushNotifications=false`` (specification section 3.3.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import UNKNOWN_TASK, WEBHOOK, Stack

LEGACY_CONFIG = {"webhookUrl": WEBHOOK}
METHODS: dict[str, dict[str, Any]] = {
    "CreateTaskPushNotificationConfig": {"taskId": UNKNOWN_TASK, "url": WEBHOOK},
    "GetTaskPushNotificationConfig": {"taskId": UNKNOWN_TASK, "id": "c"},
    "ListTaskPushNotificationConfigs": {"taskId": UNKNOWN_TASK},
    "DeleteTaskPushNotificationConfig": {"taskId": UNKNOWN_TASK, "id": "c"},
    "tasks/pushNotification/set": {"id": UNKNOWN_TASK, "config": LEGACY_CONFIG},
    "tasks/pushNotification/get": {"id": UNKNOWN_TASK},
    "tasks/pushNotification/list": {},
    "tasks/pushNotification/delete": {"id": UNKNOWN_TASK},
    "tasks/pushNotificationConfig/set": {"taskId": UNKNOWN_TASK, "pushNotificationConfig": {"url": WEBHOOK}},
    "tasks/pushNotificationConfig/get": {"id": UNKNOWN_TASK},
    "tasks/pushNotificationConfig/list": {"id": UNKNOWN_TASK},
    "tasks/pushNotificationConfig/delete": {"id": UNKNOWN_TASK, "pushNotificationConfigId": "c"},
}


@pytest.fixture
def silent(new_stack: Callable[..., Stack]) -> Stack:
    return new_stack(push_notifications=False)


@pytest.mark.parametrize("method", METHODS)
def test_every_push_method_is_refused(silent: Stack, method: str) -> None:
    before = silent.snapshot()
    assert silent.code(method, METHODS[method], version=version_of(method)) == -32003
    assert silent.snapshot() == before


def version_of(method: str) -> str | None:
    return "1.0" if method[0].isupper() else None


@pytest.mark.parametrize("method", METHODS)
def test_a_push_method_is_refused_for_a_task_of_the_callers_own_too(silent: Stack, method: str) -> None:
    task_id = silent.send()["id"]
    params = {key: task_id if value == UNKNOWN_TASK else value for key, value in METHODS[method].items()}
    assert silent.code(method, params, version=version_of(method)) == -32003


def test_a_config_inline_on_a_send_is_refused_and_no_task_is_made(silent: Stack) -> None:
    before = silent.snapshot()
    params = {"message": silent.message(), "configuration": {"taskPushNotificationConfig": {"url": WEBHOOK}}}
    assert silent.code("SendMessage", params) == -32003
    assert silent.snapshot() == before


def test_a_config_inline_on_a_follow_up_is_refused_and_the_message_is_not_taken(silent: Stack) -> None:
    task_id = silent.send()["id"]
    before = silent.snapshot()
    message = silent.message("b", taskId=task_id)
    params = {"message": message, "configuration": {"taskPushNotificationConfig": {"url": WEBHOOK}}}
    assert silent.code("SendMessage", params) == -32003
    assert silent.snapshot() == before


def test_all_else_works(silent: Stack) -> None:
    task_id = silent.send()["id"]
    silent.work(task_id)
    assert silent.call("GetTask", {"id": task_id})["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.mark.parametrize("path", ["/.well-known/agent-card.json", "/v1/.well-known/agent-card.json", "/agentCard"])
def test_the_card_says_no(cloud_stack: Callable[..., Any], path: str) -> None:
    stack = cloud_stack(push_notifications=False)
    assert stack.http("GET", path).json["capabilities"]["pushNotifications"] is False
    assert cloud_stack().http("GET", path).json["capabilities"]["pushNotifications"] is True
