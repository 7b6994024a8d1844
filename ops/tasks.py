"""Tasks as an operator sees them, the attempts at their webhooks, and the end of one that hangs."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from a2a_lambda.agent.caretaker import failed
from a2a_lambda.aws.clients import code_of
from a2a_lambda.aws.workflow import ExpressStateMachine, StateMachine, execution_name
from a2a_lambda.core.changes import Change, status_update
from a2a_lambda.core.model import TERMINAL, timestamp
from a2a_lambda.core.ports import Conflict, Poison, QueuedNotification
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.dialects.webhooks import BY_NAME

from . import webhooks
from .errors import NothingMatched, OpsError
from .scan import BOUND, Progress, Scan, silent
from .stack import Stack, client, dynamodb

Json = dict[str, Any]

_STATE = "TASK_STATE_"
_TRIES = 5
_LOG_PAGES = 20
_LOG_MARGIN = timedelta(minutes=1)


def short(state: str) -> str:
    """`working` for TASK_STATE_WORKING."""
    return state.removeprefix(_STATE).lower()


def long(state: str) -> str:
    """The inverse of :func:`short`."""
    return _STATE + state.upper().replace("-", "_")


def look(
    stack: Stack,
    *,
    state: str = "",
    owner: str = "",
    stuck: timedelta | None = None,
    text: str = "",
    limit: int = 50,
    bound: int | None = BOUND,
    progress: Progress = silent,
) -> tuple[list[Json], str]:
    """The latest tasks, and what was not looked at. ``stuck``: those only that have not ended, and have not changed for
    so long. ``text`` is a part of the id or the owner."""
    now = datetime.now(UTC)
    note = ""
    if owner:
        items: Iterable[Any] = _of_owner(stack, owner, bound)
    else:
        scan = Scan(stack.output("TasksTableName"), bound, "byOwner", progress)
        items = list(scan.items())
        note = scan.note
    rows = []
    for item in items:
        each = {name: str(next(iter(value.values()))) for name, value in item.items()}
        shown = {
            "task": each.get("taskId", ""),
            "state": short(each.get("state", "")),
            "changed": each.get("updatedAt", ""),
            "owner": each.get("owner", ""),
        }
        if _wanted(shown, state, text, now - stuck if stuck is not None else None):
            rows.append(shown)
    rows.sort(key=lambda each: each["changed"], reverse=stuck is None)
    if len(rows) > limit:
        note = "; ".join(filter(None, [f"{len(rows)} match, {limit} shown: --limit shows more", note]))
    return rows[:limit], note


def _wanted(shown: Json, state: str, text: str, before: datetime | None) -> bool:
    if state and shown["state"] != state:
        return False
    if text and text not in shown["task"] and text not in shown["owner"]:
        return False
    if before is None:
        return True
    return long(shown["state"]) not in TERMINAL and shown["changed"] < timestamp(before)


def _of_owner(stack: Stack, owner: str, bound: int | None) -> Iterator[Any]:
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=stack.output("TasksTableName"),
            IndexName="byOwner",
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
            ScanIndexForward=False,
            PaginationConfig={"MaxItems": bound},
        )
    )
    return (item for page in pages for item in page["Items"])


def show(stack: Stack, task_id: str) -> Json:
    """A task with its timeline, its execution and its webhooks. Raises :class:`NothingMatched`."""
    try:
        record = stack.tasks.get(task_id)
    except Poison as error:
        return {
            "task": task_id,
            "state": "unreadable",
            "why": error.reason,
            "execution": "",
            "timeline": [],
            "webhooks": webhooks.of_task(stack, task_id),
        }
    if record is None:
        raise NothingMatched(f"there is no task {task_id}: it has expired, or never was")
    cursor = record.cursor
    return {
        "task": task_id,
        "state": short(record.state),
        "owner": record.owner,
        "created": timestamp(record.created_at),
        "changed": record.task["status"]["timestamp"],
        "generation": record.generation,
        "step": cursor.step or "",
        "run": cursor.run,
        "failedRuns": cursor.attempt,
        "wakesAt": timestamp(cursor.wake_at) if cursor.wake_at else "",
        "execution": execution(stack, record),
        "timeline": [
            {"at": timestamp(record.created_at), "state": "submitted"},
            *(
                {
                    "at": timestamp(record.created_at + timedelta(milliseconds=change.milliseconds)),
                    "state": short(change.state),
                }
                for change in record.timeline
            ),
        ],
        "webhooks": webhooks.of_task(stack, task_id),
    }


def execution(stack: Stack, record: TaskRecord) -> str:
    """The state of its execution: running, succeeded, failed, timed_out, aborted, or why that is not known."""
    if stack.express:
        return "express"
    executions = stack.output("StateMachineArn").replace(":stateMachine:", ":execution:", 1)
    name = execution_name(record.task_id, record.created_at)
    try:
        found = client("stepfunctions").describe_execution(executionArn=f"{executions}:{name}")
    except ClientError as error:
        if code_of(error) == "ExecutionDoesNotExist":
            return "none"
        if "AccessDenied" in code_of(error):
            return "not allowed to see"
        raise
    return str(found["status"]).lower()


def content(stack: Stack, task_id: str) -> Json:
    """The task itself, as its table has it: for who may read what was said in it."""
    record = _record(stack, task_id)
    return dict(record.task)


def _record(stack: Stack, task_id: str) -> TaskRecord:
    record = stack.tasks.get(task_id)
    if record is None:
        raise NothingMatched(f"there is no task {task_id}: it has expired, or never was")
    return record


# ----------------------------------------------------------------------------------------------------------- attempts


def attempts(stack: Stack, task_id: str, since: datetime | None = None) -> tuple[list[Json], str]:
    """Every attempt at the task's webhooks, from the logs of notifier and redelivery; and what was not read."""
    found: list[Json] = []
    notes = []
    for function in ("notifier", "redelivery"):
        lines, whole = log_lines(stack, function, f'"{task_id}"', since)
        for line in lines:
            if line.get("message") == "attempt" and str(line.get("webhook_id", "")).startswith(task_id):
                _, generation, n, config_id, *_ = [*str(line["webhook_id"]).split("."), "", "", ""]
                found.append(
                    {
                        "at": line.get("timestamp", ""),
                        "event": f"{generation}.{n}",
                        "webhook": config_id,
                        "by": function,
                        "host": line.get("host", ""),
                        "outcome": line.get("outcome", ""),
                        "milliseconds": line.get("milliseconds", 0),
                    }
                )
        if not whole:
            notes.append(f"the log of {function} has more than was read")
    return sorted(found, key=lambda each: str(each["at"])), "; ".join(notes)


