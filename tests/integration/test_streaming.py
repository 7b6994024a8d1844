"""Streams on the local AWS: the deployed function behind the local gateway, beside the webhooks of the same tasks."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from watching import Frame, frames

from push_client import A2AClient
from push_demo import run_demo
from push_stream import events_of
from push_webhook import Push, Receiver
from stack import Stack

SEND = {
    "1.0": ("SendStreamingMessage", "SubscribeToTask"),
    "0.3": ("message/stream", "tasks/resubscribe"),
    "legacy": ("tasks/sendSubscribe", "tasks/resubscribe"),
}
WAIT = 60


@pytest.fixture(scope="module")
def streaming(stack_with: Callable[..., Stack]) -> Stack:
    return stack_with(Streaming="true")


@pytest.fixture(scope="module")
def chatty(stack_with: Callable[..., Stack]) -> Stack:
    return stack_with(Streaming="true", AgentModule="chatty_agent")


def sent(dialect: str, text: str, url: str) -> dict[str, Any]:
    """Parameters that send a message and register a webhook with it, where the dialect can."""
    identity = str(uuid.uuid4())
    if dialect == "1.0":
        message = {"messageId": identity, "role": "ROLE_USER", "parts": [{"text": text}]}
        return {"message": message, "configuration": {"taskPushNotificationConfig": {"url": url, "id": "hook"}}}
    if dialect == "0.3":
        message = {"kind": "message", "messageId": identity, "role": "user", "parts": [{"kind": "text", "text": text}]}
        return {"message": message, "configuration": {"pushNotificationConfig": {"url": url, "id": "hook"}}}
    return {"message": {"messageId": identity, "role": "user", "parts": [{"text": text}]}}


def pieces(endpoint: str, dialect: str, method: str, params: dict[str, Any]) -> Iterator[bytes]:
    """The body of a streamed answer as it comes."""
    headers = {} if dialect == "legacy" else {"A2A-Version": dialect}
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    with requests.Session() as session:
        session.trust_env = False
        with session.post(f"{endpoint}/", json=body, headers=headers, stream=True, timeout=WAIT) as answer:
            assert answer.headers["content-type"] == "text/event-stream", answer.text
            yield from answer.iter_content(None)


def until_ended(receiver: Receiver, dialect: str) -> list[Push]:
    """The pushes up to that of the end, with an extra look for late ones."""
    received: list[Push] = []
    while not (received and "completed" in json.dumps(received[-1].payload).lower()):
        push = receiver.next(WAIT)
        assert push is not None, received
        received.append(push)
    return received


def test_the_demo_passes_with_a_stream_beside_its_webhook(streaming: Stack, receiver: Receiver) -> None:
    with A2AClient(streaming.endpoint) as client:
        report = run_demo(client, receiver, timeout=WAIT, stream=True)

    assert [check for check in report.checks if not check.passed] == []
    assert report.checks[-1].name == "Stream tells the same"


def test_the_scenario_of_the_ruby_gem_with_its_frames_byte_for_byte(streaming: Stack, receiver: Receiver) -> None:
    """It sends with a stream, takes the id from the first status, registers its webhook, and goes on from there."""
    stream = pieces(streaming.endpoint, "legacy", "tasks/sendSubscribe", sent("legacy", "run push demo", ""))
    received = b""
    while b"\n\n" not in received:
        received += next(stream)
    first = next(events_of(iter([received])))
    with A2AClient(streaming.endpoint) as client:
        task_id = first["taskId"]
        client.set_push_config(task_id, receiver.url)
        received += b"".join(stream)
        pushes = until_ended(receiver, "legacy")
        assert client.get_push_config(task_id) is not None
        assert [config["id"] for config in client.list_push_configs()] == [task_id]
        client.delete_push_config(task_id)
        assert client.get_push_config(task_id) is None

    blocks = received.split(b"\n\n")
    assert blocks.pop() == b""
    events = [block for block in blocks if block != b":"]
    assert blocks == [each for event in events for each in (event, b":")]  # a comment after each event, nothing else
    assert first["type"] == "TaskStatusUpdateEvent"
    assert first["status"]["state"] == "submitted"
    assert list(first) == ["type", "taskId", "contextId", "status", "final"]
    # From the webhook on, the gem gets in each frame the very bytes that the webhook gets as a body.
    told = [event for event in events if b'"TaskStatusUpdateEvent"' in event]
    bodies = [json.dumps(push.payload, ensure_ascii=False, separators=(",", ":")).encode() for push in pushes]
    assert told[-len(bodies) :] == [b'data: {"jsonrpc":"2.0","result":' + body + b"}" for body in bodies]
    artifacts = [json.loads(event[6:])["result"] for event in events if event not in told]
    assert [list(each) for each in artifacts] == [
        ["type", "taskId", "contextId", "artifact", "append", "lastChunk"]
    ] * len(artifacts)
    assert artifacts


@pytest.mark.parametrize("bursts", ["[1]", "[5, 3]", "[4, 12]"])
@pytest.mark.parametrize("dialect", ["1.0", "0.3"])
def test_a_stream_tells_what_the_webhook_is_told_by_id_and_body(
    chatty: Stack, receiver: Receiver, dialect: str, bursts: str
) -> None:
    method = SEND[dialect][0]

    first, *told = frames(pieces(chatty.endpoint, dialect, method, sent(dialect, bursts, receiver.url)))
    pushes = until_ended(receiver, dialect)

    assert first.id.endswith(".1")
    events = {frame.id: frame.data["result"] for frame in told}
    assert len(events) == len(told)
    # In 0.3 a webhook gets the whole task; the stream has what changed.
    if dialect == "1.0":
        assert [(f"{each.webhook_id.removesuffix('.hook')}", each.payload) for each in ordered(pushes)] == [
            (frame.id, frame.data["result"]) for frame in told
        ]
    else:
        assert {each.webhook_id.removesuffix(".hook") for each in ordered(pushes)} <= set(events)
        assert events[told[-1].id]["status"] == pushes[-1].payload["status"]


def ordered(pushes: list[Push]) -> list[Push]:
    """The first arrival of each, from the task's second write on: the first is what a stream begins with."""
    known: dict[str, Push] = {}
    for push in pushes:
        if push.webhook_id.split(".")[1] != "1":
            known.setdefault(push.webhook_id, push)
    return list(known.values())


