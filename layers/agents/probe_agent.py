"""For `make probe-stream`: ten statuses, a second apart."""

from a2a_lambda.agent import Agent, TaskContext

EVENTS = 10

agent = Agent(
    name="ProbeAgent",
    version="1.0.0",
    description="Says ten times, a second apart, how far it is: to see how late its streams are.",
)


@agent.step(wait=1)
def tell(task: TaskContext) -> None:
    number = task.state.get("number", 0) + 1
    task.status(f"{number}/{EVENTS}")
    task.state["number"] = number
    if number == EVENTS:
        task.complete("Told.")
    else:
        task.repeat(wait=1)
