"""What an open minute of a stream costs: looks counted over a stack in memory, times list prices.

A stream holds an environment of `rpc` for as long as it is open; each look is an eventually consistent read of a task
of up to 4 kB.
"""

from __future__ import annotations

from collections.abc import Callable

from looks import every, idle, looks_per_minute, write
from memory_stack import MemoryStack
from price_list import MEMORY, PRICES, ROOT
from task_prices import Counted, notification

from a2a_lambda.core.model import TaskState

PAGE = ROOT / "docs" / "streaming.md"


def _told(stack: MemoryStack, task_id: str) -> None:
    every(stack, 1.03, lambda: write(stack, task_id, TaskState.WORKING, "step"))


def _nothing(stack: MemoryStack, task_id: str) -> None:
    """The task works, and says nothing."""


def _asked(stack: MemoryStack, task_id: str) -> None:
    write(stack, task_id, TaskState.INPUT_REQUIRED)


CASES: dict[str, Callable[[MemoryStack, str], None]] = {
    "a status a second": _told,
    "nothing happens": _nothing,
    "the client is awaited": _asked,
}


def minute(looks: float) -> float:
    """Dollars of a minute with so many looks: the environment, and the reads."""
    return 60 * MEMORY["rpc"] * PRICES["GB-second of Lambda (arm64)"] + looks * 0.5 * PRICES["read unit"]


def table(counted: Counted) -> str:
    """The table of docs/streaming.md, as Markdown."""
    lines = ["| an open minute, while | arithmetic | dollars |", "|---|---|---|"]
    for name, happens in CASES.items():
        stack, task_id = idle()
        happens(stack, task_id)
        looks = looks_per_minute(stack, task_id)
        how = f"60 s × 1 GB × 0.0000133 + {looks:.0f} looks × 0.5 units × 0.125 / million"
        lines.append(f"| {name} | {how} | {minute(looks):.6f} |")
    opening = PRICES["request of the REST API"] + PRICES["request of Lambda"]
    lines.append(f"| **opening a stream** | 3.50 / million + 0.20 / million | {opening:.7f} |")
    lines.append(f"| **a webhook's notification**, beside it | at the first attempt | {notification(counted):.9f} |")
    return "\n".join(lines)
