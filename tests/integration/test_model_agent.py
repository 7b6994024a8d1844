"""An agent with everything that a model needs, on the local AWS, whose roles are enforced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from push_client import A2AClient
from push_demo import run_demo
from push_webhook import Receiver
from stack import Stack

SECRET = "swordfish-0123456789"


@pytest.fixture(scope="module")
def stack(stack_with: Callable[..., Stack], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    given = tmp_path_factory.mktemp("given") / "agent.json"
    given.write_text(json.dumps({"secrets": {"model/key": json.dumps({"key": SECRET})}, "settings": {"model": "m-1"}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENT_FILE", str(given))
        yield stack_with(AgentModule="model_agent", ExecutorMemory="1024")


def ask(client: A2AClient, context: str) -> dict[str, Any]:
    """A task in this context, ended."""
    task_id = client.call("tasks/send", {"message": client.message("hello"), "contextId": context})["id"]
    for _ in range(600):
        task = client.get_task(task_id)
        if task["status"]["state"] in ("completed", "failed"):
            return task
    raise AssertionError(task["status"])


def test_it_answers_in_few_writes_and_remembers_each_context_by_itself(stack: Stack, receiver: Receiver) -> None:
    with A2AClient(stack.endpoint) as client:
        report = run_demo(client, receiver)
        assert report.passed, str(report)
        answers = [ask(client, context) for context in ("one", "one", "two")]
    assert [answer["status"]["message"]["parts"][0]["text"] for answer in answers] == [
        f"m-1, key of {len(SECRET)}, asked {times} times" for times in (1, 2, 1)
    ]
    (artifact,) = answers[0]["artifacts"]
    assert [part["text"] for part in artifact["parts"]] == ["".join(f"{number} " for number in range(2_000))]
    stored = stack.client("dynamodb").scan(TableName=stack.outputs["TasksTableName"])["Items"]
    assert all(int(item["generation"]["N"]) < 10 for item in stored)


def test_neither_the_tasks_nor_the_memory_nor_the_log_has_the_secret(stack: Stack) -> None:
    with A2AClient(stack.endpoint) as client:
        ask(client, "three")
    dynamodb, logs = stack.client("dynamodb"), stack.client("logs")
    for table in ("TasksTableName", "ContextsTableName"):
        items = dynamodb.scan(TableName=stack.outputs[table])["Items"]
        assert items
        assert SECRET not in json.dumps(items)
    for function in ("rpc", "executor"):
        events = logs.filter_log_events(logGroupName=f"/aws/lambda/{stack.name}-{function}")["events"]
        assert events
        assert all(SECRET not in event["message"] for event in events)
