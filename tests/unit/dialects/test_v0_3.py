"""A2A 0.3 beside the two other dialects on one endpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import UNKNOWN_TASK, WEBHOOK, Stack

from a2a_lambda.agent import Agent, TaskContext


def message(text: str = "hello", **fields: Any) -> dict[str, Any]:
    parts = [{"kind": "text", "text": text}]
    return {"kind": "message", "messageId": f"m-{text}", "role": "user", "parts": parts, **fields}


def send(stack: Stack, text: str = "hello", version: str | None = None, **configuration: Any) -> dict[str, Any]:
    params = {"message": message(text), "configuration": configuration}
    task: dict[str, Any] = stack.call("message/send", params, version=version)
    return task


@pytest.mark.parametrize("version", [None, "", "0.3", "0.3.0"])
def test_a_client_that_asks_for_0_3_or_for_nothing_is_answered_with_a_bare_task(
    stack: Stack, version: str | None
) -> None:
    task = send(stack, version=version)
    assert (task["kind"], task["status"]["state"]) == ("task", "submitted")
    (entry,) = task["history"]
    assert entry["kind"] == "message"
    assert entry["parts"] == [{"kind": "text", "text": "hello"}]


@pytest.mark.parametrize("method", ["message/send", "tasks/pushNotificationConfig/list"])
def test_methods_of_0_3_do_not_belong_to_1_0(stack: Stack, method: str) -> None:
    assert stack.code(method, {"message": message(), "id": UNKNOWN_TASK}, version="1.0") == -32009


def test_a_shared_method_answers_in_the_dialect_in_which_the_task_was_sent(stack: Stack) -> None:
    legacy = stack.call("tasks/send", {"message": {"role": "user", "parts": [{"text": "x"}]}}, version=None)
    new = stack.send()
    assert stack.call("tasks/get", {"id": legacy["id"]}, version=None)["artifacts"] == []
    assert stack.call("tasks/get", {"id": send(stack)["id"]}, version=None)["kind"] == "task"
    assert stack.call("tasks/get", {"id": new["id"]}, version=None)["kind"] == "task"
    assert stack.call("tasks/get", {"id": new["id"]}, version="1.0")["kind"] == "task"
    assert stack.call("tasks/get", {"id": legacy["id"]}, version="0.3")["kind"] == "task"
    assert "kind" not in stack.call("tasks/cancel", {"id": legacy["id"]}, version=None)
    assert stack.call("tasks/cancel", {"id": new["id"]}, version=None)["status"]["state"] == "canceled"


@pytest.mark.parametrize(("blocking", "state"), [(True, "completed"), (False, "submitted"), (None, "completed")])
def test_a_send_waits_for_the_end_unless_it_asks_not_to(
    new_stack: Callable[..., Stack], blocking: bool | None, state: str
) -> None:
    agent = Agent(name="OneStep", version="1.0.0", description="Completes.")
    agent.step(name="only")(_complete)
    stack = new_stack(agent=agent)
    stack.time.on_sleep = lambda: [stack.work(task_id) for task_id in stack.started()]
    assert send(stack, blocking=blocking)["status"]["state"] == state


def _complete(task: TaskContext) -> None:
    task.complete("Done.")


def test_a_config_without_an_id_is_found_under_default(stack: Stack) -> None:
    task_id = send(stack)["id"]
    params = {"taskId": task_id, "pushNotificationConfig": {"url": WEBHOOK, "token": "t"}}
    answer = stack.call("tasks/pushNotificationConfig/set", params, version=None)
    assert answer == {"taskId": task_id, "pushNotificationConfig": {"id": "default", "url": WEBHOOK, "token": "t"}}
    for wanted in ({}, {"pushNotificationConfigId": "default"}):
        assert stack.call("tasks/pushNotificationConfig/get", {"id": task_id, **wanted}, version=None) == answer
    assert stack.call("tasks/pushNotificationConfig/list", {"id": task_id}, version=None) == [answer]


def test_a_deleted_config_is_gone_and_the_answer_is_null(stack: Stack) -> None:
    task_id = send(stack, pushNotificationConfig={"id": "mine", "url": WEBHOOK})["id"]
    params = {"id": task_id, "pushNotificationConfigId": "mine"}
    response = stack.request("tasks/pushNotificationConfig/delete", params, version=None)
    assert response["result"] is None
    assert stack.call("tasks/pushNotificationConfig/list", {"id": task_id}, version=None) == []
    assert stack.code("tasks/pushNotificationConfig/get", params, version=None) == -32001


def test_a_config_keeps_all_its_schemes_and_1_0_shows_the_one_that_is_used(stack: Stack) -> None:
    authentication = {"schemes": ["Bearer", "Basic"], "credentials": "secret"}
    task_id = send(stack, pushNotificationConfig={"id": "a", "url": WEBHOOK, "authentication": authentication})["id"]
    (listed,) = stack.call("tasks/pushNotificationConfig/list", {"id": task_id}, version=None)
    assert listed["pushNotificationConfig"]["authentication"] == authentication
    shown = stack.call("GetTaskPushNotificationConfig", {"taskId": task_id, "id": "a"})
    assert shown["authentication"] == {"scheme": "Bearer", "credentials": "secret"}


@pytest.mark.parametrize(
    ("method", "code"),
    [("message/stream", -32004), ("tasks/resubscribe", -32004), ("agent/getAuthenticatedExtendedCard", -32007)],
)
def test_what_the_card_does_not_promise_is_refused(stack: Stack, method: str, code: int) -> None:
    assert stack.code(method, {"message": message()}, version=None) == code


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"text": "no kind", "data": {}},
        {"text": "no kind, and another type", "type": "video"},
        {"kind": "video"},
        {"kind": "text"},
        {"kind": "file", "file": {}},
        {"kind": "file", "file": {"bytes": "AA==", "uri": "https://example.com/"}},
        {"kind": "file", "file": {"bytes": "not base64!"}},
        {"kind": "data", "data": [1]},
    ],
)
def test_a_part_that_is_none_is_refused(stack: Stack, part: dict[str, Any]) -> None:
    before = stack.snapshot()
    assert stack.code("message/send", {"message": {**message(), "parts": [part]}}, version=None) == -32602
    assert stack.snapshot() == before


def test_files_and_data_reach_a_client_of_1_0_as_they_were_sent(stack: Stack) -> None:
    parts = [
        {"kind": "file", "file": {"bytes": "AA", "name": "a.bin", "mimeType": "text/plain"}},
        {"kind": "file", "file": {"uri": "https://example.com/a"}},
        {"kind": "data", "data": {"value": 7}, "metadata": {"data_part_compat": True}},
    ]
    task = stack.call("message/send", {"message": {**message(), "parts": parts}}, version=None)
    assert stack.call("GetTask", {"id": task["id"]})["history"][0]["parts"] == [
        {"raw": "AA==", "filename": "a.bin", "mediaType": "text/plain"},
        {"url": "https://example.com/a"},
        {"data": 7},
    ]
