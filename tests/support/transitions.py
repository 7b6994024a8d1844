"""Counts the state transitions of a task on the real workflow: they dominate what a task costs.

`python tests/support/transitions.py` prints the table that docs/agents.md shows.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from state_machine import Agenda, StateMachine

import approval_agent
import push_agent
from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.caretaker import Caretaker
from a2a_lambda.execution import Executor
from a2a_lambda.lifecycle import new_task, with_message, with_status
from a2a_lambda.model import Message, TaskState
from a2a_lambda.records import TaskRecord
from a2a_lambda.testing import MemoryTasks, VirtualTime

PER_TRANSITION = 25 / 1_000_000
"""US dollars, Standard workflows, us-east-1."""

TASK = "11111111-1111-4111-8111-111111111111"


def states(
    agent: Agent, *, answers: Sequence[str] = (), inline_wait: float = 2.0, values: dict[str, str] | None = None
) -> list[str]:
    """The states that the executions of one task go through."""
    time = VirtualTime()
    agenda, table, left = Agenda(time), MemoryTasks(), list(answers)
    executor = Executor(agent, table, time, time.sleep, lambda _: None, inline_wait=inline_wait)

    def invoke(payload: dict[str, Any]) -> Any:
        if payload["action"] == "run":
            return executor.run(payload["taskId"], lambda: 60_000)
        assert payload["action"] == "await"
        Caretaker(table, machine, time).await_input(payload["taskId"], payload["resumeToken"])
        agenda.after(60, lambda: answer(payload["resumeToken"]))
        return None

    def answer(token: str) -> None:
        record = table.records[TASK]
        task = with_message(with_status(record.task, TaskState.WORKING, time.now), message(left.pop(0)))
        table.update(record.next(task))
        machine.resume(token)

    machine = StateMachine(agenda, invoke, values=values)
    table.create(TaskRecord(new_task(TASK, "c", message("3 laptops"), time.now), "me", 1, "1.0", time.now))
    machine.start(TASK)
    agenda.run()
    assert table.records[TASK].terminal
    assert {execution.status for execution in machine.executions.values()} == {"SUCCEEDED"}
    return [state for execution in machine.executions.values() for state in execution.trail]


def message(text: str) -> Message:
    return {"messageId": text, "role": "ROLE_USER", "parts": [{"text": text}]}


def polling(times: int) -> Agent:
    """Looks every minute, so many times."""
    agent = Agent(name="Polls", version="1", description="d")

    @agent.step
    def poll(task: TaskContext) -> None:
        task.state["n"] = task.state.get("n", 0) + 1
        if task.state["n"] < times:
            task.repeat(wait=60)

    return agent


CASES: dict[str, list[str]] = {
    "the demo: 3 steps, 1 s before each": states(push_agent.agent),
    "the same with InlineWaitSeconds=0": states(push_agent.agent, inline_wait=0),
    "a question, its answer, and a wait of 5 s": states(approval_agent.agent, answers=["yes"]),
    "a look every minute for an hour": states(polling(60)),
}


def document() -> str:
    """The table as Markdown."""
    lines = ["| task | invocations | transitions | a million such tasks |", "|---|---|---|---|"]
    for name, trail in CASES.items():
        invocations = sum(state in ("RunStep", "AwaitInput") for state in trail)
        lines.append(f"| {name} | {invocations} | {len(trail)} | ${len(trail) * PER_TRANSITION * 1_000_000:,.0f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(document() + "\n")
