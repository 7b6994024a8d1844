"""Small agents for tests."""

from __future__ import annotations

from a2a_lambda.agent import Agent, TaskContext


def named(name: str = "Tested") -> Agent:
    """An agent without steps yet."""
    return Agent(name=name, version="1.0.0", description="For tests.")


def one_step() -> Agent:
    """Completes its task in one step."""
    agent = named()

    @agent.step
    def only(task: TaskContext) -> None:
        task.complete(f"Done: {task.text}")

    return agent


def asking() -> Agent:
    """Asks its client once, and completes with the answer."""
    agent = named()

    @agent.step
    def ask(task: TaskContext) -> None:
        task.state["asked"] = task.text
        task.require_input("Which one?")

    @agent.step
    def end(task: TaskContext) -> None:
        task.complete(f"{task.state['asked']}: {task.text}")

    return agent


def waits(seconds: float) -> Agent:
    """Waits before its only step."""
    agent = named()
    agent.step(name="waits", wait=seconds)(lambda task: task.complete())
    return agent
