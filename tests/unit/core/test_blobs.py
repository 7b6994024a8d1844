"""Contents that are too large for the table: references in the task, fresh links wherever it goes out."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from a2a_lambda.agent import Agent
from a2a_lambda.agent.execution import Executor
from a2a_lambda.aws.bucket import Bucket
from a2a_lambda.aws.clients import client
from a2a_lambda.core.blobs import MAX_INLINE, PREFIX, in_answer, in_task, in_text, size_with_links
from a2a_lambda.core.changes import changes
from a2a_lambda.core.lifecycle import new_task
from a2a_lambda.core.model import Task, TaskState
from a2a_lambda.core.operations import FoundTask, TaskList
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.dialects.webhooks import BY_NAME
from a2a_lambda.push.webhook import post, unsigned
from a2a_lambda.testing import run_agent
from a2a_lambda.testing.memory import MemoryBlobs, MemoryTasks, VirtualTime

TASK = "11111111-1111-4111-8111-111111111111"
MESSAGE: Any = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
OTHER = "22222222-2222-4222-8222-222222222222"
LARGE = "x" * (MAX_INLINE + 1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def link(key: str) -> str:
    return f"https://bucket.example/{key}?signed&now"


def finished(step: Any, blobs: Any) -> TaskRecord:
    agent = Agent(name="Large", version="1", description="d")
    agent.step(name="only")(step)
    table, time = MemoryTasks(), VirtualTime(NOW)
    message: Any = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": f"{PREFIX}{OTHER}/{'a' * 64}"}]}
    table.create(TaskRecord(new_task(TASK, "c", message, NOW), "me", 1, "1.0", NOW))
    Executor(agent, table, time, time.sleep, lambda _: None, blobs=blobs).run(TASK, lambda: 60_000)
    return table.records[TASK]


def parts(task: Task) -> list[Any]:
    return task["artifacts"][0]["parts"]


def test_what_is_small_stays_in_the_task():
    blobs = MemoryBlobs()

    record = finished(lambda task: task.artifact("a", "x" * MAX_INLINE), blobs)

    assert "text" in parts(record.task)[0]
    assert blobs.contents == {}


@pytest.mark.parametrize(
    ("content", "media_type", "body"),
    [
        ({"text": LARGE}, "text/plain; charset=utf-8", LARGE.encode()),
        ({"data": {"a": LARGE}}, "application/json", json.dumps({"a": LARGE}, separators=(",", ":")).encode()),
        ({"raw": base64.b64encode(LARGE.encode()).decode()}, "application/octet-stream", LARGE.encode()),
        (
            {"text": LARGE, "mediaType": "text/csv", "filename": "a.csv", "metadata": {"n": 1}},
            "text/csv",
            LARGE.encode(),
        ),
    ],
)
def test_what_is_large_goes_beside_the_table_and_comes_out_as_a_link(content, media_type, body):
    blobs = MemoryBlobs()

    record = finished(lambda task: task.artifact("a", parts=[content]), blobs)

    assert record.state is TaskState.COMPLETED
    ((key, kept),) = blobs.contents.items()
    assert kept == (body, media_type)
    (part,) = parts(record.task)
    others = {name: content[name] for name in ("filename", "metadata") if name in content}
    assert part == {"url": PREFIX + key, "mediaType": media_type, **others}
    assert parts(in_task(record.task, link))[0]["url"] == link(key)


def test_ten_megabytes_fit_where_the_table_has_room_for_a_third_of_one():
    record = finished(
        lambda task: task.artifact("a", parts=[{"text": f"{n}" + LARGE} for n in range(300)]), MemoryBlobs()
    )

    assert record.state is TaskState.COMPLETED
    assert len(parts(record.task)) == 300


def test_a_bucket_that_does_not_answer_is_tried_again_and_nothing_is_written():
    class Down:
        def put(self, key: str, body: bytes, media_type: str) -> None:
            raise Unavailable

    with pytest.raises(Unavailable):
        finished(lambda task: task.artifact("a", LARGE), Down())


def test_every_answer_of_the_service_has_links():
    task = finished(lambda task: task.artifact("a", LARGE), MemoryBlobs()).task
    found = in_answer(FoundTask(task, "1.0"), link).task
    (listed,) = in_answer(TaskList([task], "", 50, 1), link).tasks

    for answer in (found, listed, in_answer(task, link)):
        assert parts(answer)[0]["url"].startswith("https://bucket.example/")
    assert in_answer({"messageId": "m"}, link) == {"messageId": "m"}
    assert in_answer(None, link) is None


@pytest.mark.parametrize("dialect", sorted(BY_NAME))
def test_every_dialect_of_a_webhook_has_a_fresh_link_at_each_attempt(dialect):
    record = finished(lambda task: task.artifact("a", LARGE), MemoryBlobs())
    config = PushConfig(TASK, "c", "me", "https://hooks.example/", dialect, "i")
    bodies = [body for _, body in BY_NAME[dialect].notifications(changes(None, record.task, 2))]
    assert any(PREFIX in body for body in bodies) or dialect == "legacy"

    for count in (1, 2):
        sent = [
            post(config, "id", body, dialect, NOW, unsigned, None, lambda key, n=count: f"https://b.example/{n}")
            for body in bodies
        ]
        assert not any(f"{PREFIX}{TASK}".encode() in each.body for each in sent)
        if dialect != "legacy":
            assert any(f"https://b.example/{count}".encode() in each.body for each in sent)


def test_a_reference_of_another_task_is_not_followed():
    foreign = f"{PREFIX}{OTHER}/{'a' * 64}"
    task = finished(lambda task: task.artifact("a", "small"), MemoryBlobs()).task
    forged: Any = {**task, "artifacts": [{"artifactId": "a", "parts": [{"url": foreign}]}]}

    assert in_text(f'"{foreign}"', TASK, link) == f'"{foreign}"'
    assert parts(in_task(forged, link)) == [{"url": foreign}]
    assert in_task(task, link)["history"] == task["history"]


def test_the_author_sees_large_contents_inline():
    agent = Agent(name="Large", version="1", description="d")

    @agent.step
    def only(task: Any) -> None:
        task.artifact("text", LARGE)
        task.artifact("data", data=[LARGE])

    run = run_agent(agent, "go", crashing=True)
    assert run.text("text") == LARGE
    assert run.data("data") == [LARGE]


def test_the_bucket_keeps_a_content_and_links_to_it(aws):
    client("s3").create_bucket(Bucket="artifacts")
    bucket = Bucket("artifacts")

    bucket.put("task/digest", b"body", "text/csv")

    stored = client("s3").get_object(Bucket="artifacts", Key="task/digest")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"body", "text/csv")
    url = bucket.link("task/digest")
    assert "task/digest" in url
    assert "X-Amz-Expires=43200" in url


def test_a_task_is_measured_as_it_goes_out_with_its_links_but_none_is_made() -> None:
    link = "https://bucket.s3.eu-central-1.amazonaws.com/{}?X-Amz-Security-Token=" + "t" * 1_200
    reference = f"{PREFIX}{TASK}/{'0' * 64}"
    artifacts: Any = [{"artifactId": "a", "parts": [{"url": reference}] * 40}]
    task: Task = {**new_task(TASK, "c", MESSAGE, NOW), "artifacts": artifacts}
    sent = len(json.dumps(in_task(task, link.format), ensure_ascii=False).encode())
    assert sent <= size_with_links(task) <= 3 * sent
    without: Task = {**task, "artifacts": []}
    assert size_with_links(without) < 1_000


def test_another_task_s_reference_counts_as_the_text_that_it_stays() -> None:
    artifacts: Any = [{"artifactId": "a", "parts": [{"url": f"{PREFIX}{OTHER}/{'0' * 64}"}] * 40}]
    task: Task = {**new_task(TASK, "c", MESSAGE, NOW), "artifacts": artifacts}
    assert size_with_links(task) < 10_000
