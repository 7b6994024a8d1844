"""What clients in the field send, each seen there: what is right is taken, what is not has a clear error."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK, WEBHOOK, Options, Reply, Stack
from memory_stack import MemoryStack

V03 = {"kind": "message", "messageId": "m-1", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}


def rest(stack: Stack, verb: str, path: str, body: str = "", query: str = "", **headers: str) -> Reply:
    sent = {"A2A-Version": "1.0", **({"Content-Type": "application/json"} if body else {}), **headers}
    return stack.http(verb, path, body, sent, query=query)


def task_of(stack: Stack) -> str:
    return str(stack.send()["id"])


# ------------------------------------------------------------------------------------------------- ids in paths


@pytest.mark.parametrize("config_id", ["a/b", "a b", "a+b", "ä", "1795677493", "a.b", "a?b#c"])
def test_a_config_that_can_be_made_can_be_read_and_deleted_by_its_path(stack: Stack, config_id: str) -> None:
    from urllib.parse import quote

    path = f"/tasks/{task_of(stack)}/pushNotificationConfigs"
    made = rest(stack, "POST", path, json.dumps({"id": config_id, "url": WEBHOOK}))
    assert made.status == 200
    one = f"{path}/{quote(config_id, safe='')}"
    assert rest(stack, "GET", one).json == made.json
    assert rest(stack, "DELETE", one).status == 200
    assert rest(stack, "GET", one).status == 404


@pytest.mark.parametrize("config_id", ["100%41", "%2e", "a%2Fb", ".", "..", "a/../b", "./a"])
def test_an_id_that_no_path_could_name_is_refused_at_creation(stack: Stack, config_id: str) -> None:
    params = {"taskId": task_of(stack), "id": config_id, "url": WEBHOOK}
    assert stack.code("CreateTaskPushNotificationConfig", params) == -32602


def test_a_path_is_decoded_once(stack: Stack) -> None:
    task_id = task_of(stack)
    stack.register(task_id, WEBHOOK, id="100A")
    assert rest(stack, "DELETE", f"/tasks/{task_id}/pushNotificationConfigs/100%2541").status == 200
    assert [config.config_id for config in stack.configs.of_task(task_id)] == ["100A"]


# -------------------------------------------------------------------------------------------------- JSON-RPC and HTTP


@pytest.mark.parametrize("method", ["SendMessage", "GetTask"])
def test_a_request_without_an_id_makes_nothing(stack: Stack, method: str) -> None:
    before = stack.snapshot()
    params = {"message": stack.message()} if method == "SendMessage" else {"id": "none"}
    assert stack.post({"jsonrpc": "2.0", "method": method, "params": params})["error"]["code"] == -32600
    assert stack.snapshot() == before


@pytest.mark.parametrize(("method", "params", "code"), [("Send", {}, -32601), ("SendMessage", "text", -32602)])
def test_what_else_is_wrong_is_said_before_a_missing_id(stack: Stack, method: str, params: Any, code: int) -> None:
    assert stack.post({"jsonrpc": "2.0", "method": method, "params": params})["error"]["code"] == code


@pytest.mark.parametrize("path", ["/.well-known/agent-card.json", "/.well-known/jwks.json", "/agentCard"])
def test_head_of_what_is_public_is_as_get_without_a_body(cloud_stack: Callable[..., CloudStack], path: str) -> None:
    stack = cloud_stack()
    got, head = stack.http("GET", path), stack.http("HEAD", path)
    assert (head.status, head.body) == (got.status, "")
    assert {name: value for name, value in head.headers.items() if name != "date"} == {
        name: value for name, value in got.headers.items() if name != "date"
    }


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "gzip, identity"])
def test_a_coded_body_is_an_unsupported_media_type(stack: Stack, coding: str) -> None:
    body = json.dumps({"message": stack.message()})
    reply = rest(stack, "POST", "/message:send", body, **{"Content-Encoding": coding})
    assert reply.status == 415
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": stack.message()}})
    answer = stack.http("POST", "/", call, {"Content-Type": "application/json", "Content-Encoding": coding})
    assert answer.json["error"]["code"] == -32005


def test_a_body_that_is_coded_as_itself_is_taken(stack: Stack) -> None:
    body = json.dumps({"message": stack.message(), "configuration": {"returnImmediately": True}})
    assert rest(stack, "POST", "/message:send", body, **{"Content-Encoding": "identity"}).status == 200


@pytest.mark.parametrize("body", ["", "{}", "null"])
def test_a_cancel_without_parameters_is_a_cancel(stack: Stack, body: str) -> None:
    assert rest(stack, "POST", f"/tasks/{task_of(stack)}:cancel", body).status == 200


@pytest.mark.parametrize("version", ["1.0, 1.0", "1.0,1.0", " 1.0 "])
def test_equal_versions_are_one(stack: Stack, version: str) -> None:
    assert "result" in stack.request("GetTask", {"id": task_of(stack)}, version=version)


def test_different_versions_are_none(stack: Stack) -> None:
    assert stack.code("GetTask", {"id": task_of(stack)}, version="1.0, 0.3") == -32009


@pytest.mark.parametrize("name", ["A2A-Version", "a2a-version", "A2a-version"])
def test_the_version_may_be_in_the_query_whatever_its_case(stack: Stack, name: str) -> None:
    body = {"jsonrpc": "2.0", "id": "call", "method": "GetTask", "params": {"id": UNKNOWN_TASK}}
    assert stack.post(body, version=None, query=f"{name}=1.0")["error"]["code"] == -32001
    assert stack.post(body, version=None, query=f"{name}=7.0")["error"]["code"] == -32009


# ------------------------------------------------------------------------------------------------------ webhooks


@pytest.mark.parametrize("token", [" lead", "trail ", "\ttab", "two\nlines"])
def test_a_token_that_a_receiver_would_read_otherwise_is_refused(stack: Stack, token: str) -> None:
    params = {"taskId": task_of(stack), "url": WEBHOOK, "token": token}
    assert stack.code("CreateTaskPushNotificationConfig", params) == -32602


@pytest.mark.parametrize("scheme", ["Bearer x,", "Bearer ", 'Digest username="x"', "a b", "ä", "(x)"])
def test_a_scheme_is_a_token(stack: Stack, scheme: str) -> None:
    authentication = {"scheme": scheme, "credentials": "c"}
    params = {"taskId": task_of(stack), "url": WEBHOOK, "authentication": authentication}
    assert stack.code("CreateTaskPushNotificationConfig", params) == -32602


def test_a_config_is_bounded_as_it_is_sent(stack: Stack) -> None:
    authentication = {"scheme": "Bearer", "credentials": "c" * 9_000}
    params = {"taskId": task_of(stack), "url": WEBHOOK, "authentication": authentication}
    assert stack.code("CreateTaskPushNotificationConfig", params) == -32602


def test_an_older_client_of_1_0_gets_its_inline_webhook(stack: Stack) -> None:
    configuration = {"returnImmediately": True, "pushNotificationConfig": {"url": WEBHOOK, "token": "t"}}
    task = stack.call("SendMessage", {"message": stack.message(), "configuration": configuration})["task"]
    assert [(config.url, config.token) for config in stack.configs.of_task(task["id"])] == [(WEBHOOK, "t")]


def test_in_0_3_the_id_of_the_task_means_its_default_config(stack: Stack) -> None:
    task_id = task_of(stack)
    legacy = {"id": task_id, "pushNotificationConfig": {"webhookUrl": WEBHOOK}}
    stack.call("tasks/pushNotification/set", legacy, version=None)
    params = {"id": task_id, "pushNotificationConfigId": task_id}
    found = stack.call("tasks/pushNotificationConfig/get", params, version="0.3")
    assert found["pushNotificationConfig"]["url"] == WEBHOOK
    other = {"id": task_id, "pushNotificationConfigId": "another"}
    assert stack.code("tasks/pushNotificationConfig/get", other, version="0.3") == -32001
    stack.call("tasks/pushNotificationConfig/delete", params, version="0.3")
    assert [*stack.configs.of_task(task_id)] == []


def test_the_drafts_delete_what_the_drafts_can_have_set(stack: Stack) -> None:
    task_id = task_of(stack)
    stack.register(task_id, WEBHOOK, id="of 1.0")
    params = {"id": task_id, "pushNotificationConfig": {"webhookUrl": WEBHOOK}}
    stack.call("tasks/pushNotification/set", params, version=None)
    stack.call("tasks/pushNotification/delete", {"id": task_id}, version=None)
    assert [config.config_id for config in stack.configs.of_task(task_id)] == ["of 1.0"]


# --------------------------------------------------------------------------------------------------------- parts


@pytest.mark.parametrize(
    "part", [{"text": "", "data": {"a": 1}}, {"text": "hello", "url": ""}, {"text": "", "url": WEBHOOK}]
)
def test_an_empty_member_beside_a_filled_one_is_absent(stack: Stack, part: dict[str, Any]) -> None:
    task = stack.send({**stack.message(), "parts": [part]})
    (kept,) = task["history"][0]["parts"]
    assert [name for name in ("text", "data", "url") if name in kept] == [name for name, value in part.items() if value]


@pytest.mark.parametrize(
    "part", [{"text": "a", "data": {}}, {"text": "a", "url": WEBHOOK}, {}, {"text": "", "url": ""}]
)
def test_two_contents_or_none_are_refused(stack: Stack, part: dict[str, Any]) -> None:
    assert stack.code("SendMessage", {"message": {**stack.message(), "parts": [part]}}) == -32602


@pytest.mark.parametrize("part", [{"text": "a"}, {"data": {"a": 1}}, {"file": {"uri": WEBHOOK}}])
def test_a_part_of_0_3_says_what_it_is_by_what_it_has(stack: Stack, part: dict[str, Any]) -> None:
    message = {**V03, "parts": [part]}
    sent = stack.call("message/send", {"message": message, "configuration": {"blocking": False}}, version="0.3")
    assert sent["history"][0]["parts"][0]["kind"] == next(iter(part))


# ----------------------------------------------------------------------------------------------- lists are bounded


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parts", [{"text": "x"}] * 1_001),
        ("extensions", ["https://example.com/x"] * 51),
        ("extensions", ["https://example.com/" + "x" * 2_048]),
        ("referenceTaskIds", ["t"] * 51),
    ],
)
def test_lists_of_a_message_have_an_end(stack: Stack, field: str, value: list[Any]) -> None:
    before = stack.snapshot()
    assert stack.code("SendMessage", {"message": {**stack.message(), field: value}}) == -32602
    assert stack.snapshot() == before


def test_event_types_of_the_drafts_have_an_end(stack: Stack) -> None:
    config = {"webhookUrl": WEBHOOK, "eventTypes": ["x" * 100] * 2_500}
    params = {"id": task_of(stack), "pushNotificationConfig": config}
    assert stack.code("tasks/pushNotification/set", params, version=None) == -32602


# ------------------------------------------------------------------------------------------- nothing stays behind


def test_nothing_of_a_refused_request_stays() -> None:
    import gc

    stack = MemoryStack(Options())

    bad: list[Any] = [
        {"parts": [{"text": 7}]},
        {"parts": []},
        {"role": "nobody"},
        {"parts": [{"raw": "not base64!"}]},
        {"contextId": "x" * 10_000},
        {"metadata": [1]},
    ]

    def refused() -> None:
        for each in bad:
            body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage"}
            text = json.dumps({**body, "params": {"message": {**stack.message(), **each, "x": "y" * 1_000}}})
            stack.http("POST", "/", text, {"A2A-Version": "1.0", "Content-Type": "application/json"})

    refused()
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(50):
        refused()
    gc.collect()
    assert len(gc.get_objects()) - before < 200
