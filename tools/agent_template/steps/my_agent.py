"""What this agent does, in one sentence."""

from a2a_lambda.agent import Agent, Skill, TaskContext

agent = Agent(
    name="MyAgent",
    version="0.1.0",
    description="Says what the agent is good for; clients show it to people.",
    skills=[
        Skill(
            id="greet",
            name="greet",
            description="Greets whoever writes.",
            tags=["example"],
            examples=["Ada"],
        )
    ],
)


@agent.step
def look(task: TaskContext) -> None:
    task.state["name"] = task.text.strip() or "stranger"
    task.status("1/2 read the message")


@agent.step(wait=1)
def greet(task: TaskContext) -> None:
    task.artifact("greeting", text=f"Hello, {task.state['name']}!")
    task.status("2/2 wrote a greeting")
    task.complete("Greeted.")
