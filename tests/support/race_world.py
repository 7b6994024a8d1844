"""A task and all who may touch it, in any order of their calls."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from interleaving import Interleaving, SharedTasks

from a2a_lambda.agent import Agent, TaskContext
from a2a_lambda.agent.caretaker import Caretaker
from a2a_lambda.agent.execution import Executor
from a2a_lambda.core.errors import TaskNotCancelable, UnsupportedOperation
from a2a_lambda.core.model import text_of
from a2a_lambda.core.operations import CancelTask, SendMessage
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.core.records import TaskRecord
from a2a_lambda.endpoint.tasks import TaskService
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.configs import PushConfigService
from a2a_lambda.testing.memory import MemoryPushConfigs, VirtualTime

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

    def start(self, task_id: str, created_at: datetime) -> None:
        """Not here."""

    def stop(self, task_id: str, created_at: datetime) -> None:
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
        configs = PushConfigService(self.table, MemoryPushConfigs(self.table), WebhookPolicy(), time, time.sleep)
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

    @property
    def texts(self) -> list[str]:
        """What the agent said, in order."""
        return [
            text_of(new.task["status"]["message"])
            for old, new in self.table.images
            if new is not None
            and "message" in new.task["status"]
            and (not old or old.task["status"] != new.task["status"])
        ]

    def assert_sound(self) -> None:
        images = [new for _, new in self.table.images if new is not None]
        for before, after in pairwise(images):
            assert not before.terminal or after.task == before.task, "something was written after the end"
            assert after.generation - before.generation in (0, 1)
            assert after.generation > before.generation or after.task == before.task, "a generation was used twice"


def chooser(data: st.DataObject) -> Callable[[Any], str]:
    return lambda names: data.draw(st.sampled_from(names))
