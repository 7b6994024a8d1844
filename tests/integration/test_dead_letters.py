"""What is given up, as an operator sees it: on the real queues, with the command itself."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator import ROOT
from push_client import A2AClient
from push_webhook import Receiver
from stack import Stack, environment

STEPS = ["Step 1/3 complete", "Step 2/3 complete", "Step 3/3 complete", "All 3 steps complete"]


class Config:
    """The task's webhook, as its table has it."""

    def __init__(self, stack: Stack, task_id: str) -> None:
        self._table = stack.client("dynamodb")
        self._where = {
            "TableName": stack.outputs["PushConfigsTableName"],
            "Key": {"taskId": {"S": task_id}, "configId": {"S": "default"}},
        }

    def __getitem__(self, name: str) -> Any:
        item = self._table.get_item(**self._where, ConsistentRead=True)["Item"]
        return next(iter(item[name].values())) if name in item else None

    def has_failed_since(self, moment: datetime) -> None:
        """The clock of three days cannot be put forward, but its beginning can be put back."""
        self._table.update_item(
            **self._where,
            UpdateExpression="SET failingSince = :moment",
            ExpressionAttributeValues={":moment": {"S": moment.isoformat()}},
        )


def until(done: Callable[[], bool]) -> None:
    """Waits for it; fails after two minutes."""
    clock = threading.Event()
    for _ in range(600):
        if done():
            return
        clock.wait(0.2)
    raise AssertionError("never happened")


def ops(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command, as an operator runs it."""
    command = [sys.executable, "-m", "ops", "--stack", stack.name, "--endpoint", stack.endpoint, *arguments]
    return subprocess.run(
        command, env=environment(stack.emulator), cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )


def test_what_a_dead_webhook_was_not_told_is_listed_and_comes_back_in_order(stack: Stack, client: A2AClient) -> None:
    with Receiver(port=0) as closed_again:
        url, port = closed_again.url, closed_again.port
    task_id = client.send("run")["id"]
    client.set_push_config(task_id, url)
    config = Config(stack, task_id)
    until(lambda: config["attempts"] is not None)

    config.has_failed_since(datetime.now(UTC) - timedelta(days=4))
    until(lambda: client.get_task(task_id)["status"]["state"] == "completed")
    until(lambda: config["settledThrough"] == config["queuedThrough"] == "8")

    listed = [ops(stack, "--json", "dead", "list", "--task", task_id) for _ in range(2)]
    assert [done.returncode for done in listed] == [0, 0]
    assert listed[0].stdout == listed[1].stdout
    letters = json.loads(listed[0].stdout)
    assert [letter["event"].split(".")[0] for letter in letters][-4:] == ["3", "5", "7", "8"]
    assert all("connect; given up at" in letter["reason"] for letter in letters)

    other = ops(stack, "dead", "redrive", "--task", "another")
    assert (other.returncode, other.stdout) == (3, "")

    with Receiver(port=port) as back:
        redriven = ops(stack, "--json", "dead", "redrive", "--task", task_id)
        assert redriven.returncode == 0, redriven.stderr
        outcomes = [json.loads(line)["outcome"] for line in redriven.stdout.splitlines()]
        assert outcomes == ["redriven"] * len(letters)
        texts: list[str] = []
        while not texts or texts[-1] != STEPS[-1]:
            push = back.next(60)
            assert push is not None, f"nothing after {texts}"
            texts.append(push.text)

    assert texts[-4:] == STEPS
    assert len(texts) == len(letters)
    until(lambda: config["redriven"] is None)
    assert config["settledThrough"] == config["queuedThrough"] == "8"
    assert (config["failingSince"], config["attempts"]) in ((None, None), (None, "0"))
