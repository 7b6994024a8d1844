"""The ports in memory, for tests and for trying an agent without AWS.

They keep the promises of the real ones: conditional writes, strongly consistent reads, a stream of images in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from ..core.model import dumps
from ..core.ports import (
    Conflict,
    Glimpse,
    MemoryConflict,
    QueuedNotification,
    TaskConfigs,
    TaskPage,
    TaskQuery,
    UnreadableConfig,
)
from ..core.records import ContextMemory, Held, PushConfig, ResumeToken, TaskRecord


class VirtualTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        """The present moment."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += timedelta(seconds=seconds)


class MemoryTasks:
    """:class:`~.ports.TaskStore`. ``images`` is the table's stream: pairs of old and new."""

    def __init__(self) -> None:
        self.records: dict[str, TaskRecord] = {}
        self.images: list[tuple[TaskRecord | None, TaskRecord | None]] = []
        self.configs: MemoryPushConfigs | None = None
        self.before_write: Callable[[TaskRecord], None] = lambda _: None

    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        """See :class:`~.ports.TaskStore`."""
        self.before_write(record)
        if record.task_id in self.records:
            return False
        self._put(record)
        for config in configs:
            assert self.configs is not None
            self.configs.items[config.task_id, config.config_id] = config
        return True

    def get(self, task_id: str) -> TaskRecord | None:
        """See :class:`~.ports.TaskStore`."""
        return self.records.get(task_id)

    def peek(self, task_id: str) -> Glimpse | None:
        """See :class:`~.ports.TaskStore`."""
        record = self.records.get(task_id)
        return Glimpse(record.generation, len(dumps(record.task)), lambda: record) if record is not None else None

    def update(self, record: TaskRecord) -> None:
        """See :class:`~.ports.TaskStore`."""
        self.before_write(record)
        current = self.records.get(record.task_id)
        if current is None or current.generation != record.generation - 1 or current.terminal:
            raise Conflict
        # Neither the token nor the announcement is the writer's.
        self._put(replace(record, resume_token=current.resume_token, announcement=current.announcement))

    def set_resume_token(self, task_id: str, token: ResumeToken) -> TaskRecord | None:
        """See :class:`~.ports.TaskStore`."""
        current = self.records.get(task_id)
        if current is None:
            return None
        self._put(replace(current, resume_token=token))
        return self.records[task_id]

    def query(self, query: TaskQuery) -> TaskPage:
        """See :class:`~.ports.TaskStore`."""
        matching = sorted(
            (record for record in self.records.values() if _matches(record, query)), key=_position, reverse=True
        )
        rest = [record for record in matching if query.position is None or _position(record) < query.position]
        page = rest[: query.limit]
        positions = tuple(map(_position, page))
        return TaskPage(tuple(page), positions[-1] if len(rest) > len(page) else None, len(matching), positions)

    def announce(self, task: TaskRecord) -> None:
        """Write the announcement that a registration makes."""
        self._put(replace(self.records[task.task_id], announcement=task.announcement))

    def remove(self, task_id: str) -> None:
        """What DynamoDB does when the task has expired."""
        self.images.append((self.records.pop(task_id), None))

    def _put(self, record: TaskRecord) -> None:
        self.images.append((self.records.get(record.task_id), record))
        self.records[record.task_id] = record


class MemoryContexts:
    """:class:`~.ports.ContextStore`. ``calls`` counts them."""

    def __init__(self, tasks: MemoryTasks) -> None:
        self.items: dict[str, ContextMemory] = {}
        self.calls = 0
        self._tasks = tasks

    def get(self, conversation: str) -> ContextMemory | None:
        """See :class:`~.ports.ContextStore`."""
        self.calls += 1
        return self.items.get(conversation)

    def commit(self, record: TaskRecord, memory: ContextMemory) -> None:
        """See :class:`~.ports.ContextStore`."""
        self.calls += 1
        before = self.items.get(memory.conversation)
        if (before.version if before is not None else 0) != memory.version - 1:
            raise MemoryConflict
        try:
            self._tasks.update(record)
        finally:
            # A writer that dies after its write has made it.
            stored = self._tasks.records.get(record.task_id)
            if stored is not None and stored.generation == record.generation and stored.cursor == record.cursor:
                self.items[memory.conversation] = memory


