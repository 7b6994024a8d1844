"""Items of the two tables: records to and from DynamoDB's JSON.

A task's document is one string and not nested attributes: it is ten times cheaper to write, and GetTask can hand it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..core.model import dumps, loads, state_of
from ..core.records import (
    Base,
    Cursor,
    FailedAttempt,
    Held,
    PushConfig,
    ResumeToken,
    SendRequest,
    StatusChange,
    TaskImage,
    TaskRecord,
)

if TYPE_CHECKING:
    from ..core.trace import Write

Item = dict[str, dict[str, Any]]


def s(value: str) -> dict[str, Any]:
    """A string attribute."""
    return {"S": value}


def n(value: int) -> dict[str, Any]:
    """A number attribute."""
    return {"N": str(value)}


def task_item(record: TaskRecord) -> Item:
    """The whole item of a task."""
    return {"taskId": s(record.task_id), "createdAt": s(record.created_at.isoformat()), **task_update(record)}


def task_update(record: TaskRecord) -> Item:
    """The attributes that a write of the task sets. ``updatedAt`` is the status timestamp: ListTasks sorts by it."""
    item = {
        "owner": s(record.owner),
        "contextId": s(record.task["contextId"]),
        "ownerContext": s(context_key(record.owner, record.task["contextId"])),
        "state": s(record.task["status"]["state"]),
        "generation": n(record.generation),
        "step": n(record.cursor.run),
        "updatedAt": s(record.task["status"]["timestamp"]),
        "doc": s(dumps(record.task)),
        "cursor": s(dumps(_cursor_json(record.cursor))),
        "dialect": s(record.dialect),
        "openArtifacts": s(dumps(sorted(record.open_artifacts))),
        "expiresAt": n(record.expires_at),
    }
    if record.timeline:
        item["timeline"] = s(dumps([[change.milliseconds, _short(change.state)] for change in record.timeline]))
    if record.lengthened:
        # An attribute of an earlier generation stays: who reads it looks at the number.
        item["lengthened"] = s(dumps([record.generation, sorted(record.lengthened)]))
    if record.request is not None:
        item["request"] = s(dumps(_request_json(record.request)))
    if record.trace is not None:
        from ..core.trace import packed

        item["trace"] = s(dumps(packed(record.trace)))
    return item


def task_record(item: Mapping[str, Mapping[str, Any]], traced: bool = False) -> TaskRecord:
    """The inverse of :func:`task_item`, with the trace if it is ``traced``, an empty one where the item has none.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for an item that is none of ours.
    """
    resume = loads(item["resumeToken"]["S"]) if "resumeToken" in item else None
    image = task_image(item)
    state_of(image.task)  # everybody asks for it, so one that nobody knows is found here
    return TaskRecord(
        task=image.task,
        owner=item["owner"]["S"],
        generation=image.generation,
        dialect=item["dialect"]["S"],
        created_at=datetime.fromisoformat(item["createdAt"]["S"]),
        cursor=_cursor(loads(item["cursor"]["S"])),
        resume_token=ResumeToken(resume["token"], resume["run"]) if resume else None,
        expires_at=int(item["expiresAt"]["N"]),
        announcement=image.announcement,
        open_artifacts=image.open_artifacts,
        lengthened=image.lengthened,
        trace=_trace(item) if traced else None,
        timeline=_timeline(item),
        request=_request(loads(item["request"]["S"])) if "request" in item else None,
    )


def task_image(item: Mapping[str, Mapping[str, Any]]) -> TaskImage:
    """The part of an item that webhooks may hear of. Raises as :func:`task_record` does."""
    announcement = loads(item["announcement"]["S"]) if "announcement" in item else None
    generation = int(item["generation"]["N"])
    of, lengthened = loads(item["lengthened"]["S"]) if "lengthened" in item else (0, [])
    return TaskImage(
        loads(item["doc"]["S"]),
        generation,
        (announcement[0], announcement[1]) if announcement else None,
        frozenset(loads(item["openArtifacts"]["S"])),
        frozenset(lengthened if of == generation else ()),
        _moment(item, "createdAt"),
    )


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Roughly the bytes that DynamoDB counts of an item of strings and numbers: what reading it costs."""
    return sum(len(name) + sum(len(str(value)) for value in typed.values()) for name, typed in item.items())


_STATE = "TASK_STATE_"


def _short(state: str) -> str:
    return state.removeprefix(_STATE).lower()


def _timeline(item: Mapping[str, Mapping[str, Any]]) -> tuple[StatusChange, ...]:
    try:
        stored = loads(item["timeline"]["S"]) if "timeline" in item else []
        return tuple(StatusChange(int(milliseconds), _STATE + state.upper()) for milliseconds, state in stored)
    except (AttributeError, KeyError, TypeError, ValueError):
        return ()  # only operators look at it: the task must go on


def _trace(item: Mapping[str, Mapping[str, Any]]) -> tuple[Write, ...]:
    from ..core.trace import unpacked

    try:
        return unpacked(loads(item["trace"]["S"])) if "trace" in item else ()
    except (KeyError, TypeError, ValueError):
        return ()  # only streams need it, and they can do without: the task must go on


def context_key(owner: str, context_id: str) -> str:
    """The key of the index ``byContext``: contexts are private to their owner."""
    return dumps([owner, context_id])


