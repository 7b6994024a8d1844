"""Webhooks as an operator sees them, and what can be done to them.

Of a URL only scheme, host and port are shown: paths and queries of webhooks are often their receiver's secret. Tokens
and credentials are not even read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from a2a_lambda.aws.items import push_config
from a2a_lambda.aws.waiting_counts import PREFIX as COUNTS
from a2a_lambda.core.model import timestamp
from a2a_lambda.core.ports import Poison
from a2a_lambda.core.records import PushConfig
from a2a_lambda.push.delivery import exhausted
from a2a_lambda.push.schedule import LOOK

from .errors import NothingMatched
from .scan import BOUND, Progress, Scan, silent
from .stack import Stack, dynamodb

Json = dict[str, Any]

UNREADABLE = "unreadable"

_ATTRIBUTES = (
    "taskId",
    "configId",
    "owner",
    "url",
    "dialect",
    "incarnation",
    "revision",
    "eventTypes",
    "registered",
    "queuedThrough",
    "settledThrough",
    "redriven",
    "deliveredThrough",
    "attempts",
    "failingSince",
    "lastAttemptAt",
    "nextAttemptAt",
    "lastError",
    "expiresAt",
    "pausedUntil",
    "recentFailures",
    "deadLetters",
    "held",
    "taskCreatedAt",
)
"""All but ``token`` and ``authentication``: an operator has no use for them, and a browser must not have them."""

_NAMES = {f"#{name}": name for name in _ATTRIBUTES}
_PROJECTION = {"ProjectionExpression": ", ".join(_NAMES), "ExpressionAttributeNames": _NAMES}


def origin(url: str) -> str:
    """Scheme, host and port of a URL; "?" for one that cannot be taken apart."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
        return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}" if host else "?"
    except ValueError:
        return "?"


def state_of(config: PushConfig, now: datetime) -> str:
    """``paused``, ``failing`` (given up until one gets through), ``retrying`` or ``healthy``."""
    if config.paused(now):
        return "paused"
    if exhausted(config):
        return "failing"
    return "retrying" if config.failing_since or config.backlogged else "healthy"


def row(config: PushConfig, now: datetime) -> Json:
    """What is shown of a webhook. No token, no credentials, no path."""
    return {
        "task": config.task_id,
        "webhook": config.config_id,
        "host": origin(config.url),
        "owner": config.owner,
        "state": state_of(config, now),
        "attempts": config.attempts,
        "lastError": config.last_error or "",
        "failingSince": _stamp(config.failing_since),
        "lastAttempt": _stamp(config.last_attempt_at),
        "nextAttempt": _stamp(config.next_attempt_at),
        "pausedUntil": _stamp(config.paused_until),
        "waitingFor": config.held.reason if config.held and config.backlogged else "",
        "queued": config.queued_through,
        "settled": config.settled_through,
        "deadLetters": config.dead_letters,
        "recentFailures": [
            {"at": timestamp(each.at), "event": each.event, "error": each.error, "milliseconds": each.milliseconds}
            for each in config.recent_failures
        ],
    }


def _unreadable_row(item: Any) -> Json:
    names = {"task": "taskId", "webhook": "configId", "owner": "owner"}
    known = {name: str(next(iter(item.get(key, {"S": ""}).values()))) for name, key in names.items()}
    return {**known, "host": "?", "state": UNREADABLE, "lastError": "the item cannot be read"}


def _stamp(moment: datetime | None) -> str:
    return timestamp(moment) if moment else ""


def _rows(items: Iterable[Any], now: datetime) -> Iterator[Json]:
    for item in items:
        if str(item.get("taskId", {}).get("S", "")).startswith(COUNTS):
            continue  # how much waits for an owner: no webhook
        try:
            config = push_config(item)
        except Exception:  # noqa: BLE001 - whatever is stored, the others are shown
            yield _unreadable_row(item)
        else:
            yield row(config, now)


def look(
    stack: Stack,
    *,
    failing: bool = True,
    host: str = "",
    owner: str = "",
    bound: int | None = BOUND,
    progress: Progress = silent,
) -> tuple[list[Json], str]:
    """The webhooks (in trouble only: ``failing``), the longest failing first, and what was not looked at."""
    scan = Scan(stack.output("PushConfigsTableName"), bound, progress=progress)
    now = datetime.now(UTC)
    found = [each for each in _rows(scan.items(**_PROJECTION), now) if _wanted(each, failing, host, owner)]
    found.sort(key=lambda each: (each.get("failingSince") or "9", each["host"], each["task"]))
    return found, scan.note


def _wanted(each: Json, failing: bool, host: str, owner: str) -> bool:
    if failing and each["state"] == "healthy":
        return False
    if owner and each["owner"] != owner:
        return False
    return not host or host_matches(each["host"], host)


