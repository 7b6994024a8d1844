"""PushConfigsTable: the port :class:`~..ports.PushConfigStore` over DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model import dumps
from ..ports import Conflict
from ..records import PushConfig, TaskRecord
from .clients import client, guarded
from .items import Item, config_item, config_update, n, push_config, s
from .task_table import lost

_FAILURE_FIELDS = "attempts, failingSince, nextAttemptAt, lastError"


class PushConfigTable:
    """``tasks_table`` is needed because a registration is bound to a generation of its task."""

    def __init__(self, table: str, tasks_table: str = "") -> None:
        self._table = table
        self._tasks_table = tasks_table

    @guarded
    def register(self, config: PushConfig, existing: PushConfig | None, task: TaskRecord) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        from botocore.exceptions import ClientError

        try:
            client("dynamodb").transact_write_items(
                TransactItems=[self._task_side(task), self._config_side(config, existing)]
            )
        except ClientError as error:
            if lost(error):
                raise Conflict from error
            raise

    @guarded
    def get(self, task_id: str, config_id: str) -> PushConfig | None:
        """See :class:`~..ports.PushConfigStore`."""
        answer = client("dynamodb").get_item(TableName=self._table, Key=_key(task_id, config_id), ConsistentRead=True)
        return push_config(answer["Item"]) if "Item" in answer else None

    @guarded
    def of_task(self, task_id: str) -> Sequence[PushConfig]:
        """See :class:`~..ports.PushConfigStore`."""
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._table,
                KeyConditionExpression="taskId = :task",
                ExpressionAttributeValues={":task": s(task_id)},
                ConsistentRead=True,
            )
        )
        return [push_config(item) for page in pages for item in page["Items"]]

    @guarded
    def of_owner(self, owner: str) -> Sequence[PushConfig]:
        """See :class:`~..ports.PushConfigStore`. The index lags behind deletions, so its keys are read again."""
        pages = (
            client("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self._table,
                IndexName="byOwner",
                KeyConditionExpression="#owner = :owner",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": s(owner)},
            )
        )
        keys = [(item["taskId"]["S"], item["configId"]["S"]) for page in pages for item in page["Items"]]
        found: dict[tuple[str, str], PushConfig] = {}
        pending: list[Item] = [_key(*key) for key in keys]
        while pending:
            answer = client("dynamodb").batch_get_item(
                RequestItems={self._table: {"Keys": pending[:100], "ConsistentRead": True}}
            )
            for item in answer["Responses"].get(self._table, []):
                config = push_config(item)
                found[config.task_id, config.config_id] = config
            pending = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", []) + pending[100:]
        return [found[key] for key in keys if key in found and found[key].owner == owner]

    @guarded
    def delete(self, config: PushConfig) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        self._conditional(
            client("dynamodb").delete_item,
            config,
            ExpressionAttributeValues={":incarnation": s(config.incarnation)},
        )

    @guarded
    def raise_queued(self, config: PushConfig, generation: int) -> bool:
        """See :class:`~..ports.PushConfigStore`."""
        if config.queued_through >= generation:
            # Only the notifier raises it, one batch of a task at a time: what we read is not older than what is there.
            return True
        return self._update(config, "SET queuedThrough = :generation", {":generation": n(generation)})

    @guarded
    def settle(self, config: PushConfig, generation: int, *, delivered: bool) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        clear = f" REMOVE {_FAILURE_FIELDS}" if delivered else ""
        self._update(
            config,
            f"SET settledThrough = :generation{clear}",
            {":generation": n(generation)},
            "settledThrough < :generation",
        )

    @guarded
    def record_failure(self, config: PushConfig, failed: PushConfig) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        assert failed.failing_since is not None
        assert failed.next_attempt_at is not None
        self._update(
            config,
            "SET attempts = :attempts, failingSince = :since, nextAttemptAt = :next, lastError = :error",
            {
                ":attempts": n(failed.attempts),
                ":since": s(failed.failing_since.isoformat()),
                ":next": s(failed.next_attempt_at.isoformat()),
                ":error": s(failed.last_error or ""),
            },
        )

    def _update(
        self, config: PushConfig, expression: str, values: dict[str, Any], condition: str | None = None
    ) -> bool:
        return self._conditional(
            client("dynamodb").update_item,
            config,
            condition,
            UpdateExpression=expression,
            ExpressionAttributeValues={":incarnation": s(config.incarnation), **values},
        )

    def _conditional(self, call: Any, config: PushConfig, condition: str | None = None, **arguments: Any) -> bool:
        """A write on exactly this incarnation. False if it is gone, or ``condition`` does not hold."""
        from botocore.exceptions import ClientError

        incarnation = "incarnation = :incarnation"
        try:
            call(
                TableName=self._table,
                Key=_key(config.task_id, config.config_id),
                ConditionExpression=f"{incarnation} AND {condition}" if condition else incarnation,
                **arguments,
            )
        except ClientError as error:
            if lost(error):
                return False
            raise
        return True

    def _task_side(self, task: TaskRecord) -> dict[str, Any]:
        """The task has not moved on; and hears of the announcement, which is how the stream gets to know of it."""
        common = {
            "TableName": self._tasks_table,
            "Key": {"taskId": s(task.task_id)},
            "ConditionExpression": "generation = :generation",
        }
        generation = {":generation": n(task.generation)}
        if task.announcement is None:
            return {"ConditionCheck": {**common, "ExpressionAttributeValues": generation}}
        return {
            "Update": {
                **common,
                "UpdateExpression": "SET announcement = :announcement",
                "ExpressionAttributeValues": {**generation, ":announcement": s(dumps(list(task.announcement)))},
            }
        }

    def _config_side(self, config: PushConfig, existing: PushConfig | None) -> dict[str, Any]:
        if existing is None:
            return {
                "Put": {
                    "TableName": self._table,
                    "Item": config_item(config),
                    "ConditionExpression": "attribute_not_exists(taskId)",
                }
            }
        attributes = {**config_update(config), "settledThrough": n(config.settled_through)}
        optional = [name for name in ("token", "authentication") if name not in attributes]
        return {
            "Update": {
                "TableName": self._table,
                "Key": _key(config.task_id, config.config_id),
                "UpdateExpression": "SET "
                + ", ".join(f"#{name} = :{name}" for name in attributes)
                + " REMOVE "
                + ", ".join([_FAILURE_FIELDS, *(f"#{name}" for name in optional)]),
                "ConditionExpression": "#incarnation = :incarnation AND #settledThrough = :settledBefore",
                "ExpressionAttributeNames": {f"#{name}": name for name in [*attributes, *optional]},
                "ExpressionAttributeValues": {
                    **{f":{name}": value for name, value in attributes.items()},
                    ":settledBefore": n(existing.settled_through),
                },
            }
        }


def _key(task_id: str, config_id: str) -> Item:
    return {"taskId": s(task_id), "configId": s(config_id)}
