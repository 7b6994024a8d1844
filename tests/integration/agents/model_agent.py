"""What an agent that talks to a model uses: an async step, a secret, settings, a stream of text, memory."""

from __future__ import annotations

import asyncio

from a2a_lambda.agent import Agent, Skill, TaskContext

agent = Agent(
    name="Model",
    version="1.0.0",
    description="Answers as a model does.",
    skills=[Skill(id="talk", name="talk", description="Talks.")],
)


@agent.step(rerun="restart")
async def talk(task: TaskContext) -> None:
    said = task.memory.setdefault("said", [])
    said.append(task.text)
    key = task.secret("model/key", "key")
    async with task.stream_text("answer") as out:
        for number in range(2_000):
            await asyncio.sleep(0)
            out.write(f"{number} ")
    task.complete(f"{task.settings['model']}, key of {len(key)}, asked {len(said)} times")
