"""Items of the two tables: records to and from DynamoDB's JSON.

A task's document is one string and not nested attributes: it is ten times cheaper to write, and GetTask can hand it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict, cast

from msgspec import Meta

from ..core.model import AuthenticationInfo, dumps
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
from .reading import (
    Attributes,
    Count,
    checked_instant,
    config_key,
    document,
    instant,
    key,
    number,
    string,
    url,
    value_of,
)

if TYPE_CHECKING:
    from ..core.model import Task
    from ..core.trace import Write

Item = dict[str, dict[str, Any]]

_Slice = Annotated[list[Annotated[int, Meta(ge=-1, lt=2**53)]], Meta(min_length=5, max_length=7)]
_Write = tuple[Count, str, str, Annotated[int, Meta(ge=0, le=1)], list[Literal[0] | _Slice]]
"""A write of the trace, as ``core.trace.packed`` writes it."""


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


def task_record(item: Attributes, traced: bool = False) -> TaskRecord:
    """The inverse of :func:`task_item`, with the trace if it is ``traced``, an empty one where the item has none.

    Strict, as :mod:`.reading` is. Raises anything for an item that is none of ours.
    """
    image = task_image(item)
    if image.task["status"]["state"] != string(item, "state"):
        raise ValueError("two states")  # no write would ever succeed
    return TaskRecord(
        task=image.task,
        owner=string(item, "owner"),
        generation=image.generation,
        dialect=string(item, "dialect"),
        created_at=instant(item, "createdAt"),
        cursor=_cursor(value_of(item, "cursor", _Cursor)),
        resume_token=value_of(item, "resumeToken", ResumeToken) if "resumeToken" in item else None,
        expires_at=number(item, "expiresAt"),
        announcement=image.announcement,
        open_artifacts=image.open_artifacts,
        lengthened=image.lengthened,
        trace=_trace(item) if traced else None,
        timeline=_timeline(item),
        request=_request(value_of(item, "request", _Request)) if "request" in item else None,
    )


def task_image(item: Attributes) -> TaskImage:
    """The part of an item that webhooks may hear of. Raises as :func:`task_record` does."""
    task, generation = document(string(item, "doc")), number(item, "generation")
    if task["id"] != key(item["taskId"]["S"]):
        raise ValueError("the document of another task")
    of, lengthened = value_of(item, "lengthened", tuple[int, list[str]]) if "lengthened" in item else (0, [])
    return TaskImage(
        task,
        generation,
        value_of(item, "announcement", tuple[str, str]) if "announcement" in item else None,
        frozenset(value_of(item, "openArtifacts", list[str])),
        frozenset(lengthened if of == generation else ()),
        _moment(item, "createdAt"),
    )


def task_removed(item: Attributes) -> TaskImage:
    """All that matters of the item of a task that is gone. Raises as :func:`task_record` does."""
    return TaskImage(cast("Task", {}), 0, created_at=_moment(item, "createdAt"))


def item_size(item: Mapping[str, Mapping[str, Any]]) -> int:
    """Roughly the bytes that DynamoDB counts of an item of strings and numbers: what reading it costs."""
    return sum(len(name) + sum(len(str(value)) for value in typed.values()) for name, typed in item.items())


_STATE = "TASK_STATE_"


def _short(state: str) -> str:
    return state.removeprefix(_STATE).lower()


def _timeline(item: Attributes) -> tuple[StatusChange, ...]:
    with suppress(Exception):  # only operators look at it: the task must go on
        stored = value_of(item, "timeline", list[tuple[int, str]]) if "timeline" in item else []
        return tuple(StatusChange(milliseconds, _STATE + state.upper()) for milliseconds, state in stored)
    return ()


def _trace(item: Attributes) -> tuple[Write, ...]:
    from ..core.trace import unpacked

    with suppress(Exception):  # only streams need it, and they can do without: the task must go on
        return unpacked(value_of(item, "trace", list[_Write])) if "trace" in item else ()
    return ()


def context_key(owner: str, context_id: str) -> str:
    """The key of the index ``byContext``: contexts are private to their owner."""
    return dumps([owner, context_id])


def _request_json(request: SendRequest) -> dict[str, Any]:
    extensions, modes = list(request.extensions), list(request.output_modes)
    return {"metadata": request.metadata, "extensions": extensions, "outputModes": modes}


class _Request(TypedDict):
    metadata: dict[str, Any]
    extensions: list[str]
    outputModes: list[str]


def _request(stored: _Request) -> SendRequest:
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


class _Cursor(TypedDict):
    run: Count
    step: str | None
    writes: Count
    attempt: Count
    wakeAt: str | None
    state: dict[str, Any]
    bases: NotRequired[dict[str, tuple[Count, Count, bool]]]


def _cursor(stored: _Cursor) -> Cursor:
    wake_at = stored["wakeAt"]
    return Cursor(
        run=stored["run"],
        step=stored["step"],
        writes=stored["writes"],
        attempt=stored["attempt"],
        wake_at=checked_instant(wake_at) if wake_at else None,
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


def push_config(item: Attributes) -> PushConfig:
    """The inverse of :func:`config_item`, with what was written to the item since. Strict, and raises, as
    :func:`task_record` does."""
    from ..dialects.webhooks import BY_NAME  # who reads tasks only, needs no dialects

    dialect = string(item, "dialect")
    if dialect not in BY_NAME:
        raise ValueError("dialect")
    return PushConfig(
        task_id=key(item["taskId"]["S"]),
        config_id=config_key(string(item, "configId")),
        owner=string(item, "owner"),
        url=url(string(item, "url")),
        dialect=dialect,
        incarnation=string(item, "incarnation"),
        revision=string(item, "revision"),
        token=string(item, "token") if "token" in item else None,
        authentication=_authentication(item) if "authentication" in item else None,
        event_types=tuple(value_of(item, "eventTypes", list[str])),
        registered=_count(item, "registered"),
        redriven=string(item, "redriven") if "redriven" in item else "",
        queued_through=number(item, "queuedThrough"),
        settled_through=number(item, "settledThrough"),
        delivered_through=_count(item, "deliveredThrough"),
        attempts=_count(item, "attempts"),
        failing_since=_moment(item, "failingSince"),
        next_attempt_at=_moment(item, "nextAttemptAt"),
        last_attempt_at=_moment(item, "lastAttemptAt"),
        last_error=string(item, "lastError") if "lastError" in item else None,
        expires_at=number(item, "expiresAt"),
        paused_until=_moment(item, "pausedUntil"),
        recent_failures=_failures(item),
        dead_letters=_count(item, "deadLetters"),
        held=_held(item),
        task_created_at=_moment(item, "taskCreatedAt"),
    )


def _authentication(item: Attributes) -> AuthenticationInfo:
    info = value_of(item, "authentication", AuthenticationInfo)
    if not info.get("scheme"):
        raise ValueError("authentication")
    return info


def held_attribute(held: Held) -> dict[str, Any]:
    """The attribute ``held``."""
    return s(dumps([held.reason, held.until.isoformat()]))


def _held(item: Attributes) -> Held | None:
    with suppress(Exception):  # only people look at it: no webhook waits because of it
        if "held" in item:
            reason, until = value_of(item, "held", tuple[str, str])
            return Held(reason, checked_instant(until))
    return None


def failures_attribute(failures: Iterable[FailedAttempt]) -> dict[str, Any]:
    """The attribute ``recentFailures``."""
    return s(dumps([[failed.at.isoformat(), *failed[1:]] for failed in failures]))


def _failures(item: Attributes) -> tuple[FailedAttempt, ...]:
    with suppress(Exception):  # only operators look at it: no webhook waits because of it
        stored = value_of(item, "recentFailures", list[tuple[str, str, str, int]]) if "recentFailures" in item else []
        return tuple(FailedAttempt(checked_instant(at), *rest) for at, *rest in stored)  # type: ignore[arg-type]
    return ()


def _count(item: Attributes, name: str) -> int:
    return number(item, name) if name in item else 0


def _moment(item: Attributes, name: str) -> datetime | None:
    return instant(item, name) if name in item else None
