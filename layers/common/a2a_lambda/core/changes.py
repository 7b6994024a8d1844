"""From two images of a task to the events its webhooks hear of (specification sections 4.2 and 4.3.3)."""

from __future__ import annotations

from typing import Any, NamedTuple

from .model import Artifact, Json, Task


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


def changes(old: Task | None, new: Task, generation: int, open_artifacts: frozenset[str] = frozenset()) -> Change:
    """The events that lead from ``old`` (None for a task just created) to ``new``.

    ``open_artifacts`` are the ids of artifacts to which more chunks will be appended: every other artifact's update is
    its last chunk.
    """
    events = [*_artifact_updates(old, new, open_artifacts)]
    if old is None or old["status"] != new["status"]:
        events.append(status_update(new))
    return Change(generation, tuple(events), new)


def status_update(task: Task) -> Json:
    """The event that tells the task's present status."""
    return {"statusUpdate": {"taskId": task["id"], "contextId": task["contextId"], "status": task["status"]}}


def _artifact_updates(old: Task | None, new: Task, open_artifacts: frozenset[str]) -> list[Json]:
    before_all = old.get("artifacts", []) if old is not None else []
    known = {artifact["artifactId"]: artifact for artifact in before_all}
    updates: list[Json] = []
    for artifact in new.get("artifacts", []):
        before = known.get(artifact["artifactId"])
        if before == artifact:
            continue
        update: dict[str, Any] = {"taskId": new["id"], "contextId": new["contextId"], "artifact": artifact}
        if before is not None and _extends(before, artifact):
            update["artifact"] = {**artifact, "parts": artifact["parts"][len(before["parts"]) :]}
            update["append"] = True
        update["lastChunk"] = artifact["artifactId"] not in open_artifacts
        updates.append({"artifactUpdate": update})
    return updates


def _extends(before: Artifact, after: Artifact) -> bool:
    """Whether ``after`` is ``before`` with parts appended, and nothing else."""
    length = len(before["parts"])
    return (
        len(after["parts"]) > length
        and after["parts"][:length] == before["parts"]
        and {**after, "parts": []} == {**before, "parts": []}
    )
