"""The agent's steps, run by the executor over both makes of the tables."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from agents import named, waits
from harness import UNKNOWN_TASK, Options, Stack
from memory_stack import MemoryStack

from a2a_lambda.agent import Agent, AgentError, Retry, TaskContext
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.core.records import TaskRecord

# ----------------------------------------------------------------------------------------------------- the seed's agent


def test_the_demo_agent_works_through_its_three_steps(stack: Stack) -> None:
    task_id = stack.finished("run push demo")
    task = stack.call("GetTask", {"id": task_id})
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert task["status"]["message"]["parts"] == [{"text": "All 3 steps complete"}]
    assert [artifact["name"] for artifact in task["artifacts"]] == ["part-1", "part-2", "part-3"]
    assert task["artifacts"][1]["parts"] == [{"text": "Result of step 2 for: run push demo"}]
    assert [message["parts"][0]["text"] for message in task["history"]] == [
        "run push demo",
        "Step 1/3 complete",
        "Step 2/3 complete",
        "Step 3/3 complete",
    ]


def test_the_demo_agent_takes_one_second_for_each_step(stack: Stack) -> None:
    stack.finished()
    assert stack.time.slept == [pytest.approx(1)] * 3


def test_every_write_of_the_demo_agent_is_one_generation(memory: MemoryStack) -> None:
    memory.finished()
    generations = [new.generation for _, new in memory.tasks.images if new is not None]
    assert generations == list(range(1, len(generations) + 1))


def test_the_statuses_of_the_demo_agent_come_in_order_with_their_artifacts(memory: MemoryStack) -> None:
    memory.finished()
    seen = []
    for _, new in memory.tasks.images:
        assert new is not None
        message = new.task["status"].get("message")
        said = message["parts"][0]["text"] if message else ""
        entry = (new.state.removeprefix("TASK_STATE_").lower(), said, len(new.task.get("artifacts", [])))
        if entry not in seen:
            seen.append(entry)
    assert seen == [
        ("submitted", "", 0),
        ("working", "", 0),
        ("working", "Step 1/3 complete", 1),
        ("working", "Step 2/3 complete", 2),
        ("working", "Step 3/3 complete", 3),
        ("completed", "All 3 steps complete", 3),
    ]


def test_an_invocation_for_a_task_that_is_gone_or_over_is_done(stack: Stack) -> None:
    assert stack.run(UNKNOWN_TASK) == {"next": "done"}
    task_id = stack.finished()
    before = stack.stored(task_id)
    assert stack.run(task_id) == {"next": "done"}
    assert stack.stored(task_id) == before


# ------------------------------------------------------------------------------------------------------------- waiting


def test_a_wait_longer_than_the_inline_limit_is_the_state_machines(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=waits(90))
    task_id = stack.send()["id"]
    assert stack.run(task_id) == {"next": "wait", "seconds": 90}
    assert (stack.time.slept, stack.state(task_id)) == ([], "working")
    stack.time.sleep(90)
    assert stack.run(task_id) == {"next": "done"}


def test_a_wait_is_never_cut_short_by_rounding(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=waits(2.5))
    assert stack.run(stack.send()["id"]) == {"next": "wait", "seconds": 3}


def test_an_invocation_that_comes_too_early_waits_for_the_rest(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=waits(90))
    task_id = stack.send()["id"]
    stack.run(task_id)
    stack.time.sleep(30)
    assert stack.run(task_id) == {"next": "wait", "seconds": 60}


@pytest.mark.parametrize("seconds", [1, 2])
def test_a_short_wait_is_slept_through(new_stack: Callable[..., Stack], seconds: float) -> None:
    stack = new_stack(agent=waits(seconds))
    assert stack.run(stack.send()["id"]) == {"next": "done"}
    assert stack.time.slept == [seconds]


def test_with_an_inline_limit_of_zero_every_wait_is_the_state_machines(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=waits(1), inline_wait=0)
    assert stack.run(stack.send()["id"]) == {"next": "wait", "seconds": 1}


def test_an_invocation_that_has_spent_its_share_starts_no_further_step(new_stack: Callable[..., Stack]) -> None:
    """Each step is to have (almost) a whole invocation's time."""
    agent, left = named(), [60_000]

    @agent.step
    def slow(task: TaskContext) -> None:
        left[0] = 40_000

    @agent.step
    def last(task: TaskContext) -> None:
        task.complete()

    stack = new_stack(agent=agent)
    task_id = stack.send()["id"]
    assert stack.run(task_id, lambda: left[0]) == {"next": "step"}
    assert stack.stored(task_id).cursor.step == "last"
    left[0] = 60_000
    assert stack.run(task_id, lambda: left[0]) == {"next": "done"}


