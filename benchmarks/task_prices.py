"""What a demo task and a notification cost: calls counted on an AWS in process, times list prices.

Counted: requests, invocations, units of both tables and of their indexes (from the sizes of the items that were written
and read), seconds that a step waits. Not counted, but taken as ``SECONDS`` says: how long a function runs beside that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import cloud
from cloud_stack import CloudStack
from price_list import MEMORY, PRICES, ROOT, SECONDS
from transitions import express_price, states

import push_agent
from a2a_lambda.aws.items import item_size

README = ROOT / "README.md"

Row = tuple[str, str, float]


@dataclass
class Counted:
    """The calls of one demo task with a webhook. Units are DynamoDB's."""

    invocations: dict[str, int] = field(default_factory=dict)
    writes: int = 0
    index_writes: int = 0
    config_writes: int = 0
    reads: float = 0
    config_reads: float = 0
    batches: int = 0
    waited: float = 0.0
    transitions: int = 0


def count(stack: CloudStack) -> Counted:
    """Run the demo agent's task with a webhook on the stack. Each write of the task is a batch of the stream."""
    counted = Counted()
    with cloud.calls("dynamodb") as calls:
        task_id = stack.send(stack.message("run push demo"))["id"]
        stack.register(task_id)
        slept = len(stack.time.slept)
        assert stack.work(task_id) == {"next": "done"}
        counted.waited = sum(stack.time.slept[slept:])
        made = list(calls)
    config = item_size(cloud.items(stack.configs_table)[0])
    records = stack.new_records()
    with cloud.calls("dynamodb") as notified:
        for record in records:
            counted.batches += 1
            assert stack.notify([record]) == []
    for record in records:
        old, new = record["dynamodb"].get("OldImage"), record["dynamodb"].get("NewImage")
        counted.writes += _units(max(item_size(old or {}), item_size(new or {})), 1024)
        counted.index_writes += _index_writes(old, new)
    task = max(item_size(record["dynamodb"].get("NewImage") or {}) for record in records)
    counted.reads = sum(_read(name, arguments, task) for name, arguments in made)
    # A transaction costs twice: the config's side and the check of its task. An entry of the index comes, and goes.
    counted.config_writes = 2 * _units(config, 1024) + 2 * _units(task, 1024) + 1
    removed = sum(name == "DeleteItem" for name, _ in notified)
    counted.config_writes += removed * (_units(config, 1024) + 1)
    counted.config_reads = sum(_read(name, arguments, config) for name, arguments in notified)
    counted.invocations = {"rpc": 2, "executor": 1, "notifier": counted.batches, "caretaker": counted.batches}
    counted.transitions = len(states(push_agent.agent))
    return counted


def _units(size: int, block: int) -> int:
    return max(1, math.ceil(size / block))


def _read(name: str, arguments: dict[str, Any], size: int) -> float:
    if name not in ("GetItem", "Query"):
        return 0
    return _units(size, 4096) * (1.0 if arguments.get("ConsistentRead") else 0.5)


def _index_writes(old: dict[str, Any] | None, new: dict[str, Any] | None) -> int:
    """Units of both indexes: an entry that moves is one that goes and one that comes."""
    if old is None or new is None:
        return 2
    if old["updatedAt"] != new["updatedAt"]:
        return 4
    return 2 if old["state"] != new["state"] else 0


def _function(name: str, counted: Counted, seconds: float = 0.0) -> float:
    number = counted.invocations[name]
    busy = number * SECONDS[name] + seconds
    return number * PRICES["request of Lambda"] + busy * MEMORY[name] * PRICES["GB-second of Lambda (arm64)"]


def task_rows(counted: Counted) -> list[Row]:
    """The table of a demo task: what, its arithmetic, dollars."""
    writes = counted.writes + counted.index_writes + counted.config_writes
    reads = counted.reads + counted.config_reads
    busy = counted.waited + SECONDS["executor"]
    return [
        ("HTTP API", "2 requests × 1.00 / million", 2 * PRICES["request of the HTTP API"]),
        ("rpc", "2 × (20 ms × 1 GB × 0.0000133 + 0.20 / million)", _function("rpc", counted)),
        (
            "Step Functions",
            f"{counted.transitions} transitions × 25 / million",
            counted.transitions * PRICES["state transition"],
        ),
        (
            "executor",
            f"{busy:.1f} s × 0.5 GB × 0.0000133 + 0.20 / million",
            _function("executor", counted, counted.waited),
        ),
        (
            "tables",
            f"{counted.writes} + {counted.index_writes} + {counted.config_writes} units × 0.625 / million",
            writes * PRICES["write unit"],
        ),
        ("reads", f"{reads:g} × 0.125 / million", reads * PRICES["read unit"]),
        (
            "notifier, caretaker",
            f"{counted.batches} batches each × (15 ms × 0.5 or 0.25 GB × 0.0000133 + 0.20 / million)",
            _function("notifier", counted) + _function("caretaker", counted),
        ),
    ]


def total(counted: Counted) -> float:
    """Dollars of a demo task with Standard workflows."""
    return sum(dollars for _, _, dollars in task_rows(counted))


def express(counted: Counted) -> float:
    """Dollars of a demo task with Express workflows, whose executor sleeps through the waits."""
    workflow = express_price(push_agent.agent)
    return total(counted) - counted.transitions * PRICES["state transition"] + workflow


def notification(counted: Counted) -> float:
    """Dollars of a notification that is delivered at the first attempt, alone in its batch."""
    return (_function("notifier", counted) + counted.config_reads * PRICES["read unit"]) / counted.batches


def table(counted: Counted) -> str:
    """The table of README, as Markdown."""
    lines = ["| one demo task with a webhook | arithmetic | dollars |", "|---|---|---|"]
    lines += [f"| {what} | {how} | {dollars:.7f} |" for what, how, dollars in task_rows(counted)]
    lines += [
        f"| **a task** | `WorkflowType=STANDARD` | {total(counted):.7f} |",
        f"| **a task** | `WorkflowType=EXPRESS` | {express(counted):.7f} |",
        f"| **a notification** | at the first attempt, alone in its batch | {notification(counted):.9f} |",
    ]
    return "\n".join(lines)
