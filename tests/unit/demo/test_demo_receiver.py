"""What the receiver for people shows of what comes in, without a network."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import receiver
from receiver import Arrival

MESSAGE = {"parts": [{"text": "Step 1/3"}, {"text": "complete"}]}
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def line(payload: object, taken: bool = True, status: int = 200, text: str = "ok", identity: str = "t.1.0.c") -> str:
    headers = {"webhook-id": identity}
    shown = receiver.line(Arrival(NOW, "/webhook", headers, json.dumps(payload).encode(), taken, status, text))
    moment, _, rest = shown.partition("  ")
    assert len(moment) == len("12:00:00.000")
    return rest


def test_a_push_is_shown_with_its_id_and_a_duplicate_as_such() -> None:
    event = {"kind": "task", "status": {"state": "working"}}
    assert line(event) == "t.1.0.c  v0.3  working"
    assert line(event, text="duplicate") == "t.1.0.c  v0.3  working  (200: duplicate)"


def test_of_a_push_that_is_refused_nothing_is_shown_but_why() -> None:
    refused = line({"status": {"state": "secret"}}, False, 401, "not a push of the agent")
    assert refused == "t.1.0.c  (401: not a push of the agent)"


def test_a_push_that_gets_no_answer_on_request_is_shown_so() -> None:
    assert line({"kind": "task"}, False, 0, "on request") == "t.1.0.c  (no answer: on request)"


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (
            {"type": "TaskStatusUpdateEvent", "status": {"state": "working", "message": MESSAGE}, "final": False},
            "legacy  working  Step 1/3 complete",
        ),
        (
            {"type": "TaskStatusUpdateEvent", "status": {"state": "completed"}, "final": True},
            "legacy  completed  final",
        ),
        ({"type": "x", "status": {"state": "working", "message": "as a string"}}, "legacy  working  as a string"),
        ({"kind": "task", "status": {"state": "working", "message": MESSAGE}}, "v0.3  working  Step 1/3 complete"),
        ({"statusUpdate": {"status": {"state": "TASK_STATE_WORKING"}}}, "v1.0  TASK_STATE_WORKING"),
        ({"task": {"status": {"state": "TASK_STATE_FAILED"}}}, "v1.0  TASK_STATE_FAILED"),
        ({"artifactUpdate": {"artifact": {"artifactId": "id", "name": "part-1"}}}, "v1.0  artifact part-1"),
        ({"artifactUpdate": {"artifact": {"artifactId": "id"}}}, "v1.0  artifact id"),
        ({"message": MESSAGE}, "v1.0  message  Step 1/3 complete"),
        ([], "not a JSON object"),
        (1, "not a JSON object"),
    ],
)
def test_each_dialect_is_shown_with_its_state_or_artifact(payload: object, line: str) -> None:
    assert receiver.describe(json.dumps(payload).encode()) == line


@pytest.mark.parametrize(
    "value", [None, 1, "x", [], [1], {"parts": 3}, {"parts": [1, {}]}, {"status": [], "artifact": 1}]
)
@pytest.mark.parametrize("name", ["statusUpdate", "artifactUpdate", "message", "status", "kind", "type", "artifact"])
def test_a_body_of_any_shape_is_shown(name: str, value: Any) -> None:
    assert line({name: value, "status": {"message": value}}).startswith("t.1.0.c")


def test_a_stranger_cannot_steer_the_terminal() -> None:
    shown = line({"type": "\n", "status": {"state": "\x1b[2J" + "x" * 1000}}, identity="\x1b]0;")
    assert shown.isprintable()
    assert len(shown) <= 200