# ------------------------------------------------------------------------------------------------------------- failures


def failing(error: type[Exception] = ValueError, times: int = 100, retry: Retry | None = None) -> Agent:
    """Raises so many times, then completes."""
    agent, calls = named(), []

    @agent.step(retry=retry)
    def unstable(task: TaskContext) -> None:
        calls.append(1)
        task.artifact("attempt", text="made")
        task.status("working on it")
        if len(calls) <= times:
            raise error("secret detail")
        task.complete("In the end")

    return agent


def test_a_step_that_raises_ends_its_task_as_failed_and_says_which_step(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=failing())
    task_id = stack.finished()
    assert stack.state(task_id) == "failed"
    text = stack.status_text(task_id)
    assert text is not None
    assert "unstable" in text
    assert "secret" not in str(stack.stored(task_id).task)
    assert stack.stored(task_id).task["status"]["message"]["role"] == "ROLE_AGENT"


def test_what_a_failing_step_wrote_before_it_raised_stays(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=failing())
    task = stack.stored(stack.finished()).task
    assert [artifact["name"] for artifact in task["artifacts"]] == ["attempt"]
    assert [message["parts"][0].get("text") for message in task["history"]] == ["hello", "working on it"]


def test_a_step_is_tried_again_as_often_as_it_says_with_growing_pauses(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=failing(times=2, retry=Retry(attempts=3, backoff=10)))
    task_id = stack.finished()
    assert (stack.state(task_id), stack.time.slept) == ("completed", [10, 20])


def test_a_step_that_fails_each_time_fails_its_task_in_the_end(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=failing(retry=Retry(attempts=3, backoff=10)))
    task_id = stack.finished()
    assert (stack.state(task_id), stack.time.slept) == ("failed", [10, 20])


def test_a_step_that_is_tried_again_repeats_none_of_its_writes(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=failing(times=2, retry=Retry(attempts=3, backoff=0)))
    task = stack.stored(stack.finished()).task
    assert [artifact["name"] for artifact in task["artifacts"]] == ["attempt"]
    assert [message["parts"][0]["text"] for message in task["history"]] == ["hello", "working on it"]


@pytest.mark.parametrize(("error", "state"), [(ConnectionError, "completed"), (ValueError, "failed")])
def test_only_what_is_worth_it_is_tried_again(
    new_stack: Callable[..., Stack], error: type[Exception], state: str
) -> None:
    retry = Retry(attempts=2, backoff=0, on=(ConnectionError, TimeoutError))
    stack = new_stack(agent=failing(error, times=1, retry=retry))
    assert stack.state(stack.finished()) == state


def test_the_log_hears_of_a_failure_by_type_and_place_only(
    cloud_stack: Callable[..., Stack], output: Callable[[], str]
) -> None:
    cloud_stack(agent=failing()).finished()
    written = output()
    assert '"error":"ValueError"' in written
    assert '"step":"unstable"' in written
    assert "test_executor.py:" in written
    assert "secret" not in written


@pytest.mark.parametrize(
    "error",
    [
        SystemExit,
        AgentError,
        KeyError,
        RecursionError,
        MemoryError,
        asyncio.CancelledError,
        GeneratorExit,
        KeyboardInterrupt,
        BaseExceptionGroup("all", [KeyboardInterrupt(), ValueError()]),
        ExceptionGroup("all", [ValueError(), ExceptionGroup("more", [KeyError()])]),
    ],
)
def test_no_exception_of_the_author_leaves_a_task_hanging(
    new_stack: Callable[..., Stack], error: type[BaseException] | BaseException
) -> None:
    agent = named()
    runs: list[str] = []

    @agent.step
    def broken(task: TaskContext) -> None:
        runs.append(task.idempotency_key)
        raise error

    stack = new_stack(agent=agent)
    assert stack.state(stack.finished()) == "failed"
    assert len(runs) == 1


