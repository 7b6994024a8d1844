"""One run of one step: its writes, each recorded once."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from ..core.blobs import offloaded
from ..core.changes import lengthened_by
from ..core.lifecycle import (
    MAX_ARTIFACTS,
    MAX_DOCUMENT,
    agent_message,
    base_of,
    conversation_id,
    taken_back,
    with_artifact,
    with_status,
)
from ..core.model import INTERRUPTED, TERMINAL, Json, Message, Task, TaskState, dumps
from ..core.ports import Conflict, MemoryConflict, Unavailable
from ..core.records import Base, ContextMemory, Cursor, SendRequest, TaskRecord
from .express import ExpressError
from .memory import RunMemory
from .secrets import Watched
from .writing import AgentError, TaskWrite

if TYPE_CHECKING:
    from .execution import Executor


class Halt(BaseException):
    """The run cannot go on. Not an ``Exception``: an author's ``except Exception`` must not swallow it."""


class Over(Halt):
    """The task has ended under the step's hands, or another invocation of the same run is ahead: look again."""


class Lost(Halt):
    """The table did not answer, so nobody knows whether the write was made."""


class StepRun:
    """The recorder behind a :class:`~.context.TaskContext`.

    The writes of a run are numbered. A try of it that was interrupted is followed by another one, which skips the
    writes that are recorded, unless it is to ``restart``: then its first write takes back what earlier tries did to
    artifacts, and from there on the task has those of this try only. Statuses cannot be taken back, since webhooks
    have received them; one that would say the same in the same place is left out.
    """

    def __init__(self, executor: Executor, record: TaskRecord, restart: bool = False) -> None:
        self._executor = executor
        self._recorded = record.cursor.writes
        self._restart = restart
        self._has_written = False
        self._place = 0
        self._statuses = 0
        self.began = record.cursor
        self.record = record
        self.halted: Halt | None = None
        self.watched = Watched()
        conversation = conversation_id(record.owner, record.task["contextId"])
        self._memory = RunMemory(executor.contexts, conversation, executor.clock, executor.retention)

    @property
    def ended(self) -> bool:
        """Whether the run is over: the task has ended or is at the next run. What the step raises after that changes
        nothing any more; above all it is not the next step's failure."""
        return self.record.terminal or self.record.cursor.run != self.began.run

    @property
    def task(self) -> Task:
        """The task as this run knows it."""
        return self.record.task

    @property
    def owner(self) -> str:
        """Whose task it is."""
        return self.record.owner

    @property
    def request(self) -> SendRequest:
        """What came beside the client's latest message."""
        return self.record.request or SendRequest()

    def read(self) -> Task:
        """The task as it is stored now."""
        try:
            record = self._executor.store.get(self.record.task_id)
        except Unavailable as error:
            self._halt(Lost(), error)
        if record is None:
            self._halt(Over())
        return record.task

    def secret(self, name: str, key: str | None) -> str:
        """The value of a secret, or a field of it. Nothing that holds it can be written from now on."""
        try:
            value = self._executor.secrets(name)
        except Unavailable as error:
            self._halt(Lost(), error)
        return self.watched.field(name, value, key)

    def memory(self) -> Json:
        """What the agent remembers of the conversation: a dictionary to read and to change."""
        try:
            return self._memory.content()
        except Unavailable as error:
            self._halt(Lost(), error)

    def write(self, change: TaskWrite) -> None:
        """The next write of this run, unless an earlier try of the same run has made it.

        One that ends the run was not made yet, or the task would not be in this run: it is never skipped, even if a
        step that does not repeat itself exactly arrives at it sooner than before. Raises :class:`ExpressError` for a
        question that nobody would wait for.
        """
        if self._executor.express is not None and change.state in INTERRUPTED:
            raise ExpressError("an Express workflow cannot wait for the client's answer")
        self._place += 1
        self._statuses += change.state is not None
        if change.state in TERMINAL | INTERRUPTED or not self._recorded:
            self.advance(change, self._cursor_after(change))
        elif self._restart:
            self._write_again(change)
        elif self._place > self._recorded:
            self.advance(change, self._cursor_after(change))

    def advance(self, change: TaskWrite, cursor: Cursor, *, failure: bool = False) -> None:
        """One write: the change and the cursor after it. A follow-up message that came in between is kept.

        ``failure``: it is the runtime's, after this try has failed, and leaves the artifacts as they are. Raises
        :class:`AgentError` if the task grows too large; for that failure itself there is room left.
        """
        if self.halted is not None:
            raise self.halted
        ends = cursor.run != self.record.cursor.run or change.state in TERMINAL
        remembered = self._memory.changed() if ends and not failure else None
        self.watched.check(change.artifacts, change.parts, change.metadata, change.task_metadata, cursor.state)
        self.watched.check(remembered.content if remembered is not None else None)
        try:
            with self._executor.timer.shield():
                self._write(change, cursor, self._restart and not failure, remembered)
        except Halt as halt:
            self.halted = halt  # known even if the step puts it into a group of its own, or swallows it
            raise

    def _write(self, change: TaskWrite, cursor: Cursor, restartable: bool, remembered: ContextMemory | None) -> None:
        change = self._offloaded(change)
        while not self._stored(self._changed(self.record, change, cursor, restartable), remembered):
            pass
        self._has_written = True

    def _write_again(self, change: TaskWrite) -> None:
        """A write of a try that is not the first, without a status that the client has received."""
        if change.state is not None and self._was_sent(change):
            change = TaskWrite(change.artifacts, task_metadata=change.task_metadata)
            if not change.artifacts and not change.task_metadata:
                return
        self.advance(change, self._cursor_after(change))

    def _was_sent(self, change: TaskWrite) -> bool:
        if not change.parts:
            return self._place <= self._recorded  # "working", which it is
        task, message = self.task, self._message(self.record, change)
        sent = [*task.get("history", []), task["status"].get("message")]
        return message is not None and any(each and each["messageId"] == message["messageId"] for each in sent)

    def _offloaded(self, change: TaskWrite) -> TaskWrite:
        blobs, task_id = self._executor.blobs, self.record.task_id
        if blobs is None or not change.artifacts:
            return change
        try:
            artifacts = [(offloaded(each, task_id, blobs), append, last) for each, append, last in change.artifacts]
        except Unavailable as error:
            self._halt(Lost(), error)
        return replace(change, artifacts=artifacts)

    def _stored(self, after: TaskRecord, remembered: ContextMemory | None) -> bool:
        """Try the write. False: a message came in between, so it has to be made on the task with that."""
        store, before = self._executor.store, self.record
        try:
            try:
                self._update(after, remembered)
            except MemoryConflict:
                self._halt(Over())  # another try of this run, with what the other task remembers
            except Conflict:
                current = store.get(before.task_id)
                if current is None or current.terminal or current.cursor != before.cursor:
                    self._halt(Over())
                self.record = current
                return False
        except Unavailable as error:
            self._halt(Lost(), error)
        self.record = after
        return True

    def _update(self, after: TaskRecord, remembered: ContextMemory | None) -> None:
        contexts = self._executor.contexts
        if remembered is None or contexts is None:
            self._executor.store.update(after)
        else:
            contexts.commit(after, remembered)

    def _halt(self, halt: Halt, cause: Exception | None = None) -> NoReturn:
        self.halted = halt
        raise halt from cause

    def _changed(self, before: TaskRecord, change: TaskWrite, cursor: Cursor, restartable: bool) -> TaskRecord:
        task, open_artifacts = before.task, before.open_artifacts
        bases = dict(before.cursor.bases)
        if restartable and not self._has_written:
            task, open_artifacts = taken_back(task, open_artifacts, bases)
            bases = {}
        for artifact, append, last_chunk in change.artifacts:
            identity = artifact["artifactId"]
            # What is replaced cannot come back; what is appended to can be cut.
            bases[identity] = (bases.get(identity) or base_of(task, open_artifacts, identity)) if append else Base()
            task = with_artifact(task, artifact, append)
            open_artifacts = open_artifacts - {identity} if last_chunk else open_artifacts | {identity}
        if change.task_metadata:
            task = {**task, "metadata": {**task.get("metadata", {}), **change.task_metadata}}
        if change.state is not None:
            task = with_status(task, change.state, self._executor.clock(), self._message(before, change))
        if restartable and cursor.run == before.cursor.run:
            cursor = replace(cursor, bases=bases)
        if (count := len(task.get("artifacts", []))) > MAX_ARTIFACTS:
            raise AgentError(f"the task would have {count} artifacts, {MAX_ARTIFACTS} are possible: put parts together")
        appended = {artifact["artifactId"] for artifact, append, _ in change.artifacts if append}
        # A value may come in two chunks.
        self.watched.check([each for each in task.get("artifacts", []) if each["artifactId"] in appended])
        beside = [cursor.bases, sorted(open_artifacts), sorted(appended)]
        size = len(dumps([task, *(each for each in beside if each)]).encode())
        if size > MAX_DOCUMENT and change.state is not TaskState.FAILED:
            raise AgentError(f"the task would have {size} bytes, {MAX_DOCUMENT} are possible: link what is large")
        return before.next(
            task,
            cursor=cursor,
            open_artifacts=open_artifacts,
            lengthened=lengthened_by(before.task, task, appended),
            expires_at=self._executor.expiry(terminal=change.state in TERMINAL),
        )

    def _message(self, before: TaskRecord, change: TaskWrite) -> Message | None:
        if not change.parts:
            return None
        if self._restart:
            # The same in every try, if its place and its content are.
            content = dumps([change.parts, change.metadata, change.extensions]).encode()
            name = f"{before.cursor.run}.{self._statuses}.{change.state}.{hashlib.sha256(content).hexdigest()}"
        else:
            name = f"{before.cursor.run}.{before.cursor.attempt}.{self._place}.{change.state}"
        message = agent_message(before.task, str(uuid.uuid5(uuid.UUID(before.task_id), name)), list(change.parts))
        if change.metadata:
            message["metadata"] = dict(change.metadata)
        if change.extensions:
            message["extensions"] = list(change.extensions)
        return message

    def _cursor_after(self, change: TaskWrite) -> Cursor:
        cursor = self.record.cursor
        if change.state not in INTERRUPTED:
            writes = cursor.writes + 1 if self._restart else max(self._place, self._recorded)
            return replace(cursor, writes=writes)
        agent = self._executor.agent
        assert cursor.step is not None
        following = agent.step_named(change.then) if change.then else agent.step_after(cursor.step)
        if following is None:
            raise AgentError(f"step {cursor.step!r} asks the client but no step comes after it: name one with then=")
        return Cursor(cursor.run + 1, following.name, wake_at=self._executor.after(following.wait), state=change.memory)
