"""What the services need from the world. ``aws`` has the adapters for AWS, ``testing`` those in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from .model import TaskState
from .records import ContextMemory, Held, PushConfig, ResumeToken, TaskRecord

Clock = Callable[[], datetime]
"""The present moment, with an offset."""


def utc_now() -> datetime:
    """The clock of the functions."""
    return datetime.now(UTC)


class Conflict(Exception):
    """A conditional write lost: somebody else wrote first. Read again and decide anew."""


class MemoryConflict(Exception):
    """Another task of the conversation has remembered something since this one has read."""


class Unavailable(Exception):
    """A part of the system did not answer in time, or is throttled. Trying again later is right."""


class Poison(Exception):
    """Stored data that cannot be read. Trying again will not help, and must not keep others waiting."""

    @property
    def reason(self) -> str:
        """The type of what the reader raised: its text may hold what was stored."""
        return type(self.__cause__ or self).__name__


class UnreadableConfig(NamedTuple):
    """A stored config that cannot be read, and why (:attr:`Poison.reason`). ``incarnation`` as it is stored."""

    task_id: str
    config_id: str
    reason: str
    incarnation: Any = None


class Unreached(Poison):
    """A change was told to all configs of its task but these, which cannot be read."""

    def __init__(self, configs: Sequence[UnreadableConfig]) -> None:
        super().__init__(configs[0].task_id)
        self.config_ids = [config.config_id for config in configs]
        self._reason = configs[0].reason

    @property
    def reason(self) -> str:
        """See :class:`Poison`: that of the first."""
        return self._reason


class TaskConfigs(list[PushConfig]):
    """The configs of a task, by id, as far as they can be read; ``unreadable`` are the others."""

    def __init__(self, readable: Iterable[PushConfig] = (), unreadable: Iterable[UnreadableConfig] = ()) -> None:
        super().__init__(readable)
        self.unreadable = tuple(unreadable)


@dataclass(frozen=True, slots=True)
class TaskQuery:
    """What ``ListTasks`` looks for (specification section 3.1.4). ``position`` is where the page before ended:
    the timestamp and task id of its last task."""

    owner: str
    context_id: str | None = None
    state: TaskState | None = None
    after: str | None = None
    limit: int = 50
    position: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class TaskPage:
    """Tasks, newest first, and the ``positions`` at which a page would end with each; ``position`` is that of the whole
    page, None at the end. A page may be short, or empty, and not be the end. ``total``, on every page, counts what
    matches among the newest tasks that a store looks at; it is exact where there are no more."""

    records: tuple[TaskRecord, ...]
    position: tuple[str, str] | None
    total: int
    positions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A task as a look shows it. ``size`` are the bytes of its item; ``read`` gives the record, at a price that a look
    without news need not pay. It raises :class:`Poison` if it cannot be read."""

    generation: int
    size: int
    read: Callable[[], TaskRecord]


class TaskStore(Protocol):
    """TasksTable."""

    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        """Write a new task, and its configs with it, or nothing. False if the task exists already.

        Raises :class:`Conflict` if another writer is at it: it may exist in a moment.
        """

    def get(self, task_id: str) -> TaskRecord | None:
        """The task as it is now (a strongly consistent read). Raises :class:`Poison` if it cannot be read."""

    def peek(self, task_id: str) -> Glimpse | None:
        """The task as it is now or was a moment ago, for half the price of :meth:`get`. None: there is none, or was
        none a moment ago. Raises :class:`Poison` if it cannot be read."""

    def update(self, record: TaskRecord) -> None:
        """Write ``record`` over the generation just before it.

        Raises :class:`Conflict` if the stored task is of another generation or has ended.
        """

    def set_resume_token(self, task_id: str, token: ResumeToken) -> TaskRecord | None:
        """Keep the workflow's token with the task. No new generation: the client sees nothing of it. Answers the task
        as it is then, or None if there is none. Raises :class:`Poison` if it cannot be read."""

    def query(self, query: TaskQuery) -> TaskPage:
        """A page of an owner's tasks, from the indexes. One that cannot be read is left out."""


class ContextStore(Protocol):
    """ContextsTable."""

    def get(self, conversation: str) -> ContextMemory | None:
        """What is remembered of it (strongly consistent). Raises :class:`Poison` if it cannot be read."""

    def commit(self, record: TaskRecord, memory: ContextMemory) -> None:
        """Write ``record`` as :meth:`TaskStore.update` does, and with it ``memory`` over the version just before it, or
        neither of them.

        Raises :class:`Conflict` as that does, and :class:`MemoryConflict` if the memory is of another version.
        """


