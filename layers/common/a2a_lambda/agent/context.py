"""The task as a step of an agent sees it, and what the step may do with it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypedDict, Unpack

from ..core.lifecycle import conversation_id
from ..core.model import TERMINAL, Artifact, Json, Message, Part, Task, TaskState, dumps, state_of, text_of
from ..core.ports import Clock
from ..net.web import Fetch, Fetched, FetchRequest
from .text_stream import TextStream
from .writing import (
    AgentError,
    ArtifactWrite,
    Recorder,
    TaskWrite,
    checked_artifact,
    checked_json,
    checked_write,
    parts_of,
)

MAX_WAIT = 31_536_000
"""Seconds in a year: the longest that Step Functions can wait."""


@dataclass(frozen=True, slots=True)
class Next:
    """What a step asked for at its end: which step comes next (None: the one declared after it), and when (seconds;
    None: the wait that step declares)."""

    step: str | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class RunOfStep:
    """What a run of a step is given. ``steps`` are the names of all steps of the agent; ``key`` is the same whenever
    this run is repeated, and different for any other; ``remaining_ms`` counts down to the step's own time limit;
    ``restarts``: a run that is repeated skips nothing."""

    step: str
    steps: frozenset[str]
    state: dict[str, Any]
    key: str
    clock: Clock
    remaining_ms: Callable[[], int]
    fetch: Fetch
    restarts: bool = False
    settings: dict[str, Any] = field(default_factory=dict)


class Content(TypedDict, total=False):
    """What the message of a status may have beside its text. ``parts`` come after text and ``data``; ``metadata`` and
    ``extensions`` are the message's."""

    data: Any
    parts: Sequence[Part]
    metadata: Mapping[str, Any]
    extensions: Sequence[str]


