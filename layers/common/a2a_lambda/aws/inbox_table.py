"""InboxTable: the port :class:`~..endpoint.inbox.Boxes` over DynamoDB. A box is item 0, its pushes 1, 2, 3 …"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..core.model import dumps, loads
from ..endpoint.inbox import Box, Push
from .clients import client, guarded
from .items import Item, n, s

_PAGE = 10
"""Pushes of a page: as many of the largest ones as fit into an answer of Lambda."""


class InboxTable:
    """See :class:`~..endpoint.inbox.Boxes`."""

    def __init__(self, table: str) -> None:
        self._table = table

    @guarded
    def make(self, name: str, box: Box) -> None:
        """See :class:`~..endpoint.inbox.Boxes`."""
        item = {"owner": s(box.owner), "failures": n(box.failures), "pushes": n(0), **_until(box.expires_at)}
        client("dynamodb").put_item(TableName=self._table, Item=_key(name, 0) | item)

    @guarded
    def get(self, name: str) -> Box | None:
        """See :class:`~..endpoint.inbox.Boxes`."""
        answer = client("dynamodb").get_item(TableName=self._table, Key=_key(name, 0), ConsistentRead=True)
        return _box(answer["Item"]) if "Item" in answer else None

    @guarded
    def count(self, name: str, most: int) -> Box | None:
        """See :class:`~..endpoint.inbox.Boxes`."""
        from botocore.exceptions import ClientError

        try:
            answer = client("dynamodb").update_item(
                TableName=self._table,
                Key=_key(name, 0),
                UpdateExpression="ADD pushes :one",
                ConditionExpression="attribute_exists(box) AND pushes < :most",
                ExpressionAttributeValues={":one": n(1), ":most": n(most)},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return None
            raise
        return _box(answer["Attributes"])

    @guarded
    def put(self, name: str, push: Push, expires_at: datetime) -> None:
        """See :class:`~..endpoint.inbox.Boxes`."""
        item = {
            "receivedAt": s(push.received_at.isoformat()),
            "status": n(push.status),
            "headers": s(dumps(dict(push.headers))),
            "body": s(push.body),
            **_until(expires_at),
        }
        client("dynamodb").put_item(TableName=self._table, Item=_key(name, push.number) | item)

    @guarded
    def pushes(self, name: str, after: int) -> Sequence[Push]:
        """See :class:`~..endpoint.inbox.Boxes`."""
        answer = client("dynamodb").query(
            TableName=self._table,
            KeyConditionExpression="box = :box AND #number > :after",
            ExpressionAttributeNames={"#number": "number"},
            ExpressionAttributeValues={":box": s(name), ":after": n(after)},
            ConsistentRead=True,
            Limit=_PAGE,
        )
        return [_push(item) for item in answer["Items"]]

    @guarded
    def delete(self, name: str) -> None:
        """See :class:`~..endpoint.inbox.Boxes`. The box goes first: nothing is counted any more."""
        dynamodb, number = client("dynamodb"), 0
        dynamodb.delete_item(TableName=self._table, Key=_key(name, number))
        while left := self.pushes(name, number):
            for push in left:
                number = push.number
                dynamodb.delete_item(TableName=self._table, Key=_key(name, number))


def _key(name: str, number: int) -> Item:
    return {"box": s(name), "number": n(number)}


def _until(moment: datetime) -> Item:
    return {"expiresAt": n(int(moment.timestamp()))}


def _box(item: dict[str, Any]) -> Box:
    expires_at = datetime.fromtimestamp(int(item["expiresAt"]["N"]), UTC)
    return Box(item["owner"]["S"], int(item["failures"]["N"]), expires_at, int(item["pushes"]["N"]))


def _push(item: dict[str, Any]) -> Push:
    moment = datetime.fromisoformat(item["receivedAt"]["S"])
    headers = loads(item["headers"]["S"])
    return Push(int(item["number"]["N"]), moment, int(item["status"]["N"]), headers, item["body"]["S"])
