"""An answer in many pieces: few writes, one part, and the same for whoever follows its events."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from harness import Options, Stack
from memory_stack import MemoryStack

from a2a_lambda.agent import Agent, AgentError
from a2a_lambda.agent.text_stream import TextStream
from a2a_lambda.core.changes import changes
from a2a_lambda.core.trace import packed, replayed, unpacked
from a2a_lambda.testing import AgentRun, crashed_once, run_agent
from a2a_lambda.testing.memory import VirtualTime


def streaming(step: Any, rerun: Any = "restart") -> Agent:
    agent = Agent(name="Model", version="1", description="d")
    agent.step(name="only", rerun=rerun)(step)
    return agent


def answers(pieces: list[str], **options: Any) -> Agent:
    async def step(task: Any) -> None:
        async with task.stream_text("answer", **options) as out:
            for piece in pieces:
                out.write(piece)

    return streaming(step)


def chunks(run: AgentRun) -> list[Any]:
    return [event["artifactUpdate"] for event in run.events if "artifactUpdate" in event]


def paced(seconds: float, count: int, size: int = 5) -> Callable[[VirtualTime], Agent]:
    """So many pieces, so many seconds apart."""

    def make(time: VirtualTime) -> Agent:
        def step(task: Any) -> None:
            with task.stream_text("answer") as out:
                for number in range(count):
                    time.sleep(seconds)
                    out.write(f"{number:{size - 1}d} ")
            task.complete("Done.")

        return streaming(step)

    return make


def run_paced(make: Callable[[VirtualTime], Agent]) -> MemoryStack:
    stack = MemoryStack(Options())
    object.__setattr__(stack.options, "agent", make(stack.time))
    stack.finished()
    return stack


@pytest.mark.parametrize(
    ("seconds", "count", "most"),
    [(0.0, 2_000, 3), (0.01, 2_000, 20), (0.1, 100, 10), (1.0, 5, 5), (5.0, 4, 4)],
)
def test_two_thousand_tokens_are_at_most_a_write_a_second_or_one_for_every_4_kb(
    seconds: float, count: int, most: int
) -> None:
    stack = run_paced(paced(seconds, count))
    (record,) = stack.tasks.records.values()
    assert record.cursor.writes <= most + 1
    (artifact,) = record.task["artifacts"]
    assert artifact["parts"] == [{"text": "".join(f"{number:4d} " for number in range(count))}]
    assert record.task["status"]["message"]["parts"] == [{"text": "Done."}]


def test_two_thousand_tokens_make_a_task_of_less_than_50_kb() -> None:
    stack = run_paced(paced(0.01, 2_000))
    (record,) = stack.tasks.records.values()
    assert len(str(record.task)) < 50_000


def test_the_last_chunk_goes_with_the_end_of_the_task() -> None:
    run = run_agent(answers(["a", "b"]), "go")
    assert [chunk["lastChunk"] for chunk in chunks(run)] == [True]
    assert run.artifacts == {"answer": [{"text": "ab"}]}
    assert [next(iter(event)) for event in run.events][-2:] == ["artifactUpdate", "statusUpdate"]
    assert run.writes == 2


def test_a_flush_writes_what_has_come_and_the_rest_is_appended() -> None:
    def step(task: Any) -> None:
        with task.stream_text("answer", media_type="text/markdown", description="d", metadata={"m": 1}) as out:
            out.write("a")
            out.write("b")
            out.flush()
            out.flush()
            out.write("c")

    run = run_agent(streaming(step), "go")
    assert [
        (chunk["artifact"]["parts"][0]["text"], chunk.get("append"), chunk["lastChunk"]) for chunk in chunks(run)
    ] == [
        ("ab", None, False),
        ("c", True, True),
    ]
    (artifact,) = run.task["artifacts"]
    assert artifact["parts"] == [{"text": "abc", "mediaType": "text/markdown"}]
    assert (artifact["description"], artifact["metadata"]) == ("d", {"m": 1})


async def until(condition: Callable[[], bool]) -> None:
    """The loop goes on until it holds, for ten seconds at the most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - it is what the loop does by itself
            await asyncio.sleep(0)


