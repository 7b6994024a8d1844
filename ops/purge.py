"""All that is kept of one owner, removed: tasks, webhooks, what agents remember of its conversations."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from a2a_lambda.aws.workflow import StateMachine
from a2a_lambda.core.lifecycle import conversation_id
from a2a_lambda.core.model import moment

from .errors import NothingMatched
from .scan import Progress, silent
from .stack import Stack, dynamodb

Json = dict[str, Any]

_BATCH = 100


def purge(stack: Stack, owner: str, dry_run: bool, progress: Progress = silent) -> Json:
    """Remove it, or (``dry_run``) count it. A task goes last, after all that hangs on it: a purge that was broken off
    is finished by the next one. Raises :class:`NothingMatched`."""
    counts = {"tasks": 0, "webhooks": 0, "conversations": 0}
    conversations: set[str] = set()
    for batch in _batches(_task_ids(stack, owner)):
        for task in _read(stack, batch):
            task_id = task["taskId"]["S"]
            webhooks = _keys(stack, "PushConfigsTableName", "taskId", task_id)
            context = task.get("contextId", {}).get("S", "")
            of_task = {conversation_id(owner, context)} if context else set()
            conversations |= of_task
            counts["tasks"] += 1
            counts["webhooks"] += len(webhooks)
            if not dry_run:
                _forget(stack, of_task)
                _remove(stack, task, webhooks)
        progress(f"{counts['tasks']} tasks")
    stray = [] if dry_run else list(_owned(stack, "PushConfigsTableName", owner, ("taskId", "configId")))
    for key in stray:  # of tasks that are gone
        dynamodb().delete_item(TableName=stack.output("PushConfigsTableName"), Key=key)
    counts["conversations"] = len(conversations)
    if not dry_run:
        _forget(stack, conversations)  # again: another task of it may have remembered something meanwhile
    if not counts["tasks"] and not stray:
        raise NothingMatched(f"nothing is kept of the owner {owner}")
    return counts


def _remove(stack: Stack, task: Any, webhooks: list[Any]) -> None:
    if "createdAt" in task:
        machine = StateMachine(stack.output("StateMachineArn"))
        if not stack.express:
            machine.stop(task["taskId"]["S"], moment(task["createdAt"]["S"]))
    for key in webhooks:
        dynamodb().delete_item(TableName=stack.output("PushConfigsTableName"), Key=key)
    dynamodb().delete_item(TableName=stack.output("TasksTableName"), Key={"taskId": task["taskId"]})


def _forget(stack: Stack, conversations: set[str]) -> None:
    for conversation in conversations:
        key = {"conversation": {"S": conversation}}
        dynamodb().delete_item(TableName=stack.output("ContextsTableName"), Key=key)


def _task_ids(stack: Stack, owner: str) -> Iterator[Any]:
    return _owned(stack, "TasksTableName", owner, ("taskId",))


def _owned(stack: Stack, output: str, owner: str, names: tuple[str, ...]) -> Iterator[Any]:
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=stack.output(output),
            IndexName="byOwner",
            KeyConditionExpression="#owner = :owner",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}},
        )
    )
    return ({name: item[name] for name in names} for page in pages for item in page["Items"])


def _batches(items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _read(stack: Stack, keys: list[Any]) -> Iterator[Any]:
    """What a purge needs of the tasks; those that are there still."""
    table = stack.output("TasksTableName")
    pending = {table: {"Keys": keys, "ProjectionExpression": "taskId, contextId, createdAt", "ConsistentRead": True}}
    while pending:
        answer = dynamodb().batch_get_item(RequestItems=pending)
        yield from answer["Responses"].get(table, [])
        pending = answer.get("UnprocessedKeys") or {}


def _keys(stack: Stack, output: str, name: str, value: str) -> list[Any]:
    pages = (
        dynamodb()
        .get_paginator("query")
        .paginate(
            TableName=stack.output(output),
            KeyConditionExpression="#name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": {"S": value}},
            ProjectionExpression="taskId, configId",
            ConsistentRead=True,
        )
    )
    return [item for page in pages for item in page["Items"]]
