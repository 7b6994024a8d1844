"""The trace: whatever the moments at which a stream looks, it gives the very events that the table's stream gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from lives import NOW, created, life, stored

from a2a_lambda.core.changes import changes
from a2a_lambda.core.lifecycle import agent_message, with_artifact, with_status
from a2a_lambda.core.model import Artifact, Json, Task, TaskState
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.core.trace import KEPT, MERGED, Step, replay, replayed, unpacked

Events = list[tuple[int, str, Json]]


def pushed(before: TaskRecord, after: TaskRecord) -> Events:
    """What the webhooks receive of a write."""
    change = changes(before.task, after.task, after.generation, after.open_artifacts, after.lengthened)
    return [(change.generation, str(n), event) for n, event in enumerate(change.events)]


def streamed(before: TaskRecord, after: TaskRecord) -> Events:
    """What a stream gives that looked at these two moments."""
    assert after.trace is not None
    steps = replay(before.task, before.generation, after.task, after.trace, after.generation, after.open_artifacts)
    return [(step.generation, n, event) for step in steps for n, event in step.events]


def looks(random: Random, records: list[TaskRecord], most: int) -> list[tuple[TaskRecord, TaskRecord]]:
    """The moments at which a stream looks, in pairs."""
    at, found = 0, []
    while at < len(records) - 1:
        following = min(at + random.randint(1, most), len(records) - 1)
        found.append((records[at], records[following]))
        at = following
    return found


@pytest.mark.parametrize("seed", range(10))
def test_a_stream_gives_the_very_events_of_the_webhooks_whenever_it_looks(seed: int) -> None:
    random, told = Random(seed), 0
    for _ in range(100):
        records = life(random, replaces=False)
        want = [event for pair in pairwise(records) for event in pushed(*pair)]
        # Eight writes are always within the bytes of a trace of this agent's.
        have = [event for pair in looks(random, records, 8) for event in streamed(*pair)]
        assert have == want
        told += len(want)
    assert told > 2_000


@pytest.mark.parametrize("seed", range(5))
def test_a_chunk_that_was_replaced_before_the_look_is_left_out_and_renumbers_nothing(seed: int) -> None:
    random, left_out = Random(seed), 0
    for _ in range(100):
        records = life(random, replaces=True)
        want = [event for pair in pairwise(records) for event in pushed(*pair)]
        have = [event for pair in looks(random, records, 8) for event in streamed(*pair)]
        assert [event for event in want if event in have] == have
        missing = [event for _, _, event in (each for each in want if each not in have)]
        assert all("artifactUpdate" in event for event in missing)
        left_out += len(missing)
    assert left_out > 100


@pytest.mark.parametrize("seed", range(5))
def test_beyond_the_trace_one_merged_step_leads_to_the_same_task_under_ids_that_no_webhook_has(seed: int) -> None:
    random, merged = Random(seed), 0
    for _ in range(50):
        records = life(random, replaces=True)
        for before, after in looks(random, records, 40):
            events = streamed(before, after)
            if any(n.startswith(MERGED) for _, n, _ in events):
                merged += 1
                assert {generation for generation, _, _ in events} == {after.generation}
            assert folded(before.task, events)["status"] == after.task["status"]
            assert by_id(folded(before.task, events)) == by_id(after.task)
    assert merged > 10


def by_id(task: Task) -> dict[str, Artifact]:
    """The artifacts, whose order a client cannot know of which one was replaced before it looked."""
    return {artifact["artifactId"]: artifact for artifact in task.get("artifacts", [])}


def folded(task: Task, events: Events) -> Task:
    """What a client that applies the events has in the end."""
    for _, _, event in events:
        if "statusUpdate" in event:
            task = {**task, "status": event["statusUpdate"]["status"]}
        else:
            update = event["artifactUpdate"]
            task = with_artifact(task, update["artifact"], update.get("append", False))
    return task


def test_a_single_write_that_no_trace_can_hold_is_told_as_the_webhooks_have_it() -> None:
    before = created(Random(0))
    task = before.task
    for number in range(300):
        task = with_artifact(task, {"artifactId": str(number), "parts": [{"text": "x"}]})
    after = stored(before.next(task))
    assert after.trace == ()
    assert streamed(before, after) == pushed(before, after)


def test_a_trace_goes_back_sixteen_writes() -> None:
    records = [created(Random(0))]
    for number in range(40):
        task = with_status(records[-1].task, TaskState.WORKING, NOW + timedelta(seconds=number))
        records.append(stored(records[-1].next(task)))
    last = records[-1]
    assert last.trace is not None
    steps = replayed(last.task, last.trace, last.generation - KEPT, last.generation)
    assert steps is not None
    assert len(steps) == KEPT
    assert replayed(last.task, last.trace, last.generation - KEPT - 1, last.generation) is None


def test_an_item_of_a_version_without_traces_gives_one_merged_step_and_then_single_ones() -> None:
    old = replace(created(Random(0)), trace=None)
    unaware = old.next(with_status(old.task, TaskState.WORKING, NOW))
    unaware = unaware.next(with_status(unaware.task, TaskState.WORKING, NOW, agent_message(old.task, "a", [])))
    assert unaware.trace is None
    upgraded = replace(unaware, trace=())
    after = upgraded.next(with_status(unaware.task, TaskState.COMPLETED, NOW))
    ((generation, place, event),) = streamed(old, after)
    assert (generation, place) == (4, "m0")
    assert event["statusUpdate"]["status"]["state"] == TaskState.COMPLETED
    assert streamed(upgraded, after) == pushed(upgraded, after)


def test_writes_that_were_made_while_nothing_streamed_are_a_gap_and_never_guessed() -> None:
    first = created(Random(0))
    traced = first.next(with_status(first.task, TaskState.WORKING, NOW))
    off = replace(traced, trace=None).next(with_status(traced.task, TaskState.WORKING, NOW + timedelta(seconds=1)))
    on = replace(off, trace=traced.trace).next(with_status(off.task, TaskState.COMPLETED, NOW))
    assert on.trace is not None
    assert [write.generation for write in on.trace] == [2, 4]
    assert replayed(on.task, on.trace, 1, 4) is None
    assert replayed(on.task, on.trace, 3, 4) == [Step(4, (("0", pushed(off, on)[0][2]),))]


def test_without_streaming_no_record_carries_a_trace() -> None:
    record = replace(created(Random(0)), trace=None)
    assert record.next(with_status(record.task, TaskState.WORKING, NOW)).trace is None


@pytest.mark.parametrize("stored_trace", [1, [1], [[1, "", "", 0]], [[1, "", "", 0, [[1]]]], [[1, "", "", 0, 5]]])
def test_a_trace_that_is_none_of_ours_is_an_error(stored_trace: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        unpacked(stored_trace)  # type: ignore[arg-type]
