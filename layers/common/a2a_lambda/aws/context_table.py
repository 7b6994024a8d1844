"""ContextsTable: the port :class:`~..core.ports.ContextStore` over DynamoDB."""

from __future__ import annotations

from typing import Any

from ..core.model import dumps
from ..core.ports import Conflict, MemoryConflict, Poison
from ..core.records import ContextMemory, TaskRecord
from .clients import client, guarded
from .items import n, s
from .reading import number, value_of
from .task_table import is_stored, lost, task_write

_LOST = ("ConditionalCheckFailed", "TransactionConflict")


class ContextTable:
    """``tasks_table`` is needed because what a run remembers and its end are written together."""

    def __init__(self, table: str, tasks_table: str) -> None:
        self._table, self._tasks_table = table, tasks_table

    @guarded
    def get(self, conversation: str) -> ContextMemory | None:
        """See :class:`~..core.ports.ContextStore`."""
        key = {"conversation": s(conversation)}
        item = client("dynamodb").get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if item is None:
            return None
        try:
            content = value_of(item, "memory", dict[str, Any])
            return ContextMemory(conversation, content, number(item, "version"), number(item, "expiresAt"))
        except Exception as error:
            raise Poison(conversation) from error

    @guarded
    def commit(self, record: TaskRecord, memory: ContextMemory) -> None:
        """See :class:`~..core.ports.ContextStore`."""
        from botocore.exceptions import ClientError

        put: dict[str, Any] = {
            "TableName": self._table,
            "Item": {
                "conversation": s(memory.conversation),
                "memory": s(dumps(memory.content)),
                "version": n(memory.version),
                "expiresAt": n(memory.expires_at),
            },
        }
        if memory.version == 1:
            put["ConditionExpression"] = "attribute_not_exists(conversation)"
        else:
            put["ConditionExpression"] = "version = :before"
            put["ExpressionAttributeValues"] = {":before": n(memory.version - 1)}
        items = [{"Update": task_write(self._tasks_table, record)}, {"Put": put}]
        try:
            client("dynamodb").transact_write_items(TransactItems=items)
        except ClientError as error:
            if not lost(error):
                raise
            response: Any = error.response
            task, *_ = response.get("CancellationReasons") or [{}]
            if is_stored(record, task.get("Item") or {}):
                return  # the answer to our own write was lost, and that wrote both
            raise (Conflict if task.get("Code") in _LOST else MemoryConflict) from error
