"""From two images of a task to the events between them (specification sections 4.2 and 4.3.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2a_lambda.core.changes import changes, lengthened_by, status_update
from a2a_lambda.core.lifecycle import agent_message, new_task, with_artifact, with_message, with_status
from a2a_lambda.core.model import Artifact, Message, Task, TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE: Message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
TASK = new_task("task", "context", MESSAGE, NOW)


def artifact(identifier: str = "a", *texts: str, **fields: Any) -> Artifact:
    return {"artifactId": identifier, "parts": [{"text": text} for text in texts or ("one",)], **fields}  # type: ignore[typeddict-item]


def events(old: Task | None, new: Task, open_artifacts: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    return list(changes(old, new, 7, open_artifacts).events)


def updates(old: Task | None, new: Task, open_artifacts: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    return [event["artifactUpdate"] for event in events(old, new, open_artifacts)]


def test_a_new_task_is_told_by_its_status() -> None:
    assert events(None, TASK) == [
        {"statusUpdate": {"taskId": "task", "contextId": "context", "status": TASK["status"]}}
    ]


def test_a_change_knows_its_generation_its_task_and_when_it_was_written() -> None:
    change = changes(None, TASK, 7)
    assert (change.generation, change.task, change.written_at) == (7, TASK, "2026-01-01T00:00:00.000Z")


def test_an_image_that_did_not_change_has_no_event() -> None:
    assert events(TASK, TASK) == []


def test_a_message_in_the_history_is_no_event() -> None:
    assert events(TASK, with_message(TASK, MESSAGE)) == []


@pytest.mark.parametrize("state", list(TaskState))
def test_every_new_state_is_a_status_event(state: TaskState) -> None:
    new = with_status(TASK, state, NOW + timedelta(seconds=1))
    assert events(TASK, new) == [status_update(new)]


def test_the_same_state_with_another_message_or_moment_is_an_event() -> None:
    working = with_status(TASK, TaskState.WORKING, NOW)
    said = with_status(working, TaskState.WORKING, NOW, agent_message(TASK, "x", [{"text": "half"}]))
    later = with_status(working, TaskState.WORKING, NOW + timedelta(milliseconds=1))
    assert events(working, said) == [status_update(said)]
    assert events(working, later) == [status_update(later)]


def test_a_new_artifact_is_told_whole() -> None:
    new = with_artifact(TASK, artifact("a", "one", name="A"))
    assert updates(TASK, new) == [
        {"taskId": "task", "contextId": "context", "artifact": artifact("a", "one", name="A"), "lastChunk": True}
    ]


def test_a_new_artifact_to_which_more_will_come_is_not_the_last_chunk() -> None:
    (update,) = updates(TASK, with_artifact(TASK, artifact()), frozenset({"a"}))
    assert update["lastChunk"] is False
    assert "append" not in update


def test_of_an_artifact_that_grew_only_the_new_parts_are_told() -> None:
    old = with_artifact(TASK, {**artifact("a", name="A"), "parts": [{"data": 1}]})
    (update,) = updates(old, with_artifact(old, artifact("a", "two", "three"), append=True))
    assert update["artifact"] == artifact("a", "two", "three", name="A")
    assert (update["append"], update["lastChunk"]) == (True, True)


def test_of_a_text_that_was_lengthened_only_its_new_end_is_told() -> None:
    old = with_artifact(TASK, artifact("a", "one", name="A"))
    new = with_artifact(old, artifact("a", "two", "three"), append=True)
    assert new["artifacts"] == [artifact("a", "onetwo", "three", name="A")]
    (event,) = changes(old, new, 7, lengthened=lengthened_by(old, new, {"a"})).events
    assert event["artifactUpdate"]["artifact"] == artifact("a", "two", "three", name="A")
    assert event["artifactUpdate"]["append"]


def test_a_text_that_nobody_lengthened_is_told_whole_even_if_it_begins_with_the_old_one() -> None:
    old = with_artifact(TASK, artifact("a", "one"))
    new = with_artifact(old, artifact("a", "one and more"))
    assert lengthened_by(old, new, set()) == frozenset()
    (update,) = updates(old, new)
    assert update["artifact"] == artifact("a", "one and more")
    assert "append" not in update


@pytest.mark.parametrize(
    "after",
    [artifact("a", "on"), artifact("a", "one"), artifact("a", "One more"), artifact("a", "one more", name="B")],
    ids=["shorter", "the same", "another", "renamed"],
)
def test_what_is_no_longer_text_is_never_told_as_its_end(after: Artifact) -> None:
    old = with_artifact(TASK, artifact("a", "one"))
    new = with_artifact(old, after)
    assert lengthened_by(old, new, {"a"}) == frozenset()
    assert all(
        "append" not in event["artifactUpdate"] for event in changes(old, new, 7, lengthened=frozenset("a")).events
    )


@pytest.mark.parametrize(
    "replaced",
    [
        artifact("a", "other"),
        artifact("a", "one", name="B"),
        artifact("a", "other", "two"),
        artifact("a", "one", "x", name="B"),
    ],
    ids=["other text", "other name", "other first part", "longer and renamed"],
)
def test_an_artifact_that_was_replaced_is_told_whole(replaced: Artifact) -> None:
    old = with_artifact(TASK, artifact("a", "one", name="A"))
    (update,) = updates(old, with_artifact(old, replaced))
    assert update["artifact"] == replaced
    assert "append" not in update


def test_an_artifact_that_got_shorter_is_told_whole() -> None:
    old = with_artifact(TASK, artifact("a", "one", "two"))
    (update,) = updates(old, with_artifact(old, artifact("a", "one")))
    assert update["artifact"] == artifact("a", "one")
    assert "append" not in update


def test_artifacts_that_did_not_change_are_not_told_again() -> None:
    old = with_artifact(TASK, artifact("a"))
    assert [update["artifact"]["artifactId"] for update in updates(old, with_artifact(old, artifact("b")))] == ["b"]


def test_artifacts_come_before_the_status_and_in_their_order() -> None:
    new = with_artifact(with_artifact(TASK, artifact("b")), artifact("a"))
    new = with_status(new, TaskState.COMPLETED, NOW)
    kinds = [next(iter(event)) for event in events(TASK, new)]
    assert kinds == ["artifactUpdate", "artifactUpdate", "statusUpdate"]
    assert [event["artifactUpdate"]["artifact"]["artifactId"] for event in events(TASK, new)[:2]] == ["b", "a"]


chunks = st.lists(
    st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from("xyz"), min_size=1, max_size=3), st.booleans()),
    max_size=8,
)


@given(chunks)
def test_who_follows_the_events_has_the_same_artifacts_as_the_task(writes: list[tuple[str, list[str], bool]]) -> None:
    task, followed = TASK, TASK
    for identifier, texts, append in writes:
        before, task = task, with_artifact(task, artifact(identifier, *texts), append)
        lengthened = lengthened_by(before, task, {identifier} if append else set())
        for event in changes(before, task, 7, lengthened=lengthened).events:
            update = event["artifactUpdate"]
            followed = with_artifact(followed, update["artifact"], update.get("append", False))
    assert texts_of(followed) == texts_of(task)


def texts_of(task: Task) -> dict[str, str]:
    return {each["artifactId"]: "".join(part["text"] for part in each["parts"]) for each in task.get("artifacts", [])}


@pytest.mark.parametrize(("before", "after"), [(0, False), (True, 1), ([{"done": 1}], [{"done": True}])])
def test_a_change_that_only_json_sees_is_told(before: Any, after: Any) -> None:
    def with_data(value: Any) -> Task:
        return with_artifact(TASK, {"artifactId": "a", "parts": [{"data": value}]})

    (update,) = updates(with_data(before), with_data(after))
    assert repr(update["artifact"]["parts"][0]["data"]) == repr(after)
    assert "append" not in update


def test_a_part_is_appended_only_to_what_is_the_same_as_json() -> None:
    old = with_artifact(TASK, {"artifactId": "a", "parts": [{"data": 0}]})
    (update,) = updates(old, with_artifact(TASK, {"artifactId": "a", "parts": [{"data": False}, {"text": "b"}]}))
    assert len(update["artifact"]["parts"]) == 2
