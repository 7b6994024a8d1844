"""An agent of an executor of the official SDK, as rpc imports it for its card: see `benchmarks/imports.py`."""

from a2a_lambda.adapters.a2a_sdk import agent_from
from a2a_lambda.agent import Skill

agent = agent_from(
    "weather:executor",
    name="Weather",
    version="1.0.0",
    description="Says the weather of a city.",
    skills=[Skill(id="weather", name="weather", description="Says the weather.", examples=["Lisbon?"])],
)
