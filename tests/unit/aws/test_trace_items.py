"""The trace in the table: there with streaming on, not there without, and nobody stumbles over an item of the other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import cloud
import pytest

from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.core.lifecycle import agent_message, new_task, with_status
from a2a_lambda.core.model import Message, TaskState
from a2a_lambda.core.ports import Poison, Unavailable
from a2a_lambda.core.records import ResumeToken, TaskRecord
from a2a_lambda.core.trace import Slice, Write, replayed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TASK_ID = "11111111-1111-4111-8111-111111111111"
MESSAGE: Message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}

pytestmark = pytest.mark.usefixtures("aws")


def record(*, traced: bool) -> TaskRecord:
    task = new_task(TASK_ID, "c", MESSAGE, NOW)
    return TaskRecord(task, "owner", 1, "1.0", NOW, trace=() if traced else None)


def worked(before: TaskRecord, text: str = "step") -> TaskRecord:
    message = agent_message(before.task, f"a{before.generation}", [{"text": text}])
    return before.next(with_status(before.task, TaskState.WORKING, NOW, message))


def tables() -> tuple[str, TaskTable, TaskTable]:
    """A table as a stack sees it that streams, and as one sees it that does not."""
    name = cloud.create_table("TasksTable")
    return name, TaskTable(name, traced=True), TaskTable(name)


def read(table: TaskTable) -> TaskRecord:
    found = table.get(TASK_ID)
    assert found is not None
    return found


def test_a_write_carries_the_trace_with_it_and_a_reader_gets_the_events_back() -> None:
    _, streaming, _ = tables()
    streaming.create(record(traced=True))
    with cloud.calls("dynamodb") as made:
        streaming.update(worked(read(streaming)))
    assert [name for name, _ in made] == ["GetItem", "UpdateItem"]
    found = read(streaming)
    assert found.trace is not None
    steps = replayed(found.task, found.trace, 1, 2)
    assert steps is not None
    assert steps[0].events[0][1]["statusUpdate"]["status"] == found.task["status"]


@pytest.mark.parametrize(("skip", "stop"), [(0, -1), (3, -1), (0, 4), (3, 4)])
def test_a_text_that_was_lengthened_is_traced_as_well(skip: int, stop: int) -> None:
    _, streaming, _ = tables()
    streaming.create(record(traced=True))
    written = (Write(2, slices=(Slice(0, 0, 1, True, True, skip, stop), None)),)
    streaming.update(replace(worked(read(streaming)), trace=written))
    assert read(streaming).trace == written


def test_without_streaming_no_item_and_no_request_knows_a_trace() -> None:
    name, _, plain = tables()
    with cloud.calls("dynamodb") as made:
        plain.create(record(traced=False))
        plain.update(worked(read(plain)))
    assert "trace" not in cloud.items(name)[0]
    assert "trace" not in str(made)


def test_an_item_of_a_version_without_traces_is_read_and_has_one_from_the_next_write_on() -> None:
    name, streaming, plain = tables()
    plain.create(record(traced=False))
    assert read(streaming).trace == ()
    streaming.update(worked(read(streaming)))
    assert "trace" in cloud.items(name)[0]


def test_an_item_with_a_trace_is_read_by_a_stack_that_no_longer_streams() -> None:
    _, streaming, plain = tables()
    streaming.create(record(traced=True))
    streaming.update(worked(read(streaming)))
    assert read(plain).trace is None
    plain.update(worked(read(plain), "unseen"))
    found = read(streaming)
    assert found.trace is not None
    assert replayed(found.task, found.trace, 1, 3) is None


def test_a_look_costs_half_and_says_what_a_whole_read_says() -> None:
    name, streaming, _ = tables()
    streaming.create(record(traced=True))
    with cloud.calls("dynamodb") as made:
        seen = streaming.peek(TASK_ID)
    assert made == [("GetItem", {"TableName": name, "Key": {"taskId": {"S": TASK_ID}}})]
    assert seen is not None
    assert seen.generation == 1
    assert seen.read() == read(streaming)
    doc = len(cloud.items(name)[0]["doc"]["S"])
    assert doc < seen.size < doc + 1_000


def test_a_look_at_nothing_is_none_and_one_at_a_broken_item_is_poison() -> None:
    name, streaming, _ = tables()
    assert streaming.peek(TASK_ID) is None
    cloud.client("dynamodb").put_item(TableName=name, Item={"taskId": {"S": TASK_ID}, "generation": {"S": "x"}})
    with pytest.raises(Poison):
        streaming.peek(TASK_ID)


def test_a_throttled_look_is_unavailable() -> None:
    _, streaming, _ = tables()
    with cloud.outage("dynamodb", "GetItem", code="ThrottlingException"), pytest.raises(Unavailable):
        streaming.peek(TASK_ID)


def test_a_workflow_token_leaves_the_trace_as_it_is() -> None:
    _, streaming, _ = tables()
    streaming.create(record(traced=True))
    streaming.update(worked(read(streaming)))
    before = read(streaming).trace
    after = streaming.set_resume_token(TASK_ID, ResumeToken("token", 1))
    assert after is not None
    assert after.trace == before != ()


@pytest.mark.parametrize("stored", ["5", "[[1]]", "{}x"])
def test_a_trace_that_cannot_be_read_keeps_no_task_from_going_on(stored: str) -> None:
    name, streaming, _ = tables()
    streaming.create(record(traced=True))
    item = cloud.items(name)[0] | {"trace": {"S": stored}}
    cloud.client("dynamodb").put_item(TableName=name, Item=item)
    assert read(streaming).trace == ()
    streaming.update(worked(read(streaming)))
    assert len(read(streaming).trace or ()) == 1
