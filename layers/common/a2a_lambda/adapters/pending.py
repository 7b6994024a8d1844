"""What waits to be written: statuses and artifacts in their order, put together where they come fast. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ..agent.writing import ArtifactWrite, TaskWrite
from ..core.lifecycle import joined
from ..core.model import Artifact, Json, Part, TaskState

MOST_WRITES = 3
"""Of one round: what goes back and forth between statuses and artifacts more often is put together."""

_ENDS = (".", "!", "?", "…", ":")


@dataclass(slots=True)
class _Write:
    """Artifacts, and the status after them."""

    artifacts: list[ArtifactWrite] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    metadata: Json | None = None
    extensions: list[str] = field(default_factory=list)

    @property
    def beside(self) -> tuple[Json | None, list[str]]:
        return self.metadata, self.extensions


class Pending:
    """Collects what an executor enqueues. A status with other metadata than the one before is one of its own."""

    def __init__(self) -> None:
        self._writes: list[_Write] = []
        self._task_metadata: dict[str, Any] = {}
        self._empty: dict[str, Artifact] = {}

    def __bool__(self) -> bool:
        return bool(self._writes or self._task_metadata)

    def artifact(self, artifact: Artifact, append: bool, last_chunk: bool) -> None:
        """An artifact, or a chunk of one. A chunk without parts only ends what is written with it."""
        identity = artifact["artifactId"]
        known = self._known(identity)
        if append and known is not None:
            write, place = known
            before = write.artifacts[place]
            whole: Artifact = {**before.artifact, "parts": joined(before.artifact["parts"], artifact["parts"])}
            if "metadata" in artifact:
                whole["metadata"] = {**whole.get("metadata", {}), **artifact["metadata"]}
            write.artifacts[place] = ArtifactWrite(whole, before.append, last_chunk)
            return
        if append:
            begun = self._empty.pop(identity, None)
            artifact, append = (cast("Artifact", {**begun, **artifact}), False) if begun else (artifact, True)
        if not artifact["parts"]:
            if not append:
                # An artifact has parts (section 4.1.7): it begins with its first chunk.
                self._empty[identity] = artifact
                return
            if not last_chunk:
                return
            artifact = {**artifact, "parts": [{"text": ""}]}
        if known is not None:
            write, place = known
            write.artifacts[place] = ArtifactWrite(artifact, append, last_chunk)
            return
        if not self._writes or self._writes[-1].parts:
            self._writes.append(_Write())
        self._writes[-1].artifacts.append(ArtifactWrite(artifact, append, last_chunk))
        self._bound()

    def status(self, parts: Sequence[Part], metadata: Json | None, extensions: Sequence[str]) -> None:
        """The message of a status that the task is being worked on."""
        if not self._writes or (self._writes[-1].parts and self._writes[-1].beside != (metadata, [*extensions])):
            self._writes.append(_Write())
        write = self._writes[-1]
        write.metadata, write.extensions = metadata, [*extensions]
        write.parts = _continued(write.parts, [*parts])

    def task_metadata(self, metadata: Mapping[str, Any]) -> None:
        """To be merged into the task's own with the next write."""
        self._task_metadata |= metadata

    def take(self) -> list[TaskWrite]:
        """The writes, in order; from then on nothing waits."""
        writes, self._writes = self._writes, []
        return [
            TaskWrite(
                each.artifacts,
                TaskState.WORKING if each.parts else None,
                each.parts,
                metadata=each.metadata,
                extensions=each.extensions,
            )
            for each in writes
        ]

    def take_metadata(self) -> dict[str, Any] | None:
        """The task's metadata, for the first write that is made."""
        metadata, self._task_metadata = self._task_metadata, {}
        return metadata or None

    def _known(self, identity: str) -> tuple[_Write, int] | None:
        for write in reversed(self._writes):
            for place, each in enumerate(write.artifacts):
                if each.artifact["artifactId"] == identity:
                    return write, place
        return None

    def _bound(self) -> None:
        if len(self._writes) > MOST_WRITES and self._writes[-2].beside == self._writes[-3].beside:
            last, before = self._writes.pop(-2), self._writes[-2]
            before.artifacts += last.artifacts
            before.parts = _continued(before.parts, last.parts)


def _continued(before: list[Part], after: list[Part]) -> list[Part]:
    """The parts one after the other. A text that goes on where the one before stopped, as a model's tokens do, becomes
    one part with it; a new sentence stays a part of its own."""
    if before and after and "text" in before[-1] and "text" in after[0]:
        left, right = before[-1]["text"], after[0]["text"]
        whole = left.endswith(_ENDS) and right[:1].strip()
        if whole:
            return [*before, *after]
    return joined(before, after)
