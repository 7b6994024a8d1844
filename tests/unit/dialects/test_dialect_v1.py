"""A2A 1.0 as it is read and written (specification sections 4 and 9.4)."""

from __future__ import annotations

from typing import Any

import pytest
from dialect_params import Reader

from a2a_lambda.core import operations as ops
from a2a_lambda.core.errors import UnsupportedOperation
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import PushConfig
from a2a_lambda.dialects import v1
from a2a_lambda.dialects.v1_params import DIALECT

MESSAGE: dict[str, Any] = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
WEBHOOK = "https://hooks.example.com/"

reader = Reader(DIALECT)
read, faults = reader.read, reader.faults


def sent(**fields: Any) -> Any:
    return read("SendMessage", {"message": {**MESSAGE, **fields}}).message


# -------------------------------------------------------------------------------------------------------------- reading

READ: list[tuple[str, dict[str, Any], Any]] = [
    ("SendMessage", {"message": MESSAGE}, ops.SendMessage(MESSAGE, "1.0", blocking=True)),  # type: ignore[arg-type]
    (
        "SendMessage",
        {"message": MESSAGE, "configuration": {"returnImmediately": True, "historyLength": 3}, "metadata": {"a": 1}},
        ops.SendMessage(MESSAGE, "1.0", history_length=3, metadata={"a": 1}),  # type: ignore[arg-type]
    ),
    (
        "SendMessage",
        {"message": MESSAGE, "configuration": {"acceptedOutputModes": ["text/plain", "image/*"]}},
        ops.SendMessage(MESSAGE, "1.0", blocking=True, output_modes=("text/plain", "image/*")),  # type: ignore[arg-type]
    ),
    (
        "SendMessage",
        {"message": MESSAGE, "configuration": {"taskPushNotificationConfig": {"url": WEBHOOK, "id": "c"}}},
        ops.SendMessage(
            MESSAGE,  # type: ignore[arg-type]
            "1.0",
            blocking=True,
            push_config=ops.SetPushConfig("", WEBHOOK, "1.0", config_id="c"),
        ),
    ),
    ("GetTask", {"id": "t"}, ops.GetTask("t")),
    ("GetTask", {"id": "t", "historyLength": 0}, ops.GetTask("t", 0)),
    ("CancelTask", {"id": "t"}, ops.CancelTask("t")),
    ("CancelTask", {"id": "t", "metadata": {"why": "x"}}, ops.CancelTask("t")),
    ("ListTasks", {}, ops.ListTasks()),
    (
        "ListTasks",
        {
            "contextId": "c",
            "status": "TASK_STATE_WORKING",
            "pageSize": 7,
            "pageToken": "p",
            "historyLength": 2,
            "statusTimestampAfter": "2026-01-01T01:00:00+01:00",
            "includeArtifacts": True,
        },
        ops.ListTasks("c", TaskState.WORKING, "2026-01-01T00:00:00.000Z", 7, "p", 2, include_artifacts=True),
    ),
    (
        "CreateTaskPushNotificationConfig",
        {
            "taskId": "t",
            "id": "c",
            "url": WEBHOOK,
            "token": "k",
            "authentication": {"scheme": "Bearer", "credentials": "s"},
        },
        ops.SetPushConfig("t", WEBHOOK, "1.0", "c", "k", {"scheme": "Bearer", "credentials": "s"}),
    ),
    ("CreateTaskPushNotificationConfig", {"taskId": "t", "url": WEBHOOK}, ops.SetPushConfig("t", WEBHOOK, "1.0")),
    ("GetTaskPushNotificationConfig", {"taskId": "t", "id": "c"}, ops.GetPushConfig("t", "c")),
    ("ListTaskPushNotificationConfigs", {"taskId": "t"}, ops.ListPushConfigs("t")),
    (
        "ListTaskPushNotificationConfigs",
        {"taskId": "t", "pageSize": 5, "pageToken": "p"},
        ops.ListPushConfigs("t", 5, "p"),
    ),
    ("DeleteTaskPushNotificationConfig", {"taskId": "t", "id": "c"}, ops.DeletePushConfig("t", "c")),
]


@pytest.mark.parametrize(("method", "params", "operation"), READ, ids=lambda value: str(value)[:40])
def test_parameters_become_an_operation(method: str, params: dict[str, Any], operation: Any) -> None:
    assert read(method, params) == operation


