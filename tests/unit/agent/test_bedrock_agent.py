"""The example on Amazon Bedrock: what it asks of boto3 is what boto3 takes, and what it makes of the answers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

import bedrock_agent
from a2a_lambda.testing import crashed_once, run_agent
from bedrock_stand_in import StandIn

agent = bedrock_agent.agent


@pytest.fixture(autouse=True)
def an_account_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")


class Scripted:
    """A client that says these streams, one for each request, and keeps the requests."""

    def __init__(self, *streams: list[Any]) -> None:
        self._streams, self.requests = [*streams], []

    def converse_stream(self, **request: Any) -> Any:
        # The loop goes on to change the list.
        self.requests.append({**request, "messages": [*request["messages"]]})
        return {"stream": iter(self._streams.pop(0))}


def text(*pieces: str) -> list[Any]:
    return [{"contentBlockDelta": {"delta": {"text": piece}, "contentBlockIndex": 0}} for piece in pieces]


def call(identity: str, arguments: str) -> list[Any]:
    return [
        {"contentBlockStart": {"start": {"toolUse": {"toolUseId": identity, "name": "stock"}}, "contentBlockIndex": 1}},
        {"contentBlockDelta": {"delta": {"toolUse": {"input": arguments}}, "contentBlockIndex": 1}},
    ]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch):
    def use(*streams: list[Any]) -> Scripted:
        scripted = Scripted(*streams)
        monkeypatch.setattr(bedrock_agent, "bedrock", lambda _: scripted)
        return scripted

    return use


def test_the_answer_comes_from_the_tool_and_is_one_part():
    run = run_agent(agent, "How many chairs?")

    assert (run.state, run.errors) == ("completed", [])
    assert run.artifacts["answer"] == [{"text": "There are 12 of chair."}]


@pytest.mark.parametrize("question", ["unicorns", "", "?", '"}'])
def test_what_the_shop_does_not_have_is_said_and_harms_nothing(question):
    run = run_agent(agent, question)

    assert (run.state, run.text("answer")) == ("completed", "We do not have that.")


def test_what_it_sends_is_what_boto3_takes():
    shape = boto3.client("bedrock-runtime").meta.service_model.operation_model("ConverseStream")
    scripted = Scripted(text("Let me look. ") + call("use-1", '{"article": "Lamps"}'), text("Three", " lamps."))
    messages: list[Any] = [{"role": "user", "content": [{"text": "lamps?"}]}]
    said: list[str] = []

    messages.append(bedrock_agent.reply(scripted, "m", messages, said.append))
    messages.append({"role": "user", "content": [bedrock_agent.result(messages[-1]["content"][1]["toolUse"])]})
    messages.append(bedrock_agent.reply(scripted, "m", messages, said.append))

    for request in scripted.requests:
        assert not ParamValidator().validate(request, shape.input_shape).has_errors()
    assert "".join(said) == "Let me look. Three lamps."
    assert messages[2]["content"][0]["toolResult"]["content"] == [{"json": {"article": "lamp", "count": 3}}]


def test_several_calls_in_one_message_are_answered_in_one(client):
    scripted = client(
        call("use-1", '{"article": "chair"}') + call("use-2", '{"article": "table"}'), text("12 and none.")
    )

    run = run_agent(agent, "chairs and tables?")

    results = [block["toolResult"] for block in scripted.requests[1]["messages"][-1]["content"]]
    assert [each["toolUseId"] for each in results] == ["use-1", "use-2"]
    assert run.text("answer") == "12 and none."


@pytest.mark.parametrize("arguments", ["", "{}", '{"article": null}', '{"article": {"x": 1}}'])
def test_a_model_may_call_the_tool_with_anything(client, arguments):
    client(call("use-1", arguments), text("Sorry."))

    assert run_agent(agent, "go").text("answer") == "Sorry."


def test_a_model_that_only_calls_the_tool_is_not_asked_for_ever(client):
    scripted = client(*[call(f"use-{number}", '{"article": "lamp"}') for number in range(20)])

    assert run_agent(agent, "go").state == "completed"
    assert len(scripted.requests) == bedrock_agent.MOST_TURNS


def test_it_remembers_the_conversation_and_forgets_its_beginning_in_whole_turns(client):
    scripted = client(*[text(f"Answer {number}.") for number in range(15)])
    memory: Any = {}
    for number in range(15):
        memory = run_agent(agent, f"Question {number}", memory=memory).memory

    last = scripted.requests[-1]["messages"]
    assert len(last) <= bedrock_agent.REMEMBERED + 1
    assert last[0]["role"] == "user"
    assert "Question 13" in str(last)


def test_an_answer_after_a_crash_is_whole_wherever_it_happens():
    for run in crashed_once(agent, "lamps?"):
        assert run.artifacts["answer"] == [{"text": "There are 3 of lamp."}]
        assert len(run.memory["messages"]) == 4


def test_without_an_account_it_is_the_stand_in_and_with_a_model_the_client_of_boto3():
    task = SimpleNamespace(settings={})
    assert isinstance(bedrock_agent.bedrock(task), StandIn)
    task.settings["model"] = "amazon.nova-lite-v1:0"
    assert bedrock_agent.bedrock(task).meta.service_model.service_name == "bedrock-runtime"
