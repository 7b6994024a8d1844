"""Notifier and redelivery over the ports in memory, fed by what a memory stack writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from harness import WEBHOOK
from memory_stack import MemoryStack
from scripted import ScriptedSender

from a2a_lambda.core.ports import QueuedNotification
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.push.notifier import Notifier, Report, StreamRecord
from a2a_lambda.push.redelivery import Redeliverer, Redelivery
from a2a_lambda.testing.memory import MemoryDeadLetters, MemoryQueue

Image = tuple[TaskRecord | None, TaskRecord | None]


class PickyQueue(MemoryQueue):
    """A queue that does not take the messages of some configs. As the real one, it then takes none after them."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[str] = set()

    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        messages = list(messages)
        super().send(message for message in messages if message.config_id not in self.refused)
        return frozenset(
            (message.task_id, message.config_id) for message in messages if message.config_id in self.refused
        )


class Deliveries:
    """The two senders around one stack."""

    def __init__(self, stack: MemoryStack) -> None:
        self.stack = stack
        self.sender = ScriptedSender(stack.time)
        self.queue = PickyQueue()
        self.dead_letters = MemoryDeadLetters()
        self.notifier = self.new_notifier()
        self._read = 0

    def new_notifier(self, **changed: Any) -> Notifier:
        """A notifier as a new execution environment has it."""
        return Notifier(self.stack.configs, self.queue, self.sender, self.stack.time, **changed)

    def redeliverer(self, **changed: Any) -> Redeliverer:
        """A redeliverer as a new execution environment has it; the n-th delay is n × 10 seconds."""
        arguments: dict[str, Any] = {"delay": lambda failures, retry_after: failures * 10}
        return Redeliverer(
            self.stack.configs, self.dead_letters, self.sender, self.stack.time, **{**arguments, **changed}
        )

    def batch(self) -> list[StreamRecord]:
        """What the stream has since the last call."""
        images: list[Image] = self.stack.tasks.images[self._read :]
        records = [stream_record(self._read + place, image) for place, image in enumerate(images)]
        self._read += len(images)
        return records

    def notify(self, batch: Sequence[StreamRecord] | None = None) -> Report:
        """A batch (what is new, unless told) to the notifier."""
        return self.notifier.notify(self.batch() if batch is None else batch)

    def redeliver(self, message: QueuedNotification, **changed: Any) -> Redelivery:
        """A message to a redeliverer."""
        return self.redeliverer(**changed).redeliver(message)

    def task(self, *webhooks: str, **fields: Any) -> str:
        """A task with a webhook for each name: config ``name`` at ``WEBHOOK/name``; its creation is told already."""
        task_id: str = self.stack.send()["id"]
        for name in webhooks:
            self.stack.register(task_id, url_of(name), id=name, **fields)
        self.batch()
        return task_id

    def set_again_meanwhile(self, task_id: str, url: str) -> None:
        """The config "a" of the task is set to this URL while its next notification is at its old one."""
        run = self.sender.run

        def set_again(*arguments: object, **named: object) -> object:
            answers = run(*arguments, **named)  # type: ignore[arg-type]
            self.stack.register(task_id, url, id="a")
            return answers

        self.sender.run = set_again  # type: ignore[method-assign, assignment]

    def told(self, name: str) -> list[str]:
        """What a webhook was told: texts of statuses (the state where there is no text) and names of artifacts."""
        heard = []
        for body in self.sender.bodies(url_of(name)):
            event = json.loads(body)
            if "statusUpdate" in event:
                status = event["statusUpdate"]["status"]
                heard.append(status["message"]["parts"][0]["text"] if "message" in status else status["state"])
            else:
                heard.append(event["artifactUpdate"]["artifact"]["name"])
        return heard

    def config(self, task_id: str, name: str) -> PushConfig:
        """The config as it is stored."""
        found = self.stack.configs.get(task_id, name)
        assert found is not None
        return found


def url_of(name: str) -> str:
    """The URL of the webhook of this name."""
    return f"{WEBHOOK}/{name}"


def stream_record(number: int, image: Image) -> StreamRecord:
    """The record of a write."""
    old, new = image
    known = new or old
    assert known is not None
    return StreamRecord(str(number), known.task_id, old and old.image, new and new.image)


def raising(error: Exception) -> Callable[..., Any]:
    """A function that always raises."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def result_of(redelivery: Redelivery) -> tuple[str, int | None]:
    """What became of a message, and for how long it waits."""
    return redelivery.result, redelivery.delay
