"""The probe agent's endpoint, where a request says what follows each event; and that no other's has that."""

from __future__ import annotations

from typing import Any

import pytest
from callers import NOBODY
from cloud_stack import rest_event

from a2a_lambda.aws.probe import MOST, probing
from a2a_lambda.aws.streaming import Front, front
from a2a_lambda.endpoint.http import EventStream, HttpResponse
from a2a_lambda.settings import Environment

FRAMES = [b"id: t.1\ndata: {}\n\n", b":\n", b"data: 2\n\n", b":\n"]


def endpoint(agent: str) -> Front:
    return front(Environment({"STREAMING": "true", "AGENT_MODULE": agent}))


def body(asked: str | None, agent: str = "probe_agent") -> list[bytes]:
    """The pieces of a stream, with that in the header of its request."""
    api = endpoint(agent)
    headers: dict[str, str] = {} if asked is None else {"A2A-Probe": asked}
    api.read(rest_event("POST", "/", "{}", headers, NOBODY))
    return list(api.write(EventStream(200, {}, iter(FRAMES))).body)


@pytest.mark.parametrize(
    ("asked", "after"),
    [
        ("none", None),
        ("0", b":\n\n"),
        ("3", b":   \n\n"),
        ("-1", b":\n\n"),
        ("x", b":\n\n"),
        ("9" * 30, b":" + b" " * MOST + b"\n\n"),
    ],
)
def test_each_event_is_followed_by_what_was_asked_for(asked: str, after: bytes | None) -> None:
    follows = [] if after is None else [after]
    assert body(asked) == [FRAMES[0], *follows, FRAMES[2], *follows]


def test_who_does_not_ask_gets_the_stream_as_it_is() -> None:
    assert body(None) == FRAMES


def test_the_endpoint_of_another_agent_does_not_listen() -> None:
    assert body("100", "push_agent") == FRAMES


def test_an_ask_is_for_its_own_request_alone() -> None:
    asked: list[str] = ["7", ""]

    def read(event: Any) -> Any:
        return type("Request", (), {"headers": {"a2a-probe": asked.pop(0)}})()

    reading, writing = probing(read, lambda response: response)
    reading({})
    assert len(list(writing(EventStream(200, {}, iter(FRAMES))).frames)) == 4
    reading({})
    assert list(writing(EventStream(200, {}, iter(FRAMES))).frames) == FRAMES


def test_what_is_no_stream_is_left_alone() -> None:
    api = endpoint("probe_agent")
    api.read(rest_event("GET", "/", "", {"A2A-Probe": "5"}, NOBODY))

    assert list(api.write(HttpResponse(200, "{}")).body) == [b"{}"]
