"""Agents whose steps are coroutine functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from a2a_lambda.agent import Agent


def agent(*steps: Callable[..., Any], **options: Any) -> Agent:
    made = Agent(name="Async", version="1", description="d")
    for number, step in enumerate(steps):
        made.step(name=f"step-{number}", **options)(step)
    return made


async def says_hello(task: Any) -> None:
    numbers = await asyncio.gather(*(asyncio.sleep(0, number) for number in range(3)))
    task.artifact("numbers", data=numbers)
    task.status("Counted.")
    await asyncio.sleep(0)
    task.complete(f"Hello, {task.text}!")
