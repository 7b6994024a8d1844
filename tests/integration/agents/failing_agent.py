"""An agent whose only step raises, with a text that nobody outside may see."""

from a2a_lambda.agent import Agent, TaskContext

agent = Agent(name="FailingAgent", version="1.0.0", description="Its step raises.")


@agent.step
def explode(task: TaskContext) -> None:
    task.status("About to fail")
    raise RuntimeError("the password is hunter2")
