"""What the last writes of a task changed, in a few bytes each: enough to make their events from a later task.

A stream reads the task from time to time and may find several writes since its last look. The newest task alone does
not show in how many pieces it came. Its trace does: for each of the last writes the status, without its message (which
is in the history by then), and which parts of which artifact were new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .changes import changes, cut, status_update
from .model import Json, Task, dumps

KEPT = 16
"""Writes that a trace goes back at most."""

MAX_BYTES = 2_000
"""Bytes of a trace as it is stored. Every write of the task pays for them, so older writes are dropped for it."""

MERGED = "m"
"""Begins the place of an event that stands for several writes: no webhook received an event of that id."""


class Slice(NamedTuple):
    """Parts ``start`` to ``end`` of the artifact at this ``place`` were new: of the first one's text what comes after
    ``skip`` characters, and of the last one's what was there before ``stop`` (-1: all of it)."""

    place: int
    start: int
    end: int
    append: bool
    last: bool
    skip: int = 0
    stop: int = -1


class Write(NamedTuple):
    """One write. ``state`` is "" where the status stayed; ``message`` says whether the new status had one. A slice is
    None once its artifact was replaced: its content is gone, its place in the numbering stays."""

    generation: int
    state: str = ""
    timestamp: str = ""
    message: bool = False
    slices: tuple[Slice | None, ...] = ()


class Step(NamedTuple):
    """The events of one write for a stream. Each has its place as the webhooks number it (``0``, ``1``, ...)."""

    generation: int
    events: tuple[tuple[str, Json], ...]


def traced(
    before: Sequence[Write],
    old: Task,
    new: Task,
    generation: int,
    open_artifacts: frozenset[str],
    lengthened: frozenset[str] = frozenset(),
) -> tuple[Write, ...]:
    """The trace after a write that led from ``old`` to ``new``."""
    known = {artifact["artifactId"]: artifact["parts"] for artifact in old.get("artifacts", [])}
    if [*known] != [artifact["artifactId"] for artifact in new.get("artifacts", [])][: len(known)]:
        before = ()  # an artifact is gone, and what the earlier writes call places are others now
    places = {artifact["artifactId"]: place for place, artifact in enumerate(new.get("artifacts", []))}
    write, slices, replaced = Write(generation), [], set()
    for event in changes(old, new, generation, open_artifacts, lengthened).events:
        if "statusUpdate" in event:
            status = event["statusUpdate"]["status"]
            write = write._replace(state=status["state"], timestamp=status["timestamp"], message="message" in status)
            continue
        update = event["artifactUpdate"]
        identity, append = update["artifact"]["artifactId"], "append" in update
        place = places[identity]
        end = len(new["artifacts"][place]["parts"])
        start, skip = end - len(update["artifact"]["parts"]), 0
        if append and start < len(known[identity]):
            skip = len(known[identity][start]["text"])
            before = [_up_to(write, place, start, skip) for write in before]
        slices.append(Slice(place, start, end, append, update["lastChunk"], skip))
        if identity in known and not append:
            replaced.add(place)
    earlier = [_without(each, replaced) for each in before] if replaced else before
    return _within_limit((*earlier, write._replace(slices=tuple(slices)))[-KEPT:])


def replay(
    old: Task, since: int, new: Task, trace: Sequence[Write], generation: int, open_artifacts: frozenset[str]
) -> Iterator[Step]:
    """The writes from generation ``since``, where the task was ``old``, to ``generation``, where it is ``new``.

    One by one as far as the trace goes back; else as one whose places begin with :data:`MERGED`, unless it is only one.
    """
    steps = replayed(new, trace, since, generation)
    if steps is not None:
        yield from steps
        return
    mark = MERGED if generation > since + 1 else ""
    events = changes(old, new, generation, open_artifacts).events
    yield Step(generation, tuple((f"{mark}{place}", event) for place, event in enumerate(events)))


def replayed(task: Task, trace: Sequence[Write], since: int, generation: int) -> list[Step] | None:
    """The writes after generation ``since`` up to ``generation``, where the task is as given. None: the trace does not
    go back so far."""
    missing = [write for write in trace if write.generation > since]
    if [write.generation for write in missing] != list(range(since + 1, generation + 1)):
        return None
    messages = iter(_last_messages(task, sum(write.message for write in missing)))
    return [Step(write.generation, tuple(_events(task, write, messages))) for write in missing]


def packed(trace: Sequence[Write]) -> list[Any]:
    """As JSON, without names."""
    return [
        [
            write.generation,
            write.state.removeprefix("TASK_STATE_"),
            write.timestamp,
            int(write.message),
            [0 if each is None else _packed(each) for each in write.slices],
        ]
        for write in trace
    ]


def unpacked(stored: Sequence[Any]) -> tuple[Write, ...]:
    """The inverse of :func:`packed`. Raises ``TypeError`` or ``ValueError`` for anything else."""
    return tuple(
        Write(
            generation,
            f"TASK_STATE_{state}" if state else "",
            timestamp,
            bool(message),
            tuple(_slice(*each) if each else None for each in slices),
        )
        for generation, state, timestamp, message, slices in stored
    )


def _packed(each: Slice) -> list[int]:
    numbers = [*map(int, each)]
    return numbers if each.skip or each.stop >= 0 else numbers[:5]


def _slice(place: int, start: int, end: int, append: int, last: int, skip: int = 0, stop: int = -1) -> Slice:
    return Slice(place, start, end, bool(append), bool(last), skip, stop)


def _up_to(write: Write, place: int, part: int, characters: int) -> Write:
    """The write, which ended with this part of this artifact, now that its text goes on after so many characters."""
    slices = tuple(
        each._replace(stop=characters)
        if each is not None and (each.place, each.end, each.stop) == (place, part + 1, -1)
        else each
        for each in write.slices
    )
    return write._replace(slices=slices)


def _without(write: Write, replaced: set[int]) -> Write:
    slices = tuple(None if each is not None and each.place in replaced else each for each in write.slices)
    return write._replace(slices=slices)


def _within_limit(trace: tuple[Write, ...]) -> tuple[Write, ...]:
    while trace and len(dumps(packed(trace)).encode()) > MAX_BYTES:
        trace = trace[1:]
    return trace


def _events(task: Task, write: Write, messages: Iterator[Any]) -> Iterator[tuple[str, Json]]:
    for place, each in enumerate(write.slices):
        if each is not None:
            yield str(place), {"artifactUpdate": _artifact_update(task, each)}
    if write.state:
        status: Json = {"state": write.state, "timestamp": write.timestamp}
        if write.message:
            status["message"] = next(messages)
        yield str(len(write.slices)), {"statusUpdate": {**status_update(task)["statusUpdate"], "status": status}}


def _artifact_update(task: Task, each: Slice) -> Json:
    artifact = task["artifacts"][each.place]
    update: Json = {
        "taskId": task["id"],
        "contextId": task["contextId"],
        "artifact": {**artifact, "parts": cut(artifact["parts"], each.start, each.end, each.skip, each.stop)},
    }
    if each.append:
        update["append"] = True
    return {**update, "lastChunk": each.last}


def _last_messages(task: Task, count: int) -> list[Any]:
    """The last ``count`` messages that came with a status, oldest first: the agent speaks in no other way."""
    messages = [message for message in task.get("history", []) if message["role"] == "ROLE_AGENT"]
    if "message" in task["status"]:
        messages.append(task["status"]["message"])
    return messages[len(messages) - count :]
