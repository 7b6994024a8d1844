"""PushConfigsTable: the port :class:`~..ports.PushConfigStore` over DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ..core.model import dumps
from ..core.ports import Conflict, Poison, TaskConfigs, UnreadableConfig
from ..core.records import Held, PushConfig, TaskRecord
from .clients import client, guarded
from .items import Item, config_item, config_update, failures_attribute, held_attribute, n, push_config, s
from .reading import log_unreadable, named
from .task_table import bounded, condition_failed, lost

_FAILURE_FIELDS = "attempts, failingSince, nextAttemptAt, lastError, held"
_FAIL = (
    "SET attempts = :attempts, failingSince = :since, lastAttemptAt = :at, nextAttemptAt = :next, lastError = :error, "
    "recentFailures = :recent"
)
_REVISION = "revision = :revision"


MAX_LISTED = 1_000
"""Configs of one owner that a list without pages shows."""


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
        return _read(answer["Item"]) if "Item" in answer else None

    @guarded
    def of_task(self, task_id: str) -> TaskConfigs:
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
        readable: list[PushConfig] = []
        unreadable: list[UnreadableConfig] = []
        for item in (item for page in pages for item in page["Items"]):
            try:
                readable.append(_read(item))
            except Poison as error:
                log_unreadable(error, item)
                config_id = named(item, "configId")
                unreadable.append(UnreadableConfig(task_id, config_id, error.reason, item.get("incarnation")))
        return TaskConfigs(readable, unreadable)

    @guarded
    def of_owner(self, owner: str) -> Sequence[PushConfig]:
        """See :class:`~..ports.PushConfigStore`. The index lags behind deletions, so its keys are read again.

        At most ``MAX_LISTED``, because the method that needs this has no pages."""
        arguments = {
            "TableName": self._table,
            "IndexName": "byOwner",
            "KeyConditionExpression": "#owner = :owner",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": s(owner)},
        }
        items, _, _ = bounded(arguments, MAX_LISTED)
        keys = [(item["taskId"]["S"], item["configId"]["S"]) for item in items]
        found: dict[tuple[str, str], PushConfig] = {}
        pending: list[Item] = [_key(*key) for key in keys]
        while pending:
            answer = client("dynamodb").batch_get_item(
                RequestItems={self._table: {"Keys": pending[:100], "ConsistentRead": True}}
            )
            for item in answer["Responses"].get(self._table, []):
                try:
                    config = _read(item)
                    found[config.task_id, config.config_id] = config
                except Poison as error:
                    log_unreadable(error, item)
            pending = answer.get("UnprocessedKeys", {}).get(self._table, {}).get("Keys", []) + pending[100:]
        return [found[key] for key in keys if key in found and found[key].owner == owner]

    @guarded
    def delete(self, config: PushConfig) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        self._conditional(client("dynamodb").delete_item, config)

    @guarded
    def discard(self, config: UnreadableConfig) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        from botocore.exceptions import ClientError

        same = "incarnation = :incarnation" if config.incarnation else "attribute_not_exists(incarnation)"
        values = {"ExpressionAttributeValues": {":incarnation": config.incarnation}} if config.incarnation else {}
        try:
            client("dynamodb").delete_item(
                TableName=self._table, Key=_key(config.task_id, config.config_id), ConditionExpression=same, **values
            )
        except ClientError as error:
            if not condition_failed(error):
                raise

    @guarded
    def retire(self, config: PushConfig) -> bool:
        """See :class:`~..ports.PushConfigStore`."""
        return self._conditional(
            client("dynamodb").delete_item, config, _REVISION, values={":revision": s(config.revision)}
        )

    @guarded
    def raise_queued(
        self,
        config: PushConfig,
        generation: int,
        failed: PushConfig | None = None,
        held: Held | None = None,
        delivered: int | None = None,
    ) -> bool:
        """See :class:`~..ports.PushConfigStore`."""
        raised, higher = "queuedThrough = :generation", "queuedThrough < :generation"
        values = {":generation": n(generation)}
        if delivered is not None:
            raised, values = f"{raised}, deliveredThrough = :delivered", {**values, ":delivered": n(delivered)}
        if failed is not None:
            expression, failure = _failure(failed)
            values_too = {**values, **failure, ":revision": s(config.revision)}
            if self._update(config, f"{expression}, {raised}", values_too, f"{_REVISION} AND {higher}"):
                return True
        if config.queued_through >= generation:
            return True  # it never sinks
        if held is not None:
            raised, values = f"{raised}, held = :held", {**values, ":held": held_attribute(held)}
        if self._update(config, f"SET {raised}", values, higher):
            return True
        # Gone; or an invocation that was taken for dead has come further than this one, which must not lower it.
        found = self.of_task(config.task_id)
        unreadable = [one.incarnation for one in found.unreadable]
        return s(config.incarnation) in [*(s(current.incarnation) for current in found), *unreadable]

    @guarded
    def hold(self, config: PushConfig, held: Held) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        self._update(config, "SET held = :held", {":held": held_attribute(held)})

    @guarded
    def settle(self, config: PushConfig, generation: int, delivered_at: datetime | None) -> bool:
        """See :class:`~..ports.PushConfigStore`."""
        advances = config.settled_through < generation  # not if an operator brought the message back
        assignments: list[str] = []
        condition, values = _REVISION, {":revision": s(config.revision)}
        if advances:
            assignments.append("settledThrough = :generation")
            condition += " AND settledThrough < :generation"
            values[":generation"] = n(generation)
        clear = ""
        if delivered_at is not None:
            assignments += ["deliveredThrough = :generation"] if advances else []
            assignments.append("lastAttemptAt = :at")
            values[":at"] = s(delivered_at.isoformat())
            clear = f" REMOVE {_FAILURE_FIELDS}"
        elif assignments:  # given up, and not delivered
            clear = " ADD deadLetters :one"
            values[":one"] = n(1)
        return not assignments or self._update(config, f"SET {', '.join(assignments)}{clear}", values, condition)

    @guarded
    def recover(self, config: PushConfig) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        self._update(config, f"REMOVE {_FAILURE_FIELDS}", {":revision": s(config.revision)}, _REVISION)

    @guarded
    def reopen(self, config: PushConfig, mark: str) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        self._update(config, f"SET redriven = :mark REMOVE {_FAILURE_FIELDS}", {":mark": s(mark)})

    @guarded
    def pause(self, config: PushConfig, until: datetime | None) -> bool:
        """See :class:`~..ports.PushConfigStore`."""
        if until is None:
            return self._update(config, f"REMOVE pausedUntil, {_FAILURE_FIELDS}", {})
        values = {":until": s(until.isoformat())}
        return self._update(config, f"SET pausedUntil = :until REMOVE {_FAILURE_FIELDS}", values)

    @guarded
    def count_dead(self, config: PushConfig, number: int = 1, why: str | None = None) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        reason = {":why": s(why)} if why is not None else {}
        set_reason = "SET lastError = :why " if reason else ""
        self._update(config, f"{set_reason}ADD deadLetters :number", {":number": n(number), **reason})

    @guarded
    def close(self, config: PushConfig, mark: str) -> None:
        """See :class:`~..ports.PushConfigStore`."""
        self._update(config, "REMOVE redriven", {":mark": s(mark)}, "redriven = :mark")

    @guarded
    def record_failure(self, config: PushConfig, failed: PushConfig) -> bool:
        """See :class:`~..ports.PushConfigStore`."""
        expression, values = _failure(failed)
        return self._update(config, expression, {**values, ":revision": s(config.revision)}, _REVISION)

    def _update(self, config: PushConfig, expression: str, values: Item, condition: str = "") -> bool:
        return self._conditional(
            client("dynamodb").update_item, config, condition, values=values, UpdateExpression=expression
        )

    def _conditional(
        self, call: Any, config: PushConfig, condition: str = "", values: Item | None = None, **arguments: Any
    ) -> bool:
        """A write on exactly this incarnation. False if it is gone, or ``condition`` does not hold."""
        from botocore.exceptions import ClientError

        incarnation = "incarnation = :incarnation"
        try:
            call(
                TableName=self._table,
                Key=_key(config.task_id, config.config_id),
                ConditionExpression=f"{incarnation} AND {condition}" if condition else incarnation,
                ExpressionAttributeValues={":incarnation": s(config.incarnation), **(values or {})},
                **arguments,
            )
        except ClientError as error:
            if condition_failed(error):
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


def _read(item: Item) -> PushConfig:
    """Raises :class:`Poison`."""
    try:
        return push_config(item)
    except Exception as error:
        raise Poison from error


def _failure(failed: PushConfig) -> tuple[str, Item]:
    """The update that writes the failure fields, and its values."""
    assert failed.failing_since is not None
    assert failed.next_attempt_at is not None
    assert failed.last_attempt_at is not None
    return (
        _FAIL,
        {
            ":attempts": n(failed.attempts),
            ":since": s(failed.failing_since.isoformat()),
            ":next": s(failed.next_attempt_at.isoformat()),
            ":at": s(failed.last_attempt_at.isoformat()),
            ":error": s(failed.last_error or ""),
            ":recent": failures_attribute(failed.recent_failures),
        },
    )


def _key(task_id: str, config_id: str) -> Item:
    return {"taskId": s(task_id), "configId": s(config_id)}