def snake(value: Any) -> Any:
    """The same with the names of protocol buffers."""
    if isinstance(value, list):
        return [snake(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): snake(item) for key, item in value.items()}


@pytest.mark.parametrize(("method", "params", "operation"), READ, ids=lambda value: str(value)[:40])
def test_parameters_may_have_the_names_of_protocol_buffers(method: str, params: dict[str, Any], operation: Any) -> None:
    assert read(method, snake(params)) == operation


@pytest.mark.parametrize(("method", "params", "operation"), READ, ids=lambda value: str(value)[:40])
def test_fields_that_nobody_knows_are_ignored(method: str, params: dict[str, Any], operation: Any) -> None:
    """Section 5.7: a later minor version may add some."""
    assert read(method, {**params, "tenant": "x", "someday": {"new": True}}) == operation


OPTIONAL = [
    ("ListTasks", name)
    for name in (
        "contextId",
        "status",
        "pageSize",
        "pageToken",
        "historyLength",
        "statusTimestampAfter",
        "includeArtifacts",
    )
]


@pytest.mark.parametrize(("method", "name"), OPTIONAL)
def test_null_is_the_same_as_absent(method: str, name: str) -> None:
    assert read(method, {name: None}) == read(method, {})


@pytest.mark.parametrize("name", ["contextId", "status", "pageToken", "statusTimestampAfter"])
def test_an_empty_text_is_the_same_as_absent_where_a_text_is_optional(name: str) -> None:
    """Protocol buffers do not tell the two apart."""
    assert read("ListTasks", {name: ""}) == read("ListTasks", {})


@pytest.mark.parametrize("name", ["contextId", "taskId"])
@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_id_in_a_message_is_no_id(name: str, empty: str | None) -> None:
    assert sent(**{name: empty}) == MESSAGE


def test_an_unspecified_state_is_no_filter() -> None:
    assert read("ListTasks", {"status": "TASK_STATE_UNSPECIFIED"}) == ops.ListTasks()


@pytest.mark.parametrize("number", [5, 5.0, "5"])
def test_a_whole_number_may_come_in_each_form_that_proto_json_has(number: Any) -> None:
    assert read("GetTask", {"id": "t", "historyLength": number}) == ops.GetTask("t", 5)


@pytest.mark.parametrize(
    "part",
    [
        {"text": "x"},
        {"text": ""},
        {"url": "https://example.com/a.png", "mediaType": "image/png", "filename": "a.png"},
        {"raw": "AAEC", "mediaType": "application/octet-stream"},
        {"data": {"a": [1, None]}},
        {"data": "text"},
        {"data": 0},
        {"data": False},
        {"data": None},
        {"data": []},
        {"text": "x", "metadata": {"lang": "en"}},
    ],
    ids=str,
)
def test_a_part_is_kept_as_it_is(part: dict[str, Any]) -> None:
    assert sent(parts=[part])["parts"] == [part]


@pytest.mark.parametrize(("given", "kept"), [("AAEC", "AAEC"), ("__8", "//8="), ("_-8=", "/+8="), ("", "")])
def test_raw_bytes_come_in_any_base64_and_are_kept_in_the_standard_one(given: str, kept: str) -> None:
    assert sent(parts=[{"raw": given}])["parts"] == [{"raw": kept}]


def test_everything_in_a_message_that_1_0_knows_is_kept() -> None:
    message = {
        **MESSAGE,
        "contextId": "c",
        "taskId": "t",
        "metadata": {"a": {"b": 1}},
        "extensions": ["https://example.com/ext"],
        "referenceTaskIds": ["r"],
    }
    assert read("SendMessage", {"message": message}).message == message


