"""WorkflowType EXPRESS: what the template makes for it, what it refuses, and how five minutes are divided."""

from __future__ import annotations

import pytest
from asl import calls, pauses

from a2a_lambda.agent.caretaker import OVER, STARTED
from a2a_lambda.agent.express import LONGEST_STEP, STEPS_END, Express
from a2a_lambda.aws.watch import LONGEST_DELAY

pytestmark = pytest.mark.parametrize("workflow_type", ["EXPRESS"], indirect=True, scope="session")

EXECUTION = 300


def test_the_machine_is_express_and_the_only_one(of_type):
    machines = of_type("AWS::Serverless::StateMachine")

    assert {name: machine["Type"] for name, machine in machines.items()} == {"ExpressStateMachine": "EXPRESS"}


def test_nothing_refers_to_the_machine_that_is_not_there(template):
    assert "TaskStateMachine'" not in str(template["Resources"])
    assert "${TaskStateMachine" not in str(template["Resources"])
    assert "TaskStateMachine'" not in str(template["Outputs"])


def test_no_state_needs_what_express_does_not_have(workflow):
    # No task tokens, no successor (its name would not keep a second one away), no history to run out of.
    assert {state.get("Resource") for state in workflow["States"].values()} == {
        None,
        "arn:aws-cn:states:::lambda:invoke",
    }
    assert set(workflow["States"]) == {"RunStep", "WhatNext", "Wait", "FailTask", "Done"}


def test_a_directive_that_it_does_not_know_ends_the_task(workflow):
    choice = workflow["States"]["WhatNext"]

    assert {branch["Next"] for branch in choice["Choices"]} == {"RunStep", "Wait", "Done"}
    assert choice["Default"] == "FailTask"


def test_the_last_resort_has_several_tries_before_the_execution_ends(workflow):
    last_step = STEPS_END
    retries = sum(sum(pauses(retry)) for retry in calls(workflow)["RunStep"]["Retry"])
    (last_resort,) = calls(workflow)["FailTask"]["Retry"]

    left = EXECUTION - last_step - retries
    tries = [sum(pauses(last_resort)[:count]) for count in range(last_resort["MaxAttempts"])]
    assert len([start for start in tries if start < left]) >= 4
    assert sum(pauses(last_resort)) > EXECUTION, "it is tried until the execution ends"
    assert calls(workflow)["FailTask"]["TimeoutSeconds"] < left, "one that hangs leaves time for another"
    assert "second 240" in workflow["Comment"]
    assert f"{retries} s" in workflow["Comment"]


def test_a_step_has_ended_by_itself_before_the_machine_gives_it_up(workflow):
    assert calls(workflow)["RunStep"]["TimeoutSeconds"] > LONGEST_STEP


def test_a_time_for_steps_that_leaves_a_task_none_is_refused_before_anything_is_made(template):
    rule = template["Rules"]["ExpressIsShort"]
    (assertion,) = rule["Assertions"]
    allowed, given = assertion["Assert"]["Fn::Contains"]

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "WorkflowType"}, "EXPRESS"]}
    assert given == {"Ref": "StepTimeoutSeconds"}
    assert max(map(int, allowed)) == LONGEST_STEP
    assert all(Express(float(seconds)).task_seconds >= LONGEST_STEP for seconds in allowed)
    described = template["Parameters"]["StepTimeoutSeconds"]["Description"]
    for seconds in allowed:
        assert f" {seconds}" in assertion["AssertDescription"]
        assert f" {seconds}" in described


def test_express_deploys_with_no_other_parameter(template):
    (assertion,) = template["Rules"]["ExpressIsShort"]["Assertions"]

    assert str(template["Parameters"]["StepTimeoutSeconds"]["Default"]) in assertion["Assert"]["Fn::Contains"][0]
    assert template["Parameters"]["WorkflowType"]["Default"] == "STANDARD"


def test_a_watched_task_comes_back_when_its_execution_is_over_and_in_one_delay(workflow_type):
    assert EXECUTION < OVER <= LONGEST_DELAY
    assert STARTED < STEPS_END - LONGEST_STEP


def test_the_caretaker_takes_the_watched_tasks(resources, functions):
    source = resources["Watching"]["Properties"]

    assert source["FunctionName"] == {"Ref": "CaretakerFunction"}
    assert source["EventSourceArn"] == {"Fn::GetAtt": ["WatchQueue", "Arn"]}
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert functions["caretaker"]["Environment"]["Variables"]["WATCH_QUEUE_URL"] == {"Ref": "WatchQueue"}


@pytest.mark.parametrize("name", ["WatchQueue", "EndedExecutionsQueue"])
def test_a_message_is_hidden_while_the_caretaker_works_and_survives_hours_without_the_table(of_type, functions, name):
    queue = of_type("AWS::SQS::Queue")[name]

    assert "FifoQueue" not in queue, "a delay of its own for each message is for standard queues only"
    assert queue["VisibilityTimeout"] == 6 * functions["caretaker"]["Timeout"]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["CaretakerDeadLetterQueue", "Arn"]}
    assert queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"] >= 8 * 3600


def test_an_alarm_tells_of_tasks_that_could_not_be_looked_after(of_type):
    alarm = of_type("AWS::CloudWatch::Alarm")["CaretakerDeadLetterAlarm"]

    assert alarm["Dimensions"][0]["Value"] == {"Fn::GetAtt": ["CaretakerDeadLetterQueue", "QueueName"]}
    assert alarm["Threshold"] == 0
