"""One log line per request or batch with task and outcome, and the metrics that alarms are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from agents import named, one_step
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK, WEBHOOK

from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.observability import log_attempts
from a2a_lambda.push.notifier import Attempt
from a2a_lambda.push.receivers import HeldBack


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack(agent=one_step())


def written(output: Callable[[], str]) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """The log lines and the sums of the metrics since the last call."""
    lines, metrics = [], {}
    for line in output().splitlines():
        entry = json.loads(line)
        if "_aws" not in entry:
            lines.append(entry)
            continue
        for declared in entry["_aws"]["CloudWatchMetrics"]:
            assert declared["Namespace"] == "A2A/test"
            for metric in declared["Metrics"]:
                metrics[metric["Name"]] = metrics.get(metric["Name"], 0) + sum(entry[metric["Name"]])
    return lines, metrics


def registered(stack: CloudStack) -> str:
    task_id: str = stack.send(webhook={"id": "c", "url": WEBHOOK})["id"]
    return task_id


def test_a_request_is_one_line_with_its_method_its_task_and_its_outcome(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    task_id = stack.send()["id"]
    ((line,), metrics) = written(output)
    assert (line["message"], line["method"], line["task_id"], line["code"]) == ("rpc", "SendMessage", task_id, 0)
    assert metrics == {"RpcCalls": 1}


def test_a_refused_request_is_one_line_with_its_code(stack: CloudStack, output: Callable[[], str]) -> None:
    stack.code("GetTask", {"id": UNKNOWN_TASK})
    ((line,), metrics) = written(output)
    assert (line["method"], line["task_id"], line["code"]) == ("GetTask", UNKNOWN_TASK, -32001)
    assert metrics == {"RpcErrors": 1}


def test_a_card_is_one_line(stack: CloudStack, output: Callable[[], str]) -> None:
    stack.http("GET", "/agentCard")
    ((line,), metrics) = written(output)
    assert (line["message"], line["path"], line["status"]) == ("card", "/agentCard", 200)
    assert metrics == {"CardRequests": 1}


def test_an_invocation_of_the_executor_is_one_line_with_its_task_and_what_comes_next(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    task_id = stack.send()["id"]
    written(output)
    stack.run(task_id)
    ((line,), metrics) = written(output)
    assert (line["action"], line["task_id"], line["outcome"]) == ("run", task_id, "done")
    assert metrics == {"ExecutorRuns": 1}


def test_a_step_that_fails_is_counted(cloud_stack: Callable[..., CloudStack], output: Callable[[], str]) -> None:
    agent: Agent = named()

    @agent.step
    def broken(task: TaskContext) -> None:
        raise ValueError

    stack = cloud_stack(agent=agent)
    stack.run(stack.send()["id"])
    lines, metrics = written(output)
    assert metrics["StepFailed"] == 1
    assert [line["level"] for line in lines if line["message"] == "step failed"] == ["WARNING"]


def test_a_task_that_is_given_up_is_counted(stack: CloudStack, output: Callable[[], str]) -> None:
    stack.give_up(stack.send()["id"])
    assert written(output)[1]["TaskGivenUp"] == 1


def test_a_delivery_is_counted_with_its_latency(stack: CloudStack, output: Callable[[], str]) -> None:
    task_id = registered(stack)
    stack.time.sleep(0.25)
    written(output)
    stack.notify()
    lines, metrics = written(output)
    assert metrics["PushDelivered"] == 1
    assert metrics["PushLatency"] == pytest.approx(0.25)
    assert metrics["PushQueued"] == 0
    (batch,) = [line for line in lines if line["message"] == "notifier"]
    assert (batch["tasks"], batch["delivered"], batch["queued"], batch["failed"]) == ([task_id], 1, 0, 0)
    (attempt,) = [line for line in lines if line["message"] == "attempt"]
    assert (attempt["host"], attempt["outcome"]) == ("hooks.example.com", "200")


@pytest.mark.usefixtures("stack")
def test_a_line_of_metrics_holds_no_more_values_than_cloudwatch_reads(output: Callable[[], str]) -> None:
    log_attempts([Attempt("id", "hooks.example.com", "200", 1, latency=0.5) for _ in range(250)], first=True)
    entries = [json.loads(line) for line in output().splitlines()]
    assert [len(entry["PushLatency"]) for entry in entries if "PushLatency" in entry] == [100, 100, 50]


def test_a_failed_first_attempt_is_counted_as_such_and_as_queued(stack: CloudStack, output: Callable[[], str]) -> None:
    registered(stack)
    stack.sender.answers(WEBHOOK, 500)
    written(output)
    stack.notify()
    metrics = written(output)[1]
    assert (metrics["PushFirstAttemptFailed"], metrics["PushQueued"]) == (1, 1)
    assert "PushDelivered" not in metrics


def test_a_redelivery_is_one_line_with_its_outcome(stack: CloudStack, output: Callable[[], str]) -> None:
    task_id = registered(stack)
    stack.sender.answers(WEBHOOK, "timeout", 500)
    stack.notify()
    records = stack.receive()
    written(output)
    stack.redeliver(records)
    lines, metrics = written(output)
    (line,) = [entry for entry in lines if entry["message"] == "redelivery"]
    assert (line["task_id"], line["generation"], line["outcome"]) == (task_id, 1, "deferred")
    assert line["delay"] >= 1
    assert (metrics["RedeliveryMessages"], metrics["PushRetried"]) == (1, 1)


def test_a_dead_letter_is_counted(stack: CloudStack, output: Callable[[], str]) -> None:
    registered(stack)
    stack.sender.answers(WEBHOOK, "timeout", 413)
    stack.notify()
    stack.redeliver(stack.receive())
    assert written(output)[1]["PushDead"] == 1


def test_a_poison_record_is_counted(stack: CloudStack, output: Callable[[], str]) -> None:
    registered(stack)
    (record,) = stack.new_records()
    del record["dynamodb"]["NewImage"]["doc"]
    written(output)
    stack.notify([record])
    lines, metrics = written(output)
    assert metrics["PoisonRecords"] == 1
    assert [line["level"] for line in lines if line["message"] == "unreadable"] == ["ERROR"]


def test_a_task_that_had_to_be_revived_is_counted(stack: CloudStack, output: Callable[[], str]) -> None:
    stack.send()
    stack.invoke("caretaker", {"Records": stack.new_records()})
    metrics = written(output)[1]
    assert (metrics["CaretakerRuns"], metrics["TaskRevived"]) == (1, 1)


def test_a_webhook_that_is_held_back_has_a_line_that_says_why_and_until_when(
    stack: CloudStack, output: Callable[[], str]
) -> None:
    del stack
    until = datetime(2026, 1, 1, tzinfo=UTC)
    log_attempts([], [HeldBack("task", "config", "hooks.example.com", "host", until)], first=True)
    (line,) = [json.loads(line) for line in output().splitlines()]
    said = {name: line[name] for name in ("message", "task_id", "config_id", "host", "reason", "until")}
    assert list(said.values()) == ["held", "task", "config", "hooks.example.com", "host", "2026-01-01T00:00:00.000Z"]
