"""Counts the state transitions of a task on the real workflow: they dominate what a task costs.

`python tests/support/transitions.py` prints the table that docs/agents.md shows.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

from state_machine import Agenda, Execution, ExpressMachine, StateMachine

import approval_agent
import push_agent
from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.agent.caretaker import Caretaker
from a2a_lambda.agent.execution import Executor
from a2a_lambda.agent.express import Express
from a2a_lambda.core.lifecycle import new_task, with_message, with_status
from a2a_lambda.core.model import Message, TaskState
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.testing.memory import MemoryTasks, VirtualTime

PER_TRANSITION = 25 / 1_000_000
"""US dollars, Standard workflows, us-east-1."""

PER_EXECUTION, PER_GIGABYTE_SECOND, GIGABYTES = 1 / 1_000_000, 0.06 / 3_600, 64 / 1_024
"""US dollars, Express workflows, us-east-1; the memory of a small machine. The time is rounded up to 0.1 s."""

TASK = "11111111-1111-4111-8111-111111111111"


def states(agent: Agent, **given: Any) -> list[str]:
    """The states that the executions of one task go through. See :func:`executions` for what can be given."""
    return [state for execution in executions(agent, **given) for state in execution.trail]


def express_price(agent: Agent, **given: Any) -> float:
    """US dollars of Express for one task whose steps take no time."""
    (execution,) = executions(agent, express=True, **given)
    assert execution.begun is not None
    assert execution.ended is not None
    seconds = max(math.ceil((execution.ended - execution.begun).total_seconds() * 10), 1) / 10
    return PER_EXECUTION + seconds * GIGABYTES * PER_GIGABYTE_SECOND


def executions(
    agent: Agent,
    *,
    answers: Sequence[str] = (),
    inline_wait: float = 2.0,
    values: dict[str, str] | None = None,
    express: bool = False,
) -> list[Execution]:
    """The executions of one task, which succeed. ``values`` are for the definition; ``answers`` are the client's."""
    time = VirtualTime()
    agenda, table, left = Agenda(time), MemoryTasks(), list(answers)
    limits = Express() if express else None
    executor = Executor(agent, table, time, time.sleep, lambda _: None, inline_wait=inline_wait, express=limits)

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

    machine = (ExpressMachine if express else StateMachine)(agenda, invoke, values=values)
    table.create(TaskRecord(new_task(TASK, "c", message("3 laptops"), time.now), "me", 1, "1.0", time.now))
    machine.start(TASK, time.now)
    agenda.run()
    assert table.records[TASK].terminal
    assert {execution.status for execution in machine.executions.values()} == {"SUCCEEDED"}
    return list(machine.executions.values())


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


def silent(steps: int = 1, wait: float = 0.0) -> Agent:
    """Steps that only end, with a wait between them."""
    agent = Agent(name="Silent", version="1", description="d")

    @agent.step
    def begin(task: TaskContext) -> None:
        """Nothing."""

    for number in range(1, steps):
        agent.step(name=f"step-{number}", wait=wait)(begin)
    return agent


EXPRESS_CASES: dict[str, Callable[..., Any]] = {
    "one step, no wait": lambda price: price(silent()),
    "the demo: 3 steps, 1 s before each": lambda price: price(push_agent.agent),
    "the same with `InlineWaitSeconds=0`": lambda price: price(push_agent.agent, inline_wait=0),
    "two steps, 60 s between them": lambda price: price(silent(2, 60)),
}

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


def express_document() -> str:
    """The prices of both types as Markdown, for a million tasks each."""
    lines = ["| a million tasks of | Standard | Express |", "|---|---|---|"]
    for name, case in EXPRESS_CASES.items():
        standard = len(case(states)) * PER_TRANSITION * 1_000_000
        lines.append(f"| {name} | ${standard:,.0f} | ${case(express_price) * 1_000_000:,.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{document()}\n\n{express_document()}\n")
