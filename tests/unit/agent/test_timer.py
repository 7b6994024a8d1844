"""The alarm that keeps a step to its time."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from a2a_lambda.agent import Agent, Retry
from a2a_lambda.agent.execution import Executor
from a2a_lambda.agent.timer import AlarmTimer, StepTimeout
from a2a_lambda.core.lifecycle import new_task
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.testing.memory import MemoryTasks, VirtualTime

SOON = 0.01
TASK = "11111111-1111-4111-8111-111111111111"
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}


def busy() -> None:
    while True:
        pass


def only_writes(timer: AlarmTimer) -> None:
    while True:
        with timer.shield():
            pass


def rings() -> None:
    signal.raise_signal(signal.SIGALRM)


@pytest.fixture(autouse=True)
def alarms_afterwards() -> Iterator[None]:
    """Whatever happened: no alarm is on its way, none is blocked, and the handler is that of before."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.SIGALRM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_step_is_interrupted_where_it_is():
    with pytest.raises(StepTimeout):
        AlarmTimer().limit(SOON, busy)


def test_what_the_runtime_writes_is_not_torn():
    timer, written = AlarmTimer(), []

    def step() -> None:
        with timer.shield():
            rings()
            written.append("all of it")
        written.append("more")

    with pytest.raises(StepTimeout):
        timer.limit(60, step)

    assert written == ["all of it"]


def test_a_write_that_fails_while_the_alarm_rings_says_so_and_the_next_one_ends_the_step():
    timer = AlarmTimer()

    def write() -> None:
        rings()
        raise OSError("no table")

    def step() -> None:
        with pytest.raises(OSError, match="no table"), timer.shield():
            write()
        with timer.shield():
            pass

    with pytest.raises(StepTimeout):
        timer.limit(60, step)


def test_a_step_that_swallows_its_alarm_can_write_once_more_in_peace():
    timer, written = AlarmTimer(), []

    def step() -> None:
        with pytest.raises(StepTimeout), timer.shield():
            rings()
        with timer.shield():
            written.append("too slow")

    timer.limit(60, step)

    assert written == ["too slow"]


def test_a_write_after_the_step_is_not_interrupted_by_an_alarm_that_came_late(monkeypatch):
    timer, real = AlarmTimer(), signal.setitimer

    def late(which: int, seconds: float, interval: float = 0.0) -> object:
        if seconds == 0:
            rings()
        return real(which, seconds, interval)

    monkeypatch.setattr(signal, "setitimer", late)
    timer.limit(60, lambda: None)
    with timer.shield():
        pass


def test_whenever_the_alarm_rings_the_next_one_is_heard_too():
    # A mask that the alarm's own handler left behind would switch off all limits that come after it.
    timer = AlarmTimer()
    for _ in range(100):
        with pytest.raises(StepTimeout):
            timer.limit(0.002, lambda: only_writes(timer))


def test_a_step_that_is_done_in_time_is_not_interrupted():
    AlarmTimer().limit(60, lambda: None)


def test_in_another_thread_nothing_is_limited():
    done: list[bool] = []

    def work() -> None:
        timer = AlarmTimer()
        timer.limit(SOON, lambda: done.append(True))
        with timer.shield():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True, True]


@pytest.mark.parametrize("retry", [None, Retry(attempts=2, backoff=0, on=TimeoutError)])
def test_a_step_that_takes_too_long_fails_its_task_after_its_tries(retry):
    agent = Agent(name="Slow", version="1", description="d")
    runs: list[int] = []

    @agent.step(timeout=SOON, retry=retry)
    def slow(task):
        runs.append(task.remaining_ms())
        busy()

    store, now = MemoryTasks(), datetime(2026, 1, 1, tzinfo=UTC)
    store.create(TaskRecord(new_task(TASK, "c", MESSAGE, now), "o", 1, "1.0", now))
    clock = VirtualTime(now)
    executor = Executor(agent, store, clock, clock.sleep, lambda failure: None, timer=AlarmTimer())

    assert executor.run(TASK, lambda: 60_000) == {"next": "done"}
    record = store.records[TASK]
    assert record.state is TaskState.FAILED
    assert record.task["status"]["message"]["parts"] == [{"text": "Step 'slow' of the agent took longer than it may."}]
    assert runs == [10] * (retry.attempts if retry else 1)


@pytest.mark.parametrize("after", ["returns", "writes"])
def test_a_step_that_is_interrupted_as_it_asks_has_asked(after):
    agent, steps = Agent(name="Slow", version="1", description="d"), []
    store, now = RingsAtTheQuestion(), datetime(2026, 1, 1, tzinfo=UTC)

    @agent.step
    def asks(task):
        try:
            task.require_input("Yes or no?")
        except TimeoutError:
            steps.append("interrupted")
            if after == "writes":
                task.fail("too slow")

    @agent.step
    def goes_on(task):
        steps.append("went on")

    store.create(TaskRecord(new_task(TASK, "c", MESSAGE, now), "o", 1, "1.0", now))
    clock = VirtualTime(now)
    executor = Executor(agent, store, clock, clock.sleep, lambda failure: None, timer=AlarmTimer())

    assert executor.run(TASK, lambda: 60_000) == {"next": "input"}
    assert steps == ["interrupted"]
    assert store.records[TASK].state is TaskState.INPUT_REQUIRED


class RingsAtTheQuestion(MemoryTasks):
    """A table whose write of a question takes longer than the step may."""

    rang = False

    def update(self, record: TaskRecord) -> None:
        super().update(record)
        if record.interrupted and not self.rang:
            self.rang = True
            rings()