class TaskContext:
    """The task as a step sees it, and what it may do with it.

    Attributes:
        id, context_id: as on the wire. The client chooses a context's id: two callers may have the same.
        caller: who sent the task, as the API's authorizer says.
        conversation: an id for this caller's context, which no other caller's has.
        request_metadata: the metadata of the request that brought the latest message, beside the message's own.
        requested_extensions: the URIs of the extensions that its client asked for.
        accepted_output_modes: the media types that its client accepts; none: any.
        history: all messages at the start of this run, oldest first.
        settings: the template's parameter AgentSettings, a dictionary.
        state: a small dictionary of JSON values that survives from step to step.
        idempotency_key: the same whenever this run of this step is repeated after a crash, different otherwise.
        remaining_ms: a function; milliseconds that this step has left.
        next: what was asked for with ``goto``, ``wait`` and ``repeat``.
    """

    def __init__(self, recorder: Recorder, run: RunOfStep) -> None:
        self._recorder = recorder
        self._run = run
        self._pending: list[ArtifactWrite] = []
        self.next = Next()
        self.state = run.state
        self.settings = run.settings
        self.idempotency_key = run.key
        self.remaining_ms = run.remaining_ms
        self.id = recorder.task["id"]
        self.context_id = recorder.task["contextId"]
        self.caller = recorder.owner
        self.conversation = conversation_id(self.caller, self.context_id)
        request = recorder.request
        self.request_metadata: Json = checked_json(request.metadata, "the request's metadata")  # a copy
        self.requested_extensions = frozenset(request.extensions)
        self.accepted_output_modes = request.output_modes
        # Taken once: a message that comes in the middle must not change what this run works on.
        self.history: list[Message] = [*recorder.task.get("history", [])]

    @property
    def message(self) -> Message:
        """The client's latest message."""
        return [message for message in self.history if message["role"] == "ROLE_USER"][-1]

    @property
    def text(self) -> str:
        """The text of the client's latest message."""
        return text_of(self.message)

    @property
    def memory(self) -> Json:
        """What the agent remembers of this caller's context, from task to task: a dictionary of JSON values. What the
        step has changed in it is kept when its run ends well, together with that end. Read at the first use."""
        return self._recorder.memory()

    @memory.setter
    def memory(self, content: Json) -> None:
        if not isinstance(content, dict):
            raise AgentError("task.memory must stay a dictionary")
        kept = {**content}
        self.memory.clear()
        self.memory.update(kept)

    @property
    def stored(self) -> Task:
        """The task as this run has it, as A2A 1.0 JSON: to read only."""
        return self._recorder.task

    @property
    def ended(self) -> bool:
        """Whether this run has ended the task or asked its client: nothing can be written any more."""
        return self._recorder.ended

    @property
    def now(self) -> datetime:
        """The present moment in UTC. In tests of an agent it moves only when the agent waits."""
        return self._run.clock()

    def artifact(
        self,
        name: str,
        text: str | None = None,
        *,
        data: Any = None,
        url: str | None = None,
        raw: bytes | None = None,
        parts: Sequence[Part] | None = None,
        media_type: str | None = None,
        filename: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        extensions: Sequence[str] = (),
        append: bool = False,
        last_chunk: bool = True,
    ) -> None:
        """Add an artifact, or (``append``) more parts to the one of this name.

        Written with the next status, with :meth:`flush`, or at the end of the step. The name identifies it: the same
        name again, without ``append``, replaces it. ``last_chunk`` False tells the client that more will be appended.
        """
        self._open()
        if not name:
            raise AgentError("an artifact needs a name")
        given = list(parts) if parts is not None else parts_of(text, data, url, raw, media_type, filename)
        if not given:
            raise AgentError(f"artifact {name!r} has no parts: give it text, data, url, raw or parts")
        artifact: Artifact = {"artifactId": self.artifact_id(name), "name": name, "parts": given}
        if description is not None:
            artifact["description"] = description
        if metadata is not None:
            artifact["metadata"] = dict(metadata)
        if extensions:
            artifact["extensions"] = [*extensions]
        self._pending.append(ArtifactWrite(checked_artifact(artifact), append, last_chunk))

    def artifact_id(self, name: str) -> str:
        """The id of the artifact of this name: the same whenever a step runs again."""
        return str(uuid.uuid5(uuid.UUID(self.id), name))

    def stream_text(
        self,
        name: str,
        *,
        media_type: str | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> TextStream:
        """An artifact whose text comes in small pieces: ``async with task.stream_text("answer") as out``, or a plain
        ``with``, and ``out.write("…")``. It is written once a second, or when there are 4 kB; its end goes with the
        step's next write.

        Where a write ends is a matter of time, so it takes a step with ``rerun="restart"``. Raises :class:`AgentError`
        in any other.
        """
        self._open()
        if not self._run.restarts:
            raise AgentError("stream_text needs @agent.step(rerun='restart'): no two runs write the same pieces")

        def emit(text: str, append: bool, last: bool) -> None:
            given = (None, None) if append else (description, metadata)
            self.artifact(
                name,
                text,
                media_type=media_type,
                description=given[0],
                metadata=given[1],
                append=append,
                last_chunk=last,
            )

        return TextStream(emit, self.flush, self._run.clock)

    def flush(self) -> None:
        """Write the artifacts so far now, without a new status: the client is notified of each chunk."""
        self._open()
        if self._pending:
            self._recorder.write(TaskWrite(self.finish()))

    def write(self, change: TaskWrite) -> None:
        """One write as it is, after the artifacts that wait for one: for adapters, which have ids and messages of their
        own. ``change.memory`` is :attr:`state` unless it is given. Raises :class:`AgentError` for what is not of the
        protocol's shape."""
        self._open()
        if change.then is not None:
            self._known(change.then)
        checked = checked_write(replace(change, memory=change.memory or self.state))
        self._recorder.write(replace(checked, artifacts=[*self.finish(), *checked.artifacts]))

    def status(self, text: str | None = None, **content: Unpack[Content]) -> None:
        """Say how far the work has come: state ``working``. One write, so one notification."""
        self._write(TaskState.WORKING, text, content)

    def complete(self, text: str | None = None, **content: Unpack[Content]) -> None:
        """End the task as completed. A last step that just returns does the same."""
        self._write(TaskState.COMPLETED, text, content)

    def fail(self, text: str | None = None, **content: Unpack[Content]) -> None:
        """End the task as failed."""
        self._write(TaskState.FAILED, text, content)

    def reject(self, text: str | None = None, **content: Unpack[Content]) -> None:
        """End the task as rejected: the agent will not do it."""
        self._write(TaskState.REJECTED, text, content)

    def require_input(self, text: str | None = None, *, then: str | None = None, **content: Unpack[Content]) -> None:
        """Ask the client. The task waits, for days if need be; its answer is ``task.message`` in the next step, or in
        the one named ``then``."""
        self._write(TaskState.INPUT_REQUIRED, text, content, then)

    def require_auth(self, text: str | None = None, *, then: str | None = None, **content: Unpack[Content]) -> None:
        """Ask the client to authorize something out of band; otherwise like :meth:`require_input`."""
        self._write(TaskState.AUTH_REQUIRED, text, content, then)

    def goto(self, step: str, *, wait: float | None = None) -> None:
        """Go on with the named step, after ``wait`` seconds (None: the wait that step declares)."""
        self._open()
        self.next = Next(self._known(step), _checked_wait(wait))

    def wait(self, seconds: float | None = None, *, until: datetime | None = None) -> None:
        """Go on with the next step after so many seconds, or at a moment (which has an offset). Nothing is billed
        meanwhile."""
        self._open()
        if (seconds is None) == (until is None):
            raise AgentError("wait takes either seconds or until=")
        if until is not None:
            if until.tzinfo is None:
                raise AgentError("wait(until=) needs a datetime with an offset, such as datetime.now(UTC) has")
            seconds = max((until - self.now).total_seconds(), 0.0)
        self.next = Next(self.next.step, _checked_wait(seconds))

    def repeat(self, *, wait: float = 0.0) -> None:
        """Run this step again, after ``wait`` seconds."""
        self.goto(self._run.step, wait=wait)

    def fetch(
        self,
        url: str,
        *,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 10.0,
        max_bytes: int = 1_000_000,
    ) -> Fetched:
        """GET a URL, or POST ``json`` to it. The URL may come from the client: what is not public is refused.

        A POST carries ``Idempotency-Key``, so that a service can tell a repeated run of this step. Raises
        :class:`~.web.FetchError` if there is no answer; an answer of any status is returned.
        """
        given = dict(headers or {})
        body = None
        if json is not None:
            body = dumps(checked_json(json, "json")).encode()
            given = {"Content-Type": "application/json", "Idempotency-Key": self.idempotency_key, **given}
        # libcurl cannot be interrupted: it has to end before the step's time does.
        left = self.remaining_ms() / 1_000
        method = "GET" if body is None else "POST"
        return self._run.fetch(FetchRequest(url, method, given, body, min(seconds, left), max_bytes))

    def secret(self, name: str, key: str | None = None) -> str:
        """The value of a secret that the template's parameter AgentSecretArns gives to the agent, by its name, or
        (``key``) a field of it, if it is a JSON object. Looked up once in five minutes.

        A write that holds the value is refused. Raises :class:`AgentError` if there is no such secret.
        """
        return self._recorder.secret(name, key)

    def canceled(self) -> bool:
        """Whether the task has been canceled, or ended otherwise, meanwhile. Costs a read; for steps that run long."""
        return state_of(self._recorder.read()) in TERMINAL

    def finish(self) -> Sequence[ArtifactWrite]:
        """The artifacts that wait for a write: the runtime calls this at the end of the step."""
        pending, self._pending = self._pending, []
        return pending

    def _write(self, state: TaskState, text: str | None, content: Content, then: str | None = None) -> None:
        parts = [*parts_of(text, content.get("data")), *content.get("parts", ())]
        metadata = content.get("metadata")
        extensions = [*content.get("extensions", ())]
        self.write(TaskWrite((), state, parts, then, metadata=metadata, extensions=extensions))

    def _open(self) -> None:
        if self._recorder.ended:
            raise AgentError("nothing can follow the call that ended the task or asked the client: return after it")

    def _known(self, step: str) -> str:
        if step not in self._run.steps:
            raise AgentError(f"there is no step {step!r}")
        return step


def _checked_wait(seconds: float | None) -> float | None:
    if seconds is not None and not 0 <= seconds <= MAX_WAIT:
        raise AgentError(f"a wait must be between 0 and {MAX_WAIT} seconds")
    return seconds
