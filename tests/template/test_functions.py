"""What each function is given: its code, its settings, its log group, its trigger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from a2a_lambda.core.model import TaskState
from a2a_lambda.push.notifier import READING, SETTLING

ROOT = Path(__file__).resolve().parents[2]
HANGING_CALL = 23
"""Seconds: three tries of aws.clients with their time limits, and the pauses between them."""

NAMES = ["caretaker", "executor", "notifier", "redelivery", "rpc"]

COMMON = {
    "TASKS_TABLE",
    "PUSH_CONFIGS_TABLE",
    "POWERTOOLS_SERVICE_NAME",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_NAMESPACE",
}
OWN = {
    "rpc": {
        "ARTIFACTS_BUCKET",
        "WORKFLOW_TYPE",
        "STATE_MACHINE_ARN",
        "AGENT_MODULE",
        "PUSH_NOTIFICATIONS",
        "AUTH_MODE",
        "JWT_ISSUER",
        "JWT_AUDIENCE",
        "CORS_ALLOW_ORIGINS",
        "STREAMING",
        "PUBLIC_URL",
        "ALLOW_INSECURE_WEBHOOKS",
        "ALLOWED_WEBHOOK_CIDRS",
        "TASK_RETENTION_DAYS",
        "BLOCKING_SECONDS",
        "WEBHOOK_SIGNING",
        "SIGNING_KEY",
    },
    "caretaker": {
        "WORKFLOW_TYPE",
        "STATE_MACHINE_ARN",
        "TASK_RETENTION_DAYS",
        "STREAM_FAILURES_QUEUE_URL",
        "STREAMING",
    },
    "executor": {
        "STREAMING",
        "WORKFLOW_TYPE",
        "STEP_TIMEOUT_SECONDS",
        "ARTIFACTS_BUCKET",
        "AGENT_MODULE",
        "AGENT_SECRET_ARNS",
        "CONTEXTS_TABLE",
        "AGENT_SETTINGS",
        "INLINE_WAIT_SECONDS",
        "TASK_RETENTION_DAYS",
        "TASK_TIMEOUT_SECONDS",
        "ALLOW_INSECURE_WEBHOOKS",
        "ALLOWED_FETCH_CIDRS",
    },
    "notifier": {
        "ARTIFACTS_BUCKET",
        "DEAD_LETTER_QUEUE_URL",
        "MAX_WAITING_PER_OWNER",
        "REDELIVERY_QUEUE_URL",
        "STREAM_FAILURES_QUEUE_URL",
        "WEBHOOK_SIGNING",
        "SIGNING_KEY",
        "ISSUER",
        "API_ID",
        "FIRST_ATTEMPT_SECONDS",
        "ALLOW_INSECURE_WEBHOOKS",
        "ALLOWED_WEBHOOK_CIDRS",
    },
    "redelivery": {
        "ARTIFACTS_BUCKET",
        "REDELIVERY_QUEUE_URL",
        "DEAD_LETTER_QUEUE_URL",
        "WEBHOOK_SIGNING",
        "SIGNING_KEY",
        "ISSUER",
        "API_ID",
        "ALLOW_INSECURE_WEBHOOKS",
        "ALLOWED_WEBHOOK_CIDRS",
    },
}
STREAMING = {"STREAM_SECONDS", "STREAM_PADDING", "AWS_LAMBDA_EXEC_WRAPPER"}
"""What rpc is given beside it where it streams."""


def test_there_are_five_functions(functions):
    assert sorted(functions) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_function_is_given_the_settings_that_it_reads_and_no_others(
    template, functions, name, workflow_type, streaming
):
    shared = set(template["Globals"]["Function"]["Environment"]["Variables"])
    own = set(functions[name]["Environment"]["Variables"])

    watching = {"WATCH_QUEUE_URL"} if (name, workflow_type) == ("caretaker", "EXPRESS") else set()
    of_streams = STREAMING if streaming and name == "rpc" else set()
    assert shared | own == COMMON | OWN[name] | watching | of_streams
    assert not shared & own


@pytest.mark.parametrize("name", NAMES)
def test_the_code_of_a_function_is_in_the_directory_of_its_name(functions, name):
    assert functions[name]["CodeUri"] == f"functions/{name}"
    assert (ROOT / "functions" / name / "app.py").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_a_function_logs_to_a_group_of_its_own_that_forgets(resources, functions, name):
    group = functions[name]["LoggingConfig"]["LogGroup"]["Ref"]

    assert resources[group]["Type"] == "AWS::Logs::LogGroup"
    assert resources[group]["Properties"]["LogGroupName"] == {"Fn::Sub": f"/aws/lambda/${{AWS::StackName}}-{name}"}


def test_every_log_group_forgets_after_the_days_that_were_asked_for(of_type):
    for properties in of_type("AWS::Logs::LogGroup").values():
        assert properties["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_only_the_functions_that_know_the_agent_carry_it(functions):
    carriers = {
        name for name, properties in functions.items() if {"Ref": "AgentsLayer"} in properties.get("Layers", [])
    }

    assert carriers == {name for name, settings in OWN.items() if "AGENT_MODULE" in settings}


def test_rpc_ends_before_the_api_gives_up(functions, template, streaming):
    assert functions["rpc"]["Timeout"] == (900 if streaming else 29)
    assert template["Parameters"]["BlockingSeconds"]["MaxValue"] < functions["rpc"]["Timeout"]


def test_the_notifier_ends_in_time_though_a_call_hangs_wherever_one_can(functions, template):
    """Of reading, signing, settling, and putting poison aside."""
    timeout, call = functions["notifier"]["Timeout"], HANGING_CALL
    first_attempts = template["Parameters"]["FirstAttemptSeconds"]["MaxValue"]

    assert timeout > READING.total_seconds() + call + first_attempts + call
    assert timeout > SETTLING.total_seconds() + call + call


def test_the_notifier_reads_the_stream_of_tasks_from_its_start(functions):
    source = functions["notifier"]["Events"]["TaskChanges"]

    assert source["Type"] == "DynamoDB"
    assert source["Properties"]["Stream"] == {"Fn::GetAtt": ["TasksTable", "StreamArn"]}
    assert source["Properties"]["StartingPosition"] == "TRIM_HORIZON"


def test_a_record_that_fails_neither_takes_the_batch_with_it_nor_gets_lost(functions):
    source = functions["notifier"]["Events"]["TaskChanges"]["Properties"]

    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BisectBatchOnFunctionError"] is True
    assert source["MaximumRecordAgeInSeconds"] == 86400
    assert source["DestinationConfig"]["OnFailure"] == {
        "Type": "SQS",
        "Destination": {"Fn::GetAtt": ["StreamFailuresQueue", "Arn"]},
    }


def test_redelivery_takes_one_message_at_a_time(functions):
    source = functions["redelivery"]["Events"]["Waiting"]["Properties"]

    assert source["Queue"] == {"Fn::GetAtt": ["RedeliveryQueue", "Arn"]}
    assert source["BatchSize"] == 1
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_caretaker_hears_of_new_and_of_answered_tasks_only(functions):
    source = functions["caretaker"]["Events"]["NewOrAnswered"]["Properties"]
    created, answered = (json.loads(entry["Pattern"]) for entry in source["FilterCriteria"]["Filters"])

    assert created == {"eventName": ["INSERT"]}
    assert answered["dynamodb"]["OldImage"]["state"]["S"] == [TaskState.INPUT_REQUIRED, TaskState.AUTH_REQUIRED]
    assert answered["dynamodb"]["NewImage"]["state"]["S"] == [TaskState.WORKING]
    assert "ReportBatchItemFailures" in source["FunctionResponseTypes"]


def test_the_caretaker_hears_of_executions_that_ended_badly(functions, machine):
    pattern = functions["caretaker"]["Events"]["ExecutionEnded"]["Properties"]["Pattern"]

    assert pattern["source"] == ["aws.states"]
    assert pattern["detail"]["stateMachineArn"] == [{"Ref": machine}]
    assert pattern["detail"]["status"] == ["FAILED", "TIMED_OUT", "ABORTED"]


def test_the_event_of_an_ended_execution_waits_in_a_queue_where_it_cannot_be_delivered_or_handled(functions, of_type):
    caretaker = functions["caretaker"]
    queue = {"Fn::GetAtt": ["EndedExecutionsQueue", "Arn"]}

    assert caretaker["Events"]["ExecutionEnded"]["Properties"]["DeadLetterConfig"] == {"Arn": queue}
    assert caretaker["EventInvokeConfig"]["DestinationConfig"]["OnFailure"] == {"Type": "SQS", "Destination": queue}
    policy = of_type("AWS::SQS::QueuePolicy")["EndedExecutionsQueuePolicy"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"], statement["Resource"]) == (
        {"Service": "events.amazonaws.com"},
        "sqs:SendMessage",
        queue,
    )


def test_the_caretaker_takes_the_events_that_wait_where_executions_raise_any(resources, machine):
    standard = machine == "TaskStateMachine"

    assert ("EndedExecutions" in resources) is standard
    if standard:
        source = resources["EndedExecutions"]["Properties"]
        assert source["FunctionName"] == {"Ref": "CaretakerFunction"}
        assert source["EventSourceArn"] == {"Fn::GetAtt": ["EndedExecutionsQueue", "Arn"]}
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("function", ["CaretakerFunction", "NotifierFunction"])
def test_an_alarm_says_that_a_function_of_the_stream_is_behind(of_type, function):
    (alarm,) = [
        each
        for each in of_type("AWS::CloudWatch::Alarm").values()
        if each.get("MetricName") == "IteratorAge" and each["Dimensions"][0]["Value"] == {"Ref": function}
    ]

    assert 0 < alarm["Threshold"] <= 600_000, "milliseconds; records are kept for a day"
    assert alarm["TreatMissingData"] == "notBreaching"


@pytest.mark.parametrize("name", ["executor", "notifier"])
def test_a_function_has_concurrency_of_its_own_only_where_that_is_asked_for(functions, template, name):
    parameter = f"{name.capitalize()}Concurrency"

    assert functions[name]["ReservedConcurrentExecutions"] == {
        "Fn::If": [f"Limits{name.capitalize()}", {"Ref": parameter}, {"Ref": "AWS::NoValue"}]
    }
    assert template["Parameters"][parameter]["Default"] == ""


def test_a_setting_that_is_written_out_is_a_text(functions):
    """AWS makes texts of numbers, and the local AWS cannot start a function that has one."""
    for name, properties in functions.items():
        for setting, value in properties["Environment"]["Variables"].items():
            chosen = value["Fn::If"][1:] if isinstance(value, dict) and "Fn::If" in value else [value]
            assert not [each for each in chosen if isinstance(each, int | float)], f"{name} {setting}"
