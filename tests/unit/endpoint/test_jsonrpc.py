"""The JSON-RPC 2.0 binding (specification section 9): envelopes, ids, versions, limits, faults."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from callers import ALICE
from harness import UNKNOWN_TASK, WEBHOOK, Stack
from memory_stack import MemoryStack

from a2a_lambda.core.ports import Unavailable
from a2a_lambda.core.strict_json import MAX_BODY, MAX_DEPTH

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


def envelope(**fields: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", **fields}


def error_of(memory: MemoryStack, body: Any, **named: Any) -> dict[str, Any]:
    """The error of a request that must be refused, and must write nothing."""
    before = memory.snapshot()
    response = memory.post(body, **named)
    assert memory.snapshot() == before
    error: dict[str, Any] = response["error"]
    assert error["data"][0]["@type"] == ERROR_INFO
    assert error["data"][0]["domain"] == "a2a-protocol.org"
    return {**error, "id": response["id"]}


# ---------------------------------------------------------------------------------------------------------- not JSON


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "{",
        "nonsense",
        "{'jsonrpc': '2.0'}",
        '{"jsonrpc": "2.0",}',
        '{"jsonrpc": "2.0"} trailing',
        '{"id": NaN}',
        '{"id": Infinity}',
        '{"id": -Infinity}',
        '{"id": 1e999}',
        '{"id": -1e999}',
        '{"params": {"x": "\\ud800"}}',
        '{"params": {"\\udfff": 1}}',
        '{"params": {"x": "\\ud83d\\ud83d"}}',
        '{"id": ' + "9" * 5_000 + "}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"x": "\xed\xa0\x80"}',
        "[" * 100_000,
        '{"a":' * 50_000,
        "[" * 500 + "]" * 500,
        '{"params": ' + '{"x": [' * 60 + "1" + "]}" * 60 + "}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_json_that_everybody_can_read_is_a_parse_error(memory: MemoryStack, body: str | bytes) -> None:
    error = error_of(memory, body)
    assert (error["code"], error["id"], error["data"][0]["reason"]) == (-32700, None, "PARSE_ERROR")


def test_nesting_up_to_the_limit_is_read_stored_and_told(stack: Stack) -> None:
    """One more level would be refused: what is read here has to be readable by every function behind."""
    value: Any = 1
    for _ in range(MAX_DEPTH - 7):  # the envelope, params, message, parts, part, data and the outermost list
        value = [value]
    message = stack.message(parts=[{"data": value}])
    task_id = stack.send(message)["id"]
    assert stack.call("GetTask", {"id": task_id})["history"][0]["parts"] == [{"data": value}]


@pytest.mark.parametrize("text", ["\u00e4\u20ac\U0001f600", "\u2028", "\x00", "\x7f", "\ufffe", "\\ud83d\\ude00"])
def test_every_text_that_is_unicode_comes_back_as_it_was(stack: Stack, text: str) -> None:
    task_id = stack.send(stack.message(text))["id"]
    assert stack.call("GetTask", {"id": task_id})["history"][0]["parts"] == [{"text": text}]


def test_a_pair_of_surrogates_is_one_character(memory: MemoryStack) -> None:
    body = json.dumps(envelope(method="GetTask", params={"id": "\U0001f600"}))
    assert "\\ud83d\\ude00" in body
    assert error_of(memory, body)["code"] == -32001


@pytest.mark.parametrize("size", [MAX_BODY + 1, 1_000_000, 6_000_000])
def test_a_body_that_is_too_large_is_refused_before_it_is_parsed(memory: MemoryStack, size: int) -> None:
    error = error_of(memory, '{"x": "' + "x" * (size - 9) + '"}')
    assert (error["code"], error["id"]) == (-32600, None)


def test_the_largest_body_is_taken_and_stored(stack: Stack) -> None:
    message = stack.message("")
    params = {"message": message, "configuration": {"returnImmediately": True}}
    room = MAX_BODY - len(json.dumps(envelope(method="SendMessage", params=params)))
    message["parts"][0]["text"] = "x" * room
    body = json.dumps(envelope(method="SendMessage", params=params))
    assert len(body) == MAX_BODY
    task = stack.post(body)["result"]["task"]
    assert len(stack.stored(task["id"]).task["history"][0]["parts"][0]["text"]) == room


# ------------------------------------------------------------------------------------------------------- content type


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/xml", "application/jsonp", "application/json, text/plain", "x"],
)
def test_a_request_that_does_not_say_it_is_json_is_refused_before_it_is_parsed(
    memory: MemoryStack, content_type: str | None
) -> None:
    for body in (envelope(), "{broken"):
        assert error_of(memory, body, content_type=content_type)["code"] == -32005


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/a2a+json",
        " application/json ",
    ],
)
def test_every_way_to_say_json_is_taken(memory: MemoryStack, content_type: str) -> None:
    assert memory.post(envelope(), content_type=content_type)["result"]["tasks"] == []


# ----------------------------------------------------------------------------------------------------------- envelope


@pytest.mark.parametrize("body", [[], [envelope()], "text", 5, None, True, 1.5], ids=repr)
def test_a_body_that_is_no_object_is_an_invalid_request(memory: MemoryStack, body: Any) -> None:
    """Batches are refused like everything else."""
    error = error_of(memory, json.dumps(body))
    assert (error["code"], error["id"]) == (-32600, None)


@pytest.mark.parametrize("version", ["1.0", "2", 2.0, 2, None, "", [], "absent"])
def test_a_request_that_is_not_json_rpc_2_is_invalid(memory: MemoryStack, version: Any) -> None:
    body = envelope(jsonrpc=version)
    if version == "absent":
        del body["jsonrpc"]
    error = error_of(memory, body)
    assert (error["code"], error["id"]) == (-32600, 1)


@pytest.mark.parametrize("method", [None, 5, "absent", [], {}, True])
def test_a_request_without_a_method_is_invalid(memory: MemoryStack, method: Any) -> None:
    body = envelope(method=method)
    if method == "absent":
        del body["method"]
    assert error_of(memory, body)["code"] == -32600


@pytest.mark.parametrize(
    "method", ["", "sendmessage", "Sendmessage", "message/Send", "tasks/send ", "rpc.discover", "__init__", "x" * 9_999]
)
def test_a_method_that_nobody_knows_is_not_found(memory: MemoryStack, method: str) -> None:
    error = error_of(memory, envelope(method=method))
    assert (error["code"], error["data"][0]["reason"]) == (-32601, "METHOD_NOT_FOUND")
    assert "x" * 100 not in json.dumps(error)


@pytest.mark.parametrize("params", [[], ["x"], "text", 5, True, 0, ""], ids=repr)
def test_params_that_are_no_object_are_invalid(memory: MemoryStack, params: Any) -> None:
    assert error_of(memory, envelope(params=params))["code"] == -32602


def test_params_may_be_left_out_or_null_where_a_method_needs_none(memory: MemoryStack) -> None:
    assert memory.post(envelope())["result"]["totalSize"] == 0
    assert memory.post(envelope(params=None))["result"]["totalSize"] == 0
    assert error_of(memory, envelope(method="GetTask"))["code"] == -32602


@pytest.mark.parametrize("call_id", ["", "text", "\u00e4", 0, 1, -1, 2**53, 1.5, None], ids=repr)
def test_the_id_comes_back_as_it_was_with_results_and_with_errors(memory: MemoryStack, call_id: Any) -> None:
    for method, key in (("ListTasks", "result"), ("NoSuchMethod", "error")):
        response = memory.post(envelope(id=call_id, method=method))
        assert key in response
        assert response["id"] == call_id
        assert type(response["id"]) is type(call_id)


def test_a_request_without_an_id_is_answered_with_null(memory: MemoryStack) -> None:
    body = envelope()
    del body["id"]
    assert memory.post(body)["id"] is None


@pytest.mark.parametrize("call_id", [True, False, [], {}, [1], {"a": 1}], ids=repr)
def test_an_id_that_is_neither_text_nor_number_is_invalid(memory: MemoryStack, call_id: Any) -> None:
    error = error_of(memory, envelope(id=call_id))
    assert (error["code"], error["id"]) == (-32600, None)


def test_a_result_of_null_is_there(stack: Stack) -> None:
    task_id = stack.send()["id"]
    response = stack.request("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": "none"})
    assert "result" in response
    assert response["result"] is None


# ----------------------------------------------------------------------------------------------------------- versions


@pytest.mark.parametrize("version", ["1.0", "1.0.0", "1.0.1", "1.0.999", " 1.0 "])
def test_a_1_0_method_is_called_with_any_patch_of_1_0(memory: MemoryStack, version: str) -> None:
    assert memory.call("ListTasks", version=version)["tasks"] == []


@pytest.mark.parametrize(
    "version",
    [None, "", "0.3", "0.3.0", "0.2", "1", "1.1", "2.0", "01.0", "1.0.0.0", "v1.0", "1.0-beta", "\u0661.0", "x"],
)
def test_a_1_0_method_with_any_other_version_is_refused(memory: MemoryStack, version: str | None) -> None:
    error = memory.request("ListTasks", version=version)["error"]
    assert (error["code"], error["data"][0]["reason"]) == (-32009, "VERSION_NOT_SUPPORTED")
    assert "1.0" in error["message"]


@pytest.mark.parametrize("version", [None, "", "0.3", "0.3.0", "1.0", "9.9", "nonsense"])
def test_the_legacy_methods_ignore_the_version(memory: MemoryStack, version: str | None) -> None:
    assert memory.call("tasks/list", version=version) == []


def test_the_version_may_come_in_the_query(memory: MemoryStack) -> None:
    assert "result" in memory.post(envelope(), version=None, query="A2A-Version=1.0")
    assert error_of(memory, envelope(), version=None, query="A2A-Version=7.0")["code"] == -32009


def test_the_version_in_the_header_wins_over_that_in_the_query(memory: MemoryStack) -> None:
    assert "result" in memory.post(envelope(), version="1.0", query="A2A-Version=0.3")


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/a2a/v1", "/a2a/v1/"])
def test_the_endpoint_is_the_same_at_each_of_its_paths(stack: Stack, path: str) -> None:
    assert stack.post(envelope(), path=path)["result"]["tasks"] == []


# ------------------------------------------------------------------------------------------------------------- errors


def test_invalid_params_name_each_field_at_fault(memory: MemoryStack) -> None:
    params = {"message": {"messageId": "", "role": "ROLE_KING", "parts": []}, "configuration": {"historyLength": -1}}
    error = error_of(memory, envelope(method="SendMessage", params=params))
    info, bad_request = error["data"]
    assert (error["code"], info["reason"]) == (-32602, "INVALID_PARAMS")
    assert bad_request["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    fields = {violation["field"] for violation in bad_request["fieldViolations"]}
    assert fields == {"message.messageId", "message.role", "message.parts", "configuration.historyLength"}


def test_an_error_never_repeats_a_value_of_the_request(memory: MemoryStack) -> None:
    params = {"message": {"messageId": ["secret"], "role": "secret", "parts": [{"text": {"secret": 1}}]}}
    assert "secret" not in json.dumps(error_of(memory, envelope(method="SendMessage", params=params)))


def test_a_thousand_wrong_fields_do_not_make_an_endless_answer(memory: MemoryStack) -> None:
    params = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{}] * 1_000}}
    error = error_of(memory, envelope(method="SendMessage", params=params))
    assert len(error["data"][1]["fieldViolations"]) <= 20


@pytest.mark.parametrize(
    ("method", "params", "code", "reason"),
    [
        ("GetTask", {"id": UNKNOWN_TASK}, -32001, "TASK_NOT_FOUND"),
        ("SendStreamingMessage", {}, -32004, "UNSUPPORTED_OPERATION"),
        ("SubscribeToTask", {"id": UNKNOWN_TASK}, -32004, "UNSUPPORTED_OPERATION"),
        ("GetExtendedAgentCard", {}, -32004, "UNSUPPORTED_OPERATION"),
    ],
)
def test_an_error_has_its_code_and_its_reason(
    memory: MemoryStack, method: str, params: dict[str, Any], code: int, reason: str
) -> None:
    error = error_of(memory, envelope(method=method, params=params))
    assert (error["code"], error["data"][0]["reason"]) == (code, reason)
    assert error["data"][0]["metadata"] == {}


class SecretError(Exception):
    """What a library may raise: with all it knows in its text."""


@pytest.mark.parametrize("fault", [SecretError("secret"), Unavailable("secret"), KeyError("secret"), RecursionError()])
def test_a_fault_of_ours_is_an_internal_error_without_any_internals(memory: MemoryStack, fault: Exception) -> None:
    def fail(*_: object) -> Any:
        raise fault

    memory.tasks.get = fail  # type: ignore[method-assign]
    response = memory.request("GetTask", {"id": UNKNOWN_TASK})
    assert response["error"] == {
        "code": -32603,
        "message": "Internal error",
        "data": [{"@type": ERROR_INFO, "reason": "INTERNAL_ERROR", "domain": "a2a-protocol.org", "metadata": {}}],
    }
    assert memory.fault is fault


# -------------------------------------------------------------------------------------------------- through the handler


def test_the_handler_reads_a_body_in_base64(cloud_stack: Callable[..., Stack]) -> None:
    assert cloud_stack().post(json.dumps(envelope()).encode())["result"]["tasks"] == []


@pytest.mark.parametrize("body", ["not base64!", "\u00e9", "e30", base64.b64encode(b"\xff").decode()])
def test_the_handler_takes_a_broken_base64_body_for_no_json(cloud_stack: Callable[..., Any], body: str) -> None:
    from cloud_stack import http_event

    stack = cloud_stack()
    event = http_event("POST", "/", body, {"Content-Type": "application/json"}, ALICE)
    answer = stack.invoke("rpc", {**event, "isBase64Encoded": True})
    assert json.loads(answer["body"])["error"]["code"] == -32700


def test_a_request_without_a_body_is_a_parse_error(cloud_stack: Callable[..., Stack]) -> None:
    assert cloud_stack().post("")["error"]["code"] == -32700


def test_nothing_that_is_refused_reaches_the_tables(cloud_stack: Callable[..., Stack]) -> None:
    stack = cloud_stack()
    task_id = stack.send()["id"]
    before = stack.snapshot()
    bad: list[tuple[Any, int]] = [
        ("{", -32700),
        ([envelope()], -32600),
        (envelope(method=None), -32600),
        (envelope(method="Nope"), -32601),
        (
            envelope(method="SendMessage", params={"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}),
            -32602,
        ),
        (envelope(method="SendMessage", params={"message": "text"}), -32602),
        (envelope(method="GetTask", params={"id": UNKNOWN_TASK}), -32001),
        (envelope(method="CreateTaskPushNotificationConfig", params={"taskId": task_id, "url": "http://x"}), -32602),
        (envelope(method="CreateTaskPushNotificationConfig", params={"taskId": UNKNOWN_TASK, "url": WEBHOOK}), -32001),
        ("x" * 1_000_000, -32600),
    ]
    for body, code in bad:
        assert stack.post(body)["error"]["code"] == code
    assert stack.post(envelope(), content_type="text/plain")["error"]["code"] == -32005
    assert stack.post(envelope(), version="7.7")["error"]["code"] == -32009
    assert stack.snapshot() == before
