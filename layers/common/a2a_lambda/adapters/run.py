"""One run of an executor's ``execute``: what it enqueues becomes writes of the task, in its order.

What ends the run (a last status, a question) is written at once, with the artifacts before it. Everything else waits
until a second has passed since the last write, and is put together with what comes meanwhile: each write is paid for,
and pushed to every webhook. The SDK's own ids of artifacts are random; what is written has the same ids in each run.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from ..agent.context import TaskContext
from ..agent.writing import AgentError, ArtifactWrite, TaskWrite
from ..core.model import INTERRUPTED, TERMINAL, Artifact, Json, Part, TaskState
from .pending import Pending
from .wire import Wire, wire

CANCEL_GRACE = 0.5
"""Seconds in which an executor's ``cancel`` can end its ``execute`` itself."""

CANCEL_SECONDS = 5.0
"""Seconds that ``cancel`` may take in all, to stop what runs elsewhere."""

logger = logging.getLogger(__name__)


class ExecutorRun:
    """A run of an executor for a task. Seconds: see ``agent_from``."""

    def __init__(
        self, task: TaskContext, executor: Any, chunk_seconds: float, cancel_seconds: float, step: str
    ) -> None:
        self._task, self._executor, self._step = task, executor, step
        self._pause, self._cancel_seconds = chunk_seconds, cancel_seconds
        self._wire: Wire = wire()
        self._pending = Pending()
        self._free_at = task.now + timedelta(seconds=chunk_seconds)  # "working" was written just now
        self._known = {artifact["artifactId"] for artifact in task.stored.get("artifacts", [])}
        self._renamed: dict[str, str] = {}
        self._answer: list[Part] = []
        self._answer_metadata: Json | None = None

    async def run(self) -> None:
        """Raises what ``execute`` raises, after what it had enqueued is written."""
        context = self._wire.context(self._task)
        work = asyncio.ensure_future(self._executor.execute(context, self._wire.queue(self._enqueued)))
        canceled = asyncio.ensure_future(self._until_canceled())
        in_time = asyncio.ensure_future(self._write_in_time())
        try:
            await asyncio.wait({work, canceled, in_time}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                for helper in (in_time, canceled):
                    if helper.done():
                        helper.result()
                await self._cancel(work, context)
                return
        finally:
            for each in (work, canceled, in_time):
                each.cancel()
        if work.cancelled():
            raise RuntimeError("the executor canceled itself")
        failed = work.exception()
        if not self._task.ended and (failed is None or isinstance(failed, Exception)):  # else nothing can be written
            self._write_pending()
        work.result()
        if not self._task.ended:
            self._end(TaskState.COMPLETED, self._answer, self._answer_metadata)

    # ------------------------------------------------------------------------------------------------- beside execute

    async def _until_canceled(self) -> None:
        """Return when the task was canceled. Each look is one read."""
        while True:
            await asyncio.sleep(self._cancel_seconds or 3_600)
            if self._cancel_seconds and not self._task.ended and self._task.canceled():
                return

    async def _write_in_time(self) -> None:
        """What waits is written in time, though nothing more comes. Never returns."""
        while True:
            await asyncio.sleep(self._pause or 3_600)
            self._write_if_time()

    async def _cancel(self, work: asyncio.Future[Any], context: Any) -> None:
        """End a run whose task was canceled: that write stands, so this makes none any more."""
        stopping = asyncio.ensure_future(self._executor.cancel(context, self._wire.queue(lambda _: None)))
        try:
            await asyncio.wait({stopping, work}, timeout=CANCEL_GRACE, return_when=asyncio.ALL_COMPLETED)
            work.cancel()
            await asyncio.wait({work}, timeout=CANCEL_GRACE)
            await asyncio.wait({stopping}, timeout=CANCEL_SECONDS)
        finally:
            stopping.cancel()
        for each in (work, stopping):
            if each.done() and not each.cancelled():
                each.exception()  # most executors raise that they cannot cancel; nobody has to hear of it

    # ---------------------------------------------------------------------------------------------- what is enqueued

    def _enqueued(self, event: Json) -> None:
        """An event of the executor as A2A 1.0 JSON. What comes after the end is dropped, as by the SDK's own server."""
        if event.get("taskId", event.get("id", "")) not in ("", self._task.id) and "messageId" not in event:
            raise AgentError("the executor enqueued an event of another task: it has to use context.task_id")
        if self._task.ended:
            logger.warning("An event that the executor enqueued after the end of its run is not recorded")
        elif "messageId" in event:
            self._answer += event["parts"]
            self._answer_metadata = event.get("metadata") or self._answer_metadata
        elif "artifact" in event:
            self._artifact(event["artifact"], event.get("append", False), event.get("lastChunk", False))
            self._metadata(event)
        elif "status" in event:
            for artifact in event.get("artifacts", ()):
                self._artifact(artifact, False, True)
            self._metadata(event)
            self._status(event["status"])
        self._write_if_time()

    def _metadata(self, event: Mapping[str, Any]) -> None:
        if event.get("metadata"):
            self._pending.task_metadata(event["metadata"])

    def _artifact(self, artifact: Json, append: bool, last_chunk: bool) -> None:
        given = {"parts": [], **artifact, "artifactId": self._stable(artifact["artifactId"])}
        self._pending.artifact(cast("Artifact", given), append, last_chunk)

    def _status(self, status: Json) -> None:
        state = _STATES.get(status.get("state", ""), TaskState.WORKING)
        message = status.get("message") or {}
        if state in TERMINAL | INTERRUPTED:
            self._end(state, message.get("parts", ()), message.get("metadata"), message.get("extensions", ()))
        elif message.get("parts"):
            self._pending.status(message["parts"], message.get("metadata"), message.get("extensions", ()))

    def _stable(self, artifact_id: str) -> str:
        """The same id in every run: one that was made up is named by its place among those of this turn."""
        if artifact_id in self._known or not _is_random(artifact_id):
            return artifact_id
        turn = sum(message["role"] == "ROLE_USER" for message in self._task.history)
        return self._renamed.setdefault(
            artifact_id, self._task.artifact_id(f"{self._step}.{turn}.{len(self._renamed)}")
        )

    # ------------------------------------------------------------------------------------------------------- writing

    def _write_if_time(self) -> None:
        if self._pending and self._task.now >= self._free_at and not self._task.ended:
            self._write_pending()

    def _write_pending(self) -> None:
        writes = self._pending.take() or ([TaskWrite()] if self._pending else [])
        for write in writes:
            self._write(write)

    def _write(self, write: TaskWrite) -> None:
        self._free_at = max(self._task.now, self._free_at) + timedelta(seconds=self._pause)
        self._task.write(replace(write, task_metadata=self._pending.take_metadata()))

    def _end(self, state: TaskState, parts: Any = (), metadata: Json | None = None, extensions: Any = ()) -> None:
        """The last write of the run, with the artifacts that came just before it."""
        *before, last = [*self._pending.take(), TaskWrite()]
        if before and before[-1].state is None:
            last = before.pop()
        for write in before:
            self._write(write)
        artifacts = last.artifacts
        if state in TERMINAL:
            artifacts = [ArtifactWrite(artifact, append, True) for artifact, append, _ in artifacts]
        self._write(
            TaskWrite(
                artifacts,
                state,
                [*parts],
                self._step if state in INTERRUPTED else None,
                metadata=metadata if parts else None,
                extensions=[*extensions] if parts else [],
            )
        )


_STATES = {state.value: state for state in TaskState}


def _is_random(text: str) -> bool:
    try:
        return uuid.UUID(text).version == 4
    except ValueError:
        return False
