"""The demo's stream beside its webhook, without a network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from push_client import A2AClient, DemoError, RpcError
from push_stream import TaskStream, agreement, events_of
from push_webhook import Push

TASK = "0d9c1b7e-task"


def event(state: str, **more: Any) -> dict[str, Any]:
    return {"type": "TaskStatusUpdateEvent", "taskId": TASK, "status": {"state": state}, "final": False, **more}


def frame(result: Any) -> bytes:
    return f"data: {json.dumps({'jsonrpc': '2.0', 'result': result})}\n\n".encode()


ARTIFACT = {"type": "TaskArtifactUpdateEvent", "taskId": TASK, "artifact": {"artifactId": "a"}}


class Agent(A2AClient):
    """Streams what it is given, one list of results for each call."""

    def __init__(self, *streams: list[Any], state: str = "working") -> None:
        super().__init__("http://127.0.0.1:1")
        self.called: list[str] = []
        self._streams = list(streams)
        self._state = state

    def stream(self, method: str, params: dict[str, Any]) -> Iterator[bytes]:
        self.called.append(method)
        results = self._streams.pop(0)
        if isinstance(results, Exception):
            raise results
        return iter(map(frame, results))

    def get_task(self, task_id: str) -> dict[str, Any]:
        return {"id": task_id, "status": {"state": self._state}}


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_read_however_they_are_cut(size: int) -> None:
    sent = frame({"a": "\u00e4"}) + b":\n\n" + frame({"b": 2}) + b":   \n\n"

    pieces = (sent[start : start + size] for start in range(0, len(sent), size))

    assert list(events_of(pieces)) == [{"a": "\u00e4"}, {"b": 2}]


def test_an_error_in_a_stream_ends_it() -> None:
    sent = b'data: {"jsonrpc":"2.0","error":{"code":-32603,"message":"Internal error"}}\n\n'

    with pytest.raises(DemoError, match="-32603"):
        list(events_of(iter([sent])))


def test_the_first_event_names_the_task_and_the_others_are_shown() -> None:
    shown: list[Push] = []
    agent = Agent([event("submitted"), event("working"), ARTIFACT, event("completed", final=True)])
    stream = TaskStream(agent, shown.append)

    assert stream.begin("hello") == {"id": TASK, "status": {"state": "submitted"}}
    assert [each.state for each in stream.finish(10)] == ["submitted", "working", "unknown", "completed"]
    assert [each.state for each in shown] == ["working", "completed"]
    assert agent.called == ["tasks/sendSubscribe"]


def test_a_stream_that_ends_before_its_task_is_taken_up_again() -> None:
    task = {"id": TASK, "status": {"state": "working"}}
    agent = Agent([event("submitted")], [task, event("working")], [task, event("completed", final=True)])
    stream = TaskStream(agent)

    stream.begin("hello")

    assert [each.state for each in stream.finish(10)] == ["submitted", "working", "completed"]
    assert agent.called == ["tasks/sendSubscribe", "tasks/resubscribe", "tasks/resubscribe"]


def test_a_task_that_ended_between_two_streams_is_not_asked_for_again() -> None:
    agent = Agent([event("submitted")], state="canceled")
    stream = TaskStream(agent)

    stream.begin("hello")

    assert len(stream.finish(10)) == 1
    assert agent.called == ["tasks/sendSubscribe"]


def test_an_agent_that_does_not_stream_is_said_to_be_so() -> None:
    refused = RpcError("tasks/sendSubscribe", {"code": -32004, "message": "no"})

    with pytest.raises(DemoError, match="STREAMING=1"):
        TaskStream(Agent(refused)).begin("hello")  # type: ignore[arg-type]


def test_a_stream_that_breaks_later_fails_the_scenario() -> None:
    stream = TaskStream(Agent([event("submitted")], DemoError("broke off")))  # type: ignore[arg-type]
    stream.begin("hello")

    with pytest.raises(DemoError, match="broke off"):
        stream.finish(10)


@pytest.mark.parametrize(
    ("streamed", "pushed", "agree"),
    [
        ([1, 2, 3], [2, 3], True),
        ([1, 2, 3], [1, 2, 3], True),
        ([1, 2, 3], [3, 2], False),
        ([1, 2], [2, 3], False),
        ([1, 2, 3], [2], False),
        ([1, 2], [], False),
    ],
)
def test_a_stream_agrees_if_it_tells_what_was_pushed_in_that_order(
    streamed: list[int], pushed: list[int], agree: bool
) -> None:
    told = [Push(event("working", number=number)) for number in streamed]
    told.insert(1, Push(ARTIFACT))

    assert agreement(told, [Push(event("working", number=number)) for number in pushed])[0] is agree