def _request_json(request: SendRequest) -> dict[str, Any]:
    extensions, modes = list(request.extensions), list(request.output_modes)
    return {"metadata": request.metadata, "extensions": extensions, "outputModes": modes}


def _request(stored: Mapping[str, Any]) -> SendRequest:
    return SendRequest(stored["metadata"], tuple(stored["extensions"]), tuple(stored["outputModes"]))


def _cursor_json(cursor: Cursor) -> dict[str, Any]:
    bases = {"bases": {name: [*base] for name, base in cursor.bases.items()}} if cursor.bases else {}
    return {
        "run": cursor.run,
        "step": cursor.step,
        "writes": cursor.writes,
        "attempt": cursor.attempt,
        "wakeAt": cursor.wake_at.isoformat() if cursor.wake_at else None,
        "state": cursor.state,
        **bases,
    }


def _cursor(stored: Mapping[str, Any]) -> Cursor:
    wake_at = stored["wakeAt"]
    return Cursor(
        run=stored["run"],
        step=stored["step"],
        writes=stored["writes"],
        attempt=stored["attempt"],
        wake_at=datetime.fromisoformat(wake_at) if wake_at else None,
        state=stored["state"],
        bases={name: Base(*base) for name, base in stored.get("bases", {}).items()},
    )


def config_item(config: PushConfig) -> Item:
    """The whole item of a config without failures."""
    return {
        "taskId": s(config.task_id),
        "configId": s(config.config_id),
        "registered": n(config.registered),
        "queuedThrough": n(config.queued_through),
        "settledThrough": n(config.settled_through),
        **config_update(config),
    }


def config_update(config: PushConfig) -> Item:
    """The attributes that each registration sets; neither the first one's generation nor the delivery cursor."""
    item = {
        "owner": s(config.owner),
        "url": s(config.url),
        "dialect": s(config.dialect),
        "incarnation": s(config.incarnation),
        "revision": s(config.revision),
        "eventTypes": s(dumps(list(config.event_types))),
        "expiresAt": n(config.expires_at),
    }
    if config.task_created_at is not None:
        item["taskCreatedAt"] = s(config.task_created_at.isoformat())
    if config.token is not None:
        item["token"] = s(config.token)
    if config.authentication is not None:
        item["authentication"] = s(dumps(config.authentication))
    return item


def push_config(item: Mapping[str, Mapping[str, Any]]) -> PushConfig:
    """The inverse of :func:`config_item`, with what was written to the item since."""
    return PushConfig(
        task_id=item["taskId"]["S"],
        config_id=item["configId"]["S"],
        owner=item["owner"]["S"],
        url=item["url"]["S"],
        dialect=item["dialect"]["S"],
        incarnation=item["incarnation"]["S"],
        revision=item["revision"]["S"],
        token=item["token"]["S"] if "token" in item else None,
        authentication=loads(item["authentication"]["S"]) if "authentication" in item else None,
        event_types=tuple(loads(item["eventTypes"]["S"])),
        registered=int(item["registered"]["N"]) if "registered" in item else 0,
        redriven=item["redriven"]["S"] if "redriven" in item else "",
        queued_through=int(item["queuedThrough"]["N"]),
        settled_through=int(item["settledThrough"]["N"]),
        delivered_through=int(item["deliveredThrough"]["N"]) if "deliveredThrough" in item else 0,
        attempts=int(item["attempts"]["N"]) if "attempts" in item else 0,
        failing_since=_moment(item, "failingSince"),
        next_attempt_at=_moment(item, "nextAttemptAt"),
        last_attempt_at=_moment(item, "lastAttemptAt"),
        last_error=item["lastError"]["S"] if "lastError" in item else None,
        expires_at=int(item["expiresAt"]["N"]),
        paused_until=_moment(item, "pausedUntil"),
        recent_failures=_failures(item),
        dead_letters=int(item["deadLetters"]["N"]) if "deadLetters" in item else 0,
        held=_held(item),
        task_created_at=_moment(item, "taskCreatedAt"),
    )


def held_attribute(held: Held) -> dict[str, Any]:
    """The attribute ``held``."""
    return s(dumps([held.reason, held.until.isoformat()]))


def _held(item: Mapping[str, Mapping[str, Any]]) -> Held | None:
    try:
        if "held" not in item:
            return None
        reason, until = loads(item["held"]["S"])
        return Held(str(reason), datetime.fromisoformat(until))
    except (KeyError, TypeError, ValueError):
        return None  # only people look at it: no webhook waits because of it


def failures_attribute(failures: Iterable[FailedAttempt]) -> dict[str, Any]:
    """The attribute ``recentFailures``."""
    return s(dumps([[failed.at.isoformat(), *failed[1:]] for failed in failures]))


def _failures(item: Mapping[str, Mapping[str, Any]]) -> tuple[FailedAttempt, ...]:
    try:
        stored = loads(item["recentFailures"]["S"]) if "recentFailures" in item else []
        return tuple(
            FailedAttempt(datetime.fromisoformat(at), str(event), str(error), int(milliseconds))
            for at, event, error, milliseconds in stored
        )
    except (KeyError, TypeError, ValueError):
        return ()  # only operators look at it: no webhook waits because of it


def _moment(item: Mapping[str, Mapping[str, Any]], name: str) -> datetime | None:
    return datetime.fromisoformat(item[name]["S"]) if name in item else None
