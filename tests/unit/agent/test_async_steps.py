"""Steps that are coroutine functions: one loop for all of them, and nothing of one is left for the next."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
import threading
from typing import Any

import pytest
from coroutine_steps import agent, says_hello

from a2a_lambda.agent import AgentError
from a2a_lambda.agent.event_loop import StepLoop, step_loop
from a2a_lambda.testing import crashed_once, run_agent

SOON = 0.02
LONG = 60.0


class Awaited:
    async def __call__(self, task: Any) -> None:
        await says_hello(task)


async def with_another_argument(greeting: str, task: Any) -> None:
    assert greeting
    await says_hello(task)


@pytest.mark.parametrize(
    "step",
    [says_hello, Awaited(), Awaited().__call__, functools.partial(with_another_argument, "hi")],
    ids=["function", "object", "method", "partial"],
)
def test_a_coroutine_function_of_any_make_is_a_step(step: Any) -> None:
    run = run_agent(agent(step), "Ada")
    assert (run.state, run.data("numbers")) == ("completed", [0, 1, 2])
    assert [status.text for status in run.statuses] == ["", "", "Counted.", "Hello, Ada!"]
    assert run_agent(agent(step), "Ada", crashing=True).statuses == run.statuses


def test_steps_share_one_event_loop_and_what_lives_in_it() -> None:
    loops: list[Any] = []

    async def step(task: Any) -> None:
        loops.append(asyncio.get_running_loop())

    run_agent(agent(step, step), "go")
    run_agent(agent(step), "go")
    assert len(loops) == 3
    assert len(set(loops)) == 1


def test_a_step_sees_the_context_in_which_its_invocation_runs_and_leaves_none_behind() -> None:
    request = contextvars.ContextVar("request", default="none")
    seen: list[str] = []

    async def step(task: Any) -> None:
        seen.append(request.get())
        request.set("of the step")

    for name in ("first", "second"):
        token = request.set(name)
        run_agent(agent(step), "go")
        request.reset(token)
    assert seen == ["first", "second"]


async def raises(task: Any) -> None:
    await asyncio.sleep(0)
    raise ValueError("secret")


async def exits(task: Any) -> None:
    await asyncio.sleep(0)
    raise SystemExit


async def cancels_itself(task: Any) -> None:
    current = asyncio.current_task()
    assert current is not None
    current.cancel()
    await asyncio.sleep(LONG)


@pytest.mark.parametrize("step", [raises, exits, cancels_itself])
def test_a_coroutine_that_raises_fails_its_task_and_the_loop_goes_on(step: Any) -> None:
    assert run_agent(agent(step), "go").state == "failed"
    assert run_agent(agent(says_hello), "Ada").state == "completed"


def test_a_coroutine_that_returns_another_one_is_an_error() -> None:
    async def step(task: Any) -> Any:
        return says_hello(task)

    with pytest.raises(AgentError, match="returned a value of coroutine"):
        run_agent(agent(step), "go")


def test_no_except_of_a_coroutine_keeps_it_going_when_the_function_dies() -> None:
    kept: list[int] = []

    async def step(task: Any) -> None:
        for number in range(3):
            try:
                task.status(str(number))
            except Exception:  # noqa: BLE001
                kept.append(number)
            await asyncio.sleep(0)

    assert run_agent(agent(step), "go", crashing=True).statuses == run_agent(agent(step), "go").statuses
    assert kept == []


@pytest.mark.parametrize("rerun", ["skip", "restart"])
def test_a_function_that_dies_in_a_group_of_tasks_has_died_and_failed_nothing(rerun: Any) -> None:
    async def step(task: Any) -> None:
        async def child(number: int) -> None:
            await asyncio.sleep(0)
            task.status(f"child {number}")

        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(child(number))

    expected = run_agent(agent(step, rerun=rerun), "go")
    assert len(expected.statuses) == 6
    for run in crashed_once(agent(step, rerun=rerun), "go"):
        assert (run.statuses, run.errors) == (expected.statuses, [])


def test_an_async_step_in_a_running_loop_is_refused_with_what_to_do() -> None:
    async def test() -> None:
        run_agent(agent(says_hello), "go")

    with pytest.raises(AgentError, match="plain function"), asyncio.Runner() as runner:
        runner.run(test())


def test_in_another_thread_an_async_step_has_a_loop_of_its_own() -> None:
    loops: list[Any] = []

    async def step(task: Any) -> None:
        loops.append(asyncio.get_running_loop())

    def work() -> None:
        run_agent(agent(step), "go")
        step_loop().close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    run_agent(agent(step), "go")
    assert len(set(loops)) == 2


# -------------------------------------------------------------------------------------------------- what is left behind


def test_tasks_that_a_step_does_not_await_are_canceled_with_it() -> None:
    ended: list[str] = []

    async def background() -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            ended.append("canceled")

    async def step(task: Any) -> None:
        task.state["kept"] = True
        left_alone.append(asyncio.ensure_future(background()))
        await asyncio.sleep(0)

    left_alone: list[Any] = []
    assert run_agent(agent(step), "go").state == "completed"
    assert ended == ["canceled"]


def test_a_background_task_that_will_not_end_costs_the_loop_and_not_the_next_step() -> None:
    loop, goes_on = StepLoop(), [True]

    async def stubborn() -> None:
        while goes_on[0]:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(LONG)

    async def step() -> Any:
        left_alone.append(asyncio.ensure_future(stubborn()))
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def here() -> Any:
        return asyncio.get_running_loop()

    left_alone: list[Any] = []
    first = loop.run(step(), LONG, SOON)
    assert loop.run(here(), LONG) is not first
    loop.close()
    goes_on[0] = False


def test_an_error_that_nobody_awaits_is_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def background() -> None:
        raise ValueError("secret")

    async def step(task: Any) -> None:
        asyncio.get_running_loop().call_soon(int, "secret")
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    with caplog.at_level(logging.ERROR, "asyncio"):
        assert run_agent(agent(step), "go").state == "completed"
    assert "ValueError in a task that the agent's step does not await" in caplog.messages
    assert "secret" not in caplog.text
