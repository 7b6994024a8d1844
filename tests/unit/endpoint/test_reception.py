"""What becomes of a message before it is a task: refusals by media type and extension, and direct answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from harness import Stack
from proto_json import faults

from a2a_lambda.agent import Agent, AgentError, Extension, Message, Part

EXTENSION = "https://example.com/extensions/tone/v1"
OTHER = "https://example.com/extensions/other/v1"


def agent(**fields: Any) -> Agent:
    return Agent(name="Receiver", version="1.0.0", description="Receives.", **fields)


def post(stack: Stack, message: dict[str, Any], **headers: str) -> Any:
    body = {"message": message, "configuration": {"returnImmediately": True}}
    sent = {"Content-Type": "application/json", "A2A-Version": "1.0", **headers}
    return stack.http("POST", "/message:send", json.dumps(body), sent)


@pytest.mark.parametrize(
    ("modes", "part", "taken"),
    [
        (["text/plain"], {"text": "x"}, True),
        (["text/plain"], {"text": "x", "mediaType": "Text/Plain; charset=utf-8"}, True),
        (["text/plain"], {"text": "# x", "mediaType": "text/markdown"}, False),
        (["text/plain"], {"data": {}}, False),
        (["application/json"], {"data": {}}, True),
        (["image/*"], {"url": "https://example.com/a", "mediaType": "image/png"}, True),
        (["image/*"], {"url": "https://example.com/a", "mediaType": "video/mp4"}, False),
        (["image/*"], {"url": "https://example.com/a"}, True),
        (["*/*"], {"raw": "AA==", "mediaType": "application/x-any"}, True),
        ([], {"raw": "AA==", "mediaType": "application/x-any"}, True),
    ],
)
def test_parts_outside_the_agents_input_modes_are_refused(
    new_stack: Callable[..., Stack], modes: list[str], part: dict[str, Any], taken: bool
) -> None:
    stack = new_stack(agent=agent(input_modes=modes))
    before = stack.snapshot()
    response = stack.request(
        "SendMessage", {"message": stack.message(parts=[part]), "configuration": {"returnImmediately": True}}
    )
    if taken:
        assert "result" in response
    else:
        assert response["error"]["code"] == -32005
        assert stack.snapshot() == before


@pytest.mark.parametrize(
    ("method", "message", "version"),
    [
        ("SendMessage", {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "x"}]}, "1.0"),
        ("message/send", {"messageId": "m", "role": "agent", "parts": [{"kind": "text", "text": "x"}]}, "0.3"),
        ("tasks/send", {"role": "agent", "parts": [{"text": "x"}]}, None),
    ],
)
@pytest.mark.parametrize("follow_up", [False, True])
def test_a_message_in_the_agents_name_is_refused(
    stack: Stack, method: str, message: dict[str, Any], version: str | None, follow_up: bool
) -> None:
    task = {"taskId": stack.send()["id"]} if follow_up else {}
    before = stack.snapshot()
    answer = stack.request(method, {"message": {**message, **task}}, version=version)
    assert answer["error"]["code"] == -32602
    assert "message.role" in answer["error"]["message"]
    assert stack.snapshot() == before


@pytest.mark.parametrize("header", ["A2A-Extensions", "X-A2A-Extensions"])
def test_a_required_extension_has_to_be_asked_for_and_is_echoed(new_stack: Callable[..., Stack], header: str) -> None:
    stack = new_stack(agent=agent(extensions=[Extension(EXTENSION, required=True)]))
    assert stack.code("SendMessage", {"message": stack.message()}) == -32008
    reply = post(stack, stack.message(), **{header: f"{OTHER}, {EXTENSION}"})
    assert reply.status == 200
    assert reply.headers[header.lower()] == EXTENSION


def test_an_extension_that_the_agent_has_not_is_ignored(new_stack: Callable[..., Stack]) -> None:
    reply = post(
        new_stack(agent=agent()),
        {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]},
        **{"A2A-Extensions": OTHER},
    )
    assert reply.status == 200
    assert "a2a-extensions" not in reply.headers


def answering(answer: str | Sequence[Part] | None) -> Agent:
    made = agent()
    made.on_message(lambda message: answer)
    return made


@pytest.mark.parametrize("answer", ["Hello!", [{"text": "Hello!"}]])
def test_an_agent_may_answer_directly_and_then_there_is_no_task(
    new_stack: Callable[..., Stack], answer: str | Sequence[Part]
) -> None:
    stack = new_stack(agent=answering(answer))
    before = stack.snapshot()
    message = stack.message()
    result = stack.call("SendMessage", {"message": message})
    assert result["message"]["parts"] == [{"text": "Hello!"}]
    assert result["message"]["contextId"]
    assert stack.call("SendMessage", {"message": message}) == result
    assert stack.snapshot() == before


def test_a_direct_answer_speaks_the_dialect_of_the_question(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=answering("Hello!"))
    part = {"kind": "text", "text": "x"}
    message = {"kind": "message", "messageId": "m", "role": "user", "parts": [part], "contextId": "c"}
    answer = stack.call("message/send", {"message": message}, version="0.3")
    assert (answer["kind"], answer["role"], answer["contextId"]) == ("message", "agent", "c")
    old = stack.call("tasks/send", {"message": {"role": "user", "parts": [{"text": "x"}]}}, version=None)
    assert (old["role"], old["parts"]) == ("agent", [{"text": "Hello!"}])


def test_a_follow_up_goes_to_its_task(new_stack: Callable[..., Stack]) -> None:
    made = agent()
    seen: list[Message] = []

    @made.on_message
    def look(message: Message) -> None:
        seen.append(message)

    stack = new_stack(agent=made)
    task = stack.send()
    follow_up = stack.message("more", taskId=task["id"])
    assert list(faults(stack.send(follow_up), "Task")) == []
    assert [message["parts"] for message in seen] == [[{"text": "hello"}]]


def test_an_answer_without_parts_is_the_agents_fault(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=answering([]))
    assert stack.code("SendMessage", {"message": stack.message()}) == -32006


def test_two_first_looks_are_one_too_many() -> None:
    made = answering("x")
    with pytest.raises(AgentError, match="twice"):
        made.on_message(lambda message: None)
