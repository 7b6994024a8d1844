"""The stream and the queue for a benchmark: notifiers on lanes of the stream, redeliverers behind the queue."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Self

from a2a_lambda.core.ports import QueuedNotification, TaskConfigs
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.notifier import Notifier, StreamRecord
from a2a_lambda.push.redelivery import Redeliverer
from a2a_lambda.push.sender import Sender
from a2a_lambda.push.signing import Signatures, local_key
from a2a_lambda.testing.memory import MemoryDeadLetters, MemoryPushConfigs, MemoryTasks

LANES, PLACES = 4, 20
"""Execution environments of the notifier, and of redelivery (``RedeliveryConcurrency``)."""

POLICY = WebhookPolicy.of(True, "127.0.0.0/8")
KEY = local_key("benchmark" * 8, datetime.now(UTC))


def now() -> datetime:
    return datetime.now(UTC)


class Configs(MemoryPushConfigs):
    """Finds the configs of a task without a look at all others, as the table does."""

    def __init__(self) -> None:
        super().__init__(MemoryTasks())
        self._by_task: dict[str, list[str]] = {}

    def add(self, config: PushConfig) -> None:
        """A new config."""
        self.items[config.task_id, config.config_id] = config
        self._by_task.setdefault(config.task_id, []).append(config.config_id)

    def of_task(self, task_id: str) -> TaskConfigs:
        """See :class:`a2a_lambda.core.ports.PushConfigStore`."""
        found = (self.items.get((task_id, config_id)) for config_id in self._by_task.get(task_id, ()))
        return TaskConfigs(config for config in found if config is not None)


class FifoQueue:
    """Hands out one message at a time of each config, the one that waits for longest first."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], deque[QueuedNotification]] = {}
        self._ready: list[tuple[float, int, tuple[str, str]]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        """See :class:`a2a_lambda.core.ports.RedeliveryQueue`."""
        with self._lock:
            for message in messages:
                key = message.task_id, message.config_id
                if key not in self._groups:
                    self._groups[key] = deque()
                    self._hide(key, 0.0)
                self._groups[key].append(message)
        return frozenset()

    def receive(self) -> QueuedNotification | None:
        """The next message that is not hidden; it is until :meth:`settle`."""
        with self._lock:
            if not self._ready or self._ready[0][0] > time.monotonic():
                return None
            return self._groups[heapq.heappop(self._ready)[2]][0]

    def settle(self, message: QueuedNotification, delay: int | None) -> None:
        """The message is done (None), or hidden for so many seconds."""
        key = message.task_id, message.config_id
        with self._lock:
            if delay is None:
                self._groups[key].popleft()
            if self._groups[key]:
                self._hide(key, delay or 0.0)
            else:
                del self._groups[key]

    def _hide(self, key: tuple[str, str], seconds: float) -> None:
        heapq.heappush(self._ready, (time.monotonic() + seconds, next(self._numbers), key))


class EventSource:
    """Lanes by task; each takes what has come in, at most a hundred, and waits for its function."""

    def __init__(self, configs: Configs) -> None:
        self._configs = configs
        self._queue = FifoQueue()
        self._lanes: list[deque[StreamRecord]] = [deque() for _ in range(LANES)]
        self._stop = threading.Event()
        self._count = 0
        self._notifiers = [self._new_notifier() for _ in range(LANES)]
        works = [(self._notify, (number,)) for number in range(LANES)]
        self._threads = [threading.Thread(target=work, args=place, daemon=True) for work, place in works]
        self._threads += [threading.Thread(target=self._redeliver, daemon=True) for _ in range(PLACES)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def add(self, old: TaskRecord, new: TaskRecord) -> None:
        """A write. A task that is its own predecessor is new."""
        self._count += 1
        lane = self._lanes[hash(new.task_id) % LANES]
        lane.append(StreamRecord(str(self._count), new.task_id, None if old is new else old.image, new.image))

    def start_anew(self) -> None:
        """The environments of the notifier are replaced by new ones."""
        self._notifiers = [self._new_notifier() for _ in range(LANES)]

    def _new_notifier(self) -> Notifier:
        return Notifier(self._configs, self._queue, Sender(POLICY), now, sign=_sign())

    def _notify(self, number: int) -> None:
        lane = self._lanes[number]
        while not self._stop.is_set():
            batch = [lane.popleft() for _ in range(min(100, len(lane)))]
            if batch:
                self._notifiers[number].notify(batch)
            else:
                time.sleep(0.001)

    def _redeliver(self) -> None:
        redeliverer = Redeliverer(self._configs, MemoryDeadLetters(), Sender(POLICY), now, _sign(), seconds=3.0)
        while not self._stop.is_set():
            message = self._queue.receive()
            if message is None:
                time.sleep(0.005)
            else:
                self._queue.settle(message, redeliverer.redeliver(message).delay)


def _sign() -> Signatures:
    return Signatures(lambda: [KEY], "https://agent.example.com")
