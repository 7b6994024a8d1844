"""A client of the streaming methods, over a stack in memory: requests and the frames that come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from callers import ALICE, Caller
from harness import Options
from memory_stack import MemoryStack

from a2a_lambda.agent import Agent
from a2a_lambda.core.operations import StreamReport
from a2a_lambda.endpoint.http import EventStream

OLD = {"role": "user", "parts": [{"text": "hello"}]}
V03 = {"kind": "message", "messageId": "m", "role": "user", "parts": [{"kind": "text", "text": "hello"}]}


class Frame(NamedTuple):
    """An event as a client reads it; ``id`` is "" where it has none."""

    id: str
    data: Any


def frames(pieces: Iterable[bytes]) -> Iterator[Frame]:
    """The events of a body as it comes, without comments. Fails for what is no stream of events."""
    text = ""
    for piece in pieces:
        text += piece.decode()
        while "\n\n" in text:
            block, text = text.split("\n\n", 1)
            lines = [line for line in block.split("\n") if not line.startswith(":")]
            fields = dict(line.split(": ", 1) for line in lines)
            assert set(fields) <= {"id", "data"}, block
            if fields:
                yield Frame(fields.get("id", ""), json.loads(fields["data"]))
    assert all(line.startswith(":") for line in text.splitlines()), text


def opened(
    stack: MemoryStack,
    method: str,
    params: dict[str, Any],
    *,
    version: str | None = "1.0",
    last_event_id: str = "",
    seconds: float = 900.0,
    caller: Caller = ALICE,
) -> EventStream:
    """A JSON-RPC method that streams, not read yet."""
    body = {"jsonrpc": "2.0", "id": "call", "method": method, "params": params}
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    headers |= {"A2A-Version": version} if version else {}
    headers |= {"Last-Event-ID": last_event_id} if last_event_id else {}
    response = stack.exchange("POST", "/", json.dumps(body), headers, caller, seconds=seconds)
    assert isinstance(response, EventStream), response
    assert response.status == 200
    assert response.headers["content-type"] == "text/event-stream"
    return response


def read(stack: MemoryStack, method: str, params: dict[str, Any], **options: Any) -> list[Frame]:
    """All frames of a method that streams."""
    return list(frames(opened(stack, method, params, **options).frames))


def results(read_frames: Iterable[Frame]) -> list[Any]:
    """The results in JSON-RPC frames."""
    return [frame.data["result"] for frame in read_frames]


def working(stack: MemoryStack) -> Callable[[], None]:
    """An agent that goes on with every task while somebody sleeps, as far as its time has come."""

    def work() -> None:
        stack.time.on_sleep = lambda: None
        for task_id in list(stack.tasks.records):
            while stack.run(task_id)["next"] == "step":
                pass
        stack.time.on_sleep = work

    return work


def streaming(agent: Agent | None = None, **options: Any) -> MemoryStack:
    """A stack that streams, whose agent works while streams sleep."""
    options = {"inline_wait": 0.0, **({"agent": agent} if agent else {}), **options}
    stack = MemoryStack(Options(streaming=True, **options))
    stack.time.on_sleep = working(stack)
    return stack


def ended(stack: MemoryStack) -> StreamReport:
    """The report of the last stream."""
    return stack.reports[-1][0]


def states(events: list[Any]) -> list[str]:
    """The states of the status updates among events of 1.0."""
    return [event["statusUpdate"]["status"]["state"] for event in events if "statusUpdate" in event]
