"""The FIFO queues and the state machine over moto."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cloud
import pytest
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK
from hypothesis import given
from hypothesis import strategies as st

from a2a_lambda.aws.queues import SqsDeadLetters, SqsRedeliveryQueue, decode, deduplication, encode, group
from a2a_lambda.aws.workflow import StateMachine, task_of
from a2a_lambda.core.model import dumps
from a2a_lambda.core.ports import Poison, QueuedNotification, Unavailable

TASK = "4f1c2d3e-5a6b-5c7d-8e9f-0a1b2c3d4e5f"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)

LARGEST_MESSAGE = 1_048_576
"""Bytes of a message, and of a whole batch."""


def message(config: str = "c", generation: int = 1, n: int = 0, **changed: Any) -> QueuedNotification:
    plain = QueuedNotification("t", config, "i", generation, n, "{}", True, "1.0", "2026-01-01T00:00:00.000Z")
    return replace(plain, **changed)


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack()


@pytest.fixture
def queue(stack: CloudStack) -> SqsRedeliveryQueue:
    return SqsRedeliveryQueue(stack.redelivery_queue)


def received(stack: CloudStack) -> list[QueuedNotification]:
    return [decode(found["Body"]) for found in cloud.messages(stack.redelivery_queue)]


texts = st.text(max_size=30)
notifications = st.builds(
    QueuedNotification,
    task_id=st.uuids().map(str),
    config_id=texts.filter(bool),
    incarnation=texts,
    generation=st.integers(0, 2**53),
    n=st.integers(0, 1000),
    body=(st.text(max_size=200) | st.integers(0, 60_000).map(lambda size: "\u20ac" * size)).map(
        lambda text: dumps({"text": text})
    ),
    last=st.booleans(),
    dialect=st.sampled_from(["1.0", "0.3", "legacy"]),
    written_at=st.integers(0, 10**10).map(lambda seconds: (CREATED + timedelta(seconds=seconds)).isoformat()),
    nonce=texts,
    redrive=texts,
    refused_by=texts,
)


@given(notifications)
def test_a_message_loses_nothing_of_its_notification(original: QueuedNotification) -> None:
    assert decode(encode(original)) == original


@given(notifications)
def test_a_message_is_ascii_that_sqs_takes(original: QueuedNotification) -> None:
    assert encode(original).isascii()
    assert encode(original).isprintable()


def test_the_largest_body_that_a_task_can_have_fits_into_a_message() -> None:
    import random

    noise = "".join(random.Random(1).choices([chr(number) for number in range(0x4E00, 0x9FFF)], k=130_000))
    assert len(noise.encode()) > 380_000
    assert len(encode(message(body=noise))) < LARGEST_MESSAGE


@pytest.mark.parametrize(
    "text",
    ["", "x", "null", "5", "[]", "{}", '{"body": "x"}', '{"packed": true, "body": "x"}', '{"packed": true, "body": 5}'],
)
def test_what_is_no_message_of_ours_is_refused_with_an_error_that_the_handler_knows(text: str) -> None:
    with pytest.raises(Poison):
        decode(text)


def test_the_group_of_a_message_is_that_of_the_incarnation_of_its_config() -> None:
    same = {group(message(generation=number, n=number)) for number in range(3)}
    assert len(same) == 1
    others = {group(message("d")), group(message(incarnation="j")), group(message(task_id="u"))}
    assert len(same | others) == 4


def test_every_message_has_a_deduplication_id_of_its_own_in_any_queue() -> None:
    different = [
        message(),
        message(generation=2),
        message(n=1),
        message(nonce="a"),
        message(redrive="a"),
        message("d"),
        message(task_id="u"),
        message(incarnation="j"),
    ]
    identities = {deduplication(item) for item in different}
    assert len(identities) == len(different)
    assert all(len(identity) <= 128 and identity.isalnum() for identity in identities)
    assert deduplication(message(body="other")) == deduplication(message())


def test_messages_of_one_config_are_queued_in_the_order_given(queue: SqsRedeliveryQueue, stack: CloudStack) -> None:
    sent = [message(generation=number) for number in range(8)]
    assert queue.send(sent) == frozenset()
    assert received(stack) == sent


def test_many_configs_are_sent_in_batches_of_ten(queue: SqsRedeliveryQueue, stack: CloudStack) -> None:
    with cloud.calls("sqs") as calls:
        queue.send([message(f"c{number}") for number in range(25)])
    assert [len(arguments["Entries"]) for _, arguments in calls] == [10, 10, 5]
    assert len(received(stack)) == 25


def test_no_batch_is_larger_than_sqs_takes(queue: SqsRedeliveryQueue) -> None:
    import random

    noise = "".join(random.Random(1).choices([chr(number) for number in range(0x4E00, 0x9FFF)], k=100_000))
    with cloud.calls("sqs") as calls:
        queue.send([message(f"c{number}", body=noise) for number in range(6)])
    assert len(calls) > 1
    for _, arguments in calls:
        assert sum(len(entry["MessageBody"]) for entry in arguments["Entries"]) <= LARGEST_MESSAGE


def test_the_same_message_twice_is_queued_once(queue: SqsRedeliveryQueue, stack: CloudStack) -> None:
    queue.send([message(), message(generation=2)])
    queue.send([message(), message(generation=2)])
    assert received(stack) == [message(), message(generation=2)]


def test_after_a_message_that_was_refused_none_of_the_same_config_is_sent(
    queue: SqsRedeliveryQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be delivered before the one that is missing."""
    client = cloud.client("sqs")
    sent: list[QueuedNotification] = []

    def refuses_b(QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's
        items = {entry["Id"]: decode(entry["MessageBody"]) for entry in Entries}
        sent.extend(items.values())
        return {"Failed": [{"Id": number} for number, item in items.items() if item.config_id == "b"]}

    monkeypatch.setattr(client, "send_message_batch", refuses_b)
    batch = [message(name, generation) for generation in (1, 2, 3) for name in "ab"]
    assert queue.send(batch) == {("t", "b")}
    assert [(item.config_id, item.generation) for item in sent] == [("a", 1), ("b", 1), ("a", 2), ("a", 3)]


@pytest.mark.parametrize("code", [None, "ThrottlingException", "AccessDenied"])
def test_a_queue_that_does_not_answer_has_taken_nothing(
    queue: SqsRedeliveryQueue, stack: CloudStack, code: str | None
) -> None:
    with cloud.outage("sqs", "SendMessageBatch", code=code):
        assert queue.send([message("a"), message("b")]) == {("t", "a"), ("t", "b")}
    assert received(stack) == []


def test_a_dead_letter_says_why(stack: CloudStack) -> None:
    SqsDeadLetters(stack.dead_letters).send(message(), "status 413; given up")
    (dead,) = cloud.messages(stack.dead_letters)
    assert decode(dead["Body"]) == message()
    assert dead["MessageAttributes"]["reason"]["StringValue"] == "status 413; given up"
    assert dead["Attributes"]["MessageGroupId"] == group(message())


def test_a_dead_letter_that_cannot_be_kept_is_unavailable(stack: CloudStack) -> None:
    letters = SqsDeadLetters(stack.dead_letters)
    with cloud.outage("sqs", "SendMessage"), pytest.raises(Unavailable):
        letters.send(message(), "x")


# ---------------------------------------------------------------------------------------------------- the state machine


def test_an_execution_is_named_after_its_task_and_has_nothing_else_as_its_input(stack: CloudStack) -> None:
    with cloud.calls("stepfunctions") as calls:
        StateMachine(stack.machine).start(TASK, CREATED)
    ((_, arguments),) = calls
    assert arguments["name"] == f"{TASK}-1767225600"
    assert task_of(arguments["name"]) == TASK
    assert json.loads(arguments["input"]) == {"taskId": TASK}


def test_a_task_that_is_made_anew_after_it_has_expired_gets_another_execution(stack: CloudStack) -> None:
    machine = StateMachine(stack.machine)
    machine.start(TASK, CREATED)
    machine.stop(TASK, CREATED)
    machine.start(TASK, CREATED + timedelta(days=32))
    assert stack.started() == [TASK, TASK]
    assert stack.stopped() == [TASK]


def test_a_message_sent_again_after_its_task_has_expired_starts_an_execution_again(stack: CloudStack) -> None:
    message = stack.message()
    task_id = stack.send(message)["id"]
    cloud.client("dynamodb").delete_item(TableName=stack.tasks_table, Key={"taskId": {"S": task_id}})
    stack.time.sleep(32 * 86_400)
    assert stack.send(message)["id"] == task_id
    assert stack.started() == [task_id, task_id]


def test_starting_twice_is_one_execution(stack: CloudStack) -> None:
    for _ in range(2):
        StateMachine(stack.machine).start(TASK, CREATED)
    assert stack.started() == [TASK]


def test_an_execution_that_has_ended_under_the_same_name_is_no_error(stack: CloudStack) -> None:
    with cloud.outage("stepfunctions", "StartExecution", code="ExecutionAlreadyExists"):
        StateMachine(stack.machine).start(TASK, CREATED)


def test_stopping_what_does_not_run_is_no_error(stack: CloudStack) -> None:
    StateMachine(stack.machine).stop(UNKNOWN_TASK, CREATED)
    assert stack.stopped() == []


def test_the_execution_of_a_task_is_stopped_by_its_name(stack: CloudStack) -> None:
    machine = StateMachine(stack.machine)
    machine.start(TASK, CREATED)
    machine.start(UNKNOWN_TASK, CREATED)
    machine.stop(TASK, CREATED)
    assert stack.stopped() == [TASK]


@pytest.mark.parametrize("code", ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"])
def test_resuming_what_no_longer_waits_is_no_error(stack: CloudStack, code: str) -> None:
    with cloud.outage("stepfunctions", "SendTaskSuccess", code=code) as tried:
        StateMachine(stack.machine).resume("token")
    assert tried == ["SendTaskSuccess"]


@pytest.mark.parametrize(
    ("call", "arguments"), [("start", (TASK, CREATED)), ("stop", (TASK, CREATED)), ("resume", ("x",))]
)
@pytest.mark.parametrize("code", [None, "ThrottlingException"])
def test_a_state_machine_that_does_not_answer_is_unavailable(
    stack: CloudStack, call: str, arguments: tuple[Any, ...], code: str | None
) -> None:
    with cloud.outage("stepfunctions", code=code), pytest.raises(Unavailable):
        getattr(StateMachine(stack.machine), call)(*arguments)


def test_a_message_that_was_queued_before_refusals_were_noted_is_read() -> None:
    stored = json.loads(encode(message()))
    del stored["refusedBy"]
    assert decode(json.dumps(stored)) == message()
