"""Steps that a crash starts anew: their answer is never made of two tries, and nobody is told the same twice."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from harness import Options
from memory_stack import MemoryStack
from scripted import Crash

from a2a_lambda.agent import Agent, Retry
from a2a_lambda.agent.writing import ArtifactWrite, TaskWrite
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.trace import packed
from a2a_lambda.testing import AgentRun, crashed_once, run_agent
from a2a_lambda.testing.memory import MemoryTasks


def restarting(*steps: Any, **options: Any) -> Agent:
    agent = Agent(name="Model", version="1", description="d")
    for number, step in enumerate(steps):
        agent.step(name=f"step-{number}", rerun="restart", **options)(step)
    return agent


def steady(task: Any) -> None:
    """The same in every try."""
    task.status("Thinking.")
    for number in range(3):
        task.artifact("answer", f"{number} ", append=number > 0, last_chunk=number == 2)
        task.flush()
    task.status("Almost.", data={"n": 1})
    task.status()
    task.artifact("sources", data=["a"])
    task.complete("Done.")


def fickle() -> Agent:
    """A model that never says the same twice: every word has the number of its try."""
    tries = itertools.count(1)

    def step(task: Any) -> None:
        number = next(tries)
        task.status("Thinking.")
        for word in "abc":
            task.artifact("answer", f"{word}{number} ", append=word != "a", last_chunk=word == "c")
            task.flush()
        if number % 2:
            task.artifact("only in odd tries", f"d{number} ")
        task.complete(f"e{number} ")

    return restarting(step)


def told(run: AgentRun) -> Counter[tuple[str, str]]:
    return Counter((status.state, status.text) for status in run.statuses)


def test_a_steady_step_that_dies_at_any_write_leaves_the_same_task_and_repeats_no_status() -> None:
    expected = run_agent(restarting(steady), "go")
    runs = list(crashed_once(restarting(steady), "go"))
    assert len(runs) == 2 * expected.writes
    for run in runs:
        assert (run.state, run.artifacts) == (expected.state, expected.artifacts)
        assert run.statuses == expected.statuses
        assert [message["parts"] for message in run.task["history"]] == [
            message["parts"] for message in expected.task["history"]
        ]


def test_the_words_of_two_tries_are_never_in_one_task() -> None:
    writes = run_agent(fickle(), "go").writes
    for at, side in itertools.product(range(1, writes + 1), ("dies_before", "dies_after")):
        run = run_agent(fickle(), "go", **{side: at})  # type: ignore[arg-type]
        answer = "".join(run.text(name) for name in run.artifacts) + run.statuses[-1].text
        assert run.state == "completed"
        assert len({word[1:] for word in answer.split()}) == 1, (at, side, answer)
        assert max(told(run).values()) == 1
        assert len({message["messageId"] for message in run.task["history"]}) == len(run.task["history"])


def test_no_generation_has_the_words_of_two_tries() -> None:
    writes = run_agent(fickle(), "go").writes
    for at in range(1, writes + 1):
        tasks = DyingTasks(at)
        stack = MemoryStack(Options(agent=fickle()), tasks)
        task_id = stack.send()["id"]
        with pytest.raises(Crash):
            stack.work(task_id)
        stack.work(task_id)
        for _, new in tasks.images:
            assert new is not None
            words = "".join(p["text"] for a in new.task.get("artifacts", []) for p in a["parts"]).split()
            assert len({word[1:] for word in words}) <= 1, (at, words)


class DyingTasks(MemoryTasks):
    """Dies after its n-th write."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    def update(self, record: Any) -> None:
        super().update(record)
        self._left -= 1
        if self._left == 0:
            raise Crash


def assembled(events: list[Any]) -> dict[str, str]:
    """What a client that follows the events by the rules of section 4.2.2 has in the end."""
    texts: dict[str, str] = {}
    for event in events:
        update = event.get("artifactUpdate")
        if update is not None:
            name = update["artifact"]["name"]
            text = "".join(part.get("text", "") for part in update["artifact"]["parts"])
            texts[name] = texts.get(name, "") + text if update.get("append") else text
    return texts


def test_a_client_that_follows_the_events_has_the_last_try() -> None:
    for run in crashed_once(fickle(), "go"):
        assert assembled(run.events)["answer"] == run.text("answer")
        last = [event["artifactUpdate"] for event in run.events if "artifactUpdate" in event]
        assert [each["lastChunk"] for each in last if each["artifact"]["name"] == "answer"][-1]


def test_what_earlier_steps_wrote_stays_when_a_later_one_starts_anew() -> None:
    def first(task: Any) -> None:
        task.artifact("log", "first\n", last_chunk=False)
        task.artifact("log", data={"n": 1}, append=True, last_chunk=False)
        task.artifact("log", "second\n", append=True, last_chunk=False)
        task.artifact("other", "stays")

    def second(task: Any) -> None:
        task.artifact("log", "third\n", append=True, last_chunk=False)
        task.flush()
        task.artifact("log", "fourth\n", append=True)
        task.flush()

    expected = run_agent(restarting(first, second), "go")
    assert expected.text("log") == "first\nsecond\nthird\nfourth\n"
    for run in crashed_once(restarting(first, second), "go"):
        assert run.artifacts == expected.artifacts
        assert assembled(run.events) == assembled(expected.events)


