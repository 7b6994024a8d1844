"""What this agent does, in one sentence. Its executor is written for the official SDK, and runs here unchanged."""

from a2a_lambda.adapters.a2a_sdk import agent_from
from a2a_lambda.agent import Skill

# Or, in the place of all below: agent_from("my_agent_executor:MyAgentExecutor", card="agent_card.json")
agent = agent_from(
    "my_agent_executor:MyAgentExecutor",  # imported where a step runs, and nowhere else
    name="MyAgent",
    version="0.1.0",
    description="Says what the agent is good for; clients show it to people.",
    skills=[Skill(id="weather", name="weather", description="Says the weather of a city.", examples=["Lisbon"])],
)
