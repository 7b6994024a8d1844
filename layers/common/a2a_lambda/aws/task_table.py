"""TasksTable: the port :class:`~..ports.TaskStore` over DynamoDB."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ..core.model import TERMINAL
from ..core.ports import Conflict, Glimpse, Poison, TaskPage, TaskQuery
from ..core.records import PushConfig, ResumeToken, TaskRecord
from .clients import client, code_of, guarded, reasons_of
from .items import Item, config_item, context_key, item_size, n, s, task_item, task_record, task_update
from .reading import log_unreadable, number

_BATCH = 100
"""Keys that one BatchGetItem takes."""

MAX_LOOKED = 1_000
"""Keys of an index that one page of ``ListTasks`` looks at, and counts: some 30 read units."""


class TaskTable:
    """``configs_table`` is needed because a task and its inline config are written together. ``traced``: each task
    carries the trace of its last writes, for streams."""

    def __init__(self, table: str, configs_table: str = "", traced: bool = False) -> None:
        self._table = table
        self._traced = traced
        self._configs_table = configs_table

    @guarded
    def create(self, record: TaskRecord, configs: Sequence[PushConfig] = ()) -> bool:
        """See :class:`~..ports.TaskStore`."""
        from botocore.exceptions import ClientError

        dynamodb = client("dynamodb")
        absent = "attribute_not_exists(taskId)"
        try:
            if not configs:
                dynamodb.put_item(TableName=self._table, Item=task_item(record), ConditionExpression=absent)
            else:
                task = {"TableName": self._table, "Item": task_item(record), "ConditionExpression": absent}
                # A config that is there without its task is a leftover of one that has expired.
                puts = [{"TableName": self._configs_table, "Item": config_item(config)} for config in configs]
                dynamodb.transact_write_items(TransactItems=[{"Put": put} for put in (task, *puts)])
        except ClientError as error:
            if condition_failed(error):
                return False
            if lost(error):
                raise Conflict from error
            raise
        return True

    @guarded
    def get(self, task_id: str) -> TaskRecord | None:
        """See :class:`~..ports.TaskStore`."""
        answer = client("dynamodb").get_item(TableName=self._table, Key={"taskId": s(task_id)}, ConsistentRead=True)
        return self._record(answer["Item"]) if "Item" in answer else None

    @guarded
    def peek(self, task_id: str) -> Glimpse | None:
        """See :class:`~..ports.TaskStore`."""
        item = client("dynamodb").get_item(TableName=self._table, Key={"taskId": s(task_id)}).get("Item")
        if item is None:
            return None
        try:
            return Glimpse(number(item, "generation"), item_size(item), lambda: self._record(item))
        except Exception as error:
            raise Poison(task_id) from error

    def _record(self, item: Item) -> TaskRecord:
        """Raises :class:`Poison`."""
        try:
            return task_record(item, self._traced)
        except Exception as error:
            raise Poison from error

    @guarded
    def update(self, record: TaskRecord) -> None:
        """See :class:`~..ports.TaskStore`."""
        from botocore.exceptions import ClientError

        try:
            client("dynamodb").update_item(**task_write(self._table, record))
        except ClientError as error:
            if not lost(error):
                raise
            if not is_stored(record, dict(error.response).get("Item") or {}):
                raise Conflict from error

    @guarded
    def set_resume_token(self, task_id: str, token: ResumeToken) -> TaskRecord | None:
        """See :class:`~..ports.TaskStore`."""
        from botocore.exceptions import ClientError

        try:
            answer = client("dynamodb").update_item(
                TableName=self._table,
                Key={"taskId": s(task_id)},
                UpdateExpression="SET resumeToken = :token",
                ConditionExpression="attribute_exists(taskId)",
                ExpressionAttributeValues={":token": s(json.dumps({"token": token.token, "run": token.run}))},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if condition_failed(error):
                return None
            raise
        return self._record(answer["Attributes"])

    @guarded
    def query(self, query: TaskQuery) -> TaskPage:
        """See :class:`~..ports.TaskStore`. The index holds keys and state only; the tasks are read by their keys.

        The index is a moment behind, so what was read is judged again; but each task keeps the place in which the index
        has it, or the next page would begin elsewhere.
        """
        arguments = self._query_arguments(query)
        found, last = self._look(arguments, query)
        keys = found[: query.limit]
        end = keys[-1] if len(found) > len(keys) else last
        places = {key["taskId"]["S"]: _place(key) for key in keys}
        records = tuple(record for record in self._read_all(list(places)) if _matches(record, query))
        counted = len(records) if end is None else len(found)
        return TaskPage(
            records,
            position=_place(end) if end is not None else None,
            total=counted if query.position is None else self._count(arguments),
            positions=tuple(places[record.task_id] for record in records),
        )

    def _query_arguments(self, query: TaskQuery) -> dict[str, Any]:
        by_context = query.context_id is not None
        names = {"#key": "ownerContext" if by_context else "owner"}
        values = {":key": s(context_key(query.owner, query.context_id or "") if by_context else query.owner)}
        condition = "#key = :key"
        if query.after is not None:
            condition += " AND updatedAt >= :after"
            values[":after"] = s(query.after)
        arguments: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": "byContext" if by_context else "byOwner",
            "KeyConditionExpression": condition,
            "ScanIndexForward": False,
        }
        if query.state is not None:
            names["#state"] = "state"
            values[":state"] = s(query.state)
            arguments["FilterExpression"] = "#state = :state"
        return {**arguments, "ExpressionAttributeNames": names, "ExpressionAttributeValues": values}

    def _look(self, arguments: dict[str, Any], query: TaskQuery) -> tuple[list[Item], Item | None]:
        """The matching keys after ``query.position`` among the next ``MAX_LOOKED``, and the last one that was looked at
        if there are more. A state that few tasks have must not read all of them."""
        limit = MAX_LOOKED
        if query.position is not None:
            updated_at, task_id = query.position
            if query.after is not None and updated_at < query.after:
                return [], None  # DynamoDB refuses to start outside of what is asked for
            index_key = arguments["ExpressionAttributeNames"]["#key"]
            arguments = {
                **arguments,
                "ExclusiveStartKey": {
                    index_key: arguments["ExpressionAttributeValues"][":key"],
                    "updatedAt": s(updated_at),
                    "taskId": s(task_id),
                },
            }
            if query.state is None:
                limit = query.limit + 1  # the first page looks further because it counts
        found, _, last = bounded(arguments, limit)
        return found, last

    def _count(self, arguments: dict[str, Any]) -> int:
        return bounded({**arguments, "Select": "COUNT"}, MAX_LOOKED)[1]

    def _read_all(self, task_ids: Sequence[str]) -> tuple[TaskRecord, ...]:
        found: dict[str, TaskRecord] = {}
        pending: list[Item] = [{"taskId": s(task_id)} for task_id in task_ids]
        while pending:
            request = {self._table: {"Keys": pending[:_BATCH]}}
            answer = client("dynamodb").batch_get_item(RequestItems=request)
            for item in answer["Responses"].get(self._table, []):
                try:
                    record = self._record(item)
                    found[record.task_id] = record
                except Poison as error:
                    log_unreadable(error, item)
            pending = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", []) + pending[_BATCH:]
        return tuple(found[task_id] for task_id in task_ids if task_id in found)


def bounded(arguments: dict[str, Any], limit: int) -> tuple[list[Item], int, Item | None]:
    """What a Query finds among the first ``limit`` keys, its number, and the last key if there are more. One request,
    unless the keys have more than a megabyte."""
    items: list[Item] = []
    count, left = 0, limit
    while True:
        page = client("dynamodb").query(**arguments, Limit=left)
        items += page.get("Items", [])
        count += page["Count"]
        left -= page["ScannedCount"]
        last = page.get("LastEvaluatedKey")
        if last is None or left <= 0:
            return items, count, last
        arguments = {**arguments, "ExclusiveStartKey": last}


def _place(key: Item) -> tuple[str, str]:
    return key["updatedAt"]["S"], key["taskId"]["S"]


def _matches(record: TaskRecord, query: TaskQuery) -> bool:
    return (
        record.owner == query.owner
        and query.state in (None, record.state)
        and (query.after is None or record.task["status"]["timestamp"] >= query.after)
    )


def task_write(table: str, record: TaskRecord) -> dict[str, Any]:
    """The arguments of an UpdateItem that writes the record over the generation just before it."""
    attributes = task_update(record)
    terminal = {f":t{place}": s(state) for place, state in enumerate(sorted(TERMINAL))}
    return {
        "TableName": table,
        "Key": {"taskId": s(record.task_id)},
        "UpdateExpression": "SET " + ", ".join(f"#{name} = :{name}" for name in attributes),
        "ConditionExpression": f"#generation = :before AND NOT #state IN ({', '.join(terminal)})",
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
        "ExpressionAttributeValues": {
            **{f":{name}": value for name, value in attributes.items()},
            ":before": n(record.generation - 1),
            **terminal,
        },
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }


def is_stored(record: TaskRecord, item: Any) -> bool:
    """Whether what stands in the way of a write is that write: the client repeats a call whose answer was lost."""
    return all(item.get(name) == value for name, value in task_update(record).items())


def lost(error: Any) -> bool:
    """Whether a conditional write, or a transaction, lost against another writer."""
    return (
        condition_failed(error)
        or code_of(error) == "TransactionConflictException"
        or "TransactionConflict" in reasons_of(error)
    )


def condition_failed(error: Any) -> bool:
    return code_of(error) == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in reasons_of(error)