def log_lines(
    stack: Stack, function: str, pattern: str, since: datetime | None = None, pages: int = _LOG_PAGES
) -> tuple[list[Json], bool]:
    """The JSON lines of a function's log that match, and whether those were all. None where there is no log yet."""
    request: Json = {"logGroupName": stack.log_group(function), "filterPattern": pattern}
    if since is not None:
        request["startTime"] = int((since - _LOG_MARGIN).timestamp() * 1000)
    lines: list[Json] = []
    for _ in range(pages):
        try:
            page = client("logs").filter_log_events(**request)
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return [], True
            raise
        for event in page["events"]:
            lines += _json_lines(event["message"])
        if not page.get("nextToken"):
            return lines, True
        request["nextToken"] = page["nextToken"]
    return lines, False


def _json_lines(text: str) -> Iterator[Json]:
    for line in text.splitlines():
        with suppress(ValueError):
            value = json.loads(line) if line.startswith("{") else None
            if isinstance(value, dict):
                yield value


# ------------------------------------------------------------------------------------------------------------ actions


def end(stack: Stack, task_id: str) -> str:
    """End a task that hangs as failed, which its webhooks receive, and stop its execution. What has ended stays."""
    for _ in range(_TRIES):
        record = _record(stack, task_id)
        if record.terminal:
            return f"has ended already: {short(record.state)}"
        ended = failed(record, "An operator ended the task.", datetime.now(UTC), timedelta(days=stack.retention_days))
        with suppress(Conflict):
            stack.tasks.update(ended)
            break
    else:
        raise OpsError(f"task {task_id} changes all the time: try again")
    machine = ExpressStateMachine if stack.express else StateMachine
    machine(stack.output("StateMachineArn")).stop(task_id, record.created_at)
    return "ended as failed"


def replay(stack: Stack, task_id: str) -> Iterator[Json]:
    """Have all webhooks of the task receive its present state once more: behind what waits for them, with an id of its
    own. For a task of which changes were lost."""
    record = _record(stack, task_id)
    found = stack.configs.of_task(task_id)
    if not found and not found.unreadable:
        raise NothingMatched(f"task {task_id} has no webhook")
    for config in found:
        yield {"task": task_id, "webhook": config.config_id, "outcome": _replay(stack, record, config)}
    for unreadable in found.unreadable:
        yield {"task": task_id, "webhook": unreadable.config_id, "outcome": webhooks.UNREADABLE}


def _replay(stack: Stack, record: TaskRecord, config: PushConfig) -> str:
    """As a letter comes back: the config first, which waits for the message, then the message. It is not the ``last``
    one of its generation, so it settles nothing that may still be on its way down the stream."""
    nonce = str(uuid.uuid4())
    mark = f"replay/{nonce}"
    change = Change(record.generation, (status_update(record.task),), record.task)
    messages = [
        QueuedNotification(
            task_id=config.task_id,
            config_id=config.config_id,
            incarnation=config.incarnation,
            generation=record.generation,
            n=n,
            body=body,
            last=False,
            dialect=config.dialect,
            written_at=change.written_at,
            nonce=nonce,
            redrive=mark,
        )
        for n, body in BY_NAME[config.dialect].notifications(change)
    ]
    stack.configs.reopen(config, mark)
    return "not queued" if stack.redelivery.send(messages) else "queued"
