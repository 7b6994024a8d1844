"""The state machine after substitution, Standard and Express: what is repeated, what is caught."""

from __future__ import annotations

import json
import re

from asl import calls, pauses

from a2a_lambda.core.ports import Unavailable


def test_the_workflow_starts_with_a_step_and_ends_by_itself(workflow):
    assert workflow["StartAt"] == "RunStep"
    assert workflow["States"]["Done"]["Type"] == "Succeed"


def test_the_workflow_has_no_timeout_of_its_own(workflow):
    # It would end the execution past every catch, and the task would seem to work for ever. The executor watches.
    assert "TimeoutSeconds" not in workflow


def test_every_state_that_is_named_exists_and_every_state_is_reached(workflow):
    states = workflow["States"]
    targets = {workflow["StartAt"]}
    for state in states.values():
        targets |= {value for key, value in state.items() if key in {"Next", "Default"}}
        targets |= {branch["Next"] for branch in [*state.get("Choices", []), *state.get("Catch", [])]}

    assert targets == set(states)


def test_a_call_names_the_executor_and_the_partition_that_it_runs_in(workflow):
    for state in calls(workflow).values():
        assert state["Arguments"]["FunctionName"] == "arn:of:ExecutorFunctionArn"
    for state in workflow["States"].values():
        assert state.get("Resource", "arn:aws-cn:states:::").startswith("arn:aws-cn:states:::")


def test_a_call_has_a_timeout_and_is_repeated_with_growing_and_random_pauses(workflow):
    for state in calls(workflow).values():
        assert isinstance(state["TimeoutSeconds"], int)
        for retry in state["Retry"]:
            assert retry["BackoffRate"] >= 2
            assert retry["JitterStrategy"] == "FULL"
        # Class names alone would not match: every exception of a function may arrive under one name.
        assert {"States.TaskFailed", "States.ALL"} & set(state["Retry"][-1]["ErrorEquals"])


def test_a_throttled_executor_is_waited_for_much_longer_than_a_failing_one(workflow):
    for name, state in calls(workflow).items():
        if name != "FailTask":
            throttled, failing = state["Retry"]
            assert {Unavailable.__name__, "Lambda.TooManyRequestsException"} <= set(throttled["ErrorEquals"])
            assert sum(pauses(throttled)) > 4 * sum(pauses(failing))


def test_whatever_goes_wrong_ends_in_a_failed_task(workflow):
    for name, state in calls(workflow).items():
        if name != "FailTask":
            assert state["Catch"][-1] == {"ErrorEquals": ["States.ALL"], "Next": "FailTask"}


def test_marking_a_task_as_failed_is_tried_longest(workflow):
    attempts = {name: sum(retry["MaxAttempts"] for retry in state["Retry"]) for name, state in calls(workflow).items()}

    assert max(attempts, key=attempts.__getitem__) == "FailTask"


def test_an_expression_names_no_variable_that_might_not_be_there(workflow):
    expressions = re.findall(r"\{% (.+?) %\}", json.dumps(workflow))

    assert expressions
    assert {name for text in expressions for name in re.findall(r"\$(\w+)(?!\w|\()", text)} == {"states"}


def test_both_workflows_take_the_same_directives(workflow, workflow_type):
    answers = {
        found[1]: branch["Next"]
        for branch in workflow["States"]["WhatNext"]["Choices"]
        if (found := re.fullmatch(r"\{% \$states.input.next = '(\w+)' %\}", branch["Condition"]))
    }

    assert (answers["step"], answers["wait"]) == ("RunStep", "Wait")
    assert workflow["States"]["Wait"] == {
        "Type": "Wait",
        "Seconds": "{% $states.input.seconds %}",
        "Next": "RunStep",
    }
    assert answers.get("input") == {"STANDARD": "AwaitInput", "EXPRESS": None}[workflow_type]
