"""Agents in Express workflows: what is refused, and what ends their tasks, when they run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import cloud
import pytest
from agents import asking, named, waits
from cloud_stack import CloudStack
from harness import Options, Stack
from memory_stack import MemoryStack

import push_agent
from a2a_lambda.agent import Agent, Retry, TaskContext
from a2a_lambda.agent.express import ExpressError
from a2a_lambda.testing import run_agent

REFUSED = "of the agent needs what this deployment cannot do."


def completes(task: TaskContext) -> None:
    task.complete()


def said(stack: Stack, task_id: str) -> str:
    parts: Any = stack.stored(task_id).task["status"]["message"]["parts"]
    return str(parts[0]["text"])


def hidden(method: str) -> Agent:
    """Asks in a way that nobody can see beforehand."""
    agent = named()

    @agent.step
    def ask(task: TaskContext) -> None:
        task.artifact("draft", "so far")
        getattr(task, method)("?", then="end")

    agent.step(name="end")(completes)
    return agent


@pytest.mark.parametrize("method", ["require_input", "require_auth"])
def test_a_question_that_slips_through_ends_the_task_and_the_log_says_why(method):
    stack = MemoryStack(Options(agent=hidden(method), express=True))
    task_id = stack.send()["id"]

    assert stack.run(task_id) == {"next": "done"}

    assert (stack.state(task_id), said(stack, task_id)) == ("failed", f"Step 'ask' {REFUSED}")
    (failure,) = stack.failures
    assert failure.hint == "an Express workflow cannot wait for the client's answer"


def waiting(wait: Callable[[TaskContext], None]) -> Agent:
    agent = named()

    @agent.step
    def begin(task: TaskContext) -> None:
        task.status("begun")
        wait(task)

    agent.step(name="end")(completes)
    return agent


WAITS: dict[str, Callable[[TaskContext], None]] = {
    "so many seconds": lambda task: task.wait(180),
    "a year": lambda task: task.wait(31_536_000),
    "until then": lambda task: task.wait(until=task.now + timedelta(hours=1)),
    "before a step": lambda task: task.goto("end", wait=600),
    "before itself": lambda task: task.repeat(wait=600),
}


@pytest.mark.parametrize("how", WAITS)
def test_a_wait_that_its_task_would_not_live_to_see_ends_the_task_at_once(how):
    stack = MemoryStack(Options(agent=waiting(WAITS[how]), express=True))
    begun = stack.time.now
    task_id = stack.send()["id"]

    assert stack.run(task_id) == {"next": "done"}

    assert stack.time.now == begun
    assert (stack.state(task_id), said(stack, task_id)) == ("failed", f"Step 'begin' {REFUSED}")
    assert "longer than its task has" in stack.failures[0].hint


def test_many_short_waits_end_the_task_when_the_next_one_does_not_fit():
    agent = named()

    @agent.step
    def look(task: TaskContext) -> None:
        task.status("still nothing")
        task.repeat(wait=50)

    stack = MemoryStack(Options(agent=agent, express=True))
    begun = stack.time.now
    task_id = stack.send()["id"]

    assert stack.work(task_id) == {"next": "done"}

    assert said(stack, task_id) == f"Step 'look' {REFUSED}"
    assert stack.time.now - begun == timedelta(seconds=150)


def test_the_same_waits_are_a_standard_workflows_business():
    stack = MemoryStack(Options(agent=waiting(WAITS["before a step"])))

    assert stack.run(stack.send()["id"]) == {"next": "wait", "seconds": 600}


def test_a_wait_that_fits_is_the_machines():
    stack = MemoryStack(Options(agent=waiting(lambda task: task.wait(100)), express=True))
    task_id = stack.send()["id"]

    assert stack.run(task_id) == {"next": "wait", "seconds": 100}
    assert stack.work(task_id) == {"next": "done"}
    assert stack.state(task_id) == "completed"


def test_a_retry_that_would_come_too_late_is_not_waited_for():
    agent = named()

    @agent.step(wait=100)
    def first(task: TaskContext) -> None:
        """Lets time pass."""

    @agent.step(retry=Retry(attempts=3, backoff=50))
    def fails(task: TaskContext) -> None:
        raise OSError

    stack = MemoryStack(Options(agent=agent, express=True))
    begun = stack.time.now
    task_id = stack.send()["id"]

    assert stack.work(task_id) == {"next": "done"}

    assert said(stack, task_id) == "Step 'fails' of the agent failed."
    assert stack.time.now - begun == timedelta(seconds=150)
    assert len(stack.failures) == 2


class Limited:
    """A timer that notes what it is asked for."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def limit(self, seconds: float, work: Callable[[], object]) -> None:
        self.seconds.append(seconds)
        work()

    def shield(self) -> Any:
        return contextlib.nullcontext()


