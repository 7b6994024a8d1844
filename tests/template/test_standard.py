"""The Standard workflow after substitution: what waits for the client, and what takes over."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.parametrize("workflow_type", ["STANDARD"], indirect=True, scope="session")


def test_these_states_call_the_executor_and_no_others(workflow):
    tasks = {name: state["Resource"] for name, state in workflow["States"].items() if state["Type"] == "Task"}

    callers = {name for name, resource in tasks.items() if "lambda:invoke" in resource}
    assert callers == {"AwaitInput", "ExpireInput", "FailTask", "RunStep"}
    assert set(tasks) - callers == {"GoOnInAnother"}


def test_an_answer_that_is_late_is_judged_by_the_task(workflow):
    late = workflow["States"]["AwaitInput"]["Catch"][0]
    assert (late["ErrorEquals"], late["Next"]) == (["States.Timeout"], "ExpireInput")
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


def test_nothing_of_express_is_deployed_with_it(resources):
    assert not [name for name in resources if name.startswith(("Express", "Watch"))]
