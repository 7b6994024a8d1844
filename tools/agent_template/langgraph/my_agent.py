"""What this agent does, in one sentence. A LangGraph graph decides; where it interrupts, the task asks its client."""

from a2a_lambda.agent import Agent, Skill, TaskContext

agent = Agent(
    name="MyAgent",
    version="0.1.0",
    description="Says what the agent is good for; clients show it to people.",
    skills=[Skill(id="book", name="book", description="Books a trip.", examples=["Lisbon"])],
)


@agent.step(rerun="restart")
async def book(task: TaskContext) -> None:
    from my_agent_graph import go_on  # LangGraph: imported here, so that no request for the card pays for it

    # Between two turns the graph is in task.state: any machine can go on with it, weeks later.
    asked, result, task.state["graph"] = await go_on(task.state.get("graph"), task.text)
    if asked is not None:
        task.require_input(asked, then="book")
        return
    task.artifact("booking", data=result)