def generation(identity: str) -> int:
    return int(identity.split(".")[1])


def status(event: dict[str, Any]) -> bool:
    return "statusUpdate" in event


def test_of_a_burst_every_status_that_is_told_is_one_that_was_pushed_and_the_last_is_the_end(
    chatty: Stack, receiver: Receiver
) -> None:
    """Between two looks there may be more writes than the task's trace holds: then they are one event."""
    stream = frames(pieces(chatty.endpoint, "1.0", "SendStreamingMessage", sent("1.0", "[1, 120]", receiver.url)))
    told = list(stream)
    pushed = {
        generation(push.webhook_id): push.payload
        for push in ordered(until_ended(receiver, "1.0"))
        if status(push.payload)
    }

    statuses = {generation(frame.id): frame.data["result"] for frame in told if status(frame.data["result"])}
    assert statuses == {number: pushed[number] for number in statuses}
    assert told[-1].data["result"]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert list(statuses) == sorted(statuses)


def test_who_comes_back_with_the_last_event_misses_nothing(chatty: Stack, receiver: Receiver) -> None:
    stream = frames(pieces(chatty.endpoint, "1.0", "SendStreamingMessage", sent("1.0", "[3, 3]", receiver.url)))
    seen = [next(stream), next(stream)]
    stream.close()  # type: ignore[attr-defined]
    until_ended(receiver, "1.0")
    task_id = seen[0].data["result"]["task"]["id"]

    headers = {"A2A-Version": "1.0", "Last-Event-ID": seen[-1].id, "Content-Type": "application/json"}
    url = f"{chatty.endpoint}/tasks/{task_id}:subscribe"
    with requests.post(url, json={}, headers=headers, stream=True, timeout=WAIT, proxies={"http": ""}) as answer:
        rest = list(frames(answer.iter_content(None)))

    told = [generation(frame.id) for frame in [*seen, *rest]]
    assert told == sorted(told)
    assert rest[-1].data["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert rest[0].id != seen[-1].id


def test_a_task_that_has_ended_is_refused_as_json_by_every_binding(chatty: Stack, receiver: Receiver) -> None:
    first, *_ = frames(pieces(chatty.endpoint, "1.0", "SendStreamingMessage", sent("1.0", "[1]", receiver.url)))
    task_id = first.data["result"]["task"]["id"]
    with requests.Session() as session:
        session.trust_env = False
        rest = session.post(
            f"{chatty.endpoint}/tasks/{task_id}:subscribe", headers={"A2A-Version": "1.0"}, timeout=WAIT
        )
        assert (rest.status_code, rest.json()["error"]["details"][0]["reason"]) == (400, "UNSUPPORTED_OPERATION")
        for dialect, (_, method) in SEND.items():
            headers = {} if dialect == "legacy" else {"A2A-Version": dialect}
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": task_id}}
            answer = session.post(f"{chatty.endpoint}/", json=body, headers=headers, timeout=WAIT)
            assert answer.json()["error"]["code"] == -32004


def test_who_hangs_up_costs_one_stream_and_the_task_goes_on(chatty: Stack, receiver: Receiver) -> None:
    stream = frames(pieces(chatty.endpoint, "1.0", "SendStreamingMessage", sent("1.0", "[2, 2]", receiver.url)))
    next(stream)
    stream.close()  # type: ignore[attr-defined]

    assert "TASK_STATE_COMPLETED" in json.dumps(until_ended(receiver, "1.0")[-1].payload)


def test_streams_at_once_each_have_their_own_task(chatty: Stack, receiver: Receiver) -> None:
    found: list[list[Frame]] = [[] for _ in range(6)]

    def watch(place: int) -> None:
        found[place] += frames(
            pieces(chatty.endpoint, "1.0", "SendStreamingMessage", sent("1.0", f"[{place + 1}]", receiver.url))
        )

    threads = [threading.Thread(target=watch, args=(place,)) for place in range(len(found))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)

    for place, told in enumerate(found):
        assert {frame.id.split(".")[0] for frame in told} == {told[0].data["result"]["task"]["id"]}
        texts = [
            frame.data["result"]["statusUpdate"]["status"]["message"]["parts"][0]["text"]
            for frame in told
            if "message" in frame.data["result"].get("statusUpdate", {}).get("status", {})
        ]
        assert texts == [*(f"Said {number + 1} of {place + 1}" for number in range(place + 1)), "Done."]


@pytest.mark.parametrize("api", ["stack", "streaming"])
def test_a_config_is_named_by_a_path_that_is_decoded_once(
    request: pytest.FixtureRequest, receiver: Receiver, api: str
) -> None:
    """An HTTP API hands paths on decoded, a REST API, before a stack that streams, as they were sent."""
    endpoint = request.getfixturevalue(api).endpoint
    headers = {"A2A-Version": "1.0"}
    message = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"text": "run push demo"}]}
    with requests.Session() as session:
        session.trust_env = False
        sent = session.post(f"{endpoint}/message:send", json={"message": message}, headers=headers, timeout=WAIT).json()
        configs = f"{endpoint}/tasks/{sent['task']['id']}/pushNotificationConfigs"
        for config_id in ("100A", "ä b/c"):
            made = session.post(configs, json={"id": config_id, "url": receiver.url}, headers=headers, timeout=WAIT)
            assert made.status_code == 200, made.text
        refused = session.post(configs, json={"id": "100%41", "url": receiver.url}, headers=headers, timeout=WAIT)
        assert refused.status_code == 400
        session.delete(f"{configs}/100%2541", headers=headers, timeout=WAIT)
        assert session.get(f"{configs}/100A", headers=headers, timeout=WAIT).status_code == 200
        one = f"{configs}/%C3%A4%20b%2Fc"
        assert session.get(one, headers=headers, timeout=WAIT).json()["id"] == "ä b/c"
        assert session.delete(one, headers=headers, timeout=WAIT).status_code == 200
        assert session.get(one, headers=headers, timeout=WAIT).status_code == 404
