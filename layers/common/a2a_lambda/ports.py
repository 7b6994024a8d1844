"""What the services need from the world. ``aws`` has the adapters for AWS, ``testing`` those in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from .model import TaskState
from .records import PushConfig, ResumeToken, TaskRecord

Clock = Callable[[], datetime]
"""The present moment, with an offset."""


class Conflict(Exception):
    """A conditional write lost: somebody else wrote first. Read again and decide anew."""


class Unavailable(Exception):
    """A part of the system did not answer in time, or is throttled. Trying again later is right."""


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
    """Tasks, newest first; ``position`` is None at the end. ``total`` counts all that match, on every page."""

    records: tuple[TaskRecord, ...]
    position: tuple[str, str] | None
    total: int


class TaskStore(Protocol):
    """TasksTable."""

    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        """Write a new task, and its configs with it, or nothing. False if the task exists already."""

    def get(self, task_id: str) -> TaskRecord | None:
        """The task as it is now (a strongly consistent read)."""

    def update(self, record: TaskRecord) -> None:
        """Write ``record`` over the generation just before it.

        Raises :class:`Conflict` if the stored task is of another generation or has ended.
        """

    def set_resume_token(self, task_id: str, token: ResumeToken) -> TaskRecord | None:
        """Keep the workflow's token with the task. No new generation: the client sees nothing of it. Answers the task
        as it is then, or None if there is none."""

    def query(self, query: TaskQuery) -> TaskPage:
        """A page of an owner's tasks, from the indexes."""


class PushConfigStore(Protocol):
    """PushConfigsTable."""

    def register(self, config: PushConfig, existing: PushConfig | None, task: TaskRecord) -> None:
        """Write ``config`` over ``existing`` (None: there is none), in one transaction with the check that the task is
        still of ``task``'s generation, and with ``task.announcement``, if there is one, written to the task.

        ``queued_through`` of an existing config stays. Raises :class:`Conflict` if the task or the config has changed.
        """

    def get(self, task_id: str, config_id: str) -> PushConfig | None:
        """The config as it is now (strongly consistent)."""

    def of_task(self, task_id: str) -> Sequence[PushConfig]:
        """All configs of a task, by id (strongly consistent)."""

    def of_owner(self, owner: str) -> Sequence[PushConfig]:
        """All configs of an owner that exist now."""

    def delete(self, config: PushConfig) -> None:
        """Remove exactly this incarnation. Nothing happens if it is gone."""

    def raise_queued(self, config: PushConfig, generation: int) -> bool:
        """``queued_through = max(queued_through, generation)``. False if this incarnation is gone."""

    def settle(self, config: PushConfig, generation: int, *, delivered: bool) -> None:
        """``settled_through = max(settled_through, generation)``; a delivery also clears the failure fields."""

    def record_failure(self, config: PushConfig, failed: PushConfig) -> None:
        """Write the failure fields of ``failed``: attempts, failing since, next attempt, last error."""


class Workflow(Protocol):
    """The state machine: one execution per task."""

    def start(self, task_id: str) -> None:
        """Start the task's execution. Nothing happens if it has been started before."""

    def stop(self, task_id: str) -> None:
        """Stop the task's execution, if it runs."""

    def resume(self, token: str) -> None:
        """Let a waiting execution go on. Nothing happens if it no longer waits."""


@dataclass(frozen=True, slots=True)
class QueuedNotification:
    """One message on the redelivery queue: the notifications of one generation that a config has not acknowledged.

    ``bodies`` are pairs of the event's place ``n`` and the webhook body's JSON text. No credentials: the config is read
    again at delivery. ``dialect`` is the one the bodies are written in, ``written_at`` is when the change was
    recorded. ``nonce`` tells an announcement from the change it repeats.
    """

    task_id: str
    config_id: str
    incarnation: str
    generation: int
    bodies: tuple[tuple[int, str], ...]
    dialect: str
    written_at: str
    nonce: str = ""


class RedeliveryQueue(Protocol):
    """The FIFO queue, in order per config."""

    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        """Queue the messages; those of one config in the order given. Idempotent for some minutes.

        Answers (task id, config id) of the configs of which a message could not be queued; their later messages were
        not sent either.
        """


class DeadLetters(Protocol):
    """Where notifications go that were given up."""

    def send(self, message: QueuedNotification, reason: str) -> None:
        """Keep the message for an operator."""
