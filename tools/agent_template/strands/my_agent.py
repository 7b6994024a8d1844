"""What this agent does, in one sentence. Strands finds the answer; the task, its pushes and memory are the stack's."""

from a2a_lambda.agent import Agent, Skill, TaskContext

agent = Agent(
    name="MyAgent",
    version="0.1.0",
    description="Says what the agent is good for; clients show it to people.",
    skills=[Skill(id="weather", name="weather", description="Says the weather of a city.", examples=["Lisbon?"])],
)


@agent.step(rerun="restart")
async def answer(task: TaskContext) -> None:
    from my_agent_model import assistant  # Strands: imported here, so that no request for the card pays for it

    strands = assistant(task.settings, task.memory.get("messages", []))
    async with task.stream_text("answer") as out:
        async for event in strands.stream_async(task.text):
            out.write(event.get("data", ""))
    task.memory["messages"] = strands.messages
