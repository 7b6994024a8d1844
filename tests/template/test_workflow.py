"""The state machine after substitution: what waits, what is repeated, what is caught."""

from __future__ import annotations

import pytest

from a2a_lambda.ports import Unavailable

TASKS = ["AwaitInput", "ExpireInput", "FailTask", "RunStep"]


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


def test_these_states_call_the_executor_and_no_others(workflow):
    tasks = [name for name, state in workflow["States"].items() if state["Type"] == "Task"]
    callers = [name for name in tasks if "lambda:invoke" in workflow["States"][name]["Resource"]]

    assert sorted(callers) == TASKS
    assert set(tasks) - set(callers) == {"GoOnInAnother"}
    for name in callers:
        assert workflow["States"][name]["Arguments"]["FunctionName"] == "arn:of:ExecutorFunctionArn"


@pytest.mark.parametrize("name", TASKS)
def test_a_call_has_a_timeout_and_is_repeated_with_growing_and_random_pauses(workflow, name):
    state = workflow["States"][name]

    assert isinstance(state["TimeoutSeconds"], int)
    for retry in state["Retry"]:
        assert retry["BackoffRate"] >= 2
        assert retry["JitterStrategy"] == "FULL"
    # Class names alone would not match: every exception of a function may arrive under one name.
    assert {"States.TaskFailed", "States.ALL"} & set(state["Retry"][-1]["ErrorEquals"])


@pytest.mark.parametrize("name", ["AwaitInput", "ExpireInput", "RunStep"])
def test_a_throttled_executor_is_waited_for_much_longer_than_a_failing_one(workflow, name):
    throttled, failing = workflow["States"][name]["Retry"]

    assert {Unavailable.__name__, "Lambda.TooManyRequestsException"} <= set(throttled["ErrorEquals"])
    assert throttled["MaxAttempts"] > 10 * failing["MaxAttempts"]


@pytest.mark.parametrize("name", ["RunStep", "AwaitInput", "ExpireInput"])
def test_whatever_goes_wrong_ends_in_a_failed_task(workflow, name):
    assert workflow["States"][name]["Catch"][-1] == {"ErrorEquals": ["States.ALL"], "Next": "FailTask"}


def test_marking_a_task_as_failed_is_tried_longest(workflow):
    attempts = {name: sum(retry["MaxAttempts"] for retry in workflow["States"][name]["Retry"]) for name in TASKS}

    assert max(attempts, key=attempts.__getitem__) == "FailTask"


def test_an_answer_that_is_late_is_judged_by_the_task(workflow):
    assert workflow["States"]["AwaitInput"]["Catch"][0] == {"ErrorEquals": ["States.Timeout"], "Next": "ExpireInput"}
    assert workflow["States"]["ExpireInput"]["Next"] == "WhatNext"


def test_waiting_for_the_client_is_not_repeated_when_its_time_is_over(workflow):
    for retry in workflow["States"]["AwaitInput"]["Retry"]:
        assert not {"States.Timeout", "States.ALL"} & set(retry["ErrorEquals"])


def test_no_limit_of_the_workflow_races_with_the_functions_own(workflow, template):
    longest = template["Parameters"]["StepTimeoutSeconds"]["MaxValue"]
    for name in ["RunStep", "ExpireInput", "FailTask"]:
        assert workflow["States"][name]["TimeoutSeconds"] > longest


def test_no_execution_comes_near_the_events_that_it_can_have(resources):
    looks = resources["TaskStateMachine"]["Properties"]["DefinitionSubstitutions"]["LooksPerExecution"]

    events_of_a_look = 5 + 2 + 2  # RunStep, WhatNext, Wait
    assert looks * events_of_a_look < 25_000 * 0.6  # the rest is for retries


def test_the_executor_decides_what_comes_next(workflow):
    choice = workflow["States"]["WhatNext"]

    assert {branch["Next"] for branch in choice["Choices"]} == {"GoOnInAnother", "RunStep", "Wait", "AwaitInput"}
    assert choice["Default"] == "Done"