def test_a_step_that_only_returns_takes_back_what_a_try_before_it_left() -> None:
    tries: list[int] = []

    def step(task: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            task.artifact("draft", "half")
            task.flush()
            raise OSError

    run = run_agent(restarting(step, retry=Retry(2, 0)), "go")
    assert (run.state, run.artifacts) == ("completed", {})


def test_a_retry_after_a_failure_starts_anew_too() -> None:
    tries: list[int] = []

    def step(task: Any) -> None:
        tries.append(1)
        task.status("Thinking.")
        task.artifact("answer", f"try {len(tries)}")
        task.flush()
        if len(tries) < 3:
            raise OSError

    run = run_agent(restarting(step, retry=Retry(3, 0)), "go")
    assert run.text("answer") == "try 3"
    assert max(told(run).values()) == 1


def test_a_step_that_fails_for_good_keeps_what_its_last_try_wrote() -> None:
    def step(task: Any) -> None:
        task.artifact("answer", "as far as it came")
        task.flush()
        raise OSError

    run = run_agent(restarting(step, retry=Retry(2, 0)), "go")
    assert (run.state, run.text("answer")) == ("failed", "as far as it came")


def test_another_status_in_the_place_of_one_that_was_sent_is_sent() -> None:
    tries: list[int] = []

    def step(task: Any) -> None:
        tries.append(1)
        task.status("Thinking.")
        task.status(f"Word {len(tries)}.")
        if len(tries) == 1:
            raise OSError

    run = run_agent(restarting(step, retry=Retry(2, 0)), "go")
    assert [status.text for status in run.statuses] == ["", "", "Thinking.", "Word 1.", "Word 2.", ""]


def test_a_question_is_asked_once_however_often_its_step_starts_anew() -> None:
    def step(task: Any) -> None:
        task.artifact("draft", "a draft", last_chunk=False)
        task.flush()
        if task.text != "yes":
            task.require_input("Go on?", then="step-0")
            return
        task.artifact("draft", " and more", append=True)
        task.complete("Done.")

    expected = run_agent(restarting(step), "go", answers=["no", "yes"])
    assert expected.questions == ["Go on?", "Go on?"]
    for run in crashed_once(restarting(step), "go", answers=["no", "yes"]):
        assert (run.questions, run.artifacts, run.state) == (expected.questions, expected.artifacts, "completed")


def test_crashing_at_every_write_comes_to_an_end() -> None:
    run = run_agent(restarting(steady), "go", crashing=True)
    assert run.artifacts == run_agent(restarting(steady), "go").artifacts
    assert run.invocations >= 5


def test_plain_steps_are_as_they_were_when_they_die_once() -> None:
    agent = Agent(name="Plain", version="1", description="d")
    agent.step(name="only")(steady)
    expected = run_agent(agent, "go")
    for run in crashed_once(agent, "go"):
        assert (run.statuses, run.artifacts, run.events) == (expected.statuses, expected.artifacts, run.events)


# ------------------------------------------------------------------------------------------------- what adapters write


def test_an_adapter_writes_artifacts_under_ids_of_its_own_with_all_that_they_have() -> None:
    artifact: Any = {
        "artifactId": "of-the-adapter",
        "parts": [{"text": "a", "metadata": {"p": 1}}],
        "description": "d",
        "metadata": {"m": 1},
        "extensions": ["urn:x"],
    }

    def step(task: Any) -> None:
        task.write(TaskWrite([ArtifactWrite(artifact, last_chunk=False)]))
        more = {"artifactId": "of-the-adapter", "parts": [{"data": [1]}]}
        task.write(TaskWrite([ArtifactWrite(more, append=True)], task_metadata={"cost": 3}))
        task.write(
            TaskWrite(
                state=TaskState.COMPLETED, parts=[{"text": "Hi"}, {"data": 1}], metadata={"s": 1}, extensions=["urn:y"]
            )
        )

    expected = run_agent(restarting(step), "go")
    assert expected.task["artifacts"] == [{**artifact, "parts": [*artifact["parts"], {"data": [1]}]}]
    assert expected.task["metadata"] == {"cost": 3}
    message = expected.task["status"]["message"]
    assert (message["parts"], message["metadata"], message["extensions"]) == (
        [{"text": "Hi"}, {"data": 1}],
        {"s": 1},
        ["urn:y"],
    )
    assert [run.task["artifacts"] for run in crashed_once(restarting(step), "go")] == [expected.task["artifacts"]] * 8


@pytest.mark.parametrize("streaming", [True, False])
def test_the_trace_of_a_task_whose_artifact_is_gone_names_no_wrong_place(streaming: bool) -> None:
    tries: list[int] = []

    def step(task: Any) -> None:
        tries.append(1)
        if len(tries) == 1:
            task.artifact("gone", "1")
            task.flush()
            raise OSError
        task.status("again")
        task.artifact("stays", "2")
        task.complete()

    stack = MemoryStack(Options(agent=restarting(step, retry=Retry(2, 0)), streaming=streaming))
    record = stack.stored(stack.finished())
    assert [artifact["name"] for artifact in record.task["artifacts"]] == ["stays"]
    for write in record.trace or ():
        assert all(each is None or each.place < 1 for each in write.slices)
    assert (record.trace is not None) == streaming
    assert packed(record.trace or ()) is not None
