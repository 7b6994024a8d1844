"""Bad input in all dialects: it is refused with an error that says so, and leaves nothing behind."""

from __future__ import annotations

import json
from random import Random

import pytest
from bodies import VERSIONS, envelope, junk, mutated, raw_body, valid, valid_stream
from harness import Options
from memory_stack import MemoryStack
from watching import frames

BODIES = 24_000
SEEDS = range(12)
PER_STACK = 250

_CODES = {-32700, -32600, -32601, -32602, *range(-32009, -32000)}


@pytest.mark.parametrize("seed", SEEDS)
def test_no_body_gets_an_internal_error_and_no_refused_one_writes(seed: int) -> None:
    random = Random(seed)
    outcomes = {"result": 0, "error": 0}
    for place in range(BODIES // len(SEEDS)):
        if place % PER_STACK == 0:
            stack = MemoryStack(Options())
        method, version, params = valid(random, list(stack.tasks.records)[-3:])
        body = envelope(random, method, params)
        for _ in range(random.choice([0, 1, 1, 1, 2, 5])):
            body = mutated(random, body) if body else junk(random)
        asked = version if random.random() < 0.8 else random.choice(VERSIONS)
        headers = {"Content-Type": "application/json", **({"A2A-Version": asked} if asked is not None else {})}
        raw = raw_body(random, body)
        before = len(stack.tasks.images), dict(stack.configs.items), stack.started(), stack.stopped()

        reply = stack.http("POST", "/", raw, headers)

        assert stack.fault is None, (raw, stack.fault)
        assert reply.status == 200
        outcome = "result" if "result" in reply.json else "error"
        outcomes[outcome] += 1
        if outcome == "error":
            assert reply.json["error"]["code"] in _CODES, raw
            assert before == (len(stack.tasks.images), stack.configs.items, stack.started(), stack.stopped()), raw
    # Both kinds must be among them, or the generator frightens nobody.
    assert min(outcomes.values()) > BODIES // len(SEEDS) // 10


STREAMED = 10_000
LAST_EVENT_IDS = ("", "x", "..", "{}.1", "{}.2.0", "{}.99.0", "{}.-1", "{}.1.m0", "\u0660.1", "{}.\u0661", "a" * 9_000)


@pytest.mark.parametrize("seed", range(8))
def test_no_request_for_a_stream_gets_an_internal_error_and_no_refused_one_writes(seed: int) -> None:
    random = Random(seed)
    outcomes = {"stream": 0, "error": 0}
    for place in range(STREAMED // 8):
        if place % PER_STACK == 0:
            stack = MemoryStack(Options(streaming=True, stream_seconds=1.0))
        method, version, params = valid_stream(random, list(stack.tasks.records)[-3:])
        body = envelope(random, method, params)
        for _ in range(random.choice([0, 1, 1, 1, 2, 5])):
            body = mutated(random, body) if body else junk(random)
        asked = version if random.random() < 0.8 else random.choice(VERSIONS)
        headers = {"Content-Type": "application/json", **({"A2A-Version": asked} if asked is not None else {})}
        headers["Accept"] = random.choice(["", "text/event-stream", "application/json", "*/*", "\u0000"])
        known = random.choice([*stack.tasks.records, "x"])
        headers["Last-Event-ID"] = random.choice(LAST_EVENT_IDS).replace("{}", known)
        raw = raw_body(random, body)
        before = len(stack.tasks.images), dict(stack.configs.items), stack.started(), stack.stopped()

        reply = stack.http("POST", "/", raw, headers)

        assert stack.fault is None, (raw, stack.fault)
        assert [report for report, _ in stack.reports if report.fault] == []
        assert reply.status == 200
        streamed = reply.headers["content-type"] == "text/event-stream"
        answers = [frame.data for frame in frames([reply.body.encode()])] if streamed else [reply.json]
        errors = [answer["error"] for answer in answers if "error" in answer]
        outcomes["error" if errors else "stream"] += 1
        for error in errors:
            assert len(answers) == 1
            assert error["code"] in _CODES, raw
            assert before == (len(stack.tasks.images), stack.configs.items, stack.started(), stack.stopped()), raw
    assert min(outcomes.values()) > STREAMED // 8 // 10


_PATHS = (
    ("POST", "/message:send"),
    ("POST", "/message:stream"),
    ("GET", "/tasks"),
    ("GET", "/tasks/{}"),
    ("POST", "/tasks/{}:cancel"),
    ("GET", "/tasks/{}:subscribe"),
    ("POST", "/tasks/{}/pushNotificationConfigs"),
    ("GET", "/tasks/{}/pushNotificationConfigs"),
    ("GET", "/tasks/{}/pushNotificationConfigs/c"),
    ("DELETE", "/tasks/{}/pushNotificationConfigs/c"),
    ("GET", "/extendedAgentCard"),
)


@pytest.mark.parametrize("seed", range(4))
def test_no_request_to_the_other_binding_does_either(seed: int) -> None:
    random = Random(seed)
    stack = MemoryStack(Options())
    for place in range(2_000):
        if place % PER_STACK == 0:
            stack = MemoryStack(Options(streaming=place % 500 == 0, stream_seconds=1.0))
        verb, path = random.choice(_PATHS)
        task_id = random.choice([*stack.tasks.records, "x", "%00", "a%2Fb", "%", "%ff", "..", "ü"][-10:])
        _, _, params = valid(random, list(stack.tasks.records)[-3:])
        raw = raw_body(random, mutated(random, params) if params and random.random() < 0.7 else params)
        value = str(junk(random))[:100].encode("ascii", "replace").decode().replace("&", "")
        query = random.choice(
            ["", f"pageSize={value}", f"historyLength={value}", f"status={value}", f"pageToken={value}"]
        )
        headers = {"Content-Type": "application/json", "A2A-Version": random.choice(["1.0"] * 9 + ["0.3"])}
        before = len(stack.tasks.images), dict(stack.configs.items)

        reply = stack.http(random.choice([verb, verb, verb, "PUT"]), path.format(task_id), raw, headers, query=query)

        assert stack.fault is None, (verb, path, query, raw, stack.fault)
        assert reply.status in (200, 400, 404, 415), (reply.status, reply.body)
        if reply.status != 200:
            assert json.loads(reply.body)["error"]["code"] == reply.status
            assert before == (len(stack.tasks.images), stack.configs.items)
