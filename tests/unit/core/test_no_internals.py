"""Secrets stay where they belong: not in answers, log lines, metrics, queues or dead letters, whatever goes wrong.

The secrets: a token, credentials, a URL's query, a message's text, and what exceptions carry in theirs.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import cloud
import pytest
from agents import named
from callers import BOB
from cloud_stack import CloudStack, handler_module
from harness import UNKNOWN_TASK

from a2a_lambda.agent import Agent, TaskContext

SECRET = "s3cr3t-do-not-show"
URL = f"https://hooks.example.com/a2a?key={SECRET}"
WEBHOOK = {
    "id": "c",
    "url": URL,
    "token": f"{SECRET}-token",
    "authentication": {"scheme": "Bearer", "credentials": f"{SECRET}-credentials"},
}


class SecretError(Exception):
    """What a library may raise: with all it knows in its text."""

    def __init__(self) -> None:
        super().__init__(f"connection to https://user:{SECRET}@db.example.com failed")


def raising_agent() -> Agent:
    agent = named()

    @agent.step
    def only(task: TaskContext) -> None:
        try:
            raise SecretError
        except SecretError as error:
            raise RuntimeError(f"wrapped {SECRET}") from error

    return agent


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack], output: Callable[[], str]) -> CloudStack:
    made = cloud_stack(agent=raising_agent())
    output()
    return made


def assert_clean(*texts: str) -> None:
    for text in texts:
        assert text, "nothing was written: the test has looked at nothing"
        assert SECRET not in text
        assert "Traceback" not in text
        assert 'File "' not in text


def in_queue(url: str) -> str:
    """All that a queue holds, unpacked."""
    held = []
    for message in cloud.messages(url):
        body = json.loads(message["Body"])
        if body.get("packed"):
            body["body"] = zlib.decompress(base64.b64decode(body["body"])).decode()
        held.append(json.dumps([body, message.get("MessageAttributes", {}), message["Attributes"]]))
    return "\n".join(held)


def registered(stack: CloudStack) -> str:
    task_id: str = stack.send(stack.message(f"my password is {SECRET}"), webhook=WEBHOOK)["id"]
    return task_id


# ------------------------------------------------------------------------------------------------------------------ rpc


def test_what_a_client_registers_and_says_is_in_no_log_line(stack: CloudStack, output: Callable[[], str]) -> None:
    task_id = registered(stack)
    stack.call("GetTask", {"id": task_id})
    stack.call("ListTaskPushNotificationConfigs", {"taskId": task_id})
    stack.call("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": "c"})
    assert_clean(output())


REFUSED: dict[str, Any] = {
    "bad JSON": '{"token": "' + SECRET,
    "a wrong type": {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": {"parts": SECRET}}},
    "an unknown method": {"jsonrpc": "2.0", "id": 1, "method": SECRET},
    "an unknown task": {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": SECRET}},
    "a refused URL": {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "CreateTaskPushNotificationConfig",
        "params": {"taskId": UNKNOWN_TASK, "url": f"http://{SECRET}@localhost:22/{SECRET}", "token": SECRET},
    },
    "a forged page token": {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"pageToken": SECRET}},
    "an unknown state": {"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {"status": SECRET}},
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_a_refused_request_is_neither_repeated_in_the_answer_nor_logged(
    stack: CloudStack, output: Callable[[], str], body: Any
) -> None:
    answer = stack.post(body)
    assert "error" in answer
    assert_clean(json.dumps(answer), output())


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "ValidationException"])
@pytest.mark.parametrize("service", ["dynamodb", "stepfunctions"])
def test_a_fault_of_aws_is_an_internal_error_and_its_text_is_not_shown(
    stack: CloudStack, output: Callable[[], str], service: Any, code: str
) -> None:
    with cloud.outage(service, code=code, message=f"User arn:aws:iam::111122223333:role/rpc {SECRET}"):
        answer = stack.request(
            "SendMessage", {"message": stack.message(), "configuration": {"returnImmediately": True}}
        )
    assert (answer["error"]["code"], answer["error"]["message"]) == (-32603, "Internal error")
    written = output()
    assert_clean(json.dumps(answer), written)
    assert "111122223333" not in json.dumps(answer) + written
    assert '"error":' in written, "an operator has to see what it was, and where"


def test_a_defect_of_ours_is_logged_by_type_and_place(
    stack: CloudStack, output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> Any:
        raise SecretError

    monkeypatch.setattr(handler_module("rpc").TaskTable, "get", fail)
    answer = stack.request("GetTask", {"id": UNKNOWN_TASK})
    written = output()
    assert answer["error"]["code"] == -32603
    assert_clean(json.dumps(answer), written)
    assert '"error":"SecretError"' in written
    assert '"where":"test_no_internals.py:' in written


def test_a_stranger_learns_nothing_about_a_config(stack: CloudStack, output: Callable[[], str]) -> None:
    task_id = registered(stack)
    answer = stack.request("GetTaskPushNotificationConfig", {"taskId": task_id, "id": "c"}, caller=BOB)
    assert_clean(json.dumps(answer), output())


# ------------------------------------------------------------------------------------------------------------- executor


def test_a_step_that_raises_tells_the_client_no_more_than_that_it_failed(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    task_id: str = stack.send()["id"]
    directive = stack.work(task_id)
    task = stack.call("GetTask", {"id": task_id})
    assert task["status"]["state"] == "TASK_STATE_FAILED"
    assert_clean(json.dumps(directive), json.dumps(task), output())


# ---------------------------------------------------------------------------------------------- notifier and redelivery


@pytest.mark.parametrize("failure", [500, "dns", "tls", "refused address", "timeout"])
def test_a_failed_notification_shows_its_secrets_to_nobody(
    stack: CloudStack, output: Callable[[], str], failure: Any
) -> None:
    registered(stack)
    stack.sender.answers(URL, failure)
    assert stack.notify() == []
    assert SECRET in str(stack.sender.posts), "the receiver gets its token"
    assert_clean(output(), in_queue(stack.redelivery_queue))


def test_a_dead_letter_shows_its_secrets_to_nobody(stack: CloudStack, output: Callable[[], str]) -> None:
    registered(stack)
    stack.sender.answers(URL, "timeout", 413)
    stack.notify()
    assert stack.redeliver(stack.receive()) == []
    assert_clean(output(), in_queue(stack.dead_letters))


def test_a_gone_receiver_shows_its_secrets_to_nobody(stack: CloudStack, output: Callable[[], str]) -> None:
    registered(stack)
    stack.sender.answers(URL, 410)
    stack.notify()
    assert_clean(output())


@pytest.mark.parametrize("code", ["ThrottlingException", None])
@pytest.mark.parametrize(
    ("service", "operation"), [("dynamodb", "Query"), ("dynamodb", "UpdateItem"), ("sqs", "SendMessageBatch")]
)
def test_an_outage_in_the_notifier_shows_nothing(
    stack: CloudStack, output: Callable[[], str], service: Any, operation: str, code: str | None
) -> None:
    registered(stack)
    stack.sender.answers(URL, 500)
    with cloud.outage(service, operation, code=code, message=SECRET):
        assert stack.notify() != []
    assert_clean(output())


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
def test_an_outage_in_redelivery_shows_nothing(stack: CloudStack, output: Callable[[], str], operation: str) -> None:
    registered(stack)
    stack.sender.answers(URL, "timeout", 500)
    stack.notify()
    records = stack.receive()
    with cloud.outage("dynamodb", operation, code="ThrottlingException", message=SECRET):
        assert stack.redeliver(records) != []
    assert_clean(output())


def test_a_poison_record_is_logged_without_what_is_in_it(stack: CloudStack, output: Callable[[], str]) -> None:
    registered(stack)
    (record,) = stack.new_records()
    record["dynamodb"]["NewImage"]["cursor"] = {"S": f"not json, but {SECRET}"}
    assert stack.notify([record]) == []
    assert_clean(output())


def test_an_unreadable_message_is_logged_without_what_is_in_it(stack: CloudStack, output: Callable[[], str]) -> None:
    registered(stack)
    stack.sender.answers(URL, 500)
    stack.notify()
    (record,) = stack.receive()
    assert stack.redeliver([{**record, "body": f"not json, but {SECRET}"}]) == []
    assert_clean(output())


def test_what_a_client_may_see_of_a_failing_webhook_names_no_address_and_no_secret(stack: CloudStack) -> None:
    task_id = registered(stack)
    stack.sender.answers(URL, "refused address")
    stack.notify()
    config = stack.configs.get(task_id, "c")
    assert config is not None
    assert config.last_error == "refused address"
