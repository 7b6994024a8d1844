"""From two images of a task to the events that its webhooks receive (specification sections 4.2 and 4.3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

from .model import Artifact, Json, Part, Task, same_json


class Change(NamedTuple):
    """What one write of a task changed.

    ``events`` are A2A 1.0 stream responses: ``{"artifactUpdate": ...}`` in the order of the artifacts, then
    ``{"statusUpdate": ...}``. Their place in the list is the ``n`` of the event's id. ``task`` is the task as the
    write left it.
    """

    generation: int
    events: tuple[Json, ...]
    task: Task

    @property
    def written_at(self) -> str:
        """The status timestamp: when the change was recorded."""
        return self.task["status"]["timestamp"]


def changes(
    old: Task | None,
    new: Task,
    generation: int,
    open_artifacts: frozenset[str] = frozenset(),
    lengthened: frozenset[str] = frozenset(),
) -> Change:
    """The events that lead from ``old`` (None for a task just created) to ``new``.

    ``open_artifacts`` are the ids of artifacts to which more chunks will be appended: every other artifact's update is
    its last chunk. ``lengthened`` are those of which this write lengthened the last text: the update is the new end of
    it. Without that, a longer text is another text, which replaces the artifact.
    """
    events = [*_artifact_updates(old, new, open_artifacts, lengthened)]
    if old is None or not same_json(old["status"], new["status"]):
        events.append(status_update(new))
    return Change(generation, tuple(events), new)


def status_update(task: Task) -> Json:
    """The event of the task's present status."""
    return {"statusUpdate": {"taskId": task["id"], "contextId": task["contextId"], "status": task["status"]}}


def _artifact_updates(
    old: Task | None, new: Task, open_artifacts: frozenset[str], lengthened: frozenset[str]
) -> list[Json]:
    before_all = old.get("artifacts", []) if old is not None else []
    known = {artifact["artifactId"]: artifact for artifact in before_all}
    updates: list[Json] = []
    for artifact in new.get("artifacts", []):
        before = known.get(artifact["artifactId"])
        if before is not None and same_json(before, artifact):
            continue
        update: dict[str, Any] = {"taskId": new["id"], "contextId": new["contextId"], "artifact": artifact}
        if before is not None and _extends(before, artifact):
            update["artifact"] = {**artifact, "parts": artifact["parts"][len(before["parts"]) :]}
            update["append"] = True
        elif before is not None and artifact["artifactId"] in lengthened and _lengthens(before, artifact):
            place, characters = len(before["parts"]) - 1, len(before["parts"][-1]["text"])
            update["artifact"] = {**artifact, "parts": cut(artifact["parts"], place, None, characters)}
            update["append"] = True
        update["lastChunk"] = artifact["artifactId"] not in open_artifacts
        updates.append({"artifactUpdate": update})
    return updates


def lengthened_by(old: Task, new: Task, appended: AbstractSet[str]) -> frozenset[str]:
    """Of the artifacts that a write appended to, those of which it lengthened the last text."""
    if not appended:
        return frozenset()
    known = {artifact["artifactId"]: artifact for artifact in old.get("artifacts", [])}
    grown = [each for each in new.get("artifacts", []) if each["artifactId"] in appended & known.keys()]
    return frozenset(each["artifactId"] for each in grown if _lengthens(known[each["artifactId"]], each))


def _lengthens(before: Artifact, after: Artifact) -> bool:
    """Whether ``after`` is ``before`` with its last text longer, perhaps parts after that, and nothing else."""
    last = len(before["parts"]) - 1
    if len(after["parts"]) <= last or "text" not in before["parts"][last] or "text" not in after["parts"][last]:
        return False
    text, longer = before["parts"][last]["text"], after["parts"][last]["text"]
    shortened: Artifact = {**after, "parts": [*after["parts"][:last], {**after["parts"][last], "text": text}]}
    return len(longer) > len(text) and longer.startswith(text) and same_json(shortened, before)


def cut(parts: Sequence[Part], start: int, end: int | None, skip: int = 0, stop: int = -1) -> list[Part]:
    """The parts from ``start`` to ``end``, the last one's text up to the character ``stop`` (-1: all of it), and the
    first one's without ``skip`` characters."""
    found = [*parts[start:end]]
    if stop >= 0 and found and "text" in found[-1]:
        found[-1] = {**found[-1], "text": found[-1]["text"][:stop]}
    if skip and found and "text" in found[0]:
        found[0] = {**found[0], "text": found[0]["text"][skip:]}
    return found


def _extends(before: Artifact, after: Artifact) -> bool:
    """Whether ``after`` is ``before`` with parts appended, and nothing else."""
    length = len(before["parts"])
    return (
        len(after["parts"]) > length
        and same_json(after["parts"][:length], before["parts"])
        and same_json({**after, "parts": []}, {**before, "parts": []})
    )
