"""Every file in events/ is an event of AWS that its function takes: each is replayed, and its answer checked.

``<function>-<case>.json``. The expectation of each stands below; a file without one fails, and so does one whose name
begins with no function.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloud
import pytest
from callers import Caller
from cloud_stack import FUNCTIONS, CloudStack, handler_module
from scripted import header

from a2a_lambda.agent.caretaker import OVER
from a2a_lambda.aws.items import task_record
from a2a_lambda.aws.queues import decode, deduplication, encode, group
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import PushConfig, ResumeToken, TaskRecord

EVENTS = cloud.ROOT / "events"
PATHS = sorted(EVENTS.iterdir())
TASK = "4f1c2d3e-5a6b-5c7d-8e9f-0a1b2c3d4e5f"
WEBHOOK = "https://hooks.example.com/a2a"


def event_of(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


@dataclass(frozen=True)
class Case:
    """``given`` prepares the tables; ``then`` looks at the answer and at what became of them. ``express``: with that
    type of workflow."""

    then: Callable[[CloudStack, Any], None]
    given: Callable[[CloudStack], None] = lambda stack: None
    express: bool = False


# -------------------------------------------------------------------------------------------------------- what is given


def image(name: str, which: str) -> TaskRecord:
    return task_record(event_of(name)["Records"][0]["dynamodb"]["NewImage" if which == "new" else "OldImage"])


def task(stack: CloudStack, owner: str = "anonymous", **changed: Any) -> None:
    assert stack.tasks.create(replace(image("notifier-modify", "new"), owner=owner, **changed))


def a_fresh_task(stack: CloudStack) -> None:
    assert stack.tasks.create(replace(image("notifier-insert", "new"), created_at=stack.time.now))


def a_task_whose_execution_is_over(stack: CloudStack) -> None:
    task(stack, created_at=stack.time.now - timedelta(seconds=OVER))


def a_task_that_asks(stack: CloudStack) -> None:
    record = image("notifier-modify", "new")
    status = {**record.task["status"], "state": TaskState.INPUT_REQUIRED}
    task(stack, task={**record.task, "status": status})


def an_answered_task(stack: CloudStack) -> None:
    assert stack.tasks.create(image("caretaker-answered-task", "new"))
    stack.tasks.set_resume_token(TASK, ResumeToken("token", image("caretaker-answered-task", "new").cursor.run))


def webhook(stack: CloudStack, queued_through: int = 0) -> None:
    """The config that the events of redelivery are for."""
    message = decode(event_of("redelivery-message")["Records"][0]["body"])
    config = PushConfig(
        task_id=TASK,
        config_id=message.config_id,
        owner="anonymous",
        url=WEBHOOK,
        dialect="1.0",
        incarnation=message.incarnation,
        revision="1",
        token="a-token-of-the-client",
        queued_through=queued_through,
    )
    assert stack.tasks.create(image("notifier-insert", "new"), [config])


def a_backlog(stack: CloudStack) -> None:
    webhook(stack, queued_through=3)


def nothing_left_of_the_backlog(stack: CloudStack) -> None:
    webhook(stack, queued_through=3)
    config = stack.configs.get(TASK, "default")
    assert config is not None
    assert stack.configs.settle(config, 3, stack.time.now)


# ------------------------------------------------------------------------------------------------------ what comes then


def result(answer: Any) -> Any:
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "application/json"
    body = json.loads(answer["body"])
    assert (body["jsonrpc"], body["id"]) == ("2.0", 1)
    return body["result"]


def refused(code: int) -> Callable[[CloudStack, Any], None]:
    def then(stack: CloudStack, answer: Any) -> None:
        assert answer["statusCode"] == 200
        assert json.loads(answer["body"])["error"]["code"] == code
        assert cloud.items(stack.configs_table) == []

    return then


def is_a_card(stack: CloudStack, answer: Any) -> None:
    card = json.loads(answer["body"])
    assert (answer["statusCode"], card["name"]) == (200, "PushAgent")
    assert card["capabilities"]["pushNotifications"] is True
    assert "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com" in answer["body"]
    assert answer["headers"]["etag"]


def is_submitted(state: str, pick: Callable[[Any], Any] = lambda answer: answer) -> Callable[[CloudStack, Any], None]:
    def then(stack: CloudStack, answer: Any) -> None:
        sent = pick(result(answer))
        assert sent["status"]["state"] == state
        assert stack.started() == [sent["id"]]

    return then


def is_sent_with_its_config(stack: CloudStack, answer: Any) -> None:
    is_submitted("TASK_STATE_SUBMITTED", lambda found: found["task"])(stack, answer)
    (config,) = stack.configs.of_task(result(answer)["task"]["id"])
    assert (config.url, config.token) == (WEBHOOK, "a-token-of-the-client")


def is_registered(stack: CloudStack, answer: Any) -> None:
    assert result(answer)["pushNotificationConfig"]["webhookUrl"] == WEBHOOK
    (config,) = stack.configs.of_task(TASK)
    assert (config.url, config.dialect, config.settled_through) == (WEBHOOK, "legacy", 3)


def is_the_task(stack: CloudStack, answer: Any) -> None:
    assert result(answer) == stack.stored(TASK).task


def is_listed(stack: CloudStack, answer: Any) -> None:
    assert [found["id"] for found in result(answer)["tasks"]] == [TASK]


def is_completed(stack: CloudStack, answer: Any) -> None:
    assert (answer, stack.state(TASK)) == ({"next": "done"}, "completed")


def keeps_the_token(stack: CloudStack, answer: Any) -> None:
    token = stack.stored(TASK).resume_token
    assert token is not None
    assert (answer, token.token) == ({"next": "done"}, event_of("executor-await")["resumeToken"])
    assert stack.resumed() == []


def is_failed(stack: CloudStack, answer: Any) -> None:
    assert (answer, stack.state(TASK)) == ({"next": "done"}, "failed")


def is_started(stack: CloudStack, answer: Any) -> None:
    assert (answer, stack.started()) == ({"batchItemFailures": []}, [TASK])


def is_resumed(stack: CloudStack, answer: Any) -> None:
    assert (answer, stack.resumed()) == ({"batchItemFailures": []}, ["token"])


def is_ended(stack: CloudStack, answer: Any) -> None:
    assert (answer, stack.state(TASK)) == ({}, "failed")


def is_given_up(stack: CloudStack, answer: Any) -> None:
    assert (answer, stack.state(TASK)) == ({"batchItemFailures": []}, "failed")


def tells(*states: str) -> Callable[[CloudStack, Any], None]:
    def then(stack: CloudStack, answer: Any) -> None:
        assert answer == {"batchItemFailures": []}
        bodies = [json.loads(body) for body in stack.sender.bodies(WEBHOOK)]
        assert [next(iter(body)) for body in bodies] == list(states)
        assert all(header(post, "X-A2A-Notification-Token") == "a-token-of-the-client" for post in stack.sender.posts)

    return then


def removes_the_config(stack: CloudStack, answer: Any) -> None:
    assert answer == {"batchItemFailures": []}
    assert stack.configs.of_task(TASK) == []


CASES = {
    "rpc-agent-card": Case(is_a_card),
    "rpc-legacy-agent-card": Case(is_a_card),
    "rpc-tasks-send": Case(is_submitted("submitted")),
    "rpc-push-notification-set": Case(is_registered, task),
    "rpc-send-message": Case(is_sent_with_its_config),
    "rpc-message-send": Case(is_submitted("submitted")),
    "rpc-get-task": Case(is_the_task, task),
    "rpc-unknown-method": Case(refused(-32601)),
    "rpc-bad-json": Case(refused(-32700)),
    "rpc-refused-webhook": Case(refused(-32602), task),
    "rpc-iam-caller": Case(
        is_the_task, lambda stack: task(stack, "iam:arn:aws:sts::111122223333:assumed-role/orders-service")
    ),
    "rpc-jwt-caller": Case(is_listed, lambda stack: task(stack, "jwt:orders-service")),
    "executor-run": Case(is_completed, a_fresh_task),
    "executor-await": Case(keeps_the_token, a_task_that_asks),
    "executor-expire": Case(is_failed, a_task_that_asks),
    "executor-fail": Case(is_failed, task),
    "caretaker-new-task": Case(is_started, a_fresh_task),
    "caretaker-answered-task": Case(is_resumed, an_answered_task),
    "caretaker-execution-ended": Case(is_ended, task),
    "caretaker-watched-task": Case(is_given_up, a_task_whose_execution_is_over, express=True),
    "notifier-insert": Case(tells("statusUpdate"), webhook),
    "notifier-modify": Case(tells("artifactUpdate", "statusUpdate"), webhook),
    "notifier-remove": Case(removes_the_config, webhook),
    "redelivery-message": Case(tells("statusUpdate"), a_backlog),
    "redelivery-duplicate": Case(tells(), nothing_left_of_the_backlog),
}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_an_event_is_taken_by_its_function_and_answered_as_expected(
    cloud_stack: Callable[..., CloudStack], path: Path
) -> None:
    function = path.name.partition("-")[0]
    assert path.suffix == ".json", "events/ holds events only"
    assert function in FUNCTIONS, f"{path.name} is for no function"
    assert path.stem in CASES, f"what should become of {path.name}?"
    case = CASES[path.stem]
    stack = cloud_stack(express=case.express)
    case.given(stack)
    case.then(stack, stack.invoke(function, event_of(path.stem)))


def test_every_expectation_has_its_event() -> None:
    assert {path.stem for path in PATHS} == set(CASES)


def test_every_function_has_an_event() -> None:
    assert {path.name.partition("-")[0] for path in PATHS} == set(FUNCTIONS)
    for function in FUNCTIONS:
        assert callable(handler_module(function).handler)


@pytest.mark.parametrize("name", [path.stem for path in PATHS if path.name.startswith("rpc-")])
def test_an_rpc_event_has_the_shape_of_an_http_api(name: str) -> None:
    event = event_of(name)
    context = event["requestContext"]
    assert event["version"] == "2.0"
    assert event["isBase64Encoded"] is False
    assert (context["http"]["path"], context["routeKey"]) == (event["rawPath"], event["routeKey"])
    assert all(header_name == header_name.lower() for header_name in event["headers"])
    if "body" in event:
        assert event["headers"]["content-length"] == str(len(event["body"].encode()))


def test_the_events_of_the_stream_hold_items_as_the_runtime_writes_them(
    cloud_stack: Callable[..., CloudStack],
) -> None:
    """Otherwise an attribute that is added would be missing from the examples, and nobody would know."""
    stack = cloud_stack()
    stack.send()
    (written,) = stack.new_records()
    for name in ("notifier-insert", "notifier-modify"):
        (example,) = event_of(name)["Records"]
        assert set(example["dynamodb"]["NewImage"]) == set(written["dynamodb"]["NewImage"])
        assert set(written["dynamodb"]) <= set(example["dynamodb"]) | {"OldImage"}


@pytest.mark.parametrize("name", ["redelivery-message", "redelivery-duplicate"])
def test_the_events_of_the_queue_hold_messages_as_the_runtime_writes_them(name: str) -> None:
    (record,) = event_of(name)["Records"]
    message = decode(record["body"])
    assert encode(message) == record["body"]
    assert record["attributes"]["MessageGroupId"] == group(message)
    assert record["attributes"]["MessageDeduplicationId"] == deduplication(message)


def test_the_callers_of_the_events_are_those_of_the_tests() -> None:
    """The shapes of IAM and JWT authorizers, as tests/support/callers.py writes them too."""
    iam = event_of("rpc-iam-caller")["requestContext"]["authorizer"]
    token = event_of("rpc-jwt-caller")["requestContext"]["authorizer"]
    assert Caller("iam", iam).owner == "iam:arn:aws:sts::111122223333:assumed-role/orders-service"
    assert Caller("jwt", token).owner == "jwt:orders-service"
