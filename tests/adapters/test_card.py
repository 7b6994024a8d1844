"""Agent cards as people have them, of A2A 1.0 and 0.3: what they say of the agent is taken, the stack's is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from a2a_lambda.adapters.a2a_sdk import agent_from
from a2a_lambda.agent import AgentError, Extension, Skill

CARD: dict[str, Any] = {
    "protocolVersion": "0.3.0",
    "name": "Weather",
    "description": "Says the weather.",
    "version": "2.1.0",
    "url": "http://localhost:9999/",
    "preferredTransport": "JSONRPC",
    "capabilities": {
        "streaming": True,
        "extensions": [{"uri": "urn:x", "description": "d", "required": True, "params": {"a": 1}}],
    },
    "defaultInputModes": ["text/plain"],
    "defaultOutputModes": ["text/plain", "image/png"],
    "skills": [{"id": "w", "name": "weather", "description": "d", "tags": ["t"], "examples": ["Lisbon?"]}],
    "provider": {"organization": "O", "url": "https://o.example"},
    "documentationUrl": "https://o.example/docs",
    "securitySchemes": {"x": {}},
}
EXECUTOR = "weather:executor"


def test_a_card_says_who_the_agent_is():
    agent = agent_from(EXECUTOR, card=CARD)

    assert (agent.name, agent.version, agent.description) == ("Weather", "2.1.0", "Says the weather.")
    assert agent.skills == [Skill("w", "weather", "d", ("t",), ("Lisbon?",))]
    assert agent.extensions == [Extension("urn:x", "d", True, {"a": 1})]
    assert (agent.input_modes, agent.output_modes) == (("text/plain",), ("text/plain", "image/png"))
    assert (agent.provider, agent.documentation_url) == (CARD["provider"], CARD["documentationUrl"])
    assert [(step.name, step.rerun) for step in agent.steps] == [("execute", "restart")]


def test_a_card_of_1_0_is_read_as_well():
    card = {key: CARD[key] for key in ("name", "description", "version", "skills", "capabilities")}

    assert agent_from(EXECUTOR, card={**card, "supportedInterfaces": [{"url": "x"}]}).name == "Weather"


def test_a_card_lies_beside_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "weather_card.json").write_text(json.dumps(CARD))
    monkeypatch.syspath_prepend(tmp_path)

    assert agent_from(EXECUTOR, card="weather_card.json").name == "Weather"
    assert agent_from(EXECUTOR, card=str(tmp_path / "weather_card.json")).name == "Weather"


def test_what_is_given_comes_before_the_card():
    agent = agent_from(EXECUTOR, card=CARD, name="Mine", skills=[])

    assert (agent.name, agent.skills, agent.version) == ("Mine", [], "2.1.0")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "is a JSON object"),
        ('{"name": "x"}', "an agent needs version, description"),
        ('{"skills": [{"id": "a"}]}', "KeyError 'name'"),
        ('{"skills": ["a"]}', "not one of A2A"),
        ('{"capabilities": {"extensions": [{}]}}', "KeyError 'uri'"),
        ('{"defaultInputModes": "text/plain"}', "a list of strings"),
        ('{"skills": {"id": "a"}}', "not one of A2A"),
        ('{"capabilities": []}', "an agent needs"),
    ],
)
def test_what_is_no_card_is_refused_at_import(tmp_path: Path, text: str, reason: str):
    (tmp_path / "card.json").write_text(text)

    with pytest.raises(AgentError, match=reason):
        agent_from(EXECUTOR, card=str(tmp_path / "card.json"))


def test_a_card_that_is_not_there_is_named():
    with pytest.raises(AgentError, match=r"no agent card 'nowhere\.json' beside the agent"):
        agent_from(EXECUTOR, card="nowhere.json")


def test_without_a_card_the_names_are_asked_for():
    with pytest.raises(AgentError, match="name, version, description: give a card, or name="):
        agent_from(EXECUTOR)