# ---------------------------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize(
    ("fields", "at_fault"),
    [
        ({"messageId": ""}, "message.messageId"),
        ({"messageId": None}, "message.messageId"),
        ({"messageId": 5}, "message.messageId"),
        ({"messageId": "x" * 257}, "message.messageId"),
        ({"role": "user"}, "message.role"),
        ({"role": "ROLE_UNSPECIFIED"}, "message.role"),
        ({"role": None}, "message.role"),
        ({"parts": []}, "message.parts"),
        ({"parts": None}, "message.parts"),
        ({"parts": {"text": "x"}}, "message.parts"),
        ({"parts": ["x"]}, "message.parts.0"),
        ({"parts": [{"text": "x"}, {}]}, "message.parts.1"),
        ({"parts": [{"text": "x", "url": "u"}]}, "message.parts.0"),
        ({"parts": [{"text": "x", "data": 1}]}, "message.parts.0"),
        ({"parts": [{"text": None}]}, "message.parts.0"),
        ({"parts": [{"kind": "text"}]}, "message.parts.0"),
        ({"parts": [{"text": 5}]}, "message.parts.0.text"),
        ({"parts": [{"raw": "!"}]}, "message.parts.0.raw"),
        ({"parts": [{"raw": "A"}]}, "message.parts.0.raw"),
        ({"parts": [{"text": "x", "metadata": []}]}, "message.parts.0.metadata"),
        ({"contextId": 5}, "message.contextId"),
        ({"contextId": "x" * 257}, "message.contextId"),
        ({"taskId": ["t"]}, "message.taskId"),
        ({"metadata": "x"}, "message.metadata"),
        ({"extensions": "x"}, "message.extensions"),
        ({"extensions": [1]}, "message.extensions.0"),
        ({"referenceTaskIds": [None]}, "message.referenceTaskIds.0"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_message_names_its_field(fields: dict[str, Any], at_fault: str) -> None:
    assert faults("SendMessage", {"message": {**MESSAGE, **fields}}) == {at_fault}


@pytest.mark.parametrize(
    ("method", "params", "at_fault"),
    [
        ("SendMessage", {}, {"message"}),
        ("SendMessage", {"message": "x"}, {"message"}),
        ("SendMessage", {"message": MESSAGE, "configuration": []}, {"configuration"}),
        ("SendMessage", {"message": MESSAGE, "metadata": 5}, {"metadata"}),
        (
            "SendMessage",
            {"message": MESSAGE, "configuration": {"returnImmediately": "yes"}},
            {"configuration.returnImmediately"},
        ),
        ("SendMessage", {"message": MESSAGE, "configuration": {"historyLength": -1}}, {"configuration.historyLength"}),
        (
            "SendMessage",
            {"message": MESSAGE, "configuration": {"taskPushNotificationConfig": {}}},
            {"configuration.taskPushNotificationConfig.url"},
        ),
        ("GetTask", {}, {"id"}),
        ("GetTask", {"id": ""}, {"id"}),
        ("GetTask", {"id": 7}, {"id"}),
        ("GetTask", {"id": None}, {"id"}),
        ("GetTask", {"id": "x" * 257}, {"id"}),
        ("GetTask", {"id": "t", "historyLength": -1}, {"historyLength"}),
        ("GetTask", {"id": "t", "historyLength": "many"}, {"historyLength"}),
        ("GetTask", {"id": "t", "historyLength": 1.5}, {"historyLength"}),
        ("GetTask", {"id": "t", "historyLength": 2**31}, {"historyLength"}),
        ("GetTask", {"id": "t", "historyLength": "9" * 400}, {"historyLength"}),
        ("GetTask", {"id": "t", "historyLength": True}, {"historyLength"}),
        ("CancelTask", {}, {"id"}),
        ("CancelTask", {"id": "t", "metadata": []}, {"metadata"}),
        ("ListTasks", {"pageSize": 0}, {"pageSize"}),
        ("ListTasks", {"pageSize": 101}, {"pageSize"}),
        ("ListTasks", {"pageSize": -1}, {"pageSize"}),
        ("ListTasks", {"status": "working"}, {"status"}),
        ("ListTasks", {"status": 2}, {"status"}),
        ("ListTasks", {"contextId": 5}, {"contextId"}),
        ("ListTasks", {"statusTimestampAfter": "yesterday"}, {"statusTimestampAfter"}),
        ("ListTasks", {"statusTimestampAfter": "2026-01-01T00:00:00"}, {"statusTimestampAfter"}),
        ("ListTasks", {"statusTimestampAfter": "0001-01-01T00:00:00+14:00"}, {"statusTimestampAfter"}),
        ("ListTasks", {"statusTimestampAfter": 5}, {"statusTimestampAfter"}),
        ("ListTasks", {"statusTimestampAfter": "20260801T000000Z"}, {"statusTimestampAfter"}),
        ("ListTasks", {"statusTimestampAfter": "0999-01-01T00:00:00Z"}, {"statusTimestampAfter"}),
        ("ListTasks", {"statusTimestampAfter": "9999-12-31T23:59:59-01:00"}, {"statusTimestampAfter"}),
        ("ListTasks", {"includeArtifacts": "true"}, {"includeArtifacts"}),
        ("CreateTaskPushNotificationConfig", {"url": WEBHOOK}, {"taskId"}),
        ("CreateTaskPushNotificationConfig", {"taskId": "t"}, {"url"}),
        ("CreateTaskPushNotificationConfig", {"taskId": "t", "url": ""}, {"url"}),
        ("CreateTaskPushNotificationConfig", {"taskId": "t", "url": 5}, {"url"}),
        ("CreateTaskPushNotificationConfig", {"taskId": "t", "url": WEBHOOK, "token": 5}, {"token"}),
        (
            "CreateTaskPushNotificationConfig",
            {"taskId": "t", "url": WEBHOOK, "authentication": {"credentials": "x"}},
            {"authentication.scheme"},
        ),
        (
            "CreateTaskPushNotificationConfig",
            {"taskId": "t", "url": WEBHOOK, "authentication": {"scheme": ""}},
            {"authentication.scheme"},
        ),
        (
            "CreateTaskPushNotificationConfig",
            {"taskId": "t", "url": WEBHOOK, "authentication": "x"},
            {"authentication"},
        ),
        ("GetTaskPushNotificationConfig", {}, {"taskId", "id"}),
        ("DeleteTaskPushNotificationConfig", {"taskId": "t"}, {"id"}),
        ("ListTaskPushNotificationConfigs", {}, {"taskId"}),
        ("ListTaskPushNotificationConfigs", {"taskId": "t", "pageSize": -1}, {"pageSize"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value)[:50],
)
def test_wrong_parameters_name_the_fields_at_fault(method: str, params: dict[str, Any], at_fault: set[str]) -> None:
    assert faults(method, params) == at_fault


def test_what_the_card_never_offers_is_unsupported_whatever_its_parameters() -> None:
    for params in ({}, {"id": 5}):
        with pytest.raises(UnsupportedOperation):
            read("GetExtendedAgentCard", params)


# -------------------------------------------------------------------------------------------------------------- writing


def config(**fields: Any) -> PushConfig:
    return PushConfig("t", "c", "owner", WEBHOOK, "1.0", "i", "r", **fields)


def test_a_task_is_written_as_it_is_stored_and_a_send_says_which_of_the_two_it_answers() -> None:
    task: Any = {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_WORKING", "timestamp": "x"}}
    assert v1.sent(task) == {"task": task}
    assert v1.sent(MESSAGE) == {"message": MESSAGE}  # type: ignore[arg-type]


def test_a_list_of_tasks_always_has_its_token_size_and_total() -> None:
    assert v1.task_list(ops.TaskList([], "", 50, 0)) == {
        "tasks": [],
        "nextPageToken": "",
        "pageSize": 50,
        "totalSize": 0,
    }


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ({}, {}),
        ({"token": "k"}, {"token": "k"}),
        ({"token": ""}, {}),
        ({"authentication": {"scheme": "Basic"}}, {"authentication": {"scheme": "Basic"}}),
        (
            {"authentication": {"scheme": "Bearer", "credentials": "s", "headerName": "X"}},
            {"authentication": {"scheme": "Bearer", "credentials": "s"}},
        ),
        ({"attempts": 3, "last_error": "dns", "queued_through": 9}, {}),
    ],
)
def test_a_config_is_written_with_what_1_0_knows_of_it(fields: dict[str, Any], written: dict[str, Any]) -> None:
    assert v1.push_config(config(**fields)) == {"taskId": "t", "id": "c", "url": WEBHOOK, **written}


def test_a_list_of_configs_has_a_token_only_if_there_is_more() -> None:
    assert v1.push_config_list(ops.PushConfigList([])) == {"configs": []}
    assert v1.push_config_list(ops.PushConfigList([config()], "c"))["nextPageToken"] == "c"
