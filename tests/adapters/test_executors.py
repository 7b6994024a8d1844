"""Executors of the official SDK, unchanged: what clients and webhooks get of them, and what a crash leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sdk_executors import (
    CANCELED,
    COMPLETED,
    INPUT_REQUIRED,
    SUBMITTED,
    V1,
    WORKING,
    Answers,
    Artifact,
    Chunks,
    Currency,
    Executor,
    Fickle,
    HelloWorld,
    Of,
    TaskStatus,
    TaskStatusUpdateEvent,
    agent_of,
    data,
    link,
    new_task,
    raw,
    text,
    text_message,
    updater_of,
)

from a2a_lambda.agent import Agent, AgentError, Retry
from a2a_lambda.testing import AgentRun, crashed_once, run_agent


def of(execute: Any, cancel: Any = None, **options: Any) -> Agent:
    return agent_of(lambda: Of(execute, cancel), **options)


def told(run: AgentRun) -> list[str]:
    """The notifications in short: a status is its state and text, an artifact its name, parts and marks."""
    lines = []
    for event in run.events:
        if "statusUpdate" in event:
            status = event["statusUpdate"]["status"]
            parts = status.get("message", {}).get("parts", [])
            state = status["state"].removeprefix("TASK_STATE_").lower()
            lines.append(" ".join([state, *(part.get("text", "?") for part in parts)]))
        else:
            update = event["artifactUpdate"]
            parts = [part.get("text", "?") for part in update["artifact"]["parts"]]
            marks = [mark for mark in ("append", "lastChunk") if update.get(mark)]
            lines.append(" ".join(["artifact", update["artifact"].get("name", "-"), *parts, *marks]))
    return lines


GOLDEN: dict[type[Executor], tuple[list[str], list[str]]] = {
    HelloWorld: (
        [],
        [
            "submitted",
            "working",
            "working Processing request...",
            "artifact result Hello, World! lastChunk",
            "completed",
        ],
    ),
    Currency: (
        ["1 USD to EUR"],
        [
            "submitted",
            "working",
            "input_required To which currency?",
            "working",
            "working Looking up the exchange rates... Processing the exchange rates..",
            "artifact conversion_result 1 USD to EUR: 0.9 (3) lastChunk",
            "completed",
        ],
    ),
    Chunks: (
        [],
        ["submitted", "working", "working Thinking", "artifact answer 1 USD  lastChunk", "completed Done"],
    ),
    Answers: ([], ["submitted", "working", "completed Hi 1 USD"]),
}


@pytest.mark.parametrize("executor", GOLDEN, ids=lambda executor: executor.__name__)
def test_what_an_executor_enqueues_is_told_in_its_order_and_once(executor):
    answers, expected = GOLDEN[executor]

    run = run_agent(agent_of(executor), "1 USD", answers=answers)

    assert run.errors == []
    assert told(run) == expected


@pytest.mark.parametrize("executor", GOLDEN, ids=lambda executor: executor.__name__)
def test_a_function_that_dies_once_anywhere_leaves_the_same_task_and_repeats_no_status(executor):
    answers, _ = GOLDEN[executor]
    expected = run_agent(agent_of(executor), "1 USD", answers=answers)

    runs = list(crashed_once(agent_of(executor), "1 USD", answers=answers))

    assert len(runs) == 2 * expected.writes
    for run in runs:
        assert (run.state, run.task.get("artifacts")) == (expected.state, expected.task.get("artifacts"))
        assert run.statuses == expected.statuses


def test_the_words_of_a_model_that_never_says_the_same_are_never_those_of_two_runs():
    number = 1
    while True:
        before, after = (
            run_agent(agent_of(Fickle, chunk_seconds=0), "go", **{side: number})
            for side in ("dies_before", "dies_after")
        )
        if before.writes < number:
            break
        for run in (before, after):
            words = "".join(run.text(name) for name in run.artifacts) + run.statuses[-1].text
            assert run.state == "completed"
            assert len({word[1:] for word in words.split()}) == 1, (number, words)
        assert before.task["artifacts"][0]["artifactId"] == after.task["artifacts"][0]["artifactId"]
        number += 1
    assert number > 6


def test_an_answered_question_hands_the_whole_task_to_the_next_run():
    seen: list[Any] = []

    async def execute(context: Any, queue: Any) -> None:
        seen.append(context.current_task)
        updater = await updater_of(context, queue)
        if len(seen) < 3:
            await updater.requires_input(text_message(f"Question {len(seen)}"))
            return
        await updater.complete()

    run = run_agent(of(execute), "a", answers=["b", "c"])

    assert run.state == "completed"
    assert seen[0] is None
    assert [len(task.history) for task in seen[1:]] == [3, 5]
    assert {message.context_id for message in seen[2].history} == {seen[2].context_id}


def test_a_question_takes_the_artifacts_before_it_along():
    async def execute(context: Any, queue: Any) -> None:
        updater = await updater_of(context, queue)
        if context.current_task:
            await updater.complete()
            return
        await updater.add_artifact([text("draft")], artifact_id="draft", name="draft", last_chunk=False)
        await updater.update_status(INPUT_REQUIRED, text_message("Like that?"))

    run = run_agent(of(execute), "go", answers=["yes"])

    assert told(run)[2:4] == ["artifact draft draft", "input_required Like that?"]
    assert run.state == "completed"


def test_an_executor_sees_its_caller_and_what_came_beside_the_message():
    seen: dict[str, Any] = {}

    async def execute(context: Any, queue: Any) -> None:
        user = context.call_context.user
        modes = context.configuration.accepted_output_modes
        seen.update(
            user=(user.is_authenticated, user.user_name),
            extensions=set(context.requested_extensions)
            if hasattr(context, "requested_extensions")
            else context.call_context.requested_extensions,
            modes=[*modes],
            metadata=dict(context.metadata),
            text=context.get_user_input(),
        )

    run_agent(
        of(execute),
        "hi",
        caller="alice",
        metadata={"tone": "short"},
        extensions=["urn:x"],
        accepted_output_modes=["text/plain"],
    )
    assert seen == {
        "user": (True, "alice"),
        "extensions": {"urn:x"},
        "modes": ["text/plain"],
        "metadata": {"tone": "short"},
        "text": "hi",
    }

    run_agent(of(execute), "hi", caller="anonymous")
    assert seen["user"] == (False, "")


def test_two_callers_who_choose_the_same_context_share_no_session():
    sessions: dict[str, list[str]] = {}

    async def execute(context: Any, queue: Any) -> None:
        assert context.message.context_id == context.context_id
        session = sessions.setdefault(context.context_id, [])
        session.append(context.get_user_input())
        updater = await updater_of(context, queue)
        await updater.complete(text_message(" | ".join(session)))

    agent = of(execute)
    first = run_agent(agent, "my password is swordfish", caller="alice", context_id="chat")
    other = run_agent(agent, "what did I say?", caller="bob", context_id="chat")
    again = run_agent(agent, "and I?", caller="alice", context_id="chat")

    assert other.statuses[-1].text == "what did I say?"
    assert again.statuses[-1].text == "my password is swordfish | and I?"
    assert {run.task["contextId"] for run in (first, other, again)} == {"chat"}
    assert first.events[-1]["statusUpdate"]["contextId"] == "chat"


def test_files_and_data_pass_in_and_out_unchanged():
    seen: list[Any] = []

    async def execute(context: Any, queue: Any) -> None:
        seen.extend(context.message.parts)
        updater = await updater_of(context, queue)
        await updater.add_artifact(
            [
                raw(b"\x00\xff", "a.bin", "application/x"),
                link("https://example.com/b"),
                data({"n": 1, "x": [1.5, True]}),
            ],
            artifact_id="files",
            name="files",
            metadata={"pages": 2},
            extensions=["urn:x"],
        )
        await updater.complete(updater.new_agent_message([text("Two files"), data({"n": 2})], metadata={"m": 3}))

    run = run_agent(of(execute), [{"text": "see"}, {"raw": "AP8=", "filename": "in.bin"}, {"data": {"n": 7}}])

    (artifact,) = run.task["artifacts"]
    assert artifact == {
        "artifactId": "files",
        "name": "files",
        "parts": [
            {"raw": "AP8=", "filename": "a.bin", "mediaType": "application/x"},
            {"url": "https://example.com/b"},
            {"data": {"n": 1, "x": [1.5, True]}},
        ],
        "metadata": {"pages": 2},
        "extensions": ["urn:x"],
    }
    assert isinstance(artifact["parts"][2]["data"]["n"], int)
    message = run.task["status"]["message"]
    assert message["parts"] == [{"text": "Two files"}, {"data": {"n": 2}}]
    assert message["metadata"] == {"m": 3}
    assert len(seen) == 3


def test_a_whole_task_as_answer_becomes_its_artifacts_and_its_end():
    async def execute(context: Any, queue: Any) -> None:
        task = new_task(context.message)
        task.status.state = COMPLETED
        await updater_of(context, queue)  # its first event is the task as submitted
        artifact = Artifact(artifact_id="a", parts=[text("whole")])
        if V1:
            task.artifacts.append(artifact)
        else:
            task.artifacts = [artifact]
        await queue.enqueue_event(task)

    run = run_agent(of(execute), "go")

    assert told(run)[2:] == ["artifact - whole lastChunk", "completed"]


def test_metadata_of_an_update_becomes_the_tasks():
    async def execute(context: Any, queue: Any) -> None:
        updater = await updater_of(context, queue)
        await updater.update_status(WORKING, metadata={"tokens": 12})
        await updater.complete()

    assert run_agent(of(execute), "go").task["metadata"] == {"tokens": 12}


def test_statuses_that_say_nothing_new_are_no_writes():
    async def execute(context: Any, queue: Any) -> None:
        updater = await updater_of(context, queue)
        await updater.update_status(SUBMITTED)
        await updater.start_work()
        await updater.start_work()

    assert told(run_agent(of(execute), "go")) == ["submitted", "working", "completed"]


@pytest.mark.parametrize("method", ["complete", "failed", "reject", "requires_input", "requires_auth"])
def test_each_end_of_the_updater_is_the_tasks(method):
    async def execute(context: Any, queue: Any) -> None:
        await getattr(await updater_of(context, queue), method)(text_message("So."))

    expected = {"complete": "completed", "reject": "rejected", "requires_input": "input-required"}
    run = run_agent(of(execute), "go")
    assert run.statuses[-1] == (expected.get(method, method.replace("requires_auth", "auth-required")), "So.")


def test_an_executor_may_end_its_task_as_canceled():
    async def execute(context: Any, queue: Any) -> None:
        await (await updater_of(context, queue)).update_status(CANCELED)

    assert run_agent(of(execute), "go").state == "canceled"


def test_what_comes_after_the_end_is_not_recorded_and_harms_nothing():
    async def execute(context: Any, queue: Any) -> None:
        updater = await updater_of(context, queue)
        await updater.complete(text_message("Done"))
        await updater.add_artifact([text("late")], name="late")
        await queue.enqueue_event(text_message("later"))

    run = run_agent(of(execute), "go")
    assert (run.statuses[-1], run.artifacts, run.errors) == (("completed", "Done"), {}, [])


def test_an_executor_that_raises_fails_its_task_and_keeps_what_it_had_said():
    async def execute(context: Any, queue: Any) -> None:
        updater = await updater_of(context, queue)
        await updater.add_artifact([text("half an answer")], name="answer", last_chunk=False)
        raise ConnectionError("secret host")

    run = run_agent(of(execute), "go")

    assert run.state == "failed"
    assert run.text("answer") == "half an answer"
    assert "secret" not in str(run.events)
    assert [type(error) for error in run.errors] == [ConnectionError]


def test_a_retry_starts_anew_and_nothing_of_the_failed_try_is_left():
    tries: list[int] = []

    async def execute(context: Any, queue: Any) -> None:
        tries.append(1)
        updater = await updater_of(context, queue)
        await updater.add_artifact([text(f"try {len(tries)}")], name="answer")
        await asyncio.sleep(0)
        if len(tries) < 3:
            raise ConnectionError

    run = run_agent(of(execute, retry=Retry(3, 0), chunk_seconds=0), "go")
    assert (run.state, run.text("answer"), len(run.task["artifacts"])) == ("completed", "try 3", 1)


def test_an_event_of_another_task_is_a_mistake_of_the_author():
    async def execute(context: Any, queue: Any) -> None:
        status = TaskStatus(state=WORKING)
        event = {"task_id": "another", "context_id": "c", "status": status}
        await queue.enqueue_event(TaskStatusUpdateEvent(**event, **({} if V1 else {"final": False})))

    with pytest.raises(AgentError, match="of another task"):
        run_agent(of(execute), "go")
