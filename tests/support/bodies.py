"""Requests to frighten an endpoint with: valid ones of all dialects, and what becomes of them when something in them is
replaced, removed, added or cut. Seeded, so a failure can be repeated."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

WEBHOOK = "https://hooks.example.com/a2a"
VERSIONS = (None, None, "", "0.3", "0.3", "1.0", "1.0", "1.0", "1.0.1", "0.2", "9.9", "one", "1.0\u0660")

_PARTS_1_0: list[Any] = [
    {"text": "hello", "metadata": {"a": 1}},
    {"raw": "aGVsbG8=", "filename": "a.txt", "mediaType": "text/plain"},
    {"url": "https://example.com/a.png", "mediaType": "image/png"},
    {"data": {"key": [1, None, True, "x"]}},
]
_PARTS_0_3: list[Any] = [
    {"kind": "text", "text": "hello"},
    {"kind": "file", "file": {"bytes": "aGVsbG8=", "name": "a.txt", "mimeType": "text/plain"}},
    {"kind": "file", "file": {"uri": "https://example.com/a.png"}},
    {"kind": "data", "data": {"key": [1, None, True, "x"]}},
]
_MORE = {
    "contextId": "context-1",
    "metadata": {"a": {"b": [1]}},
    "extensions": ["https://example.com/e"],
    "referenceTaskIds": ["x"],
}

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, -(2**63), 10**30, 1.5, 1e308, -0.0, "", " ", "\u0000", "x", "ü€😀", "null"),
    *("2026-01-01T00:00:00Z", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59", "TASK_STATE_WORKING", "a" * 5_000),
    *([], {}, [[]], [{}], {"": None}, {"a": {"a": {"a": {}}}}, [None] * 50, ["x"], {"text": "x"}, {"kind": "text"}),
    *(
        "http://169.254.169.254/latest",
        "https://[::1]:22/",
        "javascript:x",
        "https://user@example.com/",
        "https://\u0000/",
    ),
    *({"$ref": "#"}, {"__class__": "x"}, "../../etc/passwd", "' OR 1=1 --", "%00", "\u202e", "-0", "1e5", "0x10"),
)


def valid(random: Random, task_ids: list[str]) -> tuple[str, str | None, Any]:
    """A method, the version it belongs to, and parameters that fit."""
    task_id = random.choice([*task_ids, "11111111-1111-4111-8111-111111111111"])
    suffix = str(random.randrange(10**9))
    ours = {"messageId": f"m-{suffix}", **{key: _MORE[key] for key in random.sample(list(_MORE), 2)}}
    if random.random() < 0.3:
        ours = {"messageId": f"m-{suffix}", "taskId": task_id}
    new = {**ours, "role": "ROLE_USER", "parts": random.sample(_PARTS_1_0, 2)}
    v03 = {**ours, "kind": "message", "role": "user", "parts": random.sample(_PARTS_0_3, 2)}
    old = {**ours, "role": "user", "parts": random.sample(_PARTS_1_0, 1)}
    push = {"url": WEBHOOK, "token": "t", "authentication": {"scheme": "Bearer", "credentials": "c"}}
    push_03 = {"url": WEBHOOK, "id": "c", "authentication": {"schemes": ["Bearer"], "credentials": "c"}}
    push_old = {"webhookUrl": WEBHOOK, "authenticationInfo": {"scheme": "bearer", "value": "v"}}
    later = {"returnImmediately": random.random() < 0.9, "historyLength": 1, "taskPushNotificationConfig": push}
    listed = {"status": "TASK_STATE_WORKING", "pageSize": 2, "historyLength": 0, "contextId": "context-1"}
    after = {"statusTimestampAfter": "2026-01-01T00:00:00Z", "includeArtifacts": True, "pageToken": ""}
    choices: list[tuple[str, str | None, Any]] = [
        ("SendMessage", "1.0", {"message": new, "configuration": {"returnImmediately": True}}),
        ("SendMessage", "1.0", {"message": new, "configuration": later, "metadata": {"a": 1}}),
        ("GetTask", "1.0", {"id": task_id, "historyLength": 2}),
        ("ListTasks", "1.0", listed),
        ("ListTasks", "1.0", after),
        ("CancelTask", "1.0", {"id": task_id, "metadata": {}}),
        ("CreateTaskPushNotificationConfig", "1.0", {"taskId": task_id, "id": "c", **push}),
        ("GetTaskPushNotificationConfig", "1.0", {"taskId": task_id, "id": "c"}),
        ("ListTaskPushNotificationConfigs", "1.0", {"taskId": task_id, "pageSize": 1, "pageToken": "b"}),
        ("DeleteTaskPushNotificationConfig", "1.0", {"task_id": task_id, "id": "c"}),
        ("SendStreamingMessage", "1.0", {"message": new}),
        ("SubscribeToTask", "1.0", {"id": task_id}),
        ("GetExtendedAgentCard", "1.0", {}),
        (
            "message/send",
            "0.3",
            {"message": v03, "configuration": {"blocking": False, "pushNotificationConfig": push_03}},
        ),
        ("message/send", None, {"message": v03, "metadata": {"a": 1}}),
        ("message/stream", None, {"message": v03}),
        ("tasks/get", "0.3", {"id": task_id, "historyLength": 1}),
        ("tasks/cancel", "0.3", {"id": task_id}),
        ("tasks/resubscribe", None, {"id": task_id}),
        ("tasks/pushNotificationConfig/set", None, {"taskId": task_id, "pushNotificationConfig": push_03}),
        ("tasks/pushNotificationConfig/get", None, {"id": task_id, "pushNotificationConfigId": "c"}),
        ("tasks/pushNotificationConfig/list", "0.3", {"id": task_id}),
        ("tasks/pushNotificationConfig/delete", "0.3", {"id": task_id, "pushNotificationConfigId": "c"}),
        ("agent/getAuthenticatedExtendedCard", "0.3", None),
        ("tasks/send", None, {"message": old, "historyLength": 1}),
        ("tasks/get", None, {"taskId": task_id}),
        ("tasks/list", None, {"contextId": "context-1"}),
        ("tasks/cancel", None, {"id": task_id}),
        ("tasks/pushNotification/set", None, {"id": task_id, "config": push_old}),
        ("tasks/pushNotification/get", None, {"id": task_id}),
        ("tasks/pushNotification/list", None, {}),
        ("tasks/pushNotification/delete", None, {"id": task_id}),
    ]
    return random.choice(choices)


def valid_stream(random: Random, task_ids: list[str]) -> tuple[str, str | None, Any]:
    """The same, of the methods that stream."""
    while True:
        method, version, params = valid(random, task_ids)
        match method:
            case "SendStreamingMessage" | "SubscribeToTask" | "message/stream" | "tasks/resubscribe":
                return method, version, params
            case "SendMessage":
                return "SendStreamingMessage", version, params
            case "message/send":
                return "message/stream", version, params
            case "tasks/send":
                return "tasks/sendSubscribe", version, params


def envelope(random: Random, method: str, params: Any) -> dict[str, Any]:
    """A JSON-RPC request."""
    return {"jsonrpc": "2.0", "id": random.choice([1, "a", None]), "method": method, "params": copy.deepcopy(params)}


def mutated(random: Random, value: Any) -> Any:
    """The JSON value with one place of it replaced, removed, added to or renamed."""
    places = list(_places(value))
    holder, key = random.choice(places)
    match random.randrange(6):
        case 0 if isinstance(holder, dict):
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[random.choice(["id", "taskId", "task_id", "kind", "data", "url", "\u0000", "x" * 300])] = junk(
                random
            )
        case 2 if isinstance(holder, dict):
            holder[key + random.choice(["", " ", "_", "Id"])] = holder.pop(key)
        case 3 if isinstance(holder[key], str):
            cut = random.randrange(len(holder[key]) + 1)
            holder[key] = holder[key][:cut] + random.choice(["", "\u0000", "😀", "/", "\\", '"']) + holder[key][cut:]
        case _:
            holder[key] = junk(random)
    return value


def junk(random: Random) -> Any:
    """Any JSON value."""
    return copy.deepcopy(random.choice(JUNK))


def raw_body(random: Random, body: Any) -> bytes:
    """The value as bytes, now and then not quite as JSON wants them."""
    text = json.dumps(body, ensure_ascii=random.random() < 0.5).encode("utf-8", "surrogatepass")
    match random.randrange(40):
        case 0:
            return text[: random.randrange(len(text) + 1)]
        case 1:
            place = random.randrange(len(text))
            return text[:place] + bytes([random.randrange(256)]) + text[place + 1 :]
        case 2:
            return text + random.choice([b"\x00", b"}", b" ", b"{}", b"\xff\xfe"])
        case 3:
            return random.choice([b"", b"[]", b"null", b"[" * 5_000, b'{"a":' * 2_000, b"NaN", b"1e999", b'"\\ud800"'])
        case _:
            return text


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    entries: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in list(entries):
        yield value, key
        if isinstance(entry, dict | list) and entry:
            yield from _places(entry)