class PushConfigStore(Protocol):
    """PushConfigsTable."""

    def register(self, config: PushConfig, existing: PushConfig | None, task: TaskRecord) -> None:
        """Write ``config`` over ``existing`` (None: there is none), in one transaction with the check that the task is
        still of ``task``'s generation, and with ``task.announcement``, if there is one, written to the task.

        ``registered`` and ``queued_through`` of an existing config stay. Raises :class:`Conflict` if the task or the
        config has changed.
        """

    def get(self, task_id: str, config_id: str) -> PushConfig | None:
        """The config as it is now (strongly consistent). Raises :class:`Poison` if it cannot be read."""

    def of_task(self, task_id: str) -> TaskConfigs:
        """All configs of a task, by id (strongly consistent)."""

    def of_owner(self, owner: str) -> Sequence[PushConfig]:
        """All configs of an owner that exist now and can be read."""

    def delete(self, config: PushConfig) -> None:
        """Remove exactly this incarnation. Nothing happens if it is gone."""

    def discard(self, config: UnreadableConfig) -> None:
        """Remove a config that cannot be read. Nothing happens if it is gone, or another was registered since."""

    def retire(self, config: PushConfig) -> bool:
        """Remove exactly this revision: the receiver wants no more. False if it was set again, or is gone."""

    def raise_queued(
        self,
        config: PushConfig,
        generation: int,
        failed: PushConfig | None = None,
        held: Held | None = None,
        delivered: int | None = None,
    ) -> bool:
        """``queued_through = max(queued_through, generation)``. False if this incarnation is gone.

        With ``failed`` its failure fields are written as well, unless the config was set again; with ``held`` why there
        was no attempt; with ``delivered`` the generation that first attempts have come to.
        """

    def hold(self, config: PushConfig, held: Held) -> None:
        """Note why what waits is not attempted. Nothing happens if this incarnation is gone."""

    def settle(self, config: PushConfig, generation: int, delivered_at: datetime | None) -> bool:
        """``settled_through = max(settled_through, generation)``. A delivery (a moment, and not None) is noted as such
        and clears the failure fields.

        False, and nothing is written, if this is no longer the revision: what the old webhook got, the new one has
        not heard of.
        """

    def recover(self, config: PushConfig) -> None:
        """Clear the failure fields of this revision: the webhook works again."""

    def reopen(self, config: PushConfig, mark: str) -> None:
        """What was given up comes back as the message of this mark: what follows waits behind it. The failure fields
        are cleared."""

    def pause(self, config: PushConfig, until: datetime | None) -> bool:
        """Have no attempts made before this moment, or (None) at once again. The schedule starts anew: the failure
        fields are cleared. False if this incarnation is gone."""

    def count_dead(self, config: PushConfig, number: int = 1, why: str | None = None) -> None:
        """So many more notifications were given up whose generation is not settled by it (``settle`` counts the
        others). ``why`` is the last error then."""

    def close(self, config: PushConfig, mark: str) -> None:
        """The message of this mark is dealt with: nothing waits for it any more. Nothing happens if another one has
        come back since."""

    def record_failure(self, config: PushConfig, failed: PushConfig) -> bool:
        """Write the failure fields of ``failed``: attempts, failing since, last and next attempt, last error. False if
        this is no longer the revision: the failures of the old webhook are not those of the new one."""


class Workflow(Protocol):
    """The state machine: one execution per task. (An Express one may have two at once, and none can be stopped.)

    A task is known by its id and by when it was created: the same message sent anew after its task has expired makes a
    task of the same id.
    """

    def start(self, task_id: str, created_at: datetime) -> None:
        """Start the task's execution. Nothing happens if it has been started before; Express starts another."""

    def stop(self, task_id: str, created_at: datetime) -> None:
        """Stop the task's execution, if it runs. Nothing happens where it cannot be stopped: it finds that its task
        has ended."""

    def resume(self, token: str) -> None:
        """Let a waiting execution go on. Nothing happens if it no longer waits."""


class Watch(Protocol):
    """Brings a task back to the caretaker."""

    def later(self, task_id: str, seconds: float) -> None:
        """Have the caretaker look at the task in so many seconds, once or more often. At most 900."""


class Blobs(Protocol):
    """Where contents are kept that are too large for the table."""

    def put(self, key: str, body: bytes, media_type: str) -> None:
        """Keep the content. The same key always has the same content."""


@dataclass(frozen=True, slots=True)
class QueuedNotification:
    """One message on the redelivery queue: one webhook body that a config has not acknowledged.

    One body and not all of a generation: a slow receiver would otherwise get the first ones again and again, and the
    last one never. ``n`` is the event's place in its generation, ``last`` whether it is the config's last one of it.
    No credentials: the config is read again at delivery. ``dialect`` is the one the body is written in, ``written_at``
    is when the change was recorded. ``nonce`` tells an announcement from the change it repeats, ``redrive`` a
    notification that an operator brings back from one that was settled before. ``refused_by`` is the revision of the
    config whose receiver will never take this event: it has no further attempt there. ``owner`` is the config's.
    """

    task_id: str
    config_id: str
    incarnation: str
    generation: int
    n: int
    body: str
    last: bool
    dialect: str
    written_at: str
    nonce: str = ""
    redrive: str = ""
    refused_by: str = ""
    owner: str = ""


class RedeliveryQueue(Protocol):
    """The FIFO queue, in order per config."""

    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        """Queue the messages; those of one config in the order given. Idempotent for some minutes.

        Answers (task id, config id) of the configs of which a message could not be queued; their later messages were
        not sent either.
        """


class WaitingCounts(Protocol):
    """How many messages of each owner are in the redelivery queue, or were a few seconds ago."""

    def of(self, owner: str) -> int:
        """So many wait, at least 0."""

    def change(self, owner: str, day: str, by: int) -> None:
        """So many more wait of those whose changes were written on this day (``2026-01-31``), or fewer."""


class DeadLetters(Protocol):
    """Where notifications go that were given up."""

    def send(self, message: QueuedNotification, reason: str) -> None:
        """Keep the message for an operator."""

    def send_all(self, messages: Sequence[QueuedNotification], reason: str) -> None:
        """Keep these messages of one config, in order, in as few calls as can be."""
