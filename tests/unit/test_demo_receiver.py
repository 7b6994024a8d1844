"""The receiver that people copy: what `handle` answers and shows, without a network."""

from __future__ import annotations

import json
from typing import Any

import pytest

import receiver

MESSAGE = {"parts": [{"text": "Step 1/3"}, {"text": "complete"}]}


@pytest.fixture(autouse=True)
def _empty_memory() -> Any:
    receiver.SEEN.clear()
    yield
    receiver.SEEN.clear()


def take(payload: object, shown: list[str] | None = None, token: str | None = None, **headers: str) -> tuple[int, str]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    show = (shown if shown is not None else []).append
    return receiver.handle(names, json.dumps(payload).encode(), token, show)


def test_a_repeated_webhook_id_is_acknowledged_and_marked() -> None:
    shown: list[str] = []
    answers = [take({"kind": "task"}, shown, Webhook_Id=event) for event in ("a.1.0", "a.1.0", "a.2.0")]
    assert answers == [(200, "ok"), (200, "duplicate"), (200, "ok")]
    assert [line.endswith("(duplicate)") for line in shown] == [False, True, False]


def test_pushes_without_an_id_are_no_duplicates_of_each_other() -> None:
    assert [take({"kind": "task"}) for _ in range(2)] == [(200, "ok")] * 2


def test_what_failed_halfway_is_taken_when_it_comes_again() -> None:
    def broken(line: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        receiver.handle({"webhook-id": "a.1.0"}, b"{}", show=broken)
    assert take({}, webhook_id="a.1.0") == (200, "ok")


def test_the_memory_of_ids_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiver, "REMEMBERED", 2)
    for event in "abc":
        take({}, webhook_id=event)
    assert list(receiver.SEEN) == ["b", "c"]


@pytest.mark.parametrize("headers", [{}, {"X_A2A_Notification_Token": "wrong"}])
def test_a_push_without_the_token_is_refused_and_not_shown(headers: dict[str, str]) -> None:
    shown: list[str] = []
    assert take({}, shown, token="secret", webhook_id="a", **headers) == (401, "unauthorized")
    assert shown == []
    assert take({}, shown, token="secret", webhook_id="a", x_a2a_notification_token="secret") == (200, "ok")


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_a_bad_request(body: bytes) -> None:
    assert receiver.handle({}, body) == (400, "not a JSON object")


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
    ],
)
def test_each_dialect_is_shown_with_its_state_or_artifact(payload: dict[str, Any], line: str) -> None:
    assert receiver.describe(payload) == line


@pytest.mark.parametrize(
    "value", [None, 1, "x", [], [1], {"parts": 3}, {"parts": [1, {}]}, {"status": [], "artifact": 1}]
)
@pytest.mark.parametrize("name", ["statusUpdate", "artifactUpdate", "message", "status", "kind", "type", "artifact"])
def test_a_body_of_any_shape_is_taken(name: str, value: object) -> None:
    shown: list[str] = []
    assert take({name: value, "status": {"message": value}}, shown) == (200, "ok")
    assert len(shown) == 1


def test_a_stranger_cannot_steer_the_terminal() -> None:
    shown: list[str] = []
    take({"type": "\n", "status": {"state": "\x1b[2J" + "x" * 1000}}, shown, webhook_id="\x1b]0;")
    assert shown[0].isprintable()
    assert len(shown[0]) < 250
