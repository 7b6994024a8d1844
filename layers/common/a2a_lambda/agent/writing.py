"""What a step writes: the shapes in which its writes reach the task, and what is checked of them beforehand."""

from __future__ import annotations

import base64
import json as jsonlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..core.blobs import PREFIX
from ..core.model import Artifact, Json, Part, Task, TaskState, dumps
from ..core.records import SendRequest
from ..core.strict_json import MAX_DEPTH, check_depth

MAX_STATE = 32_768
"""Bytes of ``task.state`` as JSON."""


class AgentError(Exception):
    """The agent's code uses the step API in a way that cannot work. The text is for its author."""


def causes(error: BaseException) -> list[BaseException]:
    """The exceptions in a group, in groups within it too; the exception itself if it is none."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [cause for each in error.exceptions for cause in causes(each)]


class ArtifactWrite(NamedTuple):
    """An artifact, or (``append``) more parts of it. ``last_chunk`` False: more will be appended."""

    artifact: Artifact
    append: bool = False
    last_chunk: bool = True


@dataclass(frozen=True, slots=True)
class TaskWrite:
    """One write of a step: artifacts, then a status, if there is one.

    ``parts`` is the message of the status, with ``metadata`` and ``extensions`` of its own. ``then`` is the step that
    comes after a question to the client, ``memory`` the ``task.state`` to keep through it. ``task_metadata`` is merged
    into the task's own.
    """

    artifacts: Sequence[tuple[Artifact, bool, bool]] = ()
    state: TaskState | None = None
    parts: Sequence[Part] = ()
    then: str | None = None
    memory: dict[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] | None = None
    extensions: Sequence[str] = ()
    task_metadata: Mapping[str, Any] | None = None


class Recorder(Protocol):
    """How a step's writes reach the task; ``run`` has the real one."""

    @property
    def task(self) -> Task:
        """The task as the step knows it."""

    @property
    def owner(self) -> str:
        """Whose task it is."""

    @property
    def request(self) -> SendRequest:
        """What came beside the client's latest message."""

    @property
    def ended(self) -> bool:
        """Whether the run is over: the step has ended the task or asked the client."""

    def write(self, change: TaskWrite) -> None:
        """Record the change as one generation of the task."""

    def read(self) -> Task:
        """The task as it is stored now."""

    def memory(self) -> Json:
        """What the agent remembers of the conversation: a dictionary to read and to change."""

    def secret(self, name: str, key: str | None) -> str:
        """The value of a secret, or a field of it."""


def checked_state(state: object) -> dict[str, Any]:
    """``task.state`` as it will be read back. Raises :class:`AgentError` if it is not JSON, or too large."""
    if not isinstance(state, dict):
        raise AgentError("task.state must stay a dictionary")
    normal: dict[str, Any] = checked_json(state, "task.state")
    size = len(dumps(normal).encode())
    if size > MAX_STATE:
        raise AgentError(f"task.state has {size} bytes as JSON, {MAX_STATE} are possible")
    return normal


def checked_json(value: Any, what: str) -> Any:
    """The value as JSON gives it back: no later change by the author can reach what was recorded."""
    try:
        text = jsonlib.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
        check_depth(value)
    except (TypeError, ValueError, RecursionError):
        raise AgentError(f"{what} must hold JSON values only, of {MAX_DEPTH} levels at most") from None
    return jsonlib.loads(text)


def checked_metadata(metadata: Mapping[str, Any] | None, what: str) -> Json | None:
    """Metadata as it will be read back. Raises :class:`AgentError` if it is no JSON object."""
    if metadata is None:
        return None
    normal = checked_json(metadata, f"the metadata of {what}")
    if not isinstance(normal, dict):
        raise AgentError(f"the metadata of {what} must be a dictionary")
    return normal


def checked_extensions(extensions: Sequence[str], what: str) -> list[str]:
    """The URIs of extensions. Raises :class:`AgentError` if they are no list of texts."""
    normal: object = checked_json(extensions, f"the extensions of {what}")
    if not isinstance(normal, list) or not all(isinstance(uri, str) for uri in normal):
        raise AgentError(f"the extensions of {what} must be a list of URIs")
    return normal


def checked_parts(parts: Sequence[Part], what: str) -> list[Part]:
    """Section 4.1.6: exactly one content each, of the right type."""
    read: object = checked_json(parts, what)
    if not isinstance(read, list) or not all(isinstance(part, dict) for part in read):
        raise AgentError(f"the parts of {what} must be a list of dictionaries")
    normal: list[Part] = read
    for part in normal:
        contents = [key for key in ("text", "raw", "url", "data") if key in part]
        if str(part.get("url", "")).startswith(PREFIX):
            raise AgentError(f"a part of {what} has the URL of a content of ours: hand on what it leads to")
        if len(contents) != 1 or not (contents == ["data"] or isinstance(part.get(contents[0]), str)):
            raise AgentError(f"a part of {what} must have exactly one of text, raw (base64), url and data")
        if "raw" in part and not _is_base64(part["raw"]):
            raise AgentError(f"a part of {what} has a raw content that is not base64")
    return normal


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True


def checked_artifact(artifact: Artifact) -> Artifact:
    """The artifact as it will be read back. Raises :class:`AgentError` if it is none (section 4.1.7)."""
    what = f"artifact {artifact.get('name') or artifact.get('artifactId')!r}"
    normal: Artifact = checked_json(artifact, what)
    identity: object = normal.get("artifactId")
    if not isinstance(identity, str) or not identity:
        raise AgentError("an artifact needs an artifactId")
    if not normal.get("parts"):
        raise AgentError(f"{what} has no parts")
    checked_parts(normal["parts"], what)
    checked_metadata(normal.get("metadata"), what)
    checked_extensions(normal.get("extensions", []), what)
    return normal


def checked_write(change: TaskWrite) -> TaskWrite:
    """The write as it will be read back. Raises :class:`AgentError` for what is not of the protocol's shape."""
    parts = checked_parts(change.parts, "a status")
    metadata = checked_metadata(change.metadata, "a status")
    extensions = checked_extensions(change.extensions, "a status")
    if (metadata or extensions) and not parts:
        raise AgentError("metadata and extensions are those of a status's message: give it text, data or parts")
    if parts and change.state is None:
        raise AgentError("a message needs a status that it comes with")
    return TaskWrite(
        artifacts=[ArtifactWrite(checked_artifact(each), append, last) for each, append, last in change.artifacts],
        state=change.state,
        parts=parts,
        then=change.then,
        memory=checked_state(change.memory),
        metadata=metadata,
        extensions=extensions,
        task_metadata=checked_metadata(change.task_metadata, "the task"),
    )


def parts_of(
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
