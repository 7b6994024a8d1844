"""The caretaker's handler on moto: it does again what was left undone, and ends what cannot go on."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import cloud
import pytest
from agents import asking, one_step
from cloud_stack import CloudStack, queue_record
from harness import UNKNOWN_TASK

from a2a_lambda.core.ports import Unavailable


@pytest.fixture
def aws_stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack(agent=asking())


def look(stack: CloudStack, records: list[dict[str, Any]]) -> list[str]:
    answer = stack.invoke("caretaker", {"Records": records})
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def ended(task_id: str, status: str = "TIMED_OUT", successor: str = "") -> dict[str, Any]:
    name = f"{task_id}-1767225600{successor}"
    event: dict[str, Any] = json.loads((cloud.ROOT / "events" / "caretaker-execution-ended.json").read_text())
    return {**event, "detail": {**event["detail"], "name": name, "status": status}}


def unstarted(stack: CloudStack) -> str:
    """A task whose send died between the table and Step Functions."""
    stack.break_workflow()
    stack.request("SendMessage", {"message": stack.message()})
    stack.mend_workflow()
    (task,) = stack.call("ListTasks")["tasks"]
    identifier: str = task["id"]
    assert stack.started() == []
    return identifier


def test_a_task_without_an_execution_is_started_without_its_client_doing_anything(aws_stack: CloudStack) -> None:
    task_id = unstarted(aws_stack)
    assert look(aws_stack, aws_stack.new_records()) == []
    assert aws_stack.started() == [task_id]


def test_a_task_that_has_its_execution_gets_no_second_one(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    assert look(aws_stack, aws_stack.new_records()) == []
    assert aws_stack.started() == [task_id]


def test_an_answer_whose_resumption_was_lost_is_resumed(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    aws_stack.work(task_id)
    aws_stack.await_input(task_id, "token")
    aws_stack.break_workflow()
    aws_stack.request("SendMessage", {"message": aws_stack.message(taskId=task_id)})
    aws_stack.mend_workflow()
    before = aws_stack.resumed()
    assert look(aws_stack, aws_stack.new_records()[-1:]) == []
    assert aws_stack.resumed() == [*before, "token"]


def test_a_task_that_waits_for_its_client_is_not_resumed_without_an_answer(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    aws_stack.work(task_id)
    aws_stack.await_input(task_id, "token")
    assert look(aws_stack, aws_stack.new_records()) == []
    assert aws_stack.resumed() == []


@pytest.mark.parametrize("end", ["CancelTask", "GetTask"])
def test_a_task_that_is_over_or_gone_on_is_left_alone(cloud_stack: Callable[..., CloudStack], end: str) -> None:
    stack = cloud_stack(agent=one_step())
    task_id = stack.send()["id"]
    if end == "CancelTask":
        stack.call("CancelTask", {"id": task_id})
    else:
        stack.work(task_id)
    before = stack.snapshot()
    assert look(stack, stack.new_records()) == []
    assert stack.snapshot() == before


@pytest.mark.parametrize("service", ["stepfunctions", "dynamodb"])
def test_a_record_comes_again_when_a_service_does_not_answer(aws_stack: CloudStack, service: Any) -> None:
    task_id = unstarted(aws_stack)
    records = aws_stack.new_records()
    with cloud.outage(service):
        assert look(aws_stack, records) == [record["dynamodb"]["SequenceNumber"] for record in records]
    assert look(aws_stack, records) == []
    assert aws_stack.started() == [task_id]


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_the_task_of_an_execution_that_ended_without_it_fails(aws_stack: CloudStack, status: str) -> None:
    task_id = aws_stack.send()["id"]
    assert aws_stack.invoke("caretaker", ended(task_id, status)) == {}
    assert aws_stack.state(task_id) == "failed"


@pytest.mark.parametrize("successor", ["_", "_" * 33])
def test_the_task_of_a_successor_that_ended_without_it_fails(aws_stack: CloudStack, successor: str) -> None:
    task_id = aws_stack.send()["id"]
    assert aws_stack.invoke("caretaker", ended(task_id, successor=successor)) == {}
    assert aws_stack.state(task_id) == "failed"


def test_the_execution_of_a_canceled_task_changes_nothing_when_it_is_aborted(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    aws_stack.call("CancelTask", {"id": task_id})
    before = aws_stack.snapshot()
    assert aws_stack.invoke("caretaker", ended(task_id, "ABORTED")) == {}
    assert aws_stack.snapshot() == before


def test_an_execution_of_no_task_of_ours_changes_nothing(aws_stack: CloudStack) -> None:
    before = aws_stack.snapshot()
    assert aws_stack.invoke("caretaker", ended(UNKNOWN_TASK)) == {}
    assert aws_stack.snapshot() == before


# ------------------------------------------------------------------------------------------------ events that were kept


def queued(body: Any, number: int = 1) -> dict[str, Any]:
    """A message of the queue of ended executions, as its event source brings it."""
    text = body if isinstance(body, str) else json.dumps(body)
    return queue_record(
        {"MessageId": f"message-{number}", "ReceiptHandle": "r", "Body": text, "MD5OfBody": "", "Attributes": {}}
    )


def reported(event: dict[str, Any]) -> dict[str, Any]:
    """Lambda's report of an asynchronous invocation whose tries are used up."""
    return {
        "version": "1.0",
        "timestamp": "2026-01-01T00:13:00.000Z",
        "requestContext": {"requestId": "r", "condition": "RetriesExhausted", "approximateInvokeCount": 3},
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorType": "Unavailable", "errorMessage": ""},
    }


