"""The dashboard: a JSON document whose metrics have the dimensions that AWS gives them, of resources of this stack."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

# What the services emit, with the dimensions under which it is found: their pages on CloudWatch metrics.
OF_AWS = {
    ("AWS/Lambda", "Errors", ("FunctionName",)),
    ("AWS/Lambda", "Throttles", ("FunctionName",)),
    ("AWS/Lambda", "Duration", ("FunctionName",)),
    ("AWS/Lambda", "ConcurrentExecutions", ("FunctionName",)),
    ("AWS/Lambda", "IteratorAge", ("FunctionName",)),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", ("QueueName",)),
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible", ("QueueName",)),
    ("AWS/SQS", "ApproximateAgeOfOldestMessage", ("QueueName",)),
    ("AWS/States", "ExecutionsStarted", ("StateMachineArn",)),
    ("AWS/States", "ExecutionsSucceeded", ("StateMachineArn",)),
    ("AWS/States", "ExecutionsFailed", ("StateMachineArn",)),
    ("AWS/States", "ExecutionsAborted", ("StateMachineArn",)),
    ("AWS/States", "ExecutionsTimedOut", ("StateMachineArn",)),
    ("AWS/ApiGateway", "4xx", ("ApiId",)),
    ("AWS/ApiGateway", "5xx", ("ApiId",)),
    ("AWS/ApiGateway", "4XXError", ("ApiName", "Stage")),
    ("AWS/ApiGateway", "5XXError", ("ApiName", "Stage")),
    ("AWS/DynamoDB", "ReadThrottleEvents", ("TableName",)),
    ("AWS/DynamoDB", "WriteThrottleEvents", ("TableName",)),
    ("AWS/DynamoDB", "WriteThrottleEvents", ("TableName", "GlobalSecondaryIndexName")),
}


@pytest.fixture(scope="module")
def body(resources: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text, and the variables that are defined beside it."""
    text, variables = resources["OperationsDashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    return text, variables


@pytest.fixture(scope="module")
def widgets(body: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    text, variables = body
    for name in ("Status", "Api"):
        value = variables[name]
        text = text.replace(f"${{{name}}}", value if isinstance(value, str) else value["Fn::Sub"])
    found: list[dict[str, Any]] = json.loads(text.replace("${WatchAlarm}", ""))["widgets"]
    return found


def rows(widgets: list[dict[str, Any]]) -> list[list[Any]]:
    return [row for widget in widgets for row in widget["properties"].get("metrics", [])]


def test_it_is_there_only_when_it_is_asked_for(template, resources):
    assert resources["OperationsDashboard"]["Condition"] == "HasDashboard"
    assert template["Parameters"]["Dashboard"]["Default"] == "false"


def test_every_name_in_it_is_a_resource_a_variable_or_one_of_aws(body, resources):
    text, variables = body
    for name in re.findall(r"\$\{([\w:]+)", text):
        assert name in resources or name in variables or name.startswith("AWS::"), name


def test_every_alarm_of_the_stack_is_on_it(body, resources):
    shown = set(re.findall(r"\$\{(\w+Alarm)\.Arn\}", body[0] + json.dumps(body[1])))
    assert shown == {name for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}


def test_every_metric_of_aws_has_the_dimensions_it_is_emitted_with(widgets):
    for row in rows(widgets):
        if isinstance(row[0], str) and row[0].startswith("AWS/"):
            *what, _ = row
            assert (what[0], what[1], tuple(what[2::2])) in OF_AWS, row


def test_the_requests_are_those_of_the_api_that_is_deployed(widgets, streaming):
    shown = {row[1] for row in rows(widgets) if row[0] == "AWS/ApiGateway"}
    assert shown == ({"4XXError", "5XXError"} if streaming else {"4xx", "5xx"})


def test_every_metric_of_ours_is_looked_up_by_the_service_name_of_a_function(widgets, functions):
    services = {properties["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] for properties in functions.values()}
    ours = [row for row in rows(widgets) if isinstance(row[0], str) and not row[0].startswith("AWS/")]
    assert ours
    for namespace, _, dimension, service, _ in ours:
        assert (namespace, dimension) == ("A2A/${AWS::StackName}", "service")
        assert service in services


def test_no_widget_lies_on_another_or_beside_the_page(widgets):
    taken = set()
    for widget in widgets:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken
        assert all(x < 24 for x, _ in cells)
        taken |= cells
