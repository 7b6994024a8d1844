"""One result that is larger than an item of the table can be."""

from a2a_lambda.agent import Agent, TaskContext

agent = Agent(name="LargeAgent", version="1.0.0", description="Answers at length.")


@agent.step(wait=1)
def answer(task: TaskContext) -> None:
    task.artifact("report", text="0123456789" * 50_000)
    task.status("1/1 written")
    task.complete("Done.")
