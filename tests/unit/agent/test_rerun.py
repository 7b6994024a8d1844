"""Steps that a crash starts anew: their answer is never made of two tries, and nobody is told the same twice."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random
from typing import Any

import pytest
from harness import Options
from memory_stack import MemoryStack
from scripted import Crash

from a2a_lambda.agent import Agent, Retry
from a2a_lambda.agent.writing import ArtifactWrite, TaskWrite
from a2a_lambda.core.changes import changes
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.trace import packed, replay
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


# -------------------------------------------------------------------------------------- whatever it writes, and dies at


class OftenDying(MemoryTasks):
    """Dies before or after writes by chance, a dozen times at most."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random, self._left = random, 12

    def update(self, record: Any) -> None:
        chance = self._random.random() if self._left else 1.0
        self._left -= chance < 0.4
        if chance < 0.2:
            raise Crash
        super().update(record)
        if chance < 0.4:
            raise Crash


def rambling(random: Random) -> Agent:
    """Two steps that write what they like, differently in each try; every word has the numbers of its step and try."""
    tries = itertools.count(1)

    def writes(task: Any, word: str) -> None:
        for _ in range(random.randint(0, 6)):
            name = random.choice("abc")
            kind = random.random()
            if kind < 0.2:
                task.status(f"status {word}")
            elif kind < 0.3:
                task.artifact(name, data=word, append=random.random() < 0.7, last_chunk=random.random() < 0.5)
            else:
                task.artifact(name, f"{word} ", append=random.random() < 0.7, last_chunk=random.random() < 0.5)
            if random.random() < 0.6:
                task.flush()

    def first(task: Any) -> None:
        writes(task, f"first-{next(tries)}")

    def second(task: Any) -> None:
        writes(task, f"second-{next(tries)}")
        task.complete("Done.")

    return restarting(first, second)


def words_of(task: Any) -> dict[str, list[str]]:
    contents: dict[str, list[str]] = {}
    for artifact in task.get("artifacts", []):
        parts = artifact["parts"]
        contents[artifact["name"]] = " ".join(
            part["text"] if "text" in part else part["data"] for part in parts
        ).split()
    return contents


def follow(have: dict[str, list[str]], event: Any) -> None:
    """What a client that has these words makes of an event."""
    if "artifactUpdate" in event:
        update = event["artifactUpdate"]
        ((name, words),) = words_of({"artifacts": [update["artifact"]]}).items()
        have[name] = (have.get(name, []) if update.get("append") else []) + words


@pytest.mark.parametrize("seed", range(200))
def test_however_often_it_dies_no_generation_has_two_tries_of_a_step_and_followers_have_the_task(seed: int) -> None:
    random = Random(seed)
    tasks = OftenDying(random)
    stack = MemoryStack(Options(agent=rambling(random), streaming=True), tasks)
    task_id = stack.send()["id"]
    for _ in range(20):
        try:
            if stack.work(task_id) == {"next": "done"}:
                break
        except Crash:
            continue
    assert stack.state(task_id) == "completed"
    records = [new for _, new in tasks.images if new is not None]
    for _ in range(10):
        before, after = sorted(random.sample(records, 2), key=lambda record: record.generation)
        steps = replay(
            before.task, before.generation, after.task, after.trace or (), after.generation, after.open_artifacts
        )
        seen = words_of(before.task)
        for event in (event for step in steps for _, event in step.events):
            follow(seen, event)
        have = words_of(after.task)
        assert {name: seen[name] for name in have} == have, (seed, before.generation, after.generation)
    followed: dict[str, list[str]] = {}
    for old, new in tasks.images:
        assert new is not None
        have = words_of(new.task)
        for step in ("first", "second"):
            kinds = {word for words in have.values() for word in words if word.startswith(step)}
            assert len(kinds) <= 1, (seed, new.generation, kinds)
        change = changes(old and old.task, new.task, new.generation, new.open_artifacts, new.lengthened)
        for event in change.events:
            follow(followed, event)
        assert {name: followed[name] for name in have} == have, (seed, new.generation)
        if old is not None and new.generation == old.generation + 1:
            steps = [*replay(old.task, old.generation, new.task, new.trace or (), new.generation, new.open_artifacts)]
            assert [event for step in steps for _, event in step.events] == list(change.events), (seed, new.generation)
    messages = stack.stored(task_id).task["history"]
    assert len({message["messageId"] for message in messages}) == len(messages)
