"""What a task costs in Step Functions: transitions of the real workflow."""

from __future__ import annotations

from pathlib import Path

import transitions

import approval_agent
import push_agent
from a2a_lambda.agent import Agent, TaskContext

ROOT = Path(__file__).resolve().parents[3]


def test_the_demo_takes_one_invocation_and_three_transitions():
    assert transitions.states(push_agent.agent) == ["RunStep", "WhatNext", "Done"]


def test_a_wait_in_the_state_machine_takes_three_transitions():
    assert transitions.states(push_agent.agent, inline_wait=0) == [
        *["RunStep", "WhatNext", "Wait"] * 3,
        "RunStep",
        "WhatNext",
        "Done",
    ]


def test_a_question_takes_three_transitions_however_long_the_answer_takes():
    trail = transitions.states(approval_agent.agent, answers=["yes"])

    assert trail[:4] == ["RunStep", "WhatNext", "AwaitInput", "RunStep"]


def test_a_task_that_looks_more_often_than_an_execution_can_goes_on_in_another():
    agent = transitions.polling(10)

    trail = transitions.states(agent, values={"LooksPerExecution": "4", "InputTimeoutSeconds": "60"})

    assert trail.count("RunStep") == 10 + 2  # each successor looks once more
    assert trail.count("GoOnInAnother") == 2
    assert trail.count("Done") == 3


def test_looks_are_counted_through_questions_too():
    values = {"LooksPerExecution": "4", "InputTimeoutSeconds": "6000"}

    trail = transitions.states(asking(10), answers=["yes"] * 10, values=values)

    assert trail.count("AwaitInput") == 10
    assert trail.count("GoOnInAnother") == 3


def asking(times: int) -> Agent:
    agent = Agent(name="Asks", version="1", description="d")

    @agent.step
    def ask(task: TaskContext) -> None:
        task.state["n"] = task.state.get("n", 0) + 1
        if task.state["n"] <= times:
            task.require_input("Yes?", then="ask")

    return agent


def test_the_documentation_shows_the_present_costs():
    text = (ROOT / "docs" / "agents.md").read_text()
    shown = text.split("<!-- transitions -->\n")[1].split("\n<!-- /transitions -->")[0]

    assert shown == transitions.document()


def test_an_express_execution_is_paid_by_its_time_and_not_by_its_states():
    inline, waited = (transitions.express_price(push_agent.agent, inline_wait=wait) for wait in (2, 0))

    assert inline == waited
    assert inline < 3 * transitions.PER_TRANSITION / 10


def test_the_documentation_shows_the_present_costs_of_express():
    text = (ROOT / "docs" / "agents.md").read_text()
    shown = text.split("<!-- express -->\n")[1].split("\n<!-- /express -->")[0]

    assert shown == transitions.express_document()
