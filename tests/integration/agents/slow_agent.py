"""Waits for longer than any test does."""

from a2a_lambda.agent import Agent, TaskContext

agent = Agent(name="SlowAgent", version="1.0.0", description="Takes its time.")


@agent.step
def begin(task: TaskContext) -> None:
    task.status("Begun")


@agent.step(wait=150)
def end(task: TaskContext) -> None:
    task.complete("Done.")
