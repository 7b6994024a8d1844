"""Agents in Express workflows: what is refused when they are imported."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest
from agents import asking, named, one_step, waits
from cloud_stack import CloudStack

import approval_agent
import conformance
import push_agent
import research_agent
from a2a_lambda.agent import Agent, AgentError, Retry, TaskContext
from a2a_lambda.agent.execution import Executor
from a2a_lambda.agent.express import LONGEST_STEP, STEPS_END, Express, ExpressError
from a2a_lambda.testing.memory import MemoryTasks, VirtualTime

LIMITS = Express(step_seconds=60)


def refusal(agent: Agent, limits: Express = LIMITS) -> str:
    with pytest.raises(ExpressError) as refused:
        limits.check(agent)
    return str(refused.value)


def of(function: Callable[[TaskContext], object], **declared: Any) -> Agent:
    agent = named()
    agent.step(name="step", **declared)(function)
    return agent


def completes(task: TaskContext) -> None:
    task.complete()


# -------------------------------------------------------------------------------------------------------- at import


def test_a_task_has_what_its_longest_step_leaves_of_the_time_for_steps():
    assert Express(60).task_seconds == STEPS_END - 60
    assert Express(LONGEST_STEP).task_seconds == STEPS_END - LONGEST_STEP


@pytest.mark.parametrize("seconds", [0, -1, LONGEST_STEP + 1, 900, float("nan")])
def test_a_step_time_that_leaves_a_task_none_is_refused(seconds):
    with pytest.raises(ExpressError):
        Express(seconds)


@pytest.mark.parametrize("agent", [push_agent.agent, one_step()], ids=lambda agent: agent.name)
def test_an_agent_of_short_steps_is_taken(agent):
    LIMITS.check(agent)


@pytest.mark.parametrize("agent", [approval_agent.agent, conformance.agent], ids=lambda agent: agent.name)
def test_an_agent_that_asks_its_client_is_refused_with_its_name_and_that_of_the_step(agent):
    text = refusal(agent)

    assert repr(agent.name) in text
    assert repr(agent.steps[0].name) in text
    assert "require_input" in text


def test_all_reasons_are_told_at_once():
    text = refusal(research_agent.agent)

    assert "its timeout is 3600 s, a task has 180 s" in text
    assert "step 'plan' may ask its client" in text


@pytest.mark.parametrize("wait", [180, 181, 3600])
def test_a_wait_as_long_as_a_task_is_refused(wait):
    assert f"waits {wait} s, a task has 180 s" in refusal(waits(wait))


@pytest.mark.parametrize("wait", [0, 1, 60, 179])
def test_a_shorter_wait_is_taken_whether_it_is_slept_or_the_machines(wait):
    LIMITS.check(waits(wait))


def test_a_step_that_may_take_longer_than_its_function_is_refused():
    assert "may take 61 s, a step has 60 s" in refusal(of(completes, timeout=61))
    LIMITS.check(of(completes, timeout=60))


def test_an_agent_whose_tasks_may_take_longer_than_express_gives_them_is_refused():
    agent = named()
    agent.timeout = 181
    agent.step(completes)

    assert "its timeout is 181 s" in refusal(agent)
    agent.timeout = 180
    LIMITS.check(agent)


@pytest.mark.parametrize("retry", [Retry(attempts=8, backoff=2), Retry(attempts=2, backoff=180), Retry(10**9, 1)])
def test_retries_whose_pauses_outlast_the_task_are_refused(retry):
    assert "pauses between its retries" in refusal(of(completes, retry=retry))


@pytest.mark.parametrize("retry", [Retry(), Retry(attempts=6, backoff=2), Retry(10**9, 0), Retry(1, 3600)])
def test_retries_that_fit_are_taken(retry):
    LIMITS.check(of(completes, retry=retry))


def ask_for_it(task: TaskContext) -> None:
    task.require_auth("Sign in, please.")


def asks_through_another(task: TaskContext) -> None:
    ask_for_it(task)


def asks_in_a_nested_function(task: TaskContext) -> None:
    def really() -> None:
        task.require_input("?")

    really()


def asks_in_a_lambda(task: TaskContext) -> object:
    later = lambda: task.require_input("?")  # noqa: E731
    return later()


def repeated_by(function: Callable[[TaskContext], object]) -> Callable[[TaskContext], object]:
    @functools.wraps(function)
    def wrapped(task: TaskContext) -> object:
        return function(task)

    return wrapped


class Asking:
    def step(self, task: TaskContext) -> None:
        task.require_input("?")


def recursive(task: TaskContext) -> None:
    recursive(task)


QUESTIONS: dict[str, Callable[[TaskContext], object]] = {
    "in a function of its module": asks_through_another,
    "in a nested function": asks_in_a_nested_function,
    "in a lambda": asks_in_a_lambda,
    "behind a decorator": repeated_by(asks_through_another),
    "behind a cache": functools.lru_cache(asks_through_another),
    "in a method": Asking().step,
}


@pytest.mark.parametrize("where", QUESTIONS)
def test_a_question_is_found(where):
    assert "may ask its client" in refusal(of(QUESTIONS[where]))


def test_looking_for_questions_comes_to_an_end_and_takes_functions_it_cannot_look_into():
    LIMITS.check(of(recursive))
    LIMITS.check(of(functools.partial(completes)))
    LIMITS.check(of(print))


def test_a_cell_that_is_still_empty_is_no_question():
    def step(task: TaskContext) -> object:
        return later

    LIMITS.check(of(step))
    later = 1


def test_the_executor_does_not_begin_with_an_agent_that_express_cannot_run():
    time = VirtualTime()
    with pytest.raises(AgentError, match="cannot run in an Express workflow"):
        Executor(asking(), MemoryTasks(), time, time.sleep, lambda _: None, express=LIMITS)
    Executor(asking(), MemoryTasks(), time, time.sleep, lambda _: None)


@pytest.mark.filterwarnings("ignore:No application metrics to publish")  # it could not even start
def test_the_handler_refuses_it_too_and_still_ends_its_tasks(cloud_stack: Callable[..., CloudStack]):
    stack = cloud_stack(agent=asking(), express=True)
    task_id = stack.send()["id"]
    with pytest.raises(AgentError, match="step 'ask' may ask its client"):
        stack.run(task_id)

    assert stack.give_up(task_id) == {"next": "done"}
    assert stack.state(task_id) == "failed"


def test_a_question_of_an_async_step_is_seen_as_that_of_a_plain_one():
    agent = Agent(name="Asks", version="1", description="d")

    @agent.step(rerun="restart")
    async def ask(task):
        async with task.stream_text("answer") as out:
            out.write("Well …")
        task.require_input("?")

    with pytest.raises(AgentError, match="may ask its client"):
        Express().check(agent)
