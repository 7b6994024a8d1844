"""The task as a step of an agent sees it, and what the step may do with it."""

from __future__ import annotations

import base64
import json as jsonlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ..core.blobs import PREFIX
from ..core.model import TERMINAL, Artifact, Message, Part, Task, TaskState, dumps, state_of, text_of
from ..core.ports import Clock
from ..net.web import Fetch, Fetched, FetchRequest

MAX_STATE = 32_768
"""Bytes of ``task.state`` as JSON."""

MAX_WAIT = 31_536_000
"""Seconds in a year: the longest that Step Functions can wait."""


class AgentError(Exception):
    """The agent's code uses the step API in a way that cannot work. The text is for its author."""


@dataclass(frozen=True, slots=True)
class Next:
    """What a step asked for at its end: which step comes next (None: the one declared after it), and when (seconds;
    None: the wait that step declares)."""

    step: str | None = None
    wait: float | None = None


@dataclass(frozen=True, slots=True)
class TaskWrite:
    """One write of a step: artifacts (each with: append, last chunk), then a status, if there is one.

    ``then`` is the step that comes after a question to the client, ``memory`` the ``task.state`` to keep through it.
    """

    artifacts: Sequence[tuple[Artifact, bool, bool]] = ()
    state: TaskState | None = None
    parts: Sequence[Part] = ()
    then: str | None = None
    memory: dict[str, Any] = field(default_factory=dict)


class Recorder(Protocol):
    """How a step's writes reach the task; ``execution`` has the real one."""

    @property
    def task(self) -> Task:
        """The task as the step knows it."""

    @property
    def ended(self) -> bool:
        """Whether the run is over: the step has ended the task or asked the client."""

    def write(self, change: TaskWrite) -> None:
        """Record the change as one generation of the task."""

    def read(self) -> Task:
        """The task as it is stored now."""


@dataclass(frozen=True, slots=True)
class RunOfStep:
    """What a run of a step is given. ``steps`` are the names of all steps of the agent; ``key`` is the same whenever
    this run is repeated, and different for any other; ``remaining_ms`` counts down to the step's own time limit."""

    step: str
    steps: frozenset[str]
    state: dict[str, Any]
    key: str
    clock: Clock
    remaining_ms: Callable[[], int]
    fetch: Fetch


class TaskContext:
    """The task as a step sees it, and what it may do with it.

    Attributes:
        id, context_id: as on the wire.
        history: all messages at the start of this run, oldest first.
        state: a small dictionary of JSON values that survives from step to step.
        idempotency_key: the same whenever this run of this step is repeated after a crash, different otherwise.
        remaining_ms: a function; milliseconds that this step has left.
        next: what was asked for with ``goto``, ``wait`` and ``repeat``.
    """

    def __init__(self, recorder: Recorder, run: RunOfStep) -> None:
        self._recorder = recorder
        self._run = run
        self._pending: list[tuple[Artifact, bool, bool]] = []
        self.next = Next()
        self.state = run.state
        self.idempotency_key = run.key
        self.remaining_ms = run.remaining_ms
        self.id = recorder.task["id"]
        self.context_id = recorder.task["contextId"]
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
        given = list(parts) if parts is not None else _parts(text, data, url, raw, media_type, filename)
        if not given:
            raise AgentError(f"artifact {name!r} has no parts: give it text, data, url, raw or parts")
        artifact: Artifact = {
            "artifactId": str(uuid.uuid5(uuid.UUID(self.id), name)),
            "name": name,
            "parts": _checked(given, f"artifact {name!r}"),
        }
        if description is not None:
            artifact["description"] = description
        self._pending.append((artifact, append, last_chunk))

    def flush(self) -> None:
        """Write the artifacts so far now, without a new status: the client is notified of each chunk."""
        self._open()
        if self._pending:
            self._recorder.write(TaskWrite(self.finish()))

    def status(self, text: str | None = None, *, data: Any = None) -> None:
        """Say how far the work has come: state ``working``. One write, so one notification."""
        self._write(TaskState.WORKING, text, data)

    def complete(self, text: str | None = None, *, data: Any = None) -> None:
        """End the task as completed. A last step that just returns does the same."""
        self._end(TaskState.COMPLETED, text, data)

    def fail(self, text: str | None = None, *, data: Any = None) -> None:
        """End the task as failed."""
        self._end(TaskState.FAILED, text, data)

    def reject(self, text: str | None = None, *, data: Any = None) -> None:
        """End the task as rejected: the agent will not do it."""
        self._end(TaskState.REJECTED, text, data)

    def require_input(self, text: str, *, data: Any = None, then: str | None = None) -> None:
        """Ask the client. The task waits, for days if need be; its answer is ``task.message`` in the next step, or in
        the one named ``then``."""
        self._end(TaskState.INPUT_REQUIRED, text, data, then)

    def require_auth(self, text: str, *, data: Any = None, then: str | None = None) -> None:
        """Ask the client to authorize something out of band; otherwise like :meth:`require_input`."""
        self._end(TaskState.AUTH_REQUIRED, text, data, then)

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
            body = dumps(_json(json, "json")).encode()
            given = {"Content-Type": "application/json", "Idempotency-Key": self.idempotency_key, **given}
        # libcurl cannot be interrupted: it has to end before the step's time does.
        left = self.remaining_ms() / 1_000
        method = "GET" if body is None else "POST"
        return self._run.fetch(FetchRequest(url, method, given, body, min(seconds, left), max_bytes))

    def canceled(self) -> bool:
        """Whether the task has been canceled, or ended otherwise, meanwhile. Costs a read; for steps that run long."""
        return state_of(self._recorder.read()) in TERMINAL

    def finish(self) -> Sequence[tuple[Artifact, bool, bool]]:
        """The artifacts that wait for a write: the runtime calls this at the end of the step."""
        pending, self._pending = self._pending, []
        return pending

    def _end(self, state: TaskState, text: str | None, data: Any, then: str | None = None) -> None:
        self._write(state, text, data, None if then is None else self._known(then))

    def _write(self, state: TaskState, text: str | None, data: Any, then: str | None = None) -> None:
        self._open()
        parts = _checked(_parts(text, data), "a status")
        self._recorder.write(TaskWrite(self.finish(), state, parts, then, checked_state(self.state)))

    def _open(self) -> None:
        if self._recorder.ended:
            raise AgentError("nothing can follow the call that ended the task or asked the client: return after it")

    def _known(self, step: str) -> str:
        if step not in self._run.steps:
            raise AgentError(f"there is no step {step!r}")
        return step


