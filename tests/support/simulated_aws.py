"""What AWS does in the simulation: tables, stream images, a FIFO queue with its event source, dead letters."""

from __future__ import annotations

import importlib.util
import itertools
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest

from a2a_lambda import observability
from a2a_lambda.aws.items import s, task_item
from a2a_lambda.aws.queues import decode, deduplication, encode, group
from a2a_lambda.core.model import dumps
from a2a_lambda.core.ports import Poison, PushConfigStore, QueuedNotification, TaskConfigs, Unavailable
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.push import schedule
from a2a_lambda.testing.memory import MemoryPushConfigs, MemoryTasks

CONFIG_IDS = ("c0", "c1", "c2", "c3", "inline")
"""The ids of the configs in the campaign, sorted."""

ROOT = Path(__file__).resolve().parents[2]


class World(Protocol):
    """What these need of the simulation."""

    now: datetime
    counts: Any

    def port(self, resource: str) -> AbstractContextManager[None]:
        """A call of a port, which may fail."""

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do this in so many seconds."""

    def at(self, moment: datetime, action: Callable[[], object]) -> None:
        """Do this then."""

    def emit(self, old: TaskRecord | None, new: TaskRecord | None) -> None:
        """A record for the stream."""

    def redeliver(self, waiting: Waiting, message_group: str) -> bool:
        """Run redelivery on a message; whether it is done."""


@dataclass
class Waiting:
    """A message on the FIFO queue."""

    message_id: str
    body: str
    receives: int = 0


class StreamedTasks(MemoryTasks):
    """TasksTable with its stream."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def _put(self, record: TaskRecord) -> None:
        self._world.emit(self.records.get(record.task_id), record)
        self.records[record.task_id] = record


class IndexedConfigs(MemoryPushConfigs):
    """Knows which ids configs have in the campaign, so that it need not look through all of them."""

    def of_task(self, task_id: str) -> TaskConfigs:
        """See :class:`a2a_lambda.core.ports.PushConfigStore`."""
        found = (self.items.get((task_id, config_id)) for config_id in CONFIG_IDS)
        return TaskConfigs(config for config in found if config is not None)


class FaultyConfigs:
    """PushConfigsTable with its faults. ``removed`` has the moment at which an incarnation went. ``on_register`` is
    told of every registration that took effect, whatever its client got to know."""

    def __init__(self, world: World, inner: PushConfigStore) -> None:
        self._world = world
        self.inner = inner
        self.removed: dict[str, datetime] = {}
        self.on_register: Callable[[PushConfig, PushConfig | None, TaskRecord], None] = lambda *_: None

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)

        def call(*arguments: Any, **named: Any) -> Any:
            with self._world.port("table"):
                answer = method(*arguments, **named)
                if name == "register":
                    self.on_register(*arguments)
                if name in ("delete", "retire"):
                    (config,) = arguments
                    if self.inner.get(config.task_id, config.config_id) is None:
                        self.removed.setdefault(config.incarnation, self._world.now)
            return answer

        return call


class Reading:
    """The configs with another ``of_task``."""

    def __init__(self, inner: FaultyConfigs, of_task: Callable[[str], TaskConfigs]) -> None:
        self._inner = inner
        self.of_task = of_task

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class FifoQueue:
    """SQS FIFO with its event source (``BatchSize`` 1): order per group, deduplication for five minutes, a group waits
    while its head is hidden."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.groups: dict[str, deque[Waiting]] = defaultdict(deque)
        self._hidden: dict[str, datetime] = {}
        self._seen: dict[tuple[str, str], datetime] = {}
        self._numbers = itertools.count(1)

    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        """See :class:`a2a_lambda.core.ports.RedeliveryQueue`. A message may be refused, or the answer lost."""
        failed: set[tuple[str, str]] = set()
        for message in messages:
            key = (message.task_id, message.config_id)
            if key in failed:
                continue
            try:
                with self._world.port("queue"):
                    self._put(message)
            except Unavailable:
                failed.add(key)
        return frozenset(failed)

    def _put(self, message: QueuedNotification) -> None:
        name, now = group(message), self._world.now
        known = self._seen.get((name, deduplication(message)))
        if known is not None and now - known < timedelta(minutes=5):
            return
        self._seen[name, deduplication(message)] = now
        self.groups[name].append(Waiting(str(next(self._numbers)), encode(message)))
        if len(self.groups[name]) == 1:
            self._world.after(0.1, lambda: self._receive(name))

    def defer(self, receipt: str, seconds: int) -> None:
        """Hide the head of the group that ``receipt`` names."""
        with self._world.port("queue"):
            self._hidden[receipt] = self._world.now + timedelta(seconds=seconds)

    def _receive(self, name: str) -> None:
        waiting = self.groups[name]
        head = waiting[0]
        head.receives += 1
        self._hidden[name] = self._world.now + timedelta(seconds=360)
        if head.receives > schedule.RECEIVES:
            self._world.counts["received too often"] += 1
            waiting.popleft()
        elif self._world.redeliver(head, name):
            waiting.popleft()
            self._hidden[name] = self._world.now
        if waiting:
            self._world.at(self._hidden[name], lambda: self._receive(name))


class DeadLetterQueue:
    """The dead letters, with the moment at which each was given up."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.messages: list[tuple[QueuedNotification, str, datetime]] = []

    def send(self, message: QueuedNotification, reason: str) -> None:
        """See :class:`a2a_lambda.core.ports.DeadLetters`."""
        with self._world.port("queue"):
            self.messages.append((message, reason, self._world.now))

    def send_all(self, messages: Sequence[QueuedNotification], reason: str) -> None:
        """See :class:`a2a_lambda.core.ports.DeadLetters`."""
        for message in messages:
            self.send(message, reason)

    def send_unreadable(self, record: dict[str, Any], reason: str) -> bool:
        """See :class:`a2a_lambda.aws.queues.SqsDeadLetters`."""
        try:
            self.send(decode(record["body"]), reason)
        except Unavailable:
            return False
        return True


class FailureQueue:
    """The queue for what the notifier puts aside, by the records' ids."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.ids: set[str] = set()

    def send(self, record: dict[str, Any], error: Poison) -> bool:
        """See :class:`a2a_lambda.aws.stream_failures.StreamFailures`."""
        try:
            with self._world.port("queue"):
                self.ids.add(record["eventID"])
        except Unavailable:
            return False
        return True


@contextmanager
def silence() -> Iterator[None]:
    """No log lines and no metrics: there would be gigabytes of them."""
    level = observability.logger.level
    observability.logger.setLevel("CRITICAL")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observability.metrics, "add_metric", lambda *_, **__: None)
        patch.setattr(observability, "put_latencies", lambda _: None)
        try:
            yield
        finally:
            observability.logger.setLevel(level)


def item_of(record: TaskRecord) -> dict[str, Any]:
    """The record as the stream shows it."""
    item = dict(task_item(record))
    if record.announcement is not None:
        item["announcement"] = s(dumps(list(record.announcement)))
    return item


def hash_of(text: str) -> int:
    """The same in every run, unlike ``hash``."""
    return sum(ord(char) * place for place, char in enumerate(text, start=1))


def load_handler(name: str) -> ModuleType:
    """functions/<name>/app.py, afresh: nobody else's clients are in it."""
    path = ROOT / "functions" / name / "app.py"
    spec = importlib.util.spec_from_file_location(f"chaos_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
