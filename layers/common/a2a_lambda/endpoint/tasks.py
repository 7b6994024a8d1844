"""The operations on tasks: send, get, list, cancel (specification sections 3.1.1 to 3.1.5 and 3.4)."""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from ..core.blobs import size_with_links
from ..core.errors import InternalError, InvalidParams, TaskNotCancelable, TaskNotFound, UnsupportedOperation
from ..core.lifecycle import (
    addressed,
    expiry,
    is_known_to_client,
    new_task,
    task_ids_for,
    with_history_length,
    with_message,
    with_status,
)
from ..core.model import Message, Task, TaskState, dumps, moment, same_json, timestamp
from ..core.operations import CancelTask, FoundTask, GetTask, ListTasks, SendMessage, TaskList
from ..core.ports import Clock, Conflict, TaskQuery, TaskStore, Unavailable, Workflow
from ..core.records import PushConfig, SendRequest, TaskRecord
from ..core.tries import tries
from ..push.configs import PushConfigService

MAX_WITH_MESSAGE = 300_000
"""Bytes of a task as JSON up to which it takes messages: an item holds 400 kB, and the agent needs room too."""

MAX_BESIDE = 16_384
"""Bytes as JSON of what is kept beside a message: the item has to hold it with the task at its largest."""

MAX_LIST = 3_000_000
"""Bytes of the tasks of a page as JSON. The answer of a function holds 6 MB, in which they are a string with two bytes
for each quote."""

_REPEATS = 100


@dataclass(frozen=True, slots=True)
class TaskService:
    """Answers a caller, who is known by ``owner``. Another owner's task does not exist for it.

    ``blocking_seconds`` bounds how long a blocking send waits; ``sleep`` and ``clock`` are injected for tests.
    ``traced``: tasks carry a trace of their writes, for streams.
    """

    store: TaskStore
    push_configs: PushConfigService
    workflow: Workflow
    clock: Clock
    sleep: Callable[[float], None]
    retention: timedelta = timedelta(days=30)
    blocking_seconds: float = 20.0
    traced: bool = False

    def send(self, owner: str, request: SendMessage) -> Task | Message:
        """Start a task with a message, or go on with one (``message.taskId``).

        Raises :class:`TaskNotFound`, :class:`InvalidParams` (a wrong context, a refused webhook URL),
        :class:`UnsupportedOperation` (the task has ended). A refused request writes nothing.
        """
        record = self.begun(owner, request)
        if request.blocking:
            record = self._wait(record)
        return with_history_length(record.task, request.history_length)

    def begun(self, owner: str, request: SendMessage) -> TaskRecord:
        """The task as the message leaves it. Raises as :meth:`send` does."""
        if request.push_config is not None:
            self.push_configs.check(request.push_config)
        return self._follow_up(owner, request) if "taskId" in request.message else self._create(owner, request)

    def get(self, owner: str, request: GetTask) -> FoundTask:
        """The task as it is now. Raises :class:`TaskNotFound`."""
        record = self.owned(owner, request.task_id)
        return FoundTask(with_history_length(record.task, request.history_length), record.dialect)

    def list(self, owner: str, request: ListTasks) -> TaskList:
        """The caller's tasks, newest status first. Raises :class:`InvalidParams` for a page token not of ours.

        A page ends early where it would outgrow the answer of a function.
        """
        page = self.store.query(
            TaskQuery(
                owner=owner,
                context_id=request.context_id,
                state=request.state,
                after=request.after,
                limit=request.page_size,
                position=_position(request.page_token),
            )
        )
        tasks = [_listed(record.task, request) for record in page.records]
        room = _within(MAX_LIST, [size_with_links(task) for task in tasks])
        return TaskList(
            tasks=tasks[:room],
            next_page_token=_page_token(page.position if room == len(tasks) else page.positions[room - 1]),
            page_size=request.page_size,
            total_size=page.total,
        )

    def cancel(self, owner: str, request: CancelTask) -> FoundTask:
        """End the task as canceled. Raises :class:`TaskNotFound`, :class:`TaskNotCancelable`.

        The write decides: from then on no step can write. Stopping the execution only saves its transitions, so its
        failure is not the client's: the execution ends by itself at its next look at the task.
        """
        for _ in tries(self.sleep):
            record = self.owned(owner, request.task_id)
            if record.terminal:
                raise TaskNotCancelable
            now = self.clock()
            canceled = record.next(
                with_status(record.task, TaskState.CANCELED, now), expires_at=expiry(now, True, self.retention)
            )
            try:
                self.store.update(canceled)
            except Conflict:
                continue
            with suppress(Unavailable):
                self.workflow.stop(record.task_id, record.created_at)
            return FoundTask(canceled.task, canceled.dialect)
        raise InternalError

    def owned(self, owner: str, task_id: str) -> TaskRecord:
        """The caller's task. Raises :class:`TaskNotFound`, for another owner's as well."""
        record = self.store.get(task_id)
        if record is None or record.owner != owner:
            raise TaskNotFound
        return record

    def _create(self, owner: str, request: SendMessage) -> TaskRecord:
        for task_id in itertools.islice(task_ids_for(owner, request.message), _REPEATS):
            record = self._new(owner, task_id, request)
            inline = request.push_config
            configs = [self.push_configs.inline(owner, task_id, inline, record.created_at)] if inline else []
            if not self._write_new(record, configs):
                # The same message again: the task is there, perhaps without an execution or with another config.
                record = self.owned(owner, task_id)
                if is_known_to_client(record.task):
                    continue
                if inline is not None:
                    self.push_configs.set_inline(owner, task_id, inline)
            if record.state is TaskState.SUBMITTED:
                self.workflow.start(task_id, record.created_at)
            return record
        raise InvalidParams.of("message.messageId", "has been used too often")

    def _new(self, owner: str, task_id: str, request: SendMessage) -> TaskRecord:
        now, message = self.clock(), request.message
        return TaskRecord(
            task=_within_limit(new_task(task_id, message.get("contextId") or str(uuid.uuid4()), message, now)),
            owner=owner,
            generation=1,
            dialect=request.dialect,
            created_at=now,
            expires_at=expiry(now, False, self.retention),
            trace=() if self.traced else None,
            request=_beside(request),
        )

    def _write_new(self, record: TaskRecord, configs: Sequence[PushConfig]) -> bool:
        """False if the task exists. Two creations at once: the one that lost may not see the other's task yet."""
        for _ in tries(self.sleep):
            with suppress(Conflict):
                return self.store.create(record, configs)
        raise InternalError

    def _follow_up(self, owner: str, request: SendMessage) -> TaskRecord:
        message = request.message
        task_id = message["taskId"]
        for _ in tries(self.sleep):
            record = self.owned(owner, task_id)
            context_id = record.task["contextId"]
            if message.get("contextId", context_id) != context_id:
                raise InvalidParams.of("message.contextId", "is not the context of the task")
            ours = addressed(message, task_id, context_id)
            known = any(same_json(ours, each) for each in record.task.get("history", []))
            if not known:
                if record.terminal:
                    raise UnsupportedOperation("The task has ended and takes no further messages")
                if request.push_config is not None:
                    self.push_configs.check_room(task_id, request.push_config)
                try:
                    record = self._append(record, ours, request)
                except Conflict:
                    continue
            if request.push_config is not None:
                self.push_configs.set_inline(owner, task_id, request.push_config)
            self._resume(record)
            return record
        raise InternalError

    def _append(self, record: TaskRecord, message: Message, request: SendMessage) -> TaskRecord:
        now = self.clock()
        task = record.task
        if record.interrupted:
            task = with_status(task, TaskState.WORKING, now)
        task = _within_limit(with_message(task, message), record.open_artifacts)
        beside = _beside(request) or (SendRequest() if record.request is not None else None)
        changed = record.next(task, request=beside, expires_at=expiry(now, False, self.retention))
        self.store.update(changed)
        return changed

    def _resume(self, record: TaskRecord) -> None:
        """Let the execution go on that waits for this answer. The token may have been stored since we read: look again.

        Also repairs a follow-up that was written but whose resumption was lost: the client sends it again.
        """
        current = self.store.get(record.task_id)
        if current is None or current.interrupted or current.terminal or current.resume_token is None:
            return
        if current.resume_token.run == current.cursor.run:
            self.workflow.resume(current.resume_token.token)

    def _wait(self, record: TaskRecord) -> TaskRecord:
        """Look at the task in growing intervals until it has ended, waits for its client, or time is up."""
        deadline = self.clock() + timedelta(seconds=self.blocking_seconds)
        for pause in _pauses():
            if record.terminal or record.interrupted:
                break
            left = (deadline - self.clock()).total_seconds()
            if left <= 0:
                break
            self.sleep(min(pause, left))
            record = self.store.get(record.task_id) or record
        return record


