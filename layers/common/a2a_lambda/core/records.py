"""What the two tables hold, as the services see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from .model import INTERRUPTED, TERMINAL, AuthenticationInfo, Json, Task, TaskState, moment, state_of

if TYPE_CHECKING:
    from .trace import Write


class Base(NamedTuple):
    """An artifact before a run wrote to it: how many parts it had, how many characters its last part, if that is a
    text, and whether more was to come. Without parts it was not there."""

    parts: int = 0
    characters: int = 0
    open: bool = False


@dataclass(frozen=True, slots=True)
class SendRequest:
    """What a client sent beside its latest message (section 3.2.1): the request's metadata, the extensions that it
    asked for, and the media types that it accepts (none: any)."""

    metadata: Json = field(default_factory=dict)
    extensions: tuple[str, ...] = ()
    output_modes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContextMemory:
    """One item of ContextsTable: what an agent remembers of a conversation (a context of one owner).

    ``version`` goes up by one with every write. ``expires_at`` is epoch seconds.
    """

    conversation: str
    content: Json
    version: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the agent is in its steps. The task itself remembers it, so that a repeated invocation goes on from here.

    ``run`` counts the runs of steps (a step that repeats is a new run), ``writes`` the writes this run has already
    made: a retried run skips as many. ``attempt`` counts the failures of this run, ``wake_at`` is the moment before
    which it must not start, ``state`` the author's small dictionary. ``step`` is None before the first step.
    """

    run: int = 0
    step: str | None = None
    writes: int = 0
    attempt: int = 0
    wake_at: datetime | None = None
    state: dict[str, Any] = field(default_factory=dict)
    bases: Mapping[str, Base] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ResumeToken:
    """The token with which a waiting execution goes on, and the run of the agent's step that waits for it: with any
    other run the token is a stale one."""

    token: str
    run: int


FIRST_CHANGES, LATEST_CHANGES = 4, 12
"""Changes of state that a task keeps: sixteen are less than 400 bytes of its item, the two of a usual task are 45."""


class StatusChange(NamedTuple):
    """A change of a task's state. ``milliseconds`` since the task was created."""

    milliseconds: int
    state: str


class FailedAttempt(NamedTuple):
    """One attempt at a webhook that failed, as its config keeps it for operators. ``error`` as in ``last_error``."""

    at: datetime
    event: str
    """``<generation>.<n>``, as in the webhook-id."""
    error: str
    milliseconds: int


class Held(NamedTuple):
    """Why no attempt at a webhook is made for now, and until when: the ``webhook`` itself was late, several webhooks of
    its ``host`` were, or others have their ``turn``."""

    reason: str
    until: datetime


class TaskImage(NamedTuple):
    """A task as a record of the table's stream shows it: what its webhooks may hear of, and not how its agent goes on.
    The fields are those of :class:`TaskRecord`; ``created_at`` is None where the image does not say."""

    task: Task
    generation: int
    announcement: tuple[str, str] | None = None
    open_artifacts: frozenset[str] = frozenset()
    lengthened: frozenset[str] = frozenset()
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One item of TasksTable.

    ``generation`` goes up by one with every write of the task. ``resume_token`` is there while an execution waits for
    the client. ``expires_at`` is epoch seconds. ``announcement`` names a config that was
    registered late and has to hear the present state: ``<configId>`` and a nonce; see ``push_configs``.
    ``open_artifacts`` are the ids of artifacts of which more chunks are to come. ``dialect`` is the one in which the
    task was sent: methods that two dialects share are answered in it. ``trace`` is what its last writes changed, for
    streams; None where nothing streams. ``timeline`` are its changes of state since it was created, the first ones and
    the latest, for operators. ``request`` came beside the client's latest message; None where nothing ever did.
    ``lengthened`` are the ids of artifacts of which the write that made this generation lengthened the last text.
    """

    task: Task
    owner: str
    generation: int
    dialect: str
    created_at: datetime
    cursor: Cursor = field(default_factory=Cursor)
    resume_token: ResumeToken | None = None
    expires_at: int = 0
    announcement: tuple[str, str] | None = None
    open_artifacts: frozenset[str] = frozenset()
    trace: tuple[Write, ...] | None = None
    timeline: tuple[StatusChange, ...] = ()
    request: SendRequest | None = None
    lengthened: frozenset[str] = frozenset()

    @property
    def task_id(self) -> str:
        """The task's id."""
        return self.task["id"]

    @property
    def state(self) -> TaskState:
        """The task's state."""
        return state_of(self.task)

    @property
    def terminal(self) -> bool:
        """Whether the task has ended."""
        return self.state in TERMINAL

    @property
    def interrupted(self) -> bool:
        """Whether the task waits for its client."""
        return self.state in INTERRUPTED

    @property
    def image(self) -> TaskImage:
        """What the stream shows of it."""
        return TaskImage(
            self.task, self.generation, self.announcement, self.open_artifacts, self.lengthened, self.created_at
        )

    def next(self, task: Task, **changed: Any) -> TaskRecord:
        """The record of the next generation."""
        generation = self.generation + 1
        lengthened = changed.setdefault("lengthened", frozenset())
        if task["status"]["state"] != self.task["status"]["state"]:
            changed["timeline"] = self._timeline(task)
        if self.trace is not None:
            from .trace import traced  # only where something streams

            artifacts = changed.get("open_artifacts", self.open_artifacts)
            changed["trace"] = traced(self.trace, self.task, task, generation, artifacts, lengthened)
        return replace(self, task=task, generation=generation, **changed)

    def _timeline(self, task: Task) -> tuple[StatusChange, ...]:
        since = moment(task["status"]["timestamp"]) - self.created_at
        change = StatusChange(round(since.total_seconds() * 1000), task["status"]["state"])
        return (*self.timeline[:FIRST_CHANGES], *self.timeline[FIRST_CHANGES:][1 - LATEST_CHANGES :], change)


