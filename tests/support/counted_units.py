"""A table of many items of one partition, held as a sorted list, that counts the units DynamoDB would charge."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from a2a_lambda.aws.items import item_size

Item = dict[str, Any]

_MEGABYTE = 1 << 20
_READ = 4096
_WRITE = 1024


@dataclass
class CountedTable:
    """The calls of a client of DynamoDB that the task store makes, for one table. ``reads`` and ``writes`` are units; a
    strongly consistent read costs twice. Filters are on the state alone, as the store's are; no other is known."""

    hash_key: str
    items: dict[str, Item] = field(default_factory=dict)
    reads: float = 0
    writes: float = 0
    calls: int = 0
    _sorted: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def load(self, items: list[Item]) -> None:
        """Put the items, and free of charge."""
        self.items = {item[self.hash_key]["S"]: item for item in items}
        self._sorted = {}

    def get_item(self, *, Key: Item, ConsistentRead: bool = False, **_: Any) -> Item:  # noqa: N803
        self.calls += 1
        item = self.items.get(Key[self.hash_key]["S"])
        self._read(item_size(item or {}), ConsistentRead)
        return {"Item": item} if item is not None else {}

    def batch_get_item(self, *, RequestItems: Item) -> Item:  # noqa: N803
        self.calls += 1
        ((table, request),) = RequestItems.items()
        assert len(request["Keys"]) <= 100
        found = [self.items[key[self.hash_key]["S"]] for key in request["Keys"]]
        for item in found:
            self._read(item_size(item), request.get("ConsistentRead", False))
        return {"Responses": {table: found}}

    def put_item(self, *, Item: Item, **_: Any) -> Item:  # noqa: N803
        self.calls += 1
        self.writes += math.ceil(item_size(Item) / _WRITE)
        self.items[Item[self.hash_key]["S"]] = Item
        return {}

    def update_item(self, *, Key: Item, ExpressionAttributeValues: Item, **_: Any) -> Item:  # noqa: N803
        """Charged for what the item is and what the write brings, whichever is larger; what it says is not written."""
        self.calls += 1
        size = max(item_size(self.items[Key[self.hash_key]["S"]]), item_size(ExpressionAttributeValues))
        self.writes += math.ceil(size / _WRITE)
        return {}

    def query(self, **arguments: Any) -> Item:
        """A page of an index in descending order: ``Limit`` and the megabyte are of what is looked at, and so is the
        charge; the filter comes after."""
        self.calls += 1
        assert arguments["ScanIndexForward"] is False
        values, names = arguments["ExpressionAttributeValues"], arguments["ExpressionAttributeNames"]
        keys = self._index(names["#key"], values[":key"]["S"])
        end = len(keys)
        if "ExclusiveStartKey" in arguments:
            start = arguments["ExclusiveStartKey"]
            end = bisect_left(keys, (start["updatedAt"]["S"], start["taskId"]["S"]))
        found, looked, size, last = [], 0, 0, None
        while end > 0 and keys[end - 1][0] >= values.get(":after", {"S": ""})["S"]:
            if looked == arguments.get("Limit") or size > _MEGABYTE:
                last = {name: self.items[keys[end][1]][name] for name in (names["#key"], "updatedAt", "taskId")}
                break
            end -= 1
            item = self.items[keys[end][1]]
            projected = {name: item[name] for name in ("owner", "ownerContext", "updatedAt", "taskId", "state")}
            looked += 1
            size += item_size(projected)
            if ":state" not in values or item["state"] == values[":state"]:
                found.append(projected)
        self._read(size, consistent=False)
        page: Item = {"Count": len(found), "ScannedCount": looked}
        if arguments.get("Select") != "COUNT":
            page["Items"] = found
        return page | ({"LastEvaluatedKey": last} if last is not None else {})

    def _index(self, key: str, value: str) -> list[tuple[str, str]]:
        if key + value not in self._sorted:
            self._sorted[key + value] = sorted(
                (item["updatedAt"]["S"], task_id) for task_id, item in self.items.items() if item[key]["S"] == value
            )
        return self._sorted[key + value]

    def _read(self, size: int, consistent: bool) -> None:
        self.reads += max(1, math.ceil(size / _READ)) * (1 if consistent else 0.5)