def _within_limit(task: Task, open_artifacts: frozenset[str] = frozenset()) -> Task:
    """The task, if it leaves room for the agent. The request's size says little: a 1e15 is four times as long here."""
    if len(dumps([task, *open_artifacts]).encode()) > MAX_WITH_MESSAGE:
        raise InvalidParams.of("message", "is more than the task can hold")
    return task


def _beside(request: SendMessage) -> SendRequest | None:
    """What the client sent beside its message; None if that is nothing, so that its task need not keep it."""
    if not (request.metadata or request.extensions or request.output_modes):
        return None
    beside = SendRequest(request.metadata, tuple(sorted(request.extensions)), request.output_modes)
    size = len(dumps([beside.metadata, beside.extensions, beside.output_modes]).encode())
    if size > MAX_BESIDE:
        raise InvalidParams.of("metadata", f"has {size} bytes with extensions and modes, {MAX_BESIDE} can be kept")
    return beside


def _pauses() -> Iterator[float]:
    return itertools.chain((0.2, 0.3, 0.5), itertools.repeat(1.0))


def _listed(task: Task, request: ListTasks) -> Task:
    listed: Task = {**with_history_length(task, request.history_length)}
    if request.include_artifacts:
        listed.setdefault("artifacts", [])
    else:
        listed.pop("artifacts", None)
    return listed


def _within(limit: int, sizes: Sequence[int]) -> int:
    """How many of the first sizes fit into the limit; at least one, if there is one."""
    sums = itertools.accumulate(sizes)
    return max(sum(total <= limit for total in sums), min(1, len(sizes)))


def _page_token(position: tuple[str, str] | None) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode() if position else ""


def _position(token: str | None) -> tuple[str, str] | None:
    if token is None:
        return None
    try:
        updated_at, task_id = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))
        return timestamp(moment(updated_at)), str(uuid.UUID(task_id))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InvalidParams.of("pageToken", "is not a token of an earlier answer") from None