@dataclass(frozen=True, slots=True)
class PushConfig:
    """One item of PushConfigsTable: a webhook registered for a task, and how far its delivery has come.

    ``incarnation`` tells a config from one of the same id that was deleted before; ``revision`` is another one each
    time that it is set. ``registered`` is the generation at which it was first set: events are owed from the next one
    on. ``queued_through`` and ``settled_through`` are the delivery cursor, in generations: settled means delivered or
    dead-lettered. ``attempts`` (failed ones in a row), ``failing_since`` and ``next_attempt_at`` are the schedule of
    retries, which belongs to the config and not to a message. ``delivered_through`` and ``last_attempt_at`` know of the
    attempts that were recorded; a first attempt that succeeds writes nothing. ``event_types`` is what a
    legacy client named; it is kept for its answers and selects nothing. ``redriven`` is the mark of the last message
    that an operator brought back, while that one waits: it is behind the cursor, which never sinks. Until
    ``paused_until`` an operator has no attempts made; a failure from before does not count afterwards.
    ``recent_failures`` are the last failed attempts, the latest last. ``dead_letters`` counts what was given up so far.
    ``held`` is why what waits was not attempted, when that was last decided. ``task_created_at`` tells the task from
    one of the same id that expired before; None for a config from before that was kept.
    """

    task_id: str
    config_id: str
    owner: str
    url: str
    dialect: str
    incarnation: str
    revision: str = ""
    token: str | None = None
    authentication: AuthenticationInfo | None = None
    event_types: tuple[str, ...] = ()
    queued_through: int = 0
    settled_through: int = 0
    delivered_through: int = 0
    registered: int = 0
    redriven: str = ""
    attempts: int = 0
    failing_since: datetime | None = None
    next_attempt_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_error: str | None = None
    expires_at: int = 0
    paused_until: datetime | None = None
    recent_failures: tuple[FailedAttempt, ...] = ()
    dead_letters: int = 0
    held: Held | None = None
    task_created_at: datetime | None = None

    def is_of(self, created_at: datetime | None) -> bool:
        """Whether it is a config of the task that was created then, and not of one of the same id before or after."""
        return None in (created_at, self.task_created_at) or created_at == self.task_created_at

    def paused(self, now: datetime) -> bool:
        """Whether an operator has stopped all attempts for now. Events queue meanwhile."""
        return self.paused_until is not None and now < self.paused_until

    def not_before(self, now: datetime) -> datetime | None:
        """The moment before which no attempt is to be made, by an operator's pause or the schedule; None: now."""
        moments = (self.paused_until, self.next_attempt_at)
        return max((moment for moment in moments if moment is not None and now < moment), default=None)

    @property
    def backlogged(self) -> bool:
        """Whether events wait in the queue: then nothing may overtake them by a direct attempt."""
        return self.queued_through > self.settled_through or bool(self.redriven)
