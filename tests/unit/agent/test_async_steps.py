"""Steps that are coroutine functions: one loop for all of them, kept to their time, and whole afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from a2a_lambda.agent import Agent, AgentError, Retry
from a2a_lambda.agent.event_loop import StepLoop, step_loop
from a2a_lambda.agent.execution import Executor, StepFailure
from a2a_lambda.agent.timer import AlarmTimer, StepTimeout
from a2a_lambda.core.lifecycle import new_task
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.testing import crashed_once, run_agent
from a2a_lambda.testing.memory import MemoryTasks, VirtualTime

SOON = 0.02
LONG = 60.0
TASK = "11111111-1111-4111-8111-111111111111"
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}


def agent(*steps: Callable[..., Any], **options: Any) -> Agent:
    made = Agent(name="Async", version="1", description="d")
    for number, step in enumerate(steps):
        made.step(name=f"step-{number}", **options)(step)
    return made


async def says_hello(task: Any) -> None:
    numbers = await asyncio.gather(*(asyncio.sleep(0, number) for number in range(3)))
    task.artifact("numbers", data=numbers)
    task.status("Counted.")
    await asyncio.sleep(0)
    task.complete(f"Hello, {task.text}!")


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


# --------------------------------------------------------------------------------------------------------- time limits


async def sleeping(task: Any) -> None:
    await asyncio.sleep(LONG)


async def busy(task: Any) -> None:
    while True:
        await asyncio.sleep(0)
        task.remaining_ms()


async def blocking(task: Any) -> None:
    while True:
        pass


async def swallowing_exceptions(task: Any) -> None:
    while True:
        try:
            await asyncio.sleep(LONG)
        except Exception:  # noqa: BLE001
            continue


async def fails_at_its_cancellation(task: Any) -> None:
    try:
        await asyncio.sleep(LONG)
    finally:
        raise ValueError


async def in_a_group(task: Any) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(sleeping(task))
        group.create_task(busy(task))


class Swallowing:
    """Goes on whatever happens, until it is released."""

    def __init__(self) -> None:
        self.released = False
        self.cancellations = 0

    async def __call__(self, task: Any) -> None:
        while not self.released:
            try:
                await asyncio.sleep(LONG)
            except BaseException:  # noqa: BLE001
                self.cancellations += 1


def in_real_time(tested: Agent, seconds: float = SOON) -> tuple[TaskRecord, list[StepFailure]]:
    """The task after an executor with an alarm has run it, whose invocations are so long."""
    store, now = MemoryTasks(), datetime(2026, 1, 1, tzinfo=UTC)
    store.create(TaskRecord(new_task(TASK, "c", MESSAGE, now), "o", 1, "1.0", now))  # type: ignore[arg-type]
    clock, failures = VirtualTime(now), []
    executor = Executor(tested, store, clock, clock.sleep, failures.append, timer=AlarmTimer())
    assert executor.run(TASK, lambda: round(seconds * 1_000)) == {"next": "done"}
    return store.records[TASK], failures


TOO_LONG = [{"text": "Step 'step-0' of the agent took longer than it may."}]


@pytest.mark.parametrize(
    "step", [sleeping, busy, blocking, swallowing_exceptions, fails_at_its_cancellation, in_a_group]
)
def test_a_coroutine_that_takes_too_long_fails_its_task_and_the_loop_is_usable_afterwards(step: Any) -> None:
    record, failures = in_real_time(agent(step))
    assert record.state is TaskState.FAILED
    assert record.task["status"]["message"]["parts"] == TOO_LONG
    assert [type(failure.exception) for failure in failures] == [StepTimeout]
    record, failures = in_real_time(agent(says_hello), LONG)
    assert (record.state, failures) == (TaskState.COMPLETED, [])


def test_a_coroutine_that_swallows_its_cancellation_is_left_behind_and_never_goes_on() -> None:
    step = Swallowing()
    record, _ = in_real_time(agent(step))
    assert record.task["status"]["message"]["parts"] == TOO_LONG
    before = step.cancellations
    record, _ = in_real_time(agent(says_hello), LONG)
    assert record.state is TaskState.COMPLETED
    assert step.cancellations == before
    step.released = True  # so that it ends when it is collected


def test_a_time_limit_of_a_client_inside_of_a_step_is_a_failure_and_not_the_steps_own() -> None:
    async def step(task: Any) -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(LONG)

    record, failures = in_real_time(agent(step), LONG)
    assert record.task["status"]["message"]["parts"] == [{"text": "Step 'step-0' of the agent failed."}]
    assert [type(failure.exception) for failure in failures] == [TimeoutError]


def test_a_step_that_ends_well_when_it_is_canceled_has_ended_well() -> None:
    async def step(task: Any) -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            task.complete("As far as I came.")

    record, failures = in_real_time(agent(step), 20 * SOON)  # it has to have begun
    assert (record.state, failures) == (TaskState.COMPLETED, [])


def test_a_time_out_is_retried_as_one_of_a_plain_step_is() -> None:
    tries: list[int] = []

    async def step(task: Any) -> None:
        tries.append(1)
        await asyncio.sleep(LONG if len(tries) < 3 else 0)

    tested = agent(step, timeout=SOON, retry=Retry(attempts=3, backoff=0, on=TimeoutError))
    record, failures = in_real_time(tested, LONG)
    assert (record.state, len(failures)) == (TaskState.COMPLETED, 2)


def test_a_loop_that_is_stopped_while_it_is_tidied_up_is_tidied_up_all_the_same() -> None:
    loop, ended = StepLoop(), []

    async def leaves_what_stops_the_loop() -> str:
        for number in range(3):
            left = asyncio.ensure_future(asyncio.sleep(LONG, number))
            left.add_done_callback(lambda each: (ended.append(each), each.get_loop().stop()))
        await asyncio.sleep(0)
        return "done"

    assert loop.run(leaves_what_stops_the_loop(), LONG) == "done"
    assert [each.cancelled() for each in ended] == [True] * 3
    loop.close()


@pytest.mark.parametrize("round_", range(20))
def test_whenever_the_alarm_rings_in_the_loop_the_next_step_has_a_whole_one(round_: int) -> None:
    """Code that blocks is interrupted by the alarm, wherever the loop is then."""
    timer, loop = AlarmTimer(), StepLoop()

    async def blocks_in_between() -> None:
        while True:
            await asyncio.sleep(0)
            for _ in range(round_ * 50):
                pass

    def work() -> None:
        loop.run(blocks_in_between(), LONG, SOON, timer.shield)

    async def whole() -> str:
        await asyncio.sleep(0)
        return "whole"

    with pytest.raises(StepTimeout):
        timer.limit(0.002, work)
    assert loop.run(whole(), LONG) == "whole"
    loop.close()
