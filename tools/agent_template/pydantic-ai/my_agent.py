"""What this agent does, in one sentence. Pydantic AI finds the answer; the task, pushes and memory are the stack's."""

from a2a_lambda.agent import Agent, Skill, TaskContext

agent = Agent(
    name="MyAgent",
    version="0.1.0",
    description="Says what the agent is good for; clients show it to people.",
    skills=[Skill(id="weather", name="weather", description="Says the weather of a city.", examples=["Lisbon?"])],
)


@agent.step(rerun="restart")
async def answer(task: TaskContext) -> None:
    from my_agent_model import assistant, read, written  # Pydantic AI: imported here, so that no card pays for it

    history = read(task.memory.get("messages", []))
    asked = assistant(task.settings).run_stream(task.text, message_history=history)
    async with asked as run, task.stream_text("answer") as out:
        async for piece in run.stream_text(delta=True, debounce_by=None):
            out.write(piece)
    task.memory["messages"] = written(run.all_messages())
