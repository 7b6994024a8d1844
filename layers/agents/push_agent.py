"""The demo agent: three steps of one second, an artifact and a notification in each."""

from a2a_lambda.agent import Agent, Skill, TaskContext

agent = Agent(
    name="PushAgent",
    version="1.0.0",
    description="Works through three steps and pushes every change of its task to the client's webhooks.",
    skills=[
        Skill(
            id="push-demo",
            name="push_demo",
            description="Runs a task of three steps and pushes a status update after each.",
            tags=["demo", "push-notifications"],
            examples=["run push demo"],
        )
    ],
)


def _work(task: TaskContext, number: int) -> None:
    task.artifact(f"part-{number}", text=f"Result of step {number} for: {task.text}")
    task.status(f"Step {number}/3 complete")


@agent.step(wait=1)
def first(task: TaskContext) -> None:
    _work(task, 1)


@agent.step(wait=1)
def second(task: TaskContext) -> None:
    _work(task, 2)


@agent.step(wait=1)
def third(task: TaskContext) -> None:
    _work(task, 3)
    task.complete("All 3 steps complete")