def checked_state(state: object) -> dict[str, Any]:
    """``task.state`` as it will be read back. Raises :class:`AgentError` if it is not JSON, or too large."""
    if not isinstance(state, dict):
        raise AgentError("task.state must stay a dictionary")
    normal: dict[str, Any] = _json(state, "task.state")
    size = len(dumps(normal).encode())
    if size > MAX_STATE:
        raise AgentError(f"task.state has {size} bytes as JSON, {MAX_STATE} are possible")
    return normal


def _json(value: Any, what: str) -> Any:
    """The value as JSON gives it back: no later change by the author can reach what was recorded."""
    try:
        text = jsonlib.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError):
        raise AgentError(f"{what} must hold JSON values only") from None
    return jsonlib.loads(text)


def _checked(parts: Sequence[Part], what: str) -> list[Part]:
    """Section 4.1.6: exactly one content each, of the right type."""
    normal: list[Part] = _json(parts, what)
    for part in normal:
        contents = [key for key in ("text", "raw", "url", "data") if key in part]
        if str(part.get("url", "")).startswith(PREFIX):
            raise AgentError(f"a part of {what} has the URL of a content of ours: hand on what it leads to")
        if len(contents) != 1 or not (contents == ["data"] or isinstance(part.get(contents[0]), str)):
            raise AgentError(f"a part of {what} must have exactly one of text, raw (base64), url and data")
    return normal


def _parts(
    text: str | None,
    data: Any = None,
    url: str | None = None,
    raw: bytes | None = None,
    media_type: str | None = None,
    filename: str | None = None,
) -> list[Part]:
    """One part for each content that is given."""
    contents: list[Part] = []
    if text is not None:
        contents.append({"text": text})
    if data is not None:
        contents.append({"data": data})
    if url is not None:
        contents.append({"url": url})
    if raw is not None:
        contents.append({"raw": base64.b64encode(raw).decode()})
    for part in contents:
        if media_type is not None:
            part["mediaType"] = media_type
        if filename is not None:
            part["filename"] = filename
    return contents


def _checked_wait(seconds: float | None) -> float | None:
    if seconds is not None and not 0 <= seconds <= MAX_WAIT:
        raise AgentError(f"a wait must be between 0 and {MAX_WAIT} seconds")
    return seconds
