"""The dialect of the first drafts as it is read and written."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from dialect_params import Reader

from a2a_lambda.core import operations as ops
from a2a_lambda.core.changes import changes
from a2a_lambda.core.model import TERMINAL, TaskState
from a2a_lambda.core.records import PushConfig
from a2a_lambda.dialects import legacy
from a2a_lambda.dialects.legacy_params import DIALECT

MESSAGE: dict[str, Any] = {"messageId": "m", "role": "user", "parts": [{"text": "hello"}]}
CANONICAL: dict[str, Any] = {**MESSAGE, "role": "ROLE_USER"}
WEBHOOK = "https://hooks.example.com/"

reader = Reader(DIALECT)
read, faults = reader.read, reader.faults


def task(state: TaskState = TaskState.WORKING, **fields: Any) -> Any:
    status = {"state": state, "timestamp": "2026-01-01T00:00:00.000Z"}
    return {"id": "t", "contextId": "c", "status": status, **fields}


def config(**fields: Any) -> PushConfig:
    return PushConfig("t", "default", "owner", WEBHOOK, "legacy", "i", "r", **fields)


# -------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    ("method", "params", "operation"),
    [
        ("tasks/send", {"message": MESSAGE}, ops.SendMessage(CANONICAL, "legacy")),  # type: ignore[arg-type]
        (
            "tasks/send",
            {"message": MESSAGE, "metadata": {"a": 1}, "historyLength": 2},
            ops.SendMessage(CANONICAL, "legacy", history_length=2, metadata={"a": 1}),  # type: ignore[arg-type]
        ),
        (
            "tasks/send",
            {"message": MESSAGE, "id": "t", "contextId": "c"},
            ops.SendMessage({**CANONICAL, "taskId": "t", "contextId": "c"}, "legacy"),  # type: ignore[typeddict-item]
        ),
        (
            "tasks/send",
            {"message": {**MESSAGE, "taskId": "inner"}, "id": "outer"},
            ops.SendMessage({**CANONICAL, "taskId": "outer"}, "legacy"),  # type: ignore[typeddict-item]
        ),
        ("tasks/get", {"id": "t"}, ops.GetTask("t")),
        ("tasks/get", {"taskId": "t", "historyLength": 1}, ops.GetTask("t", 1)),
        ("tasks/get", {"task_id": "t", "history_length": 1}, ops.GetTask("t", 1)),
        ("tasks/cancel", {"id": "t"}, ops.CancelTask("t")),
        ("tasks/list", {}, ops.ListTasks(page_size=100, include_artifacts=True)),
        ("tasks/list", {"contextId": "c"}, ops.ListTasks("c", page_size=100, include_artifacts=True)),
        ("tasks/pushNotification/get", {"id": "t"}, ops.GetPushConfig("t", missing_ok=True)),
        ("tasks/pushNotification/list", {}, ops.ListPushConfigs(None)),
        ("tasks/pushNotification/list", {"id": "ignored"}, ops.ListPushConfigs(None)),
        ("tasks/pushNotification/delete", {"id": "t"}, ops.DeletePushConfig("t", "default")),
        (
            "tasks/pushNotification/set",
            {"id": "t", "pushNotificationConfig": {"webhookUrl": WEBHOOK}},
            ops.SetPushConfig("t", WEBHOOK, "legacy", "default"),
        ),
        (
            "tasks/pushNotification/set",
            {
                "task_id": "t",
                "config": {
                    "webhook_url": WEBHOOK,
                    "authentication_info": {"scheme": "apiKey", "value": "s", "header_name": "X-Key"},
                    "event_types": ["TaskStatusUpdateEvent"],
                },
            },
            ops.SetPushConfig(
                "t",
                WEBHOOK,
                "legacy",
                "default",
                authentication={"scheme": "apiKey", "credentials": "s", "headerName": "X-Key"},
                event_types=("TaskStatusUpdateEvent",),
            ),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_parameters_become_an_operation(method: str, params: dict[str, Any], operation: Any) -> None:
    assert read(method, params) == operation


@pytest.mark.parametrize("missing", ["absent", None, ""])
def test_a_message_without_an_id_gets_one_of_its_own(missing: str | None) -> None:
    message = {**MESSAGE, "messageId": missing}
    if missing == "absent":
        del message["messageId"]
    first, second = (read("tasks/send", {"message": message}).message["messageId"] for _ in range(2))
    assert uuid.UUID(first) != uuid.UUID(second)


def test_a_send_does_not_wait() -> None:
    assert read("tasks/send", {"message": MESSAGE}).blocking is False


@pytest.mark.parametrize(("role", "canonical"), [("user", "ROLE_USER"), ("agent", "ROLE_AGENT")])
def test_a_role_is_read_and_written_in_lower_case(role: str, canonical: str) -> None:
    message = read("tasks/send", {"message": {**MESSAGE, "role": role}}).message
    assert message["role"] == canonical
    assert legacy.message(message)["role"] == role


@pytest.mark.parametrize(
    ("method", "params", "at_fault"),
    [
        ("tasks/send", {}, {"message"}),
        ("tasks/send", {"message": None}, {"message"}),
        ("tasks/send", {"message": {"role": "user"}}, {"message.parts"}),
        ("tasks/send", {"message": {**MESSAGE, "parts": []}}, {"message.parts"}),
        ("tasks/send", {"message": {**MESSAGE, "parts": [{"type": "text"}]}}, {"message.parts.0"}),
        ("tasks/send", {"message": {**MESSAGE, "role": "ROLE_USER"}}, {"message.role"}),
        ("tasks/send", {"message": {**MESSAGE, "role": "system"}}, {"message.role"}),
        ("tasks/send", {"message": MESSAGE, "id": 5}, {"id"}),
        ("tasks/send", {"message": MESSAGE, "historyLength": -1}, {"historyLength"}),
        ("tasks/send", {"message": MESSAGE, "metadata": "x"}, {"metadata"}),
        ("tasks/get", {}, {"id"}),
        ("tasks/get", {"id": ""}, {"id"}),
        ("tasks/get", {"id": 5}, {"id"}),
        ("tasks/get", {"id": "t", "historyLength": "x"}, {"historyLength"}),
        ("tasks/cancel", {"id": None}, {"id"}),
        ("tasks/list", {"contextId": []}, {"contextId"}),
        ("tasks/pushNotification/get", {}, {"id"}),
        ("tasks/pushNotification/delete", {}, {"id"}),
        ("tasks/pushNotification/set", {"id": "t"}, {"pushNotificationConfig"}),
        ("tasks/pushNotification/set", {"id": "t", "config": {}}, {"config.webhookUrl"}),
        ("tasks/pushNotification/set", {"id": "t", "config": {"webhookUrl": ""}}, {"config.webhookUrl"}),
        ("tasks/pushNotification/set", {"id": "t", "config": {"webhookUrl": 5}}, {"config.webhookUrl"}),
        ("tasks/pushNotification/set", {"id": "t", "config": WEBHOOK}, {"config"}),
        (
            "tasks/pushNotification/set",
            {"id": "t", "config": {"webhookUrl": WEBHOOK, "authenticationInfo": {"value": "x"}}},
            {"config.authenticationInfo.scheme"},
        ),
        (
            "tasks/pushNotification/set",
            {"id": "t", "config": {"webhookUrl": WEBHOOK, "eventTypes": "x"}},
            {"config.eventTypes"},
        ),
        (
            "tasks/pushNotification/set",
            {"id": "t", "config": {"webhookUrl": WEBHOOK, "eventTypes": ["TaskArtifactUpdateEvent"]}},
            {"config.eventTypes"},
        ),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:50],
)
def test_wrong_parameters_name_the_fields_at_fault(method: str, params: dict[str, Any], at_fault: set[str]) -> None:
    assert faults(method, params) == at_fault


# -------------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize(
    ("state", "written"),
    [
        ("TASK_STATE_SUBMITTED", "submitted"),
        ("TASK_STATE_WORKING", "working"),
        ("TASK_STATE_COMPLETED", "completed"),
        ("TASK_STATE_FAILED", "failed"),
        ("TASK_STATE_CANCELED", "canceled"),
        ("TASK_STATE_REJECTED", "rejected"),
        ("TASK_STATE_INPUT_REQUIRED", "input_required"),
        ("TASK_STATE_AUTH_REQUIRED", "auth_required"),
    ],
)
def test_a_state_is_written_in_lower_case_with_underscores(state: str, written: str) -> None:
    assert legacy.task(task(TaskState(state)))["status"]["state"] == written


def test_a_task_always_has_artifacts_and_history() -> None:
    written = legacy.task(task())
    assert (written["artifacts"], written["history"]) == ([], [])


def test_the_message_of_a_status_is_written_as_a_message() -> None:
    said = {"messageId": "x", "role": "ROLE_AGENT", "parts": [{"text": "half"}]}
    written = legacy.status({"state": "TASK_STATE_WORKING", "timestamp": "x", "message": said})  # type: ignore[typeddict-item]
    assert written["message"]["role"] == "agent"


@pytest.mark.parametrize("state", list(TaskState))
def test_a_webhook_hears_of_each_status_and_whether_it_is_the_last(state: TaskState) -> None:
    old = task(TaskState.SUBMITTED)
    new = {**task(state), "status": {"state": state, "timestamp": "2026-01-01T00:00:01.000Z"}}
    ((place, body),) = legacy.notifications(changes(old, new, 2))  # type: ignore[arg-type]
    event = json.loads(body)
    assert place == 0
    assert event == {
        "type": "TaskStatusUpdateEvent",
        "taskId": "t",
        "contextId": "c",
        "status": {"state": legacy.state(state), "timestamp": "2026-01-01T00:00:01.000Z"},
        "final": state in TERMINAL,
    }


def test_a_webhook_hears_of_no_artifact() -> None:
    new = task(artifacts=[{"artifactId": "a", "parts": [{"text": "x"}]}])
    assert legacy.notifications(changes(task(), new, 2)) == []


def test_a_config_is_written_as_it_was_set() -> None:
    info = {"scheme": "apiKey", "credentials": "s", "headerName": "X-Key"}
    written = legacy.push_config(config(authentication=info, event_types=("a",)))
    assert written == {
        "id": "t",
        "pushNotificationConfig": {
            "taskId": "t",
            "webhookUrl": WEBHOOK,
            "eventTypes": ["a"],
            "authenticationInfo": {"scheme": "apiKey", "value": "s", "headerName": "X-Key"},
        },
    }


def test_no_config_is_null_and_a_list_is_a_bare_array() -> None:
    assert legacy.push_config(None) is None
    assert legacy.push_config_list(ops.PushConfigList([config()])) == [legacy.push_config(config())]
    assert legacy.task_list(ops.TaskList([task()], "", 100, 1)) == [legacy.task(task())]