def test_a_step_that_begins_late_has_what_its_task_has_left():
    agent = named()
    agent.step(name="late", wait=170)(completes)
    stack, timer = MemoryStack(Options(agent=agent, express=True)), Limited()
    task_id = stack.send()["id"]
    assert stack.run(task_id) == {"next": "wait", "seconds": 170}
    stack.time.sleep(170)

    stack.executor(timer=timer).run(task_id, lambda: 60_000)

    assert timer.seconds == [10]


def test_a_task_that_is_only_begun_after_its_time_ends_without_a_step():
    stack = MemoryStack(Options(express=True))
    task_id = stack.send()["id"]
    stack.time.sleep(180)

    assert stack.run(task_id) == {"next": "done"}

    assert said(stack, task_id) == "The task took longer than it may."


def test_a_shorter_time_of_the_stack_or_of_the_agent_counts():
    agent = named()
    agent.timeout = 30
    agent.step(name="late", wait=20)(completes)
    stack = MemoryStack(Options(agent=agent, express=True))
    task_id = stack.send()["id"]
    stack.run(task_id)
    stack.time.sleep(30)

    assert stack.run(task_id) == {"next": "done"}
    assert stack.state(task_id) == "failed"


# ------------------------------------------------------------------------------------------------- around the executor


def test_a_canceled_express_task_ends_at_its_next_step_and_no_execution_is_stopped(
    cloud_stack: Callable[..., CloudStack],
):
    stack = cloud_stack(agent=waits(50), express=True)
    task_id = stack.send()["id"]
    assert stack.run(task_id)["next"] == "wait"

    assert stack.call("CancelTask", {"id": task_id})["status"]["state"] == "TASK_STATE_CANCELED"

    assert stack.stopped() == []
    assert stack.started() == [task_id]
    stack.time.sleep(50)
    assert stack.run(task_id) == {"next": "done"}
    assert stack.state(task_id) == "canceled"


def test_cancel_does_not_even_try_to_stop_an_express_execution(cloud_stack: Callable[..., CloudStack]):
    stack = cloud_stack(express=True)
    task_id = stack.send()["id"]
    with cloud.calls("stepfunctions") as called:
        stack.call("CancelTask", {"id": task_id})
        assert called == []


def test_a_message_to_a_running_express_task_is_kept_and_resumes_nothing(cloud_stack: Callable[..., CloudStack]):
    stack = cloud_stack(agent=waits(50), express=True)
    task_id = stack.send()["id"]
    stack.run(task_id)

    stack.send(stack.message("by the way", taskId=task_id))

    assert stack.resumed() == []
    assert len(stack.stored(task_id).task["history"]) == 2


def test_the_demo_agent_says_the_same_in_both_workflows():
    assert run_agent(push_agent.agent, "go", express=True).statuses == run_agent(push_agent.agent, "go").statuses


def test_an_author_sees_in_a_test_what_express_refuses():
    with pytest.raises(ExpressError, match="may ask its client"):
        run_agent(asking(), "go", express=True)
    with pytest.raises(ExpressError, match="cannot wait for the client's answer"):
        run_agent(hidden("require_input"), "go", express=True)
