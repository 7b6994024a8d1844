"""What a step reads of the request beside the message: who sent it, and what its client asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from callers import ALICE, BOB
from harness import Stack

from a2a_lambda.agent import Agent, Extension
from a2a_lambda.testing import run_agent

SEEN = ("caller", "conversation", "request_metadata", "requested_extensions", "accepted_output_modes")


def seeing() -> Agent:
    """Says what it sees: in a first step, and after a question in a second one."""
    agent = Agent(name="Sees", version="1", description="d", extensions=[Extension("urn:a"), Extension("urn:b")])

    def look(task: Any) -> dict[str, Any]:
        seen = {name: getattr(task, name) for name in SEEN}
        return {**seen, "requested_extensions": sorted(seen["requested_extensions"])}

    @agent.step
    def first(task: Any) -> None:
        task.artifact("first", data=look(task))
        task.require_input("?")

    @agent.step
    def second(task: Any) -> None:
        task.artifact("second", data=look(task))

    return agent


def seen(stack: Stack, task_id: str) -> dict[str, Any]:
    return {each["name"]: each["parts"][0]["data"] for each in stack.stored(task_id).task["artifacts"]}


def sent(stack: Stack, message: dict[str, Any], extensions: str = "", caller: Any = ALICE, **params: Any) -> str:
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message, **params}}
    body["params"].setdefault("configuration", {})["returnImmediately"] = True
    headers = {"A2A-Version": "1.0", "Content-Type": "application/json"}
    if extensions:
        headers["A2A-Extensions"] = extensions
    reply = stack.http("POST", "/", json.dumps(body), headers, caller)
    assert "result" in reply.json, reply.json
    return str(reply.json["result"]["task"]["id"])


def test_a_step_sees_what_came_beside_the_latest_message_and_nothing_of_an_earlier_one(
    new_stack: Callable[..., Stack],
) -> None:
    stack = new_stack(agent=seeing())
    configuration = {"acceptedOutputModes": ["text/plain", "image/*"]}
    task_id = sent(stack, stack.message(), "urn:b, urn:c", configuration=configuration, metadata={"tier": {"n": 1}})
    assert stack.work(task_id) == {"next": "input"}
    assert sent(stack, stack.message(taskId=task_id)) == task_id
    stack.work(task_id)
    first, second = (seen(stack, task_id)[name] for name in ("first", "second"))
    assert first["request_metadata"] == {"tier": {"n": 1}}
    assert first["requested_extensions"] == ["urn:b", "urn:c"]
    assert first["accepted_output_modes"] == ["text/plain", "image/*"]
    assert (second["request_metadata"], second["requested_extensions"], second["accepted_output_modes"]) == ({}, [], [])
    assert (first["caller"], first["conversation"]) == (second["caller"], second["conversation"])


def test_a_task_that_was_sent_with_nothing_beside_keeps_nothing(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=seeing())
    task_id = sent(stack, stack.message())
    stack.work(task_id)
    assert stack.stored(task_id).request is None


def test_two_callers_who_choose_one_context_have_two_conversations(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=seeing(), auth_mode="IAM")
    looks = []
    for caller in (ALICE, BOB, ALICE):
        task_id = sent(stack, stack.message(contextId="chat"), caller=caller)
        stack.work(task_id)
        looks.append(seen(stack, task_id)["first"])
    assert [look["caller"] for look in looks] == [ALICE.owner, BOB.owner, ALICE.owner]
    assert looks[0]["conversation"] == looks[2]["conversation"] != looks[1]["conversation"]
    assert "chat" not in {look["conversation"] for look in looks}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("a", "b"), ("a,", "b")),
        (('a","b', "c"), ("a", 'b","c')),
        (("", "ab"), ("a", "b")),
        (("a", "ä"), ("a", "\\u00e4")),
    ],
)
def test_no_choice_of_a_context_reaches_another_callers_conversation(
    left: tuple[str, str], right: tuple[str, str]
) -> None:
    ids = {
        run_agent(seeing(), "go", caller=caller, context_id=context).data("first")["conversation"]
        for caller, context in (left, right)
    }
    assert len(ids) == 2


def test_what_comes_beside_a_message_is_refused_where_it_cannot_be_kept_and_nothing_is_written(stack: Stack) -> None:
    before = stack.snapshot()
    large = {"message": stack.message(), "metadata": {"x": "x" * 20_000}}
    assert stack.code("SendMessage", large) == -32602
    assert stack.snapshot() == before


def test_the_harness_sends_what_a_client_sends() -> None:
    run = run_agent(
        seeing(),
        "go",
        caller="ada",
        metadata={"a": 1},
        extensions=["urn:a"],
        accepted_output_modes=["text/plain"],
        answers=["more"],
    )
    for name in ("first", "second"):
        look = run.data(name)
        assert (look["caller"], look["request_metadata"]) == ("ada", {"a": 1})
        assert (look["requested_extensions"], look["accepted_output_modes"]) == (["urn:a"], ["text/plain"])


def test_a_step_that_changes_the_metadata_it_was_given_changes_its_own_copy() -> None:
    given = {"list": [1]}
    agent = Agent(name="Changes", version="1", description="d")
    agent.step(name="only")(lambda task: task.request_metadata["list"].append(2))
    assert run_agent(agent, "go", metadata=given).state == "completed"
    assert given == {"list": [1]}


def test_statuses_have_several_parts_metadata_and_extensions_in_every_state() -> None:
    content: dict[str, Any] = {
        "data": {"n": 1},
        "parts": [{"url": "https://example.com/a", "metadata": {"p": 1}}],
        "metadata": {"m": 1},
        "extensions": ["urn:a"],
    }
    for method in ("status", "complete", "fail", "reject", "require_input", "require_auth"):
        agent = Agent(name="Says", version="1", description="d")
        more = {"then": "only"} if method.startswith("require") else {}
        agent.step(name="only")(lambda task, call=method, more=more: getattr(task, call)("text", **content, **more))
        updates = [
            event["statusUpdate"]["status"] for event in run_agent(agent, "go").events if "statusUpdate" in event
        ]
        message = next(status["message"] for status in updates if "message" in status)
        assert message["parts"] == [{"text": "text"}, {"data": {"n": 1}}, *content["parts"]]
        assert (message["metadata"], message["extensions"]) == ({"m": 1}, ["urn:a"])


def test_an_artifact_has_metadata_and_extensions() -> None:
    agent = Agent(name="Makes", version="1", description="d")
    agent.step(name="only")(lambda task: task.artifact("a", "text", metadata={"m": [1]}, extensions=["urn:a"]))
    (artifact,) = run_agent(agent, "go").task["artifacts"]
    assert (artifact["metadata"], artifact["extensions"]) == ({"m": [1]}, ["urn:a"])
