"""What can happen to a task: pure functions from one task to the next."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2a_lambda.core.lifecycle import (
    agent_message,
    new_task,
    task_id_for,
    with_artifact,
    with_history_length,
    with_message,
    with_status,
)
from a2a_lambda.core.model import INTERRUPTED, TERMINAL, Message, Task, TaskState, moment, text_of, timestamp

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE: Message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
TASK = new_task("task", "context", MESSAGE, NOW)


def history(*texts: str) -> Task:
    task = TASK
    for text in texts:
        task = with_message(task, {**MESSAGE, "parts": [{"text": text}]})
    return task


def test_the_id_of_a_task_is_a_uuid_that_depends_on_owner_and_message_only() -> None:
    identifier = task_id_for("owner", MESSAGE)
    assert uuid.UUID(identifier).version == 5
    assert identifier == task_id_for("owner", copy.deepcopy(MESSAGE))


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        ("other", MESSAGE),
        ("owner", {**MESSAGE, "messageId": "other"}),
        ("owner", {**MESSAGE, "parts": [{"text": "hello "}]}),
        ("owner", {**MESSAGE, "parts": [{"data": "hello"}]}),
        ("owner", {**MESSAGE, "contextId": "c"}),
        ('owner","x', MESSAGE),
    ],
)
def test_whatever_differs_makes_another_id(owner: str, message: Message) -> None:
    assert task_id_for(owner, message) != task_id_for("owner", MESSAGE)


def test_a_status_message_moves_to_the_history_when_the_next_status_comes() -> None:
    said = agent_message(TASK, "x", [{"text": "half"}])
    working = with_status(TASK, TaskState.WORKING, NOW, said)
    assert working["history"] == TASK["history"]
    done = with_status(working, TaskState.COMPLETED, NOW)
    assert done["history"] == [*TASK["history"], said]
    assert "message" not in done["status"]


def test_no_function_changes_what_it_was_given() -> None:
    task = with_artifact(history("a"), {"artifactId": "x", "parts": [{"text": "1"}]})
    before = copy.deepcopy(task)
    with_status(task, TaskState.WORKING, NOW, agent_message(task, "x", [{"text": "half"}]))
    with_message(task, MESSAGE)
    with_artifact(task, {"artifactId": "x", "parts": [{"text": "2"}]}, append=True)
    with_artifact(task, {"artifactId": "x", "parts": [{"text": "2"}]})
    with_history_length(task, 0)
    assert task == before


def test_an_artifact_keeps_its_place_when_it_is_replaced() -> None:
    task = TASK
    for name in ("a", "b", "a"):
        task = with_artifact(task, {"artifactId": name, "parts": [{"text": str(len(task.get("artifacts", [])))}]})
    assert [(a["artifactId"], a["parts"]) for a in task["artifacts"]] == [
        ("a", [{"text": "2"}]),
        ("b", [{"text": "1"}]),
    ]


def test_appending_to_an_artifact_that_is_not_there_adds_it() -> None:
    task = with_artifact(TASK, {"artifactId": "a", "parts": [{"text": "1"}]}, append=True)
    assert task["artifacts"] == [{"artifactId": "a", "parts": [{"text": "1"}]}]


@pytest.mark.parametrize(
    ("length", "texts"), [(None, ["hello", "a", "b"]), (1, ["b"]), (2, ["a", "b"]), (3, ["hello", "a", "b"])]
)
def test_the_history_length_keeps_the_last_messages(length: int | None, texts: list[str]) -> None:
    trimmed = with_history_length(history("a", "b"), length)
    assert [text_of(message) for message in trimmed["history"]] == texts


def test_a_history_length_of_zero_leaves_the_history_out() -> None:
    assert "history" not in with_history_length(history("a"), 0)


def test_a_state_is_terminal_or_interrupted_or_neither() -> None:
    assert not TERMINAL & INTERRUPTED
    assert set(TaskState) - TERMINAL - INTERRUPTED == {TaskState.SUBMITTED, TaskState.WORKING}


# -------------------------------------------------------------------------------------------------------------- moments


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (NOW, "2026-01-01T00:00:00.000Z"),
        (NOW + timedelta(microseconds=999), "2026-01-01T00:00:00.000Z"),
        (NOW + timedelta(microseconds=123_456), "2026-01-01T00:00:00.123Z"),
        (datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "2026-01-01T00:00:00.000Z"),
    ],
)
def test_a_timestamp_is_utc_with_milliseconds(at: datetime, text: str) -> None:
    assert timestamp(at) == text


@given(st.integers(0, 7 * 10**15))
def test_timestamps_are_read_back_to_the_millisecond_and_sort_as_moments_do(microseconds: int) -> None:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    read = moment(timestamp(at))
    assert timedelta(0) <= at - read < timedelta(milliseconds=1)
    assert (timestamp(at) < timestamp(NOW)) == (read < NOW)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "2026-01-01"])
def test_what_is_no_moment_with_an_offset_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any text will do, it is never shown
        moment(text)