class MemoryPushConfigs:
    """:class:`~.ports.PushConfigStore`."""

    def __init__(self, tasks: MemoryTasks) -> None:
        self.items: dict[tuple[str, str], PushConfig] = {}
        self._tasks = tasks
        tasks.configs = self

    def register(self, config: PushConfig, existing: PushConfig | None, task: TaskRecord) -> None:
        """See :class:`~.ports.PushConfigStore`."""
        key = (config.task_id, config.config_id)
        current, stored = self.items.get(key), self._tasks.get(config.task_id)
        if stored is None or stored.generation != task.generation or (current is None) != (existing is None):
            raise Conflict
        if current is not None and existing is not None:
            if (current.incarnation, current.settled_through) != (config.incarnation, existing.settled_through):
                raise Conflict
            config = replace(
                config,
                queued_through=current.queued_through,
                delivered_through=current.delivered_through,
                redriven=current.redriven,
                paused_until=current.paused_until,
                recent_failures=current.recent_failures,
                dead_letters=current.dead_letters,
                last_attempt_at=current.last_attempt_at,
            )
        self.items[key] = config
        if task.announcement is not None:
            self._tasks.announce(task)

    def get(self, task_id: str, config_id: str) -> PushConfig | None:
        """See :class:`~.ports.PushConfigStore`."""
        return self.items.get((task_id, config_id))

    def of_task(self, task_id: str) -> TaskConfigs:
        """See :class:`~.ports.PushConfigStore`."""
        return TaskConfigs(config for key, config in sorted(self.items.items()) if key[0] == task_id)

    def of_owner(self, owner: str) -> Sequence[PushConfig]:
        """See :class:`~.ports.PushConfigStore`."""
        return [config for _, config in sorted(self.items.items()) if config.owner == owner]

    def delete(self, config: PushConfig) -> None:
        """See :class:`~.ports.PushConfigStore`."""
        if self._current(config) is not None:
            del self.items[config.task_id, config.config_id]

    def discard(self, config: UnreadableConfig) -> None:
        """See :class:`~.ports.PushConfigStore`. Here everything can be read."""

    def retire(self, config: PushConfig) -> bool:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._revision(config)
        if current is not None:
            del self.items[config.task_id, config.config_id]
        return current is not None

    def raise_queued(
        self,
        config: PushConfig,
        generation: int,
        failed: PushConfig | None = None,
        held: Held | None = None,
        delivered: int | None = None,
    ) -> bool:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._current(config)
        if current is None:
            return False
        if failed is not None:
            self.record_failure(config, failed)
            current = self._current(config) or current
        if generation > current.queued_through and failed is None and held is not None:
            current = replace(current, held=held)
        if generation > current.queued_through and delivered is not None:
            current = replace(current, delivered_through=delivered)
        self._put(replace(current, queued_through=max(current.queued_through, generation)))
        return True

    def hold(self, config: PushConfig, held: Held) -> None:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._current(config)
        if current is not None:
            self._put(replace(current, held=held))

    def settle(self, config: PushConfig, generation: int, delivered_at: datetime | None) -> bool:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._revision(config)
        if current is None:
            return False
        advances = current.settled_through < generation
        settled = replace(current, settled_through=max(current.settled_through, generation))
        if delivered_at is not None:
            settled = replace(
                _recovered(settled),
                delivered_through=generation if advances else settled.delivered_through,
                last_attempt_at=delivered_at,
            )
        elif advances:
            settled = replace(settled, dead_letters=settled.dead_letters + 1)
        self._put(settled)
        return True

    def recover(self, config: PushConfig) -> None:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._revision(config)
        if current is not None:
            self._put(_recovered(current))

    def reopen(self, config: PushConfig, mark: str) -> None:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._current(config)
        if current is not None:
            self._put(replace(_recovered(current), redriven=mark))

    def pause(self, config: PushConfig, until: datetime | None) -> bool:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._current(config)
        if current is not None:
            self._put(replace(_recovered(current), paused_until=until))
        return current is not None

    def count_dead(self, config: PushConfig, number: int = 1, why: str | None = None) -> None:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._current(config)
        if current is not None:
            counted = replace(current, dead_letters=current.dead_letters + number)
            self._put(replace(counted, last_error=why) if why is not None else counted)

    def close(self, config: PushConfig, mark: str) -> None:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._current(config)
        if current is not None and current.redriven == mark:
            self._put(replace(current, redriven=""))

    def record_failure(self, config: PushConfig, failed: PushConfig) -> bool:
        """See :class:`~.ports.PushConfigStore`."""
        current = self._revision(config)
        if current is None:
            return False
        self._put(
            replace(
                current,
                attempts=failed.attempts,
                failing_since=failed.failing_since,
                next_attempt_at=failed.next_attempt_at,
                last_attempt_at=failed.last_attempt_at,
                last_error=failed.last_error,
                recent_failures=failed.recent_failures,
            )
        )
        return True

    def _current(self, config: PushConfig) -> PushConfig | None:
        current = self.items.get((config.task_id, config.config_id))
        return current if current is not None and current.incarnation == config.incarnation else None

    def _revision(self, config: PushConfig) -> PushConfig | None:
        current = self._current(config)
        return current if current is not None and current.revision == config.revision else None

    def _put(self, config: PushConfig) -> None:
        self.items[config.task_id, config.config_id] = config


