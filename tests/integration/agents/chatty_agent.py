"""Writes as the message asks: `[5, 40]` are two steps, a second apart, of so many statuses, a chunk after the third."""

import json

from a2a_lambda.agent import Agent, TaskContext

agent = Agent(name="ChattyAgent", version="1.0.0", description="Says as much as it is told to.")


@agent.step
def talk(task: TaskContext) -> None:
    bursts = json.loads(task.text)
    say(task, bursts[0])
    if len(bursts) == 1:
        task.complete("Done.")


@agent.step(wait=1)
def talk_again(task: TaskContext) -> None:
    say(task, json.loads(task.text)[1])
    task.complete("Done.")


def say(task: TaskContext, count: int) -> None:
    for number in range(count):
        task.status(f"Said {number + 1} of {count}")
        if number % 3 == 2:
            task.artifact("log", text=f"{number}", append=True)