def host_matches(shown: str, host: str) -> bool:
    """Whether an origin is of this host, with or without scheme and port."""
    return host in (shown, shown.partition("://")[2], urlsplit(shown).hostname if shown != "?" else "?")


def by_host(rows: Iterable[Json]) -> list[Json]:
    """One line for each host, those with most webhooks in trouble first."""
    groups: dict[str, list[Json]] = {}
    for each in rows:
        groups.setdefault(each["host"], []).append(each)
    lines = []
    for host, members in groups.items():
        states = Counter(each["state"] for each in members)
        errors = Counter(each["lastError"] for each in members if each["lastError"])
        lines.append(
            {
                "host": host,
                "webhooks": len(members),
                **{state: states[state] for state in ("failing", "retrying", "paused", UNREADABLE)},
                "since": min((each["failingSince"] for each in members if each.get("failingSince")), default=""),
                "mostly": errors.most_common(1)[0][0] if errors else "",
                "owners": len({each["owner"] for each in members}),
                "deadLetters": sum(each.get("deadLetters", 0) for each in members),
            }
        )
    return sorted(lines, key=lambda line: (-line["webhooks"], line["host"]))


def of_task(stack: Stack, task_id: str) -> list[Json]:
    """The webhooks of a task, the unreadable ones too, by id."""
    now = datetime.now(UTC)
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=stack.output("PushConfigsTableName"),
            KeyConditionExpression="#taskId = :task",
            ExpressionAttributeValues={":task": {"S": task_id}},
            ConsistentRead=True,
            **_PROJECTION,
        )
    )
    return list(_rows((item for page in pages for item in page["Items"]), now))


# ------------------------------------------------------------------------------------------------------------ actions


def retry_now(stack: Stack, config: PushConfig) -> str:
    """Forget the schedule of retries. A hidden message cannot be woken: says when it is looked at, at the latest."""
    if config.failing_since is None and not config.backlogged:
        return "nothing waits"
    if config.paused(datetime.now(UTC)):
        return f"paused until {_stamp(config.paused_until)}: resume it"
    stack.configs.recover(config)
    return f"tried again by {_stamp(_looked_at(config))}"


def _looked_at(config: PushConfig) -> datetime:
    now = datetime.now(UTC)
    if config.next_attempt_at is None or config.last_attempt_at is None:
        return now
    return max(now, min(config.next_attempt_at, config.last_attempt_at + timedelta(seconds=LOOK)))


def pause(stack: Stack, config: PushConfig, until: datetime) -> str:
    """No attempt before this moment; events queue meanwhile."""
    return f"paused until {_stamp(until)}" if stack.configs.pause(config, until) else "gone"


def resume(stack: Stack, config: PushConfig) -> str:
    """End a pause, and forget the schedule of retries."""
    if not stack.configs.pause(config, None):
        return "gone"
    looked_at = datetime.now(UTC) + timedelta(seconds=LOOK) if config.backlogged else None
    return f"resumed; what waits is tried by {_stamp(looked_at)}" if looked_at else "resumed"


def delete(stack: Stack, config: PushConfig) -> str:
    """Remove the webhook; what waits for it is dropped when its turn comes."""
    stack.configs.delete(config)
    return "deleted"


def chosen(
    stack: Stack, task: str, webhook: str, host: str, bound: int | None, progress: Progress
) -> tuple[list[tuple[str, str]], str]:
    """The (task, webhook) that a command names: one, all of a task, or those in trouble at a host; and what was not
    looked at. Raises :class:`NothingMatched`."""
    if host:
        rows, note = look(stack, host=host, bound=bound, progress=progress)
    else:
        rows, note = of_task(stack, task), ""
    keys = [(each["task"], each["webhook"]) for each in rows if not webhook or each["webhook"] == webhook]
    if not keys:
        raise NothingMatched(
            f"no webhook {f'in trouble at {host}' if host else f'{webhook} of task {task}'}. {note}".strip()
        )
    return keys, note


def act(
    stack: Stack,
    keys: Iterable[tuple[str, str]],
    action: Callable[[Stack, PushConfig], str],
    remove_unreadable: bool = False,
) -> Iterator[Json]:
    """Do it to each; what became of each. One that cannot be read can be removed only."""
    for task_id, config_id in keys:
        try:
            config = stack.configs.get(task_id, config_id)
        except Poison:
            outcome = UNREADABLE
            if remove_unreadable:
                (one,) = [each for each in stack.configs.of_task(task_id).unreadable if each.config_id == config_id]
                stack.configs.discard(one)
                outcome = "deleted"
        else:
            outcome = action(stack, config) if config is not None else "gone"
        yield {"task": task_id, "webhook": config_id, "outcome": outcome}
