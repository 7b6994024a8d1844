"""The handlers of notifier and redelivery on moto: events in, items and messages out."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import cloud
import pytest
from agents import named
from cloud_stack import CloudStack
from harness import WEBHOOK
from scripted import header

from a2a_lambda.push.outcome import Answer

SECRETS = {"token": "secret-token", "authentication": {"scheme": "Bearer", "credentials": "secret-credentials"}}


@pytest.fixture
def aws_stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack()


def registered(stack: CloudStack, name: str = "a", **fields: Any) -> str:
    """A task with a webhook, of which the stream has told already."""
    task_id: str = stack.send()["id"]
    stack.register(task_id, f"{WEBHOOK}/{name}", id=name, **fields)
    stack.new_records()
    return task_id


def cancel(stack: CloudStack, task_id: str) -> None:
    stack.call("CancelTask", {"id": task_id})


def states(stack: CloudStack) -> list[str]:
    bodies = [json.loads(body) for body in stack.sender.bodies()]
    return [body["statusUpdate"]["status"]["state"] for body in bodies if "statusUpdate" in body]


# ------------------------------------------------------------------------------------------------------------ notifier


def test_the_whole_scenario_from_the_send_to_the_last_push(aws_stack: CloudStack) -> None:
    legacy = {"message": {"role": "user", "parts": [{"text": "run push demo"}]}}
    task_id = aws_stack.call("tasks/send", legacy, version=None)["id"]
    config = {"webhookUrl": WEBHOOK}
    aws_stack.call("tasks/pushNotification/set", {"id": task_id, "config": config}, version=None)
    aws_stack.work(task_id)
    assert aws_stack.notify() == []
    bodies = [json.loads(body) for body in aws_stack.sender.bodies()]
    assert [body["type"] for body in bodies] == ["TaskStatusUpdateEvent"] * 5
    assert [body["status"]["state"] for body in bodies] == ["working"] * 4 + ["completed"]
    assert [body["final"] for body in bodies] == [False] * 4 + [True]
    assert bodies[-1]["status"]["message"]["parts"] == [{"text": "All 3 steps complete"}]


def test_records_of_several_tasks_are_told_to_each_ones_webhooks(aws_stack: CloudStack) -> None:
    first, second = registered(aws_stack, "a"), registered(aws_stack, "b")
    cancel(aws_stack, first)
    cancel(aws_stack, second)
    assert aws_stack.notify() == []
    assert sorted(aws_stack.sender.urls()) == [f"{WEBHOOK}/a", f"{WEBHOOK}/b"]


def test_the_environment_sets_the_deadline_of_the_first_attempt(
    aws_stack: CloudStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRST_ATTEMPT_SECONDS", "7.5")
    cancel(aws_stack, registered(aws_stack))
    aws_stack.notify()
    assert aws_stack.sender.budgets == [7.5]


def test_a_batch_of_changes_that_nobody_listens_to_does_nothing(aws_stack: CloudStack) -> None:
    aws_stack.work(aws_stack.send()["id"])
    assert aws_stack.notify() == []
    assert cloud.messages(aws_stack.redelivery_queue) == []


def test_an_empty_batch_is_no_error(aws_stack: CloudStack) -> None:
    assert aws_stack.notify([]) == []


def test_the_trace_of_the_invocation_goes_along(aws_stack: CloudStack, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1"
    monkeypatch.setenv("_X_AMZN_TRACE_ID", trace)
    cancel(aws_stack, registered(aws_stack))
    aws_stack.notify()
    expected = "00-67891233abcdef012345678912345678-53995c3f42cd8ad8-01"
    assert header(aws_stack.sender.posts[0], "traceparent") == expected


def test_what_fails_is_queued_in_order_in_the_group_of_its_config(aws_stack: CloudStack) -> None:
    task_id = registered(aws_stack)
    aws_stack.sender.answers(f"{WEBHOOK}/a", "connect")
    aws_stack.work(task_id)
    assert aws_stack.notify() == []
    messages = cloud.messages(aws_stack.redelivery_queue)
    bodies = [json.loads(message["Body"]) for message in messages]
    assert len({message["Attributes"]["MessageGroupId"] for message in messages}) == 1
    places = [(body["generation"], body["n"]) for body in bodies]
    assert places == sorted(places)
    assert len(places) == len(set(places)) == 8


def test_a_batch_that_comes_again_queues_nothing_twice(aws_stack: CloudStack) -> None:
    task_id = registered(aws_stack)
    aws_stack.sender.answers(f"{WEBHOOK}/a", 500)
    cancel(aws_stack, task_id)
    records = aws_stack.new_records()
    for _ in range(2):
        assert aws_stack.notify(records) == []
    assert len(cloud.messages(aws_stack.redelivery_queue)) == 1


@pytest.mark.parametrize("message_size", [10, 100_000])
def test_messages_hold_neither_credentials_nor_tokens_nor_urls(
    cloud_stack: Callable[..., CloudStack], message_size: int
) -> None:
    agent = named()
    agent.step(name="only")(lambda task: task.complete("x" * message_size))
    stack = cloud_stack(agent=agent)
    task_id = stack.send(webhook={"id": "a", "url": f"{WEBHOOK}/a?key=secret-query", **SECRETS})["id"]
    stack.sender.answers(f"{WEBHOOK}/a?key=secret-query", 500)
    stack.work(task_id)
    stack.notify()
    assert "secret-credentials" in str(stack.sender.posts)
    for message in cloud.messages(stack.redelivery_queue):
        body = json.loads(message["Body"])
        unpacked = zlib.decompress(base64.b64decode(body["body"])).decode() if body["packed"] else body["body"]
        assert "secret" not in message["Body"] + unpacked


def test_a_large_body_is_packed_and_arrives_as_it_was(cloud_stack: Callable[..., CloudStack]) -> None:
    agent, text = named(), "long \u00e4\u20ac " * 20_000
    agent.step(name="only")(lambda task: task.complete(text))
    stack = cloud_stack(agent=agent)
    task_id = registered(stack)
    stack.sender.answers(f"{WEBHOOK}/a", "timeout", 200)
    stack.work(task_id)
    stack.notify()
    assert all(len(message["Body"].encode()) < 10_000 for message in cloud.messages(stack.redelivery_queue))
    assert stack.redeliver(stack.receive()) == []
    last = json.loads(stack.sender.bodies()[-1])
    assert last["statusUpdate"]["status"]["message"]["parts"][0]["text"] == text


@pytest.mark.parametrize("broken", ["doc", "generation", "openArtifacts"])
@pytest.mark.parametrize("how", ["missing", "nonsense"])
def test_a_poison_record_is_put_aside_whole_and_the_others_are_told(
    aws_stack: CloudStack, broken: str, how: str
) -> None:
    first, second = registered(aws_stack, "a"), registered(aws_stack, "b")
    cancel(aws_stack, first)
    cancel(aws_stack, second)
    poison, good = aws_stack.new_records()
    image = poison["dynamodb"]["NewImage"]
    if how == "missing":
        del image[broken]
    else:
        image[broken] = {"N": "nonsense"} if broken != "generation" else {"S": "nonsense"}
    assert aws_stack.notify([poison, good]) == []
    assert aws_stack.sender.urls() == [f"{WEBHOOK}/b"]
    (kept,) = cloud.messages(aws_stack.stream_failures)
    body = json.loads(kept["Body"])
    assert json.loads(zlib.decompress(base64.b64decode(body["packedRecord"]))) == poison


def test_a_poison_record_is_put_aside_without_the_token_of_the_workflow(aws_stack: CloudStack) -> None:
    """Who has the token can let the execution go on, or fail it."""
    task_id = registered(aws_stack)
    aws_stack.await_input(task_id, "secret-token-of-the-workflow")
    aws_stack.new_records()
    cancel(aws_stack, task_id)
    (poison,) = aws_stack.new_records()
    del poison["dynamodb"]["NewImage"]["doc"]
    assert aws_stack.notify([poison]) == []
    for image in ("OldImage", "NewImage"):
        del poison["dynamodb"][image]["resumeToken"]
    (kept,) = cloud.messages(aws_stack.stream_failures)
    assert json.loads(zlib.decompress(base64.b64decode(json.loads(kept["Body"])["packedRecord"]))) == poison


def test_a_poison_record_that_cannot_be_put_aside_comes_again(aws_stack: CloudStack) -> None:
    cancel(aws_stack, registered(aws_stack))
    (poison,) = aws_stack.new_records()
    del poison["dynamodb"]["NewImage"]["doc"]
    with cloud.outage("sqs", "SendMessage"):
        assert aws_stack.notify([poison]) == [poison["dynamodb"]["SequenceNumber"]]


def test_a_task_that_has_expired_takes_its_configs_along(aws_stack: CloudStack) -> None:
    task_id = registered(aws_stack)
    key = {"taskId": {"S": task_id}}
    cloud.client("dynamodb").delete_item(TableName=aws_stack.tasks_table, Key=key)
    (record,) = aws_stack.new_records()
    assert record["eventName"] == "REMOVE"
    assert aws_stack.notify([record]) == []
    assert aws_stack.configs.of_task(task_id) == []


@pytest.mark.parametrize(
    ("service", "operation"), [("sqs", "SendMessageBatch"), ("dynamodb", "UpdateItem"), ("dynamodb", "Query")]
)
@pytest.mark.parametrize("code", [None, "ThrottlingException"])
def test_an_outage_fails_the_records_and_when_they_come_again_nothing_is_lost(
    aws_stack: CloudStack, service: Any, operation: str, code: str | None
) -> None:
    task_id = registered(aws_stack)
    aws_stack.sender.answers(f"{WEBHOOK}/a", 500)
    cancel(aws_stack, task_id)
    records = aws_stack.new_records()
    with cloud.outage(service, operation, code=code) as tried:
        assert aws_stack.notify(records) == [record["dynamodb"]["SequenceNumber"] for record in records]
    assert tried
    assert aws_stack.notify(records) == []
    assert len(cloud.messages(aws_stack.redelivery_queue)) == 1


# ---------------------------------------------------------------------------------------------------------- redelivery


def queued(stack: CloudStack, name: str = "a") -> str:
    """A task whose cancelation waits in the queue."""
    task_id = registered(stack, name)
    stack.sender.answers(f"{WEBHOOK}/{name}", "timeout", 200)
    cancel(stack, task_id)
    stack.notify()
    stack.sender.posts.clear()
    return task_id


def test_a_message_that_arrives_is_deleted_and_settled(aws_stack: CloudStack) -> None:
    task_id = queued(aws_stack)
    assert aws_stack.redeliver(aws_stack.receive()) == []
    assert states(aws_stack) == ["TASK_STATE_CANCELED"]
    config = aws_stack.configs.get(task_id, "a")
    assert config is not None
    assert not config.backlogged
    assert cloud.messages(aws_stack.redelivery_queue) == []


def test_a_message_that_fails_stays_hidden_until_its_time(aws_stack: CloudStack) -> None:
    task_id = queued(aws_stack)
    aws_stack.sender.answers(f"{WEBHOOK}/a", Answer(status=503, retry_after=1_000.0))
    with cloud.calls("sqs") as calls:
        (record,) = aws_stack.receive()
        assert aws_stack.redeliver([record]) == [record["messageId"]]
    (hidden,) = [arguments for name, arguments in calls if name == "ChangeMessageVisibility"]
    assert hidden["ReceiptHandle"] == record["receiptHandle"]
    assert 1 <= hidden["VisibilityTimeout"] <= 1_000
    config = aws_stack.configs.get(task_id, "a")
    assert config is not None
    assert (config.attempts, config.last_error) == (1, "status 503")


def test_the_longer_a_message_waits_for_a_table_the_longer_it_is_hidden(aws_stack: CloudStack) -> None:
    queued(aws_stack)
    (record,) = aws_stack.receive()
    hidden = []
    for receives in (1, 100, 1_000):
        attributes = {**record["attributes"], "ApproximateReceiveCount": str(receives)}
        with cloud.calls("sqs") as calls, cloud.outage("dynamodb", "GetItem"):
            assert aws_stack.redeliver([{**record, "attributes": attributes}]) == [record["messageId"]]
        hidden += [arguments["VisibilityTimeout"] for name, arguments in calls if name == "ChangeMessageVisibility"]
    assert hidden == [10, 199, 900]


def test_after_a_failure_the_later_messages_of_the_batch_wait_as_well(aws_stack: CloudStack) -> None:
    """One group is in order: what is behind a failed message must not overtake it."""
    queued(aws_stack, "a")
    queued(aws_stack, "b")
    records = aws_stack.receive()
    assert len(records) == 2
    first = json.loads(records[0]["body"])["configId"]
    aws_stack.sender.answers(f"{WEBHOOK}/{first}", 500)
    assert aws_stack.redeliver(records) == [record["messageId"] for record in records]
    assert aws_stack.sender.urls() == [f"{WEBHOOK}/{first}"]


def test_a_duplicate_of_what_was_settled_is_dropped_without_an_attempt(aws_stack: CloudStack) -> None:
    queued(aws_stack)
    records = aws_stack.receive()
    aws_stack.redeliver(records)
    assert aws_stack.redeliver(records) == []
    assert len(aws_stack.sender.posts) == 1


def test_a_message_for_a_deleted_config_is_dropped(aws_stack: CloudStack) -> None:
    task_id = queued(aws_stack)
    aws_stack.call("DeleteTaskPushNotificationConfig", {"taskId": task_id, "id": "a"})
    assert aws_stack.redeliver(aws_stack.receive()) == []
    assert aws_stack.sender.posts == []


def test_what_the_receiver_will_never_take_goes_to_the_dead_letters_with_its_reason(aws_stack: CloudStack) -> None:
    queued(aws_stack)
    aws_stack.sender.answers(f"{WEBHOOK}/a", 413)
    records = aws_stack.receive()
    assert aws_stack.redeliver(records) == []
    (dead,) = cloud.messages(aws_stack.dead_letters)
    assert dead["Body"] == records[0]["body"]
    assert dead["MessageAttributes"]["reason"]["StringValue"].startswith("status 413; given up at 2026-01-01T")


@pytest.mark.parametrize("body", ["", "not json", "[]", "{}", "null", '{"packed": true, "body": "eA=="}', "7"])
def test_a_message_that_nobody_can_read_goes_to_the_dead_letters_as_it_is(aws_stack: CloudStack, body: str) -> None:
    queued(aws_stack)
    (record,) = aws_stack.receive()
    assert aws_stack.redeliver([{**record, "body": body}]) == []
    if body:
        assert [dead["Body"] for dead in cloud.messages(aws_stack.dead_letters)] == [body]
    assert aws_stack.sender.posts == []


def test_a_message_in_a_dialect_that_nobody_knows_goes_to_the_dead_letters_as_it_is(aws_stack: CloudStack) -> None:
    queued(aws_stack)
    (record,) = aws_stack.receive()
    record["body"] = json.dumps({**json.loads(record["body"]), "dialect": "2.0"})
    assert aws_stack.redeliver([record]) == []
    (dead,) = cloud.messages(aws_stack.dead_letters)
    assert dead["Body"] == record["body"]
    assert dead["MessageAttributes"]["reason"]["StringValue"] == "unreadable"


def test_the_messages_of_a_config_that_cannot_be_read_go_to_the_dead_letters_and_the_others_go_on(
    aws_stack: CloudStack,
) -> None:
    broken = queued(aws_stack, "a")
    queued(aws_stack, "b")
    break_config(aws_stack, broken, "a")
    records = aws_stack.receive()
    assert aws_stack.redeliver(records) == []
    assert aws_stack.sender.urls() == [f"{WEBHOOK}/b"]
    (dead,) = cloud.messages(aws_stack.dead_letters)
    assert dead["Body"] in [record["body"] for record in records]
    assert json.loads(dead["Body"])["configId"] == "a"


def break_config(stack: CloudStack, task_id: str, config_id: str) -> None:
    """Something has written to the table that is none of ours."""
    key = {"taskId": {"S": task_id}, "configId": {"S": config_id}}
    cloud.client("dynamodb").update_item(TableName=stack.configs_table, Key=key, UpdateExpression="REMOVE eventTypes")


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
def test_a_table_that_does_not_answer_leaves_the_message_in_the_queue(aws_stack: CloudStack, operation: str) -> None:
    queued(aws_stack)
    (record,) = aws_stack.receive()
    with cloud.outage("dynamodb", operation):
        assert aws_stack.redeliver([record]) == [record["messageId"]]
    assert aws_stack.redeliver([record]) == []
    assert len(aws_stack.sender.posts) == 1


def test_a_message_that_cannot_be_hidden_is_failed_all_the_same(aws_stack: CloudStack) -> None:
    queued(aws_stack)
    aws_stack.sender.answers(f"{WEBHOOK}/a", 500)
    (record,) = aws_stack.receive()
    with cloud.outage("sqs", "ChangeMessageVisibility"):
        assert aws_stack.redeliver([record]) == [record["messageId"]]
