"""The alarm that keeps a step to its time."""

from __future__ import annotations

import signal
import threading
from datetime import UTC, datetime

import pytest

from a2a_lambda.agent import Agent, Retry
from a2a_lambda.execution import Executor
from a2a_lambda.lifecycle import new_task
from a2a_lambda.model import TaskState
from a2a_lambda.records import TaskRecord
from a2a_lambda.testing import MemoryTasks, VirtualTime
from a2a_lambda.timer import AlarmTimer, StepTimeout

SOON = 0.01
TASK = "11111111-1111-4111-8111-111111111111"


def busy() -> None:
    while True:
        pass


def test_a_step_is_interrupted_where_it_is_and_the_alarm_is_gone_afterwards():
    before = signal.getsignal(signal.SIGALRM)

    with pytest.raises(StepTimeout), AlarmTimer().limit(SOON):
        busy()

    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_the_runtime_writes_is_not_torn():
    written: list[str] = []

    def write() -> None:
        signal.raise_signal(signal.SIGALRM)  # the alarm rings in the middle of it
        assert signal.SIGALRM in signal.sigpending()
        written.append("all of it")

    with pytest.raises(StepTimeout), AlarmTimer().limit(60), AlarmTimer().shield():
        write()

    assert written == ["all of it"]


def test_a_step_that_is_done_in_time_is_not_interrupted():
    with AlarmTimer().limit(60):
        pass


def test_in_another_thread_nothing_is_limited():
    done: list[bool] = []

    def work() -> None:
        with AlarmTimer().limit(SOON):
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


@pytest.mark.parametrize("retry", [None, Retry(attempts=2, backoff=0, on=TimeoutError)])
def test_a_step_that_takes_too_long_fails_its_task_after_its_tries(retry):
    agent = Agent(name="Slow", version="1", description="d")
    runs: list[int] = []

    @agent.step(timeout=SOON, retry=retry)
    def slow(task):
        runs.append(task.remaining_ms())
        busy()

    store, now = MemoryTasks(), datetime(2026, 1, 1, tzinfo=UTC)
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}
    store.create(TaskRecord(new_task(TASK, "c", message, now), "o", 1, "1.0", now))
    clock = VirtualTime(now)
    executor = Executor(agent, store, clock, clock.sleep, lambda failure: None, timer=AlarmTimer())

    assert executor.run(TASK, lambda: 60_000) == {"next": "done"}
    record = store.records[TASK]
    assert record.state is TaskState.FAILED
    assert record.task["status"]["message"]["parts"] == [{"text": "Step 'slow' of the agent took longer than it may."}]
    assert runs == [10] * (retry.attempts if retry else 1)
