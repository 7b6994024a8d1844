"""Races, over all orders in which their calls of the table and of Step Functions can fall."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interleaving import Interleaving, SharedTasks

from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.caretaker import Caretaker
from a2a_lambda.errors import TaskNotCancelable, UnsupportedOperation
from a2a_lambda.execution import Executor
from a2a_lambda.model import TaskState, text_of
from a2a_lambda.operations import CancelTask, SendMessage
from a2a_lambda.ports import Unavailable
from a2a_lambda.push_configs import PushConfigService
from a2a_lambda.records import TaskRecord
from a2a_lambda.tasks import TaskService
from a2a_lambda.testing import MemoryPushConfigs, VirtualTime
from a2a_lambda.webhook_url import WebhookPolicy

ORDERS = settings(max_examples=150, deadline=None, derandomize=True)
TOKEN = "token-1"


def conversation() -> Agent:
    agent = Agent(name="Asks", version="1", description="d")

    @agent.step
    def ask(task: TaskContext) -> None:
        task.artifact("log", "asked;", last_chunk=False)
        task.require_input("?")

    @agent.step
    def hear(task: TaskContext) -> None:
        task.artifact("log", f"heard {task.text};", append=True)
        task.status("heard")
        task.complete("done")

    return agent


def talkative() -> Agent:
    agent = Agent(name="Talks", version="1", description="d")

    @agent.step
    def first(task: TaskContext) -> None:
        for number in range(3):
            task.artifact("log", f"{number};", append=True, last_chunk=False)
            task.status(str(number))

    @agent.step
    def second(task: TaskContext) -> None:
        task.artifact("log", "end;", append=True)
        task.complete("done")

    return agent


class Waiting:
    """Step Functions as far as a waiting execution goes: a token counts once, and not after its time."""

    def __init__(self, interleaving: Interleaving) -> None:
        self._interleaving = interleaving
        self.goes_on = self.timed_out = self.loses_next = False
        self.stopped = False

    def start(self, task_id: str) -> None:
        """Not here."""

    def stop(self, task_id: str) -> None:
        self._interleaving.checkpoint()
        self.stopped = True

    def resume(self, token: str) -> None:
        self._interleaving.checkpoint()
        assert token == TOKEN
        if self.loses_next:
            self.loses_next = False
            raise Unavailable
        if not self.timed_out:
            self.goes_on = True


class World:
    """A task of ``agent`` and all who may touch it."""

    def __init__(self, choose: Callable[[Any], str], agent: Agent) -> None:
        self.order = Interleaving(choose)
        self.table = SharedTasks(self.order)
        self.execution = Waiting(self.order)
        time = VirtualTime()
        configs = PushConfigService(self.table, MemoryPushConfigs(self.table), WebhookPolicy(), time)
        self.service = TaskService(self.table, configs, self.execution, time, time.sleep)
        self.caretaker = Caretaker(self.table, self.execution, time)
        self.executor = Executor(agent, self.table, time, time.sleep, lambda _: None)
        self.task_id = str(self.service.send("me", self.message("start"))["id"])  # type: ignore[typeddict-item]
        self.accepted: list[str] = []
        self.refused: list[str] = []
        self.canceled: bool | None = None

    def message(self, text: str, task_id: str | None = None) -> SendMessage:
        message: Any = {"messageId": text, "role": "ROLE_USER", "parts": [{"text": text}]}
        if task_id is not None:
            message["taskId"] = task_id
        return SendMessage(message, "1.0")

    def run(self) -> dict[str, Any]:
        return dict(self.executor.run(self.task_id, lambda: 60_000))

    def answer(self, text: str) -> Callable[[], None]:
        def send() -> None:
            try:
                self.service.send("me", self.message(text, self.task_id))
                self.accepted.append(text)
            except UnsupportedOperation:
                self.refused.append(text)
            except Unavailable:
                self.accepted.append(text)  # it is in the table; the client was told of an internal error

        return send

    def cancel(self) -> None:
        try:
            self.service.cancel("me", CancelTask(self.task_id))
            self.canceled = True
        except TaskNotCancelable:
            self.canceled = False

    def wait_for_input(self) -> None:
        """AwaitInput: hand over the token; then, if nobody resumed it, its time may be over."""
        self.caretaker.await_input(self.task_id, TOKEN)

    def time_out(self) -> None:
        """AwaitInput with a time that is over as soon as the token is there."""
        self.wait_for_input()
        if not self.execution.goes_on:
            self.execution.timed_out = True
            self.execution.goes_on = self.caretaker.expire(self.task_id)["next"] == "step"

    @property
    def record(self) -> TaskRecord:
        return self.table.records[self.task_id]

    @property
    def log(self) -> str:
        return "".join(part["text"] for part in self.record.task["artifacts"][0]["parts"])

    def assert_sound(self) -> None:
        images = [new for _, new in self.table.images if new is not None]
        for before, after in pairwise(images):
            assert not before.terminal or after.task == before.task, "something was written after the end"
            assert after.generation - before.generation in (0, 1)
            assert after.generation > before.generation or after.task == before.task, "a generation was used twice"


def chooser(data: st.DataObject) -> Callable[[Any], str]:
    return lambda names: data.draw(st.sampled_from(names))


# -------------------------------------------------------------------------------------------------------- the answers


@ORDERS
@given(data=st.data(), lost=st.booleans())
def test_an_answer_is_heard_whether_it_comes_before_or_after_the_token(data, lost):
    world = World(chooser(data), conversation())
    assert world.run() == {"next": "input"}
    world.execution.loses_next = lost

    actors = {"answer": world.answer("yes"), "await": world.wait_for_input}
    try:
        world.order.run(actors)
    except Unavailable:
        world.wait_for_input()  # it was the state machine's own call that got lost: it is repeated
    world.caretaker.revive(world.task_id)  # the stream has told of the answer

    assert world.execution.goes_on
    assert world.run() == {"next": "done"}
    assert world.record.state is TaskState.COMPLETED
    assert world.log == "asked;heard yes;"
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_of_two_answers_both_are_kept_and_the_task_goes_on_once(data):
    world = World(chooser(data), conversation())
    world.run()

    world.order.run({"a": world.answer("a"), "b": world.answer("b"), "await": world.wait_for_input})

    assert world.execution.goes_on
    said = [text_of(message) for message in world.record.task["history"] if message["role"] == "ROLE_USER"]
    assert sorted(said) == ["a", "b", "start"]
    world.run()
    assert world.record.state is TaskState.COMPLETED
    assert world.log == f"asked;heard {said[-1]};"
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_an_answer_and_the_end_of_its_time_agree_on_who_was_first(data):
    world = World(chooser(data), conversation())
    world.run()

    world.order.run({"answer": world.answer("yes"), "await": world.time_out})

    if world.refused:
        assert world.record.state is TaskState.FAILED
        assert not world.execution.goes_on
    else:
        assert world.execution.goes_on
        world.run()
        assert world.record.state is TaskState.COMPLETED
        assert world.log == "asked;heard yes;"
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_a_message_that_is_repeated_while_the_first_is_under_way_counts_once(data):
    world = World(chooser(data), conversation())
    world.run()

    world.order.run({"a": world.answer("yes"), "again": world.answer("yes"), "await": world.wait_for_input})

    assert world.execution.goes_on
    said = [text_of(message) for message in world.record.task["history"] if message["role"] == "ROLE_USER"]
    assert said == ["start", "yes"]
    world.assert_sound()


# -------------------------------------------------------------------------------------------------------- the cancel


@ORDERS
@given(data=st.data())
def test_a_cancelation_and_the_end_of_the_task_agree_on_who_was_first(data):
    world = World(chooser(data), talkative())

    world.order.run({"step": world.run, "cancel": world.cancel})

    expected = TaskState.CANCELED if world.canceled else TaskState.COMPLETED
    assert world.record.state is expected
    assert world.execution.stopped == world.canceled
    assert world.run() == {"next": "done"}
    assert world.record.state is expected
    world.assert_sound()


@ORDERS
@given(data=st.data())
def test_two_cancelations_an_answer_and_a_wait_end_in_one_canceled_task(data):
    world = World(chooser(data), conversation())
    world.run()
    results: list[bool | None] = []

    def cancel() -> None:
        try:
            world.service.cancel("me", CancelTask(world.task_id))
            results.append(True)
        except TaskNotCancelable:
            results.append(False)

    actors = {"one": cancel, "two": cancel, "answer": world.answer("yes"), "await": world.wait_for_input}
    world.order.run(actors)

    assert sorted(results, key=bool) == [False, True]
    assert world.record.state is TaskState.CANCELED
    assert world.run() == {"next": "done"}
    world.assert_sound()


# --------------------------------------------------------------------------------------------- duplicate invocations


@ORDERS
@given(data=st.data(), others=st.integers(1, 2))
def test_invocations_of_one_task_at_once_write_everything_once(data, others):
    world = World(chooser(data), talkative())

    actors: dict[str, Callable[[], object]] = {f"step{number}": world.run for number in range(others + 1)}
    world.order.run({**actors, "message": world.answer("by the way")})

    assert world.record.state is TaskState.COMPLETED
    assert world.log == "0;1;2;end;"
    texts = [
        text_of(new.task["status"]["message"])
        for old, new in world.table.images
        if new is not None and "message" in new.task["status"] and (not old or old.task["status"] != new.task["status"])
    ]
    assert texts == ["0", "1", "2", "done"]
    world.assert_sound()


@pytest.mark.parametrize("state", ["submitted", "between steps", "input-required", "canceled", "completed"])
def test_every_state_has_its_answer_to_a_cancelation(state):
    agent = conversation() if state == "input-required" else talkative()
    world = World(lambda names: names[0], agent)
    if state == "between steps":
        budget = iter([60_000, 60_000, 60_000, 1_000])
        world.executor.run(world.task_id, lambda: next(budget, 1_000))
        assert world.record.cursor.step == "second"
    elif state == "canceled":
        world.cancel()
    elif state != "submitted":
        world.run()

    world.cancel()

    ended = state in ("canceled", "completed")
    assert world.canceled is not ended
    assert world.record.state is (TaskState.COMPLETED if state == "completed" else TaskState.CANCELED)
    assert world.run() == {"next": "done"}
    world.assert_sound()
