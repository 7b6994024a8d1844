"""The HTTP+JSON binding of A2A 1.0 (specification section 11)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from harness import UNKNOWN_TASK, WEBHOOK, Options, Reply, Stack
from memory_stack import MemoryStack
from proto_json import faults

PLAIN = "application/json"


def ask(
    stack: Stack,
    verb: str,
    path: str,
    body: Any = None,
    *,
    query: str = "",
    version: str | None = "1.0",
    content_type: str = PLAIN,
    **headers: str,
) -> Reply:
    sent = {"Content-Type": content_type} if body is not None else {}
    if version is not None:
        sent["A2A-Version"] = version
    text = json.dumps(body) if body is not None else ""
    return stack.http(verb, path, text, {**sent, **{k.replace("_", "-"): v for k, v in headers.items()}}, query=query)


def start(stack: Stack, **fields: Any) -> dict[str, Any]:
    body = {"message": stack.message(**fields), "configuration": {"returnImmediately": True}}
    reply = ask(stack, "POST", "/message:send", body)
    assert reply.status == 200
    assert list(faults(reply.json, "SendMessageResponse")) == []
    task: dict[str, Any] = reply.json["task"]
    return task


@pytest.mark.parametrize("prefix", ["", "/v1", "/a2a/v1"])
def test_a_task_is_sent_read_and_canceled(stack: Stack, prefix: str) -> None:
    task = start(stack)
    read = ask(stack, "GET", f"{prefix}/tasks/{task['id']}")
    assert (read.status, read.json) == (200, task)
    canceled = ask(stack, "POST", f"{prefix}/tasks/{task['id']}:cancel")
    assert canceled.json["status"]["state"] == "TASK_STATE_CANCELED"
    assert stack.call("GetTask", {"id": task["id"]}) == canceled.json


def test_parameters_of_a_get_are_in_the_query(stack: Stack) -> None:
    first, second = start(stack, contextId="one"), start(stack, contextId="two")
    without = ask(stack, "GET", f"/tasks/{first['id']}", query="historyLength=0").json
    assert "history" not in without
    listed = ask(stack, "GET", "/tasks", query="contextId=two&pageSize=1&includeArtifacts=true").json
    assert list(faults(listed, "ListTasksResponse")) == []
    assert [(task["id"], task["artifacts"]) for task in listed["tasks"]] == [(second["id"], [])]
    assert ask(stack, "GET", "/tasks", query="status=TASK_STATE_WORKING").json["tasks"] == []
    assert ask(stack, "GET", "/tasks", query="page_size=1").json["pageSize"] == 1


def test_push_configs_are_resources_of_their_task(stack: Stack) -> None:
    path = f"/tasks/{start(stack)['id']}/pushNotificationConfigs"
    created = ask(stack, "POST", path, {"id": "a b/c", "url": WEBHOOK})
    assert (created.status, created.json["id"]) == (200, "a b/c")
    assert ask(stack, "GET", f"{path}/a%20b%2Fc").json == created.json
    assert ask(stack, "GET", path).json == {"configs": [created.json]}
    deleted = ask(stack, "DELETE", f"{path}/a%20b%2Fc")
    assert (deleted.status, deleted.json) == (200, {})
    assert ask(stack, "GET", f"{path}/a%20b%2Fc").status == 404


def test_the_task_in_the_path_is_the_one_that_counts(stack: Stack) -> None:
    task_id = start(stack)["id"]
    path = f"/tasks/{task_id}/pushNotificationConfigs"
    assert ask(stack, "POST", path, {"url": WEBHOOK, "taskId": UNKNOWN_TASK}).json["taskId"] == task_id


Cause = tuple[str, str, Any, int, str, str]
CAUSES: list[Cause] = [
    ("GET", f"/tasks/{UNKNOWN_TASK}", None, 404, "NOT_FOUND", "TASK_NOT_FOUND"),
    ("POST", "/message:stream", {}, 400, "FAILED_PRECONDITION", "UNSUPPORTED_OPERATION"),
    ("POST", f"/tasks/{UNKNOWN_TASK}:subscribe", None, 400, "FAILED_PRECONDITION", "UNSUPPORTED_OPERATION"),
    ("GET", "/extendedAgentCard", None, 400, "FAILED_PRECONDITION", "UNSUPPORTED_OPERATION"),
    ("POST", "/message:send", {}, 400, "INVALID_ARGUMENT", "INVALID_PARAMS"),
    ("POST", "/message:send", [], 400, "INVALID_ARGUMENT", "INVALID_REQUEST"),
    ("GET", "/nowhere", None, 404, "NOT_FOUND", "METHOD_NOT_FOUND"),
    ("PUT", "/tasks", None, 404, "NOT_FOUND", "METHOD_NOT_FOUND"),
]


@pytest.mark.parametrize(("verb", "path", "body", "code", "status", "reason"), CAUSES)
def test_an_error_is_a_google_rpc_status(
    memory: MemoryStack, verb: str, path: str, body: Any, code: int, status: str, reason: str
) -> None:
    reply = ask(memory, verb, path, body)
    error = reply.json["error"]
    assert (reply.status, error["code"], error["status"]) == (code, code, status)
    info = error["details"][0]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert (info["reason"], info["domain"]) == (reason, "a2a-protocol.org")


def test_a_wrong_parameter_is_named(memory: MemoryStack) -> None:
    error = ask(memory, "GET", "/tasks", query="pageSize=1000").json["error"]
    assert [violation["field"] for violation in error["details"][1]["fieldViolations"]] == ["pageSize"]


@pytest.mark.parametrize("version", [None, "", "0.3", "2.0"])
def test_another_version_is_refused(memory: MemoryStack, version: str | None) -> None:
    reply = ask(memory, "GET", "/tasks", version=version)
    assert (reply.status, reply.json["error"]["details"][0]["reason"]) == (400, "VERSION_NOT_SUPPORTED")


def test_the_version_may_be_in_the_query(memory: MemoryStack) -> None:
    assert ask(memory, "GET", "/tasks", version=None, query="A2A-Version=1.0").status == 200


def test_a_body_that_is_not_declared_as_json_has_an_http_status_of_its_own(memory: MemoryStack) -> None:
    reply = ask(memory, "POST", "/message:send", {"message": memory.message()}, content_type="text/plain")
    assert (reply.status, reply.json["error"]["details"][0]["reason"]) == (415, "CONTENT_TYPE_NOT_SUPPORTED")


@pytest.mark.parametrize(
    ("accept", "sent", "answered"),
    [
        ("*/*", PLAIN, PLAIN),
        ("application/a2a+json", PLAIN, "application/a2a+json"),
        ("*/*", "application/a2a+json", "application/a2a+json"),
    ],
)
def test_the_media_type_of_a2a_is_for_those_who_know_it(
    memory: MemoryStack, accept: str, sent: str, answered: str
) -> None:
    reply = ask(memory, "POST", "/message:send", {"message": memory.message()}, content_type=sent, Accept=accept)
    assert reply.status == 200
    assert reply.headers["content-type"] == answered


def test_our_own_failure_says_nothing_of_what_failed() -> None:
    stack = MemoryStack(Options())
    stack.break_workflow()
    reply = ask(stack, "POST", "/message:send", {"message": stack.message()})
    assert reply.status == 500
    assert reply.json["error"]["message"] == "Internal error"
    assert stack.fault is not None