def test_an_event_is_refused_while_the_table_does_not_answer_so_that_lambda_keeps_it(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    with cloud.outage("dynamodb"), pytest.raises(Unavailable):
        aws_stack.invoke("caretaker", ended(task_id))
    assert aws_stack.state(task_id) == "submitted"


@pytest.mark.parametrize("kept", [reported, dict], ids=["by Lambda", "by EventBridge"])
def test_an_event_that_was_kept_ends_its_task_when_it_comes_from_the_queue(aws_stack: CloudStack, kept: Any) -> None:
    task_id = aws_stack.send()["id"]
    assert look(aws_stack, [queued(kept(ended(task_id)))]) == []
    assert aws_stack.state(task_id) == "failed"


def test_an_event_that_was_kept_comes_again_while_the_table_does_not_answer(aws_stack: CloudStack) -> None:
    task_id = aws_stack.send()["id"]
    message = queued(reported(ended(task_id)))
    with cloud.outage("dynamodb"):
        assert look(aws_stack, [message]) == ["message-1"]
    assert look(aws_stack, [message]) == []
    assert aws_stack.state(task_id) == "failed"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[]",
        "7",
        "[" * 100_000,
        {},
        {"requestPayload": []},
        {"detail": {}},
        {"detail": {"name": 7}},
        {"taskId": []},
    ],
    ids=lambda body: str(body)[:20],
)
def test_a_message_that_is_no_event_is_left_to_its_queue_and_the_others_are_handled(
    aws_stack: CloudStack, body: Any
) -> None:
    task_id = aws_stack.send()["id"]
    assert look(aws_stack, [queued(body, 1), queued(ended(task_id), 2)]) == ["message-1"]
    assert aws_stack.state(task_id) == "failed"


@pytest.mark.parametrize("detail", [None, [], {}, {"name": None, "status": "FAILED"}, {"name": "x" * 36}])
def test_an_event_that_cannot_be_read_is_put_aside_and_not_tried_again(aws_stack: CloudStack, detail: Any) -> None:
    assert put_aside(aws_stack) == []
    assert aws_stack.invoke("caretaker", {"id": "e", "detail": detail}) == {}
    ((_, event),) = put_aside(aws_stack)
    assert event == {"id": "e", "detail": detail}


# -------------------------------------------------------------------------------------------------------------- poison


def break_task(stack: CloudStack, task_id: str) -> None:
    """Something has written to the table that is none of ours."""
    cloud.client("dynamodb").update_item(
        TableName=stack.tasks_table, Key={"taskId": {"S": task_id}}, UpdateExpression="REMOVE doc"
    )


def put_aside(stack: CloudStack) -> list[tuple[str, Any]]:
    """What the queue of failures has: each reason and record."""
    bodies = [json.loads(message["Body"]) for message in cloud.messages(stack.stream_failures)]
    return [(body["reason"], json.loads(zlib.decompress(base64.b64decode(body["packedRecord"])))) for body in bodies]


def test_a_task_that_cannot_be_read_is_put_aside_and_the_others_are_looked_after(aws_stack: CloudStack) -> None:
    aws_stack.break_workflow()
    for number in range(2):
        aws_stack.request("SendMessage", {"message": aws_stack.message(str(number))})
    aws_stack.mend_workflow()
    assert aws_stack.started() == []
    broken, good = records = aws_stack.new_records()
    break_task(aws_stack, broken["dynamodb"]["Keys"]["taskId"]["S"])
    kept = aws_stack.stream_failures
    assert kept
    assert look(aws_stack, records) == []
    assert aws_stack.started() == [good["dynamodb"]["Keys"]["taskId"]["S"]]
    assert put_aside(aws_stack) == [("KeyError", broken)]


def test_a_stream_record_that_cannot_be_read_is_put_aside_and_does_not_come_again(aws_stack: CloudStack) -> None:
    unstarted(aws_stack)
    (record,) = aws_stack.new_records()
    record["dynamodb"]["Keys"] = {}
    assert put_aside(aws_stack) == []
    assert look(aws_stack, [record]) == []
    assert put_aside(aws_stack) == [("KeyError", record)]


def test_what_cannot_be_put_aside_comes_again(aws_stack: CloudStack) -> None:
    task_id = unstarted(aws_stack)
    (record,) = aws_stack.new_records()
    break_task(aws_stack, task_id)
    assert put_aside(aws_stack) == []
    with cloud.outage("sqs", "SendMessage"):
        assert look(aws_stack, [record]) == [record["dynamodb"]["SequenceNumber"]]
