"""Express executions end without a word: the caretaker looks at their tasks until they have ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import cloud
import pytest
from agents import one_step, waits
from cloud_stack import CloudStack, queue_record
from harness import UNKNOWN_TASK, Options
from memory_stack import MemoryStack

from a2a_lambda.agent.caretaker import OVER, STARTED, Caretaker
from a2a_lambda.aws.watch import WatchQueue, watched
from a2a_lambda.core.ports import Poison, Unavailable
from a2a_lambda.testing.memory import MemoryTasks, MemoryWorkflow, VirtualTime


@pytest.fixture
def stack(cloud_stack: Callable[..., CloudStack]) -> CloudStack:
    return cloud_stack(agent=waits(50), express=True)


@pytest.fixture
def delays() -> Any:
    """The delays with which messages are sent, in seconds."""
    with cloud.calls("sqs") as called:
        yield lambda: [arguments["DelaySeconds"] for name, arguments in called if name == "SendMessage"]


def look(stack: CloudStack, records: list[dict[str, Any]]) -> list[str]:
    """What the caretaker says of the records: the ids of those that have to come again."""
    answer = stack.invoke("caretaker", {"Records": records})
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def message(body: str, number: int = 1) -> dict[str, Any]:
    """A message as the event source of the queue brings it."""
    return queue_record(
        {"MessageId": f"message-{number}", "ReceiptHandle": "r", "Body": body, "MD5OfBody": "", "Attributes": {}}
    )


def about(task_id: str, number: int = 1) -> dict[str, Any]:
    return message(json.dumps({"taskId": task_id}), number)


def running(stack: CloudStack) -> str:
    task_id: str = stack.send()["id"]
    assert stack.run(task_id)["next"] == "wait"
    return task_id


def test_a_task_that_has_ended_by_the_time_of_the_first_look_costs_no_message(cloud_stack, delays):
    stack = cloud_stack(agent=one_step(), express=True)
    stack.work(stack.send()["id"])

    assert look(stack, stack.new_records()) == []

    assert delays() == []


def test_a_task_that_runs_comes_back_when_its_execution_must_be_over(stack, delays):
    task_id = running(stack)
    stack.time.sleep(20)

    assert look(stack, stack.new_records()[:1]) == []

    assert delays() == [OVER - 20]
    assert stack.state(task_id) == "working"
    assert stack.started() == [task_id]


def test_a_task_that_comes_back_unended_ends_as_failed(stack):
    task_id = running(stack)
    stack.time.sleep(OVER)

    assert look(stack, [about(task_id)]) == []

    assert stack.state(task_id) == "failed"
    parts: Any = stack.stored(task_id).task["status"]["message"]["parts"]
    assert parts == [{"text": "The agent stopped unexpectedly."}]


def test_a_task_that_comes_back_again_and_again_ends_once(stack):
    task_id = running(stack)
    stack.time.sleep(OVER)
    look(stack, [about(task_id), about(task_id, 2)])
    before = stack.snapshot()

    assert look(stack, [about(task_id)]) == []

    assert stack.snapshot() == before


@pytest.mark.parametrize("state", ["completed", "canceled", "gone"])
def test_a_task_that_has_ended_or_is_gone_when_it_comes_back_is_left_alone(stack, delays, state):
    task_id = running(stack)
    if state == "canceled":
        stack.call("CancelTask", {"id": task_id})
    elif state == "completed":
        stack.work(task_id)
    else:
        task_id = UNKNOWN_TASK
    stack.time.sleep(OVER)
    before = stack.snapshot()

    assert look(stack, [about(task_id)]) == []

    assert stack.snapshot() == before
    assert delays() == []


def test_a_task_that_comes_back_too_soon_is_sent_for_once_more(stack, delays):
    task_id = running(stack)
    stack.time.sleep(OVER - 0.4)

    assert look(stack, [about(task_id)]) == []

    assert delays() == [1]
    assert stack.state(task_id) == "working"


# ------------------------------------------------------------------------------------------------- the second start


class Executions(MemoryWorkflow):
    """Every start is an execution."""

    def start(self, task_id: str, created_at: datetime) -> None:
        self.started.append(task_id)


class Noted:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def later(self, task_id: str, seconds: float) -> None:
        self.seconds.append(seconds)


def submitted(age: float) -> tuple[Caretaker, Executions, Noted, str]:
    """A caretaker, and a task of which nobody knows whether it has an execution."""
    stack = MemoryStack(Options(express=True))
    task_id = stack.send()["id"]
    stack.time.sleep(age)
    executions, watch = Executions(), Noted()
    return Caretaker(stack.tasks, executions, stack.time, watch=watch), executions, watch, task_id


@pytest.mark.parametrize("age", [0, 1, STARTED - 0.1])
def test_a_new_task_whose_execution_is_about_to_begin_gets_no_second_one(age):
    caretaker, executions, watch, task_id = submitted(age)

    assert caretaker.look_after(task_id) is None

    assert executions.started == []
    assert watch.seconds == [pytest.approx(STARTED - age)]


@pytest.mark.parametrize("age", [STARTED, 100, OVER - 1])
def test_a_task_that_is_still_submitted_later_is_started_and_watched_on(age):
    caretaker, executions, watch, task_id = submitted(age)

    assert caretaker.look_after(task_id) == "started"

    assert executions.started == [task_id]
    assert watch.seconds == [pytest.approx(OVER - age)]


def test_a_task_that_was_never_begun_ends_when_its_time_is_over():
    caretaker, executions, watch, task_id = submitted(OVER)

    assert caretaker.look_after(task_id) == "failed"

    assert (executions.started, watch.seconds) == ([], [])


def test_a_start_that_fails_is_made_again_and_the_task_is_watched_meanwhile(stack, delays):
    stack.break_workflow()
    stack.request("SendMessage", {"message": stack.message()})
    (task,) = stack.call("ListTasks")["tasks"]
    stack.time.sleep(STARTED)
    records = stack.new_records()
    assert look(stack, records) == [record["dynamodb"]["SequenceNumber"] for record in records]
    stack.mend_workflow()

    assert look(stack, records) == []

    assert stack.started() == [task["id"]]
    assert delays() == [OVER - STARTED] * 2


# -------------------------------------------------------------------------------------------------------- its faults


@pytest.mark.parametrize("service", ["dynamodb", "sqs"])
def test_a_record_of_the_stream_comes_again_when_the_table_or_the_queue_does_not_answer(stack, service):
    running(stack)
    records = stack.new_records()[:1]

    with cloud.outage(service):
        assert look(stack, records) == [records[0]["dynamodb"]["SequenceNumber"]]

    assert look(stack, records) == []


def test_one_task_that_cannot_be_ended_does_not_keep_the_others(stack, monkeypatch):
    first, second = running(stack), running(stack)
    stack.time.sleep(OVER)

    with cloud.outage("dynamodb", "UpdateItem"):
        assert look(stack, [about(first, 1), about(second, 2)]) == ["message-1", "message-2"]

    assert look(stack, [about(first, 1), about(second, 2)]) == []
    assert [stack.state(first), stack.state(second)] == ["failed", "failed"]


UNREADABLE = ["", "{", "[]", "null", "{}", '"x"', '{"taskId": 7}', '{"taskId": null}', '{"task": "x"}']


@pytest.mark.parametrize("body", UNREADABLE)
def test_a_message_that_is_none_of_ours_is_put_aside_and_keeps_no_other(stack, body, output):
    task_id = running(stack)
    stack.time.sleep(OVER)

    assert look(stack, [message(body, 1), about(task_id, 2)]) == ["message-1"]

    assert stack.state(task_id) == "failed"
    assert '"unreadable"' in output()


@pytest.mark.parametrize("body", UNREADABLE)
def test_reading_such_a_message_raises_what_the_handler_expects(body):
    with pytest.raises(Poison):
        watched({"body": body})


@pytest.mark.parametrize(
    ("seconds", "delay"), [(-5, 1), (0, 1), (0.2, 1), (1, 1), (19.01, 20), (330, 330), (900, 900), (5_000, 900)]
)
def test_a_delay_is_never_too_short_and_one_that_sqs_takes(stack, delays, seconds, delay):
    WatchQueue(stack.watch_queue).later("task", seconds)

    assert delays() == [delay]


def test_what_is_sent_can_be_read_when_it_comes(stack):
    with cloud.calls("sqs") as called:
        WatchQueue(stack.watch_queue).later(UNKNOWN_TASK, 1)

    assert watched({"body": called[-1][1]["MessageBody"]}) == UNKNOWN_TASK


def test_an_outage_of_the_queue_is_told_as_one(stack):
    with cloud.outage("sqs"), pytest.raises(Unavailable):
        WatchQueue(stack.watch_queue).later(UNKNOWN_TASK, 1)


def test_the_metrics_tell_what_was_started_and_what_was_given_up(stack, output):
    task_id = running(stack)
    stack.time.sleep(OVER)
    output()

    look(stack, [about(task_id)])

    written = output()
    assert '"TaskGivenUp":[1.0]' in written
    assert "TaskRevived" not in written


def test_a_standard_stack_watches_nothing(cloud_stack, delays):
    stack = cloud_stack(agent=waits(50))
    running(stack)

    assert look(stack, stack.new_records()) == []

    assert delays() == []


def test_the_caretaker_of_a_standard_stack_revives():
    time, tasks = VirtualTime(), MemoryTasks()
    assert Caretaker(tasks, MemoryWorkflow(), time).look_after(UNKNOWN_TASK) is None
