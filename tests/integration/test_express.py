"""The template with WorkflowType=EXPRESS on the local AWS.

Its emulator runs the Express machine as it runs a Standard one: names are unique there, and it knows no five minutes.
What only Express does is in tests/unit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from emulator import Emulator, LocalAwsError
from push_client import A2AClient
from push_demo import run_demo
from push_webhook import Push, Receiver
from stack import Stack, deploy


@pytest.fixture
def slow(stack_with: Callable[..., Stack]) -> Stack:
    return stack_with(WorkflowType="EXPRESS", AgentModule="slow_agent")


def test_every_check_of_the_demo_passes_with_no_other_parameter(stack_with, receiver: Receiver) -> None:
    stack = stack_with(WorkflowType="EXPRESS")
    with A2AClient(stack.endpoint) as client:
        report = run_demo(client, receiver, timeout=60)

    assert [check for check in report.checks if not check.passed] == []
    machine = stack.client("stepfunctions").describe_state_machine(stateMachineArn=stack.outputs["StateMachineArn"])
    assert machine["type"] == "EXPRESS"


def test_a_task_that_is_canceled_while_it_waits_stays_so(slow: Stack, receiver: Receiver) -> None:
    with A2AClient(slow.endpoint) as client:
        task_id = begun(client, receiver)

        client.call("tasks/cancel", {"id": task_id})

        push = next_push(receiver)
        assert (push.state, push.final) == ("canceled", True)


def test_a_task_that_runs_is_put_on_the_watch_queue_and_one_whose_time_is_over_ends_from_there(
    slow: Stack, receiver: Receiver
) -> None:
    with A2AClient(slow.endpoint) as client:
        task_id = begun(client, receiver)
        body = json.dumps({"taskId": task_id})
        record = {"messageId": "m", "body": body, "eventSource": "aws:sqs"}
        assert invoke(slow, "CaretakerFunction", {"Records": [record]}) == {"batchItemFailures": []}
        assert delayed(slow) >= 1

        make_old(slow, task_id)
        slow.client("sqs").send_message(QueueUrl=physical(slow, "WatchQueue"), MessageBody=body)

        push = next_push(receiver)
        assert (push.state, push.final) == ("failed", True)


def test_a_time_for_steps_that_leaves_a_task_none_is_refused_at_deployment(emulator: Emulator) -> None:
    with pytest.raises(LocalAwsError, match="WorkflowType EXPRESS needs StepTimeoutSeconds"):
        deploy(emulator, "refused", {"WorkflowType": "EXPRESS", "StepTimeoutSeconds": "300"})


def begun(client: A2AClient, receiver: Receiver) -> str:
    """A task that waits in the state machine."""
    task_id: str = client.send("go")["id"]
    client.set_push_config(task_id, receiver.url)
    while next_push(receiver).payload["status"].get("message") is None:
        pass
    return task_id


def next_push(receiver: Receiver) -> Push:
    push = receiver.next(30)
    assert push is not None
    return push


def physical(stack: Stack, name: str) -> str:
    found = stack.client("cloudformation").describe_stack_resource(StackName=stack.name, LogicalResourceId=name)
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def invoke(stack: Stack, name: str, event: dict[str, Any]) -> Any:
    answer = stack.client("lambda").invoke(FunctionName=physical(stack, name), Payload=json.dumps(event))
    return json.load(answer["Payload"])


def delayed(stack: Stack) -> int:
    name = "ApproximateNumberOfMessagesDelayed"
    found = stack.client("sqs").get_queue_attributes(QueueUrl=physical(stack, "WatchQueue"), AttributeNames=[name])
    return int(found["Attributes"][name])


def make_old(stack: Stack, task_id: str) -> None:
    """As if the task, and its webhook with it, had been created long ago."""
    table, then = stack.client("dynamodb"), {":then": {"S": "2026-01-01T00:00:00+00:00"}}
    table.update_item(
        TableName=stack.outputs["TasksTableName"],
        Key={"taskId": {"S": task_id}},
        UpdateExpression="SET createdAt = :then",
        ExpressionAttributeValues=then,
    )
    configs = stack.outputs["PushConfigsTableName"]
    for item in table.scan(TableName=configs)["Items"]:
        if item["taskId"]["S"] == task_id:
            table.update_item(
                TableName=configs,
                Key={name: item[name] for name in ("taskId", "configId")},
                UpdateExpression="SET taskCreatedAt = :then",
                ExpressionAttributeValues=then,
            )
