"""Each metric of ours on the dashboard is one that its function really emits, with the dimension it is looked up by."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from agents import named, one_step
from cloud import ROOT
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK, WEBHOOK

from a2a_lambda.agent import Agent, TaskContext

TEMPLATE = (ROOT / "template.yaml").read_text(encoding="utf-8")
SHOWN = sorted(set(re.findall(r'\["A2A/\$\{AWS::StackName\}","(\w+)","service","(\w+)"', TEMPLATE)))
"""(metric, service) of the widgets."""


def broken() -> Agent:
    agent: Agent = named()

    @agent.step
    def fails(task: TaskContext) -> None:
        raise ValueError

    return agent


def requests(stack: CloudStack) -> None:
    stack.send()
    stack.code("GetTask", {"id": UNKNOWN_TASK})
    stack.http("GET", "/agentCard")


def first_attempts(stack: CloudStack) -> None:
    stack.send(webhook={"id": "a", "url": WEBHOOK})
    stack.notify()
    stack.sender.answers(WEBHOOK, 500)
    stack.send(webhook={"id": "b", "url": WEBHOOK})
    stack.notify()
    stack.send(webhook={"id": "c", "url": WEBHOOK})
    (record,) = stack.new_records()
    del record["dynamodb"]["NewImage"]["doc"]
    stack.notify([record])


def later_attempts(stack: CloudStack) -> None:
    stack.send(webhook={"id": "a", "url": WEBHOOK})
    stack.sender.answers(WEBHOOK, "timeout", 500)
    stack.notify()
    stack.redeliver(stack.receive())
    for answer in (200, 413):  # delivered later, given up
        stack.send(webhook={"id": "b", "url": WEBHOOK})
        stack.sender.answers(WEBHOOK, "timeout", answer)
        stack.notify()
        stack.redeliver(stack.receive())


def steps(stack: CloudStack) -> None:
    stack.run(stack.send()["id"])
    stack.give_up(stack.send()["id"])


def care(stack: CloudStack) -> None:
    ended = stack.send()["id"]
    stack.invoke("caretaker", {"Records": stack.new_records()})
    execution = next(run for run in stack._executions() if run["name"].startswith(ended))
    event = json.loads((ROOT / "events" / "caretaker-execution-ended.json").read_text(encoding="utf-8"))
    event["detail"] |= {"executionArn": execution["executionArn"], "name": execution["name"]}
    stack.invoke("caretaker", event)
    stack.send()
    record = stack.new_records()[-1]
    del record["dynamodb"]["Keys"]
    stack.invoke("caretaker", {"Records": [record]})


SCENES: dict[str, tuple[Callable[[], Agent], Callable[[CloudStack], None]]] = {
    "rpc": (one_step, requests),
    "executor": (broken, steps),
    "caretaker": (one_step, care),
    "notifier": (one_step, first_attempts),
    "redelivery": (one_step, later_attempts),
}


def test_the_dashboard_shows_metrics_of_every_function() -> None:
    assert {service for _, service in SHOWN} == set(SCENES)


@pytest.mark.parametrize("function", SCENES)
def test_what_the_dashboard_shows_of_a_function_is_emitted_by_it_with_that_dimension(
    function: str, cloud_stack: Callable[..., CloudStack], output: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, scene = SCENES[function]
    stack = cloud_stack(agent=agent())
    assert stack.stream_failures
    emitted = set()
    invoke = stack.invoke

    def noting(name: str, *arguments: object, **options: object) -> object:
        output()
        answer = invoke(name, *arguments, **options)  # type: ignore[arg-type]
        lines = [json.loads(line) for line in output().splitlines() if '"_aws"' in line]
        for declared in (each for line in lines for each in line["_aws"]["CloudWatchMetrics"]):
            assert declared["Dimensions"] == [["service"]]
            emitted.update((metric["Name"], name) for metric in declared["Metrics"])
        return answer

    monkeypatch.setattr(stack, "invoke", noting)
    scene(stack)
    assert {shown for shown in SHOWN if shown[1] == function} <= emitted