CONNECTION_LOST = ExceptionGroup("all", [ConnectionError(), ExceptionGroup("more", [TimeoutError()])])


@pytest.mark.parametrize(
    ("error", "on", "state"),
    [
        (CONNECTION_LOST, (ConnectionError, TimeoutError), "completed"),
        (CONNECTION_LOST, ConnectionError, "failed"),
        (CONNECTION_LOST, Exception, "completed"),
        (CONNECTION_LOST, ExceptionGroup, "completed"),
        (ExceptionGroup("all", [ConnectionError(), AgentError("wrong")]), Exception, "failed"),
        (BaseExceptionGroup("all", [ConnectionError(), SystemExit()]), Exception, "failed"),
        (asyncio.CancelledError(), Exception, "completed"),
        (BaseExceptionGroup("all", [asyncio.CancelledError(), ValueError()]), Exception, "completed"),
        (asyncio.CancelledError(), ConnectionError, "failed"),
        (KeyboardInterrupt(), Exception, "failed"),
    ],
)
def test_a_group_is_tried_again_if_all_in_it_are_worth_it(
    new_stack: Callable[..., Stack], error: BaseException, on: Any, state: str
) -> None:
    agent = named()
    runs: list[int] = []

    @agent.step(retry=Retry(attempts=2, backoff=0, on=on))
    def unstable(task: TaskContext) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise error
        task.complete()

    stack = new_stack(agent=agent)
    assert stack.state(stack.finished()) == state
    assert len(runs) == (2 if state == "completed" else 1)


def test_an_error_in_a_group_is_logged_once_with_the_authors_hint(
    cloud_stack: Callable[..., Stack], output: Callable[[], str]
) -> None:
    agent = named()

    @agent.step
    def broken(task: TaskContext) -> None:
        raise BaseExceptionGroup("4111 1111", [asyncio.CancelledError("4111 1111"), AgentError("use it like this")])

    cloud_stack(agent=agent).finished()
    failures = [line for line in output().splitlines() if '"step":"broken"' in line]
    assert len(failures) == 1
    assert "use it like this" in failures[0]
    assert "4111" not in failures[0]


def test_a_table_that_is_away_within_a_group_is_waited_for() -> None:
    """The step's write was lost, whatever the step's own code made of it: nothing of the step failed."""
    agent = named()
    fail = [True]

    @agent.step
    def work(task: TaskContext) -> None:
        try:
            task.status("one")
        except BaseException as error:  # noqa: BLE001
            raise BaseExceptionGroup("a task group", [error]) from None
        task.complete()

    stack = MemoryStack(Options(agent=agent))
    task_id = stack.send()["id"]

    def away(record: TaskRecord) -> None:
        if fail and record.cursor.writes:
            fail.clear()
            raise Unavailable

    stack.tasks.before_write = away
    with pytest.raises(Unavailable):
        stack.run(task_id)
    while stack.run(task_id)["next"] != "done":
        pass
    assert stack.state(task_id) == "completed"


def test_the_last_resort_fails_the_task_with_a_clear_message(stack: Stack) -> None:
    task_id = stack.send()["id"]
    assert stack.give_up(task_id) == {"next": "done"}
    assert (stack.state(task_id), stack.status_text(task_id)) == ("failed", "The agent stopped unexpectedly.")


def test_a_task_that_takes_longer_than_the_stack_allows_fails(new_stack: Callable[..., Stack]) -> None:
    stack = new_stack(agent=waits(3_000_000))
    task_id = stack.send()["id"]
    directive = stack.run(task_id)
    assert directive["next"] == "wait"
    stack.time.sleep(timedelta(days=30).total_seconds() + 1)
    assert stack.run(task_id) == {"next": "done"}
    assert (stack.state(task_id), stack.status_text(task_id)) == ("failed", "The task took longer than it may.")


def test_an_unanswered_table_makes_the_state_machine_try_again(memory: MemoryStack) -> None:
    task_id = memory.send()["id"]

    def unavailable(record: TaskRecord) -> None:
        raise Unavailable("Throttled")

    memory.tasks.before_write = unavailable
    with pytest.raises(Unavailable):
        memory.run(task_id)
    memory.tasks.before_write = lambda _: None
    assert memory.work(task_id) == {"next": "done"}
    assert memory.state(task_id) == "completed"
