"""Streams and webhooks side by side: in each dialect both tell the same of a task, by id and content."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from callers import ALICE
from deliveries import Deliveries
from harness import WEBHOOK, Options
from lives import life
from memory_stack import MemoryStack
from scripted import header
from watching import OLD, V03, Frame, frames, opened, streaming

from a2a_lambda.core.changes import changes
from a2a_lambda.core.lifecycle import with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.dialects.webhooks import BY_NAME

SUBSCRIBE = {
    "1.0": ("SubscribeToTask", "1.0"),
    "0.3": ("tasks/resubscribe", "0.3"),
    "legacy": ("tasks/resubscribe", None),
}


def lived(random: Random, dialect: str) -> list[TaskRecord]:
    """A random task that was sent in the dialect, at each of its generations, the last one terminal."""
    records = [replace(record, dialect=dialect, owner=ALICE.owner) for record in life(random, replaces=False)]
    # A question ends a stream: how it goes on from there is another test's.
    records = [record for record in records if record.generation <= asked(records)]
    last = records[-1]
    if not last.interrupted:
        records.append(last.next(with_status(last.task, TaskState.COMPLETED, last.created_at)))
    return records


def asked(records: list[TaskRecord]) -> int:
    """The generation of the first question, or of the end."""
    return next((record.generation for record in records if record.interrupted), records[-1].generation)


def streamed(random: Random, records: list[TaskRecord], dialect: str, most: int) -> tuple[Any, list[Frame]]:
    """What a subscriber gets of it while it is written, up to ``most`` generations between two looks: the first frame's
    result, and the other frames."""
    stack = MemoryStack(Options(streaming=True))
    task_id = records[0].task_id
    stack.tasks.records[task_id] = records[0]
    rest: Iterator[TaskRecord] = iter(records[1:])

    def writes() -> None:
        for _ in range(random.randint(0, most)):
            stack.tasks.records[task_id] = next(rest, stack.tasks.records[task_id])

    stack.time.on_sleep = writes
    method, version = SUBSCRIBE[dialect]
    first, *told = frames(opened(stack, method, {"id": task_id}, version=version).frames)
    return first.data["result"], told


def pushed(records: list[TaskRecord], dialect: str) -> dict[int, list[tuple[str, Any]]]:
    """What webhooks of the dialect receive of each generation: the event's id without the config's, and the body."""
    told: dict[int, list[tuple[str, Any]]] = defaultdict(list)
    for before, after in pairwise(records):
        change = changes(before.task, after.task, after.generation, after.open_artifacts, after.lengthened)
        for n, body in BY_NAME[dialect].notifications(change):
            told[after.generation].append((f"{after.task_id}.{after.generation}.{n}", json.loads(body)))
    return told


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_of_1_0_has_the_ids_and_bodies_of_its_webhooks(seed: int) -> None:
    random, told = Random(seed), 0
    for _ in range(60):
        records = lived(random, "1.0")
        _, have = streamed(random, records, "1.0", 8)
        want = [event for events in pushed(records, "1.0").values() for event in events]
        assert [(frame.id, frame.data["result"]) for frame in have] == want
        told += len(want)
    assert told > 400


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_of_the_drafts_has_the_status_events_of_its_webhooks(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        records = lived(random, "legacy")
        _, have = streamed(random, records, "legacy", 8)
        statuses = [each.data["result"] for each in have if each.data["result"]["type"] == "TaskStatusUpdateEvent"]
        assert statuses == [body for events in pushed(records, "legacy").values() for _, body in events]


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_of_0_3_leads_after_each_write_to_the_task_that_its_webhooks_have(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        records = lived(random, "0.3")
        task, have = streamed(random, records, "0.3", 8)
        by_generation: dict[int, list[Any]] = defaultdict(list)
        for frame in have:
            assert frame.id.rsplit(".", 2)[0] == task["id"]
            by_generation[int(frame.id.rsplit(".", 2)[1])].append(frame.data["result"])
        want = pushed(records, "0.3")
        assert set(by_generation) == set(want)
        for generation, events in sorted(by_generation.items()):
            for event in events:
                task = applied(task, event)
            ((_, body),) = want[generation]
            assert (task["status"], texts(task)) == (body["status"], texts(body))


def texts(task: Any) -> dict[str, str]:
    """The text of each artifact, in however many parts it came."""
    return {each["artifactId"]: "".join(part["text"] for part in each["parts"]) for each in task.get("artifacts", [])}


def applied(task: Any, event: Any) -> Any:
    """A task of 0.3 after an event of its stream, as its clients put them together."""
    if event["kind"] == "status-update":
        return {**task, "status": event["status"]}
    artifacts = {artifact["artifactId"]: artifact for artifact in task.get("artifacts", [])}
    artifact = event["artifact"]
    if event.get("append"):
        before = artifacts[artifact["artifactId"]]
        artifact = {**before, "parts": [*before["parts"], *artifact["parts"]]}
    artifacts[artifact["artifactId"]] = artifact
    return {**task, "artifacts": list(artifacts.values())}


@pytest.mark.parametrize("dialect", SUBSCRIBE)
def test_more_writes_between_two_looks_than_a_trace_holds_lead_to_the_same_task(dialect: str) -> None:
    random, merged = Random(7), 0
    for _ in range(80):
        records = lived(random, dialect)
        _, have = streamed(random, records, dialect, 40)
        last = json.dumps(have[-1].data["result"])
        assert records[-1].task["status"]["timestamp"] in last
        merged += any(".m" in frame.id for frame in have)
        ours = {frame.id for frame in have if ".m" in frame.id}
        assert not ours & {identity for events in pushed(records, dialect).values() for identity, _ in events}
    assert merged > 0 or dialect == "legacy"


SENDS = {
    "1.0": ("SendStreamingMessage", "1.0", None),
    "0.3": ("message/stream", "0.3", V03),
    "legacy": ("tasks/sendSubscribe", None, OLD),
}
REGISTER: dict[str, tuple[str, str | None, Any]] = {
    "1.0": ("CreateTaskPushNotificationConfig", "1.0", lambda task: {"taskId": task, "id": "default", "url": WEBHOOK}),
    "0.3": (
        "tasks/pushNotificationConfig/set",
        "0.3",
        lambda task: {"taskId": task, "pushNotificationConfig": {"url": WEBHOOK}},
    ),
    "legacy": ("tasks/pushNotification/set", None, lambda task: {"id": task, "config": {"webhookUrl": WEBHOOK}}),
}


@pytest.mark.parametrize("dialect", SENDS)
def test_a_task_that_is_streamed_and_pushed_at_once_tells_both_the_same(dialect: str) -> None:
    stack = streaming()
    world = Deliveries(stack)
    method, version, message = SENDS[dialect]
    told = frames(opened(stack, method, {"message": message or stack.message()}, version=version).frames)
    first = next(told)
    (task_id,) = stack.tasks.records
    register, version, params = REGISTER[dialect]
    stack.call(register, params(task_id), version=version)
    world.batch()  # the creation, which is before the registration
    have = list(told)
    world.notify()
    posts = [
        ((header(post, "webhook-id") or "").rpartition(".default")[0], json.loads(post.body))
        for post in world.sender.posts
    ]
    assert first.data["result"]
    if dialect == "1.0":
        assert posts == [(frame.id, frame.data["result"]) for frame in have]
    elif dialect == "legacy":
        results = [frame.data["result"] for frame in have]
        assert [body for _, body in posts] == [each for each in results if each["type"] == "TaskStatusUpdateEvent"]
    else:
        assert {identity.rpartition(".")[0] for identity, _ in posts} == {frame.id.rpartition(".")[0] for frame in have}
        assert posts[-1][1]["status"] == have[-1].data["result"]["status"]
    assert len(posts) > 3
