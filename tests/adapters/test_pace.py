"""How often an executor's run writes, and how it ends when its task is canceled. The clock is the test's."""

from __future__ import annotations

import asyncio
import math
from datetime import timedelta
from typing import Any

import pytest
from sdk_executors import Of, data, text, text_message, updater_of

from a2a_lambda.adapters import run as run_module
from a2a_lambda.adapters.a2a_sdk import STEP
from a2a_lambda.adapters.run import ExecutorRun
from a2a_lambda.agent.context import RunOfStep, TaskContext
from a2a_lambda.agent.writing import TaskWrite
from a2a_lambda.core.lifecycle import with_artifact, with_status
from a2a_lambda.core.model import INTERRUPTED, TERMINAL, Json, Task, TaskState
from a2a_lambda.core.records import SendRequest
from a2a_lambda.testing.memory import VirtualTime

TASK: Any = {
    "id": "11111111-1111-4111-8111-111111111111",
    "contextId": "chat",
    "status": {"state": "TASK_STATE_WORKING"},
    "history": [{"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}],
}


class Recorded:
    """A recorder that keeps the writes with their times. ``canceled`` is what a look at the stored task says."""

    owner = "alice"
    request = SendRequest()

    def __init__(self, time: VirtualTime) -> None:
        self.time, self.task, self.ended, self.canceled = time, TASK, False, False
        self.writes: list[tuple[float, TaskWrite]] = []
        self.wrote = asyncio.Event()
        self.looks = 0
        self._began = time.now

    def write(self, change: TaskWrite) -> None:
        self.writes.append(((self.time.now - self._began).total_seconds(), change))
        for artifact, append, _ in change.artifacts:
            self.task = with_artifact(self.task, artifact, append)
        self.ended = self.ended or change.state in TERMINAL | INTERRUPTED
        self.wrote.set()

    def read(self) -> Task:
        self.looks += 1
        state = TaskState.CANCELED if self.canceled else TaskState.WORKING
        return with_status(self.task, state, self.time.now)

    def memory(self) -> Json:
        return {}

    def secret(self, name: str, key: str | None) -> str:
        raise AssertionError


class Stage:
    """One run of an executor whose function gets the updater and this."""

    def __init__(self, chunk_seconds: float = 1.0, cancel_seconds: float = 0.0) -> None:
        self.time = VirtualTime()
        self.recorder = Recorded(self.time)
        self._seconds = chunk_seconds, cancel_seconds

    def run(self, execute: Any, cancel: Any = None) -> list[tuple[float, TaskWrite]]:
        async def with_updater(context: Any, queue: Any) -> None:
            await execute(await updater_of(context, queue))

        step = RunOfStep(
            STEP,
            frozenset({STEP}),
            {},
            "key",
            self.time,
            lambda: 60_000,
            lambda _: None,
            restarts=True,  # type: ignore[arg-type,return-value]
        )
        executor = Of(with_updater, cancel)
        task = TaskContext(self.recorder, step)
        asyncio.run(asyncio.wait_for(ExecutorRun(task, executor, *self._seconds, STEP).run(), 20))
        return self.recorder.writes

    def seconds(self, count: float) -> None:
        self.time.now += timedelta(seconds=count)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def texts(write: TaskWrite) -> list[str]:
    return [part.get("text", "?") for part in write.parts]


@pytest.mark.parametrize(("tokens", "pace"), [(2_000, 0.0), (2_000, 0.01), (500, 0.1), (40, 0.9), (10, 3.0)])
def test_a_model_that_says_each_token_in_a_status_of_its_own_writes_once_a_second(stage, tokens, pace):
    async def execute(updater: Any) -> None:
        for number in range(tokens):
            await updater.start_work(text_message(f" t{number}"))
            stage.seconds(pace)
        await updater.complete(text_message("Done"))

    writes = stage.run(execute)

    # "working", which the runtime writes, is the first of them.
    assert len(writes) + 1 <= math.floor(tokens * pace) + 3
    said = "".join(part for _, write in writes[:-1] for part in texts(write))
    assert said == "".join(f" t{number}" for number in range(tokens))
    assert all(len(write.parts) == 1 for _, write in writes)


@pytest.mark.parametrize(("chunks", "pace"), [(2_000, 0.0), (1_000, 0.02), (30, 1.5)])
def test_chunks_of_an_artifact_are_joined_and_written_once_a_second(stage, chunks, pace):
    async def execute(updater: Any) -> None:
        for number in range(chunks):
            last = number == chunks - 1
            await updater.add_artifact([text(f"{number} ")], "a", name="a", append=number > 0, last_chunk=last)
            stage.seconds(pace)
        await updater.complete()

    writes = stage.run(execute)

    assert len(writes) + 1 <= math.floor(chunks * pace) + 3
    (artifact,) = stage.recorder.task["artifacts"]
    assert artifact["parts"] == [{"text": "".join(f"{number} " for number in range(chunks))}]
    marks = [(append, last) for _, write in writes for _, append, last in write.artifacts]
    assert marks[0][0] is False
    assert all(append for append, _ in marks[1:])
    assert [last for _, last in marks] == [False] * (len(marks) - 1) + [True]


def test_what_goes_back_and_forth_between_statuses_and_artifacts_is_bounded_too(stage):
    async def execute(updater: Any) -> None:
        for number in range(1_000):
            await updater.start_work(text_message(f" s{number}"))
            await updater.add_artifact([text(f" a{number}")], f"artifact-{number % 5}", append=number >= 5)
            stage.seconds(0.01)
        await updater.complete()

    writes = stage.run(execute)

    assert len(writes) <= 10 + 4
    assert "".join(part for _, write in writes for part in texts(write)) == "".join(f" s{n}" for n in range(1_000))
    assert "".join(artifact["parts"][0]["text"] for artifact in stage.recorder.task["artifacts"]).count("a") == 1_000


def test_the_first_thing_said_after_a_second_of_silence_is_written_at_once(stage):
    async def execute(updater: Any) -> None:
        stage.seconds(1)
        await updater.start_work(text_message("Thinking"))
        assert len(stage.recorder.writes) == 1
        await updater.start_work(text_message("Still"))
        assert len(stage.recorder.writes) == 1
        await updater.complete()

    assert [texts(write) for _, write in stage.run(execute)] == [["Thinking"], ["Still"], []]


def test_what_waits_is_written_in_time_though_nothing_more_comes():
    stage = Stage(chunk_seconds=0.01)

    async def execute(updater: Any) -> None:
        await updater.start_work(text_message("Thinking"))
        assert not stage.recorder.writes
        stage.seconds(1)
        await asyncio.wait_for(stage.recorder.wrote.wait(), 10)

    assert texts(stage.run(execute)[0][1]) == ["Thinking"]


def test_sentences_stay_parts_and_tokens_are_joined(stage):
    async def execute(updater: Any) -> None:
        for piece in ("Looking it up.", "Found 3", " of", " 4.", " Good", "!", "Next."):
            await updater.start_work(text_message(piece))
        await updater.complete()

    assert texts(stage.run(execute)[0][1]) == ["Looking it up.", "Found 3 of 4. Good!", "Next."]


def test_a_status_with_other_metadata_is_one_of_its_own(stage):
    async def execute(updater: Any) -> None:
        for tool in ("search", "search", "book"):
            message = updater.new_agent_message([text(tool), data({"tool": tool})], metadata={"tool": tool})
            await updater.start_work(message)
        await updater.complete()

    writes = [write for _, write in stage.run(execute)]
    assert [write.metadata for write in writes] == [{"tool": "search"}, {"tool": "book"}, None]
    assert [len(write.parts) for write in writes] == [4, 2, 0]


def test_order_is_kept_between_statuses_and_artifacts(stage):
    async def execute(updater: Any) -> None:
        await updater.start_work(text_message("One"))
        await updater.add_artifact([text("1")], "first")
        await updater.start_work(text_message("Two"))
        await updater.add_artifact([text("2")], "second")
        await updater.complete()

    writes = [write for _, write in stage.run(execute)]
    assert [([each.artifact["artifactId"] for each in write.artifacts], texts(write)) for write in writes] == [
        ([], ["One"]),
        (["first"], ["Two"]),
        (["second"], []),
    ]


def test_an_artifact_that_begins_without_parts_is_written_with_its_first_chunk(stage):
    async def execute(updater: Any) -> None:
        await updater.add_artifact([], "a", name="answer")
        await updater.add_artifact([text("x")], "a", append=True)
        await updater.add_artifact([], "b", name="never")
        await updater.complete()

    stage.run(execute)
    assert stage.recorder.task["artifacts"] == [{"artifactId": "a", "name": "answer", "parts": [{"text": "x"}]}]


def test_an_artifact_that_is_enqueued_whole_again_replaces_what_waits(stage):
    async def execute(updater: Any) -> None:
        await updater.add_artifact([text("draft")], "a")
        await updater.add_artifact([text("final")], "a")
        await updater.complete()

    stage.run(execute)
    assert stage.recorder.task["artifacts"] == [{"artifactId": "a", "parts": [{"text": "final"}]}]


# ------------------------------------------------------------------------------------------------------ cancellation


class Sleeps:
    """An executor that sleeps, and says how it ended. ``swallows``: it goes on when it is canceled."""

    def __init__(self, stage: Stage, swallows: bool = False) -> None:
        self.stage, self.swallows, self.ended = stage, swallows, ""
        self.calls: list[str] = []

    async def execute(self, updater: Any) -> None:
        self.stage.recorder.canceled = True
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.ended = "canceled"
            if not self.swallows:
                raise
            await asyncio.Event().wait()

    async def cancel(self, context: Any, queue: Any) -> None:
        self.calls.append(context.task_id)
        await queue.enqueue_event(text_message("too late: the task is canceled"))
        raise NotImplementedError


@pytest.mark.parametrize("swallows", [False, True])
def test_a_sleeping_executor_ends_with_its_task_and_hears_of_it(monkeypatch, swallows):
    monkeypatch.setattr(run_module, "CANCEL_GRACE", 0.01)
    stage = Stage(cancel_seconds=0.01)
    sleeps = Sleeps(stage, swallows)

    assert stage.run(sleeps.execute, sleeps.cancel) == []

    assert sleeps.ended == "canceled"
    assert sleeps.calls == [TASK["id"]]
    assert stage.recorder.looks == 1


def test_an_executor_may_end_its_work_itself_when_it_is_told_to_cancel():
    stage = Stage(cancel_seconds=0.01)
    stop, ended = asyncio.Event(), []

    async def execute(updater: Any) -> None:
        stage.recorder.canceled = True
        await stop.wait()
        ended.append("by itself")

    async def cancel(context: Any, queue: Any) -> None:
        stop.set()

    assert stage.run(execute, cancel) == []
    assert ended == ["by itself"]


def test_a_cancel_that_hangs_is_left_alone_in_time(monkeypatch):
    monkeypatch.setattr(run_module, "CANCEL_GRACE", 0.01)
    monkeypatch.setattr(run_module, "CANCEL_SECONDS", 0.01)
    stage = Stage(cancel_seconds=0.01)
    left: list[str] = []

    async def cancel(context: Any, queue: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("left")

    assert stage.run(Sleeps(stage).execute, cancel) == []
    assert left == ["left"]


def test_with_cancel_seconds_0_nobody_looks(stage):
    async def execute(updater: Any) -> None:
        stage.recorder.canceled = True
        await asyncio.sleep(0.02)
        await updater.complete()

    stage.run(execute)
    assert stage.recorder.looks == 0


def test_a_model_that_never_pauses_is_canceled_as_well():
    stage = Stage(cancel_seconds=0.001)

    async def execute(updater: Any) -> None:
        stage.recorder.canceled = True
        while True:
            await updater.start_work(text_message("."))

    stage.run(execute)
    assert stage.recorder.looks == 1


def test_a_write_that_the_runtime_refuses_ends_the_run_whatever_the_executor_catches(stage):
    class Over(BaseException):
        pass

    def refuse(change: TaskWrite) -> None:
        raise Over

    stage.recorder.write = refuse
    caught: list[str] = []

    async def execute(updater: Any) -> None:
        stage.seconds(2)
        try:
            await updater.start_work(text_message("x"))
        except Exception:  # noqa: BLE001 - as careless executors do
            caught.append("swallowed")

    with pytest.raises(Over):
        stage.run(execute)
    assert caught == []