def test_while_a_tool_takes_its_time_what_has_come_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2a_lambda.agent.text_stream.PAUSE", timedelta(milliseconds=1))

    async def step(task: Any) -> None:
        async with task.stream_text("answer") as out:
            out.write("Let me look")
            out.write(" that up.")
            await until(lambda: "artifacts" in task.stored)
            assert task.stored["artifacts"][0]["parts"] == [{"text": "Let me look that up."}]
            out.write(" Found.")

    run = run_agent(streaming(step), "go")
    assert (run.state, run.errors, run.text("answer")) == ("completed", [], "Let me look that up. Found.")
    assert [chunk["lastChunk"] for chunk in chunks(run)] == [False, True]


@pytest.mark.parametrize("after", ["a piece", "the end"])
def test_a_write_in_time_that_fails_fails_the_step_and_loses_nothing_silently(
    after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("a2a_lambda.agent.text_stream.PAUSE", timedelta(milliseconds=1))
    tries: list[int] = []

    async def step(task: Any) -> None:
        def fails() -> None:
            tries.append(1)
            raise OSError

        async with TextStream(lambda *_: None, fails, lambda: task.now) as out:
            out.write("a")
            await until(lambda: bool(tries))
            if after == "a piece":
                out.write("b")

    run = run_agent(streaming(step), "go")
    assert (run.state, [type(error) for error in run.errors], tries) == ("failed", [OSError], [1])


def test_nothing_is_written_by_a_stream_that_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2a_lambda.agent.text_stream.PAUSE", timedelta(milliseconds=1))
    written: list[str] = []

    async def step(task: Any) -> None:
        with contextlib.suppress(OSError):
            async with TextStream(lambda text, *_: written.append(text), lambda: None, lambda: task.now) as out:
                out.write("a")
                raise OSError
        async with TextStream(lambda text, *_: None, lambda: None, lambda: task.now) as other:
            other.write("b")
            await until(lambda: not other._pieces)

    assert run_agent(streaming(step), "go").state == "completed"
    assert written == []


def test_a_stream_without_text_makes_no_artifact() -> None:
    assert run_agent(answers([]), "go").artifacts == {}
    assert run_agent(answers([""]), "go").artifacts == {}


def test_two_streams_at_once_are_two_artifacts() -> None:
    def step(task: Any) -> None:
        with task.stream_text("left") as left, task.stream_text("right") as right:
            for number in range(5_000):
                left.write(f"{number}")
                right.write(f"-{number}")

    run = run_agent(streaming(step), "go")
    assert run.text("left") == "".join(map(str, range(5_000)))
    assert run.text("right") == "".join(f"-{number}" for number in range(5_000))
    assert all(len(parts) == 1 for parts in run.artifacts.values())


@pytest.mark.parametrize("text", [None, 5, b"bytes"])
def test_what_is_no_text_is_refused(text: Any) -> None:
    with pytest.raises(AgentError, match="takes texts"):
        run_agent(answers([text]), "go")


def test_a_stream_that_has_ended_takes_no_more() -> None:
    def step(task: Any) -> None:
        with task.stream_text("answer") as out:
            out.write("a")
        out.write("b")

    with pytest.raises(AgentError, match="has ended"):
        run_agent(streaming(step), "go")


def test_a_step_that_skips_what_is_recorded_cannot_stream() -> None:
    def step(task: Any) -> None:
        task.stream_text("answer")

    with pytest.raises(AgentError, match="rerun='restart'"):
        run_agent(streaming(step, "skip"), "go")


def test_a_model_that_fails_in_the_middle_leaves_what_was_written() -> None:
    def step(task: Any) -> None:
        with task.stream_text("answer") as out:
            out.write("a")
            out.flush()
            out.write("b")
            raise OSError

    run = run_agent(streaming(step), "go")
    assert (run.state, run.text("answer")) == ("failed", "a")


def test_a_run_that_dies_anywhere_leaves_one_answer_under_the_same_id() -> None:
    def fickle() -> Agent:
        tries = itertools.count(1)

        def step(task: Any) -> None:
            number = next(tries)
            with task.stream_text("answer") as out:
                for _ in range(4_000):
                    out.write(f"{number} ")
            task.complete("Done.")

        return streaming(step)

    expected = run_agent(fickle(), "go")
    assert expected.writes > 2
    for number in range(1, expected.writes + 1):
        for side in ("dies_before", "dies_after"):
            run = run_agent(fickle(), "go", **{side: number})  # type: ignore[arg-type]
            assert len(set(run.text("answer").split())) == 1
            assert len(run.artifacts["answer"]) == 1
            assert run.task["artifacts"][0]["artifactId"] == chunks(expected)[0]["artifact"]["artifactId"] or number
            assert followed(run) == run.artifacts


def followed(run: AgentRun) -> dict[str, list[Any]]:
    """The artifacts of a client that follows the events, with neighbouring texts put together."""
    found: dict[str, list[Any]] = {}
    for chunk in chunks(run):
        parts = chunk["artifact"]["parts"]
        name = chunk["artifact"]["name"]
        kept = [*found[name]] if chunk.get("append") else []
        for part in parts:
            if kept and kept[-1].keys() == part.keys() == {"text"}:
                kept[-1] = {"text": kept[-1]["text"] + part["text"]}
            else:
                kept.append(part)
        found[name] = kept
    return found


# --------------------------------------------------------------------------------------------- append and flush by hand


def appending(task: Any) -> None:
    for number in range(40):
        task.artifact("log", f"{number}\n", append=number > 0, last_chunk=number == 39)
        task.flush()


def test_forty_chunks_that_are_appended_are_one_part() -> None:
    run = run_agent(streaming(appending, "skip"), "go", context_id="c")
    assert run.artifacts["log"] == [{"text": "".join(f"{number}\n" for number in range(40))}]
    assert [chunk["artifact"]["parts"] for chunk in chunks(run)] == [[{"text": f"{number}\n"}] for number in range(40)]
    assert [chunk.get("append", False) for chunk in chunks(run)] == [False] + [True] * 39
    for crashed in crashed_once(streaming(appending, "skip"), "go", context_id="c"):
        assert (crashed.artifacts, chunks(crashed)) == (run.artifacts, chunks(run))


def test_texts_of_different_kinds_and_other_parts_stay_apart() -> None:
    def step(task: Any) -> None:
        task.artifact("a", "1", last_chunk=False)
        task.flush()
        task.artifact("a", parts=[{"text": "2", "metadata": {"m": 1}}], append=True, last_chunk=False)
        task.flush()
        task.artifact("a", data={"n": 1}, append=True, last_chunk=False)
        task.flush()
        task.artifact("a", "3", append=True, last_chunk=False)
        task.flush()
        task.artifact("a", parts=[{"text": "4"}, {"data": 5}, {"text": "6"}], append=True)

    run = run_agent(streaming(step, "skip"), "go")
    assert run.artifacts["a"] == [
        {"text": "1"},
        {"text": "2", "metadata": {"m": 1}},
        {"data": {"n": 1}},
        {"text": "34"},
        {"data": 5},
        {"text": "6"},
    ]
    assert chunks(run)[-1]["artifact"]["parts"] == [{"text": "4"}, {"data": 5}, {"text": "6"}]


def test_a_text_that_replaces_one_that_it_begins_with_is_told_in_full() -> None:
    def step(task: Any) -> None:
        task.artifact("a", "12")
        task.flush()
        task.artifact("a", "123")

    last = chunks(run_agent(streaming(step, "skip"), "go"))[-1]
    assert (last["artifact"]["parts"], "append" in last) == ([{"text": "123"}], False)


def test_an_append_and_a_status_by_somebody_else_in_between_lose_nothing(new_stack: Callable[..., Stack]) -> None:
    """A follow-up is a write of its own, by another function: it lengthens nothing."""

    def step(task: Any) -> None:
        task.artifact("a", "1", last_chunk=False)
        task.flush()
        stack.send(stack.message("more", taskId=task.id))
        task.artifact("a", "2", append=True, last_chunk=False)
        task.flush()
        task.status("working on it")
        task.artifact("a", "3", append=True)
        task.complete()

    stack = new_stack(agent=streaming(step, "skip"))
    task_id = stack.finished()
    record = stack.stored(task_id)
    assert record.task["artifacts"][0]["parts"] == [{"text": "123"}]
    assert record.lengthened == {record.task["artifacts"][0]["artifactId"]}


def test_a_stream_replays_each_chunk_of_a_text_as_the_webhooks_received_it() -> None:
    stack = MemoryStack(Options(agent=streaming(appending, "skip"), streaming=True))
    record = stack.stored(stack.finished())
    told: dict[int, list[Any]] = {}
    for old, new in stack.tasks.images:
        assert new is not None
        change = changes(old and old.task, new.task, new.generation, new.open_artifacts, new.lengthened)
        told[new.generation] = list(change.events)
    trace = unpacked(packed(record.trace or ()))
    first = trace[0].generation
    steps = replayed(record.task, trace, first - 1, record.generation)
    assert steps is not None
    assert len(steps) > 10
    for step in steps:
        assert [event for _, event in step.events] == told[step.generation]