@dataclass
class MemoryWorkflow:
    """:class:`~.ports.Workflow` that only notes what it was asked for."""

    started: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    def start(self, task_id: str, created_at: datetime) -> None:  # noqa: ARG002
        """See :class:`~.ports.Workflow`."""
        if task_id not in self.started:
            self.started.append(task_id)

    def stop(self, task_id: str, created_at: datetime) -> None:  # noqa: ARG002
        """See :class:`~.ports.Workflow`."""
        self.stopped.append(task_id)

    def resume(self, token: str) -> None:
        """See :class:`~.ports.Workflow`."""
        self.resumed.append(token)


@dataclass
class MemoryBlobs:
    """:class:`~.ports.Blobs`: each content with its media type, by its key."""

    contents: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def put(self, key: str, body: bytes, media_type: str) -> None:
        """See :class:`~.ports.Blobs`."""
        self.contents[key] = (body, media_type)


@dataclass
class MemoryQueue:
    """:class:`~.ports.RedeliveryQueue`: the messages in the order in which they were queued, duplicates dropped."""

    messages: list[QueuedNotification] = field(default_factory=list)

    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        """See :class:`~.ports.RedeliveryQueue`."""
        for message in messages:
            if message not in self.messages:
                self.messages.append(message)
        return frozenset()


@dataclass
class MemoryDeadLetters:
    """:class:`~.ports.DeadLetters`."""

    messages: list[tuple[QueuedNotification, str]] = field(default_factory=list)

    def send(self, message: QueuedNotification, reason: str) -> None:
        """See :class:`~.ports.DeadLetters`."""
        self.messages.append((message, reason))

    def send_all(self, messages: Iterable[QueuedNotification], reason: str) -> None:
        """See :class:`~.ports.DeadLetters`."""
        for message in messages:
            self.send(message, reason)


@dataclass
class MemoryWaitingCounts:
    """:class:`~.ports.WaitingCounts`, by owner and day."""

    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def of(self, owner: str) -> int:
        """See :class:`~.ports.WaitingCounts`."""
        return max(0, sum(number for (of, _), number in self.counts.items() if of == owner))

    def change(self, owner: str, day: str, by: int) -> None:
        """See :class:`~.ports.WaitingCounts`."""
        self.counts[owner, day] = self.counts.get((owner, day), 0) + by


def _recovered(config: PushConfig) -> PushConfig:
    return replace(config, attempts=0, failing_since=None, next_attempt_at=None, last_error=None, held=None)


def _matches(record: TaskRecord, query: TaskQuery) -> bool:
    return (
        record.owner == query.owner
        and query.context_id in (None, record.task["contextId"])
        and query.state in (None, record.state)
        and (query.after is None or record.task["status"]["timestamp"] >= query.after)
    )


def _position(record: TaskRecord) -> tuple[str, str]:
    return record.task["status"]["timestamp"], record.task_id
