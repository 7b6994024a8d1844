"""Steps that are coroutine functions are kept to their time, and the loop is whole afterwards."""

from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime
from typing import Any

import pytest
from coroutine_steps import agent, says_hello

from a2a_lambda.agent import Agent, Retry
from a2a_lambda.agent.event_loop import StepLoop
from a2a_lambda.agent.execution import Executor, StepFailure
from a2a_lambda.agent.timer import AlarmTimer, StepTimeout
from a2a_lambda.core.lifecycle import new_task
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.testing.memory import MemoryTasks, VirtualTime

SOON = 0.02
LONG = 60.0
TASK = "11111111-1111-4111-8111-111111111111"
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}


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


@pytest.mark.parametrize("place", ["_opened", "run"])
def test_a_step_whose_alarm_rings_before_it_begins_leaves_no_coroutine_behind(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Python warns of a coroutine that nobody awaited or closed, and warnings are errors here."""

    def rings(*_: Any, **__: Any) -> None:
        raise StepTimeout

    loop, work = StepLoop(), says_hello(None)
    monkeypatch.setattr(StepLoop if place == "_opened" else asyncio.Runner, place, rings)
    with pytest.raises(StepTimeout):
        loop.run(work, LONG, SOON)
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
    loop.close()


# Where the alarm rings in what Python calls by itself (the callback of a weak reference), its exception is dropped
# there. It rings again a second later.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
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
