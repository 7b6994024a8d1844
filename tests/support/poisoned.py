"""Bad values in records, items and messages, and what they may leave behind."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import cloud
from cloud_stack import CloudStack
from harness import WEBHOOK

SECRET = "s3cr3t-do-not-show"
CREDENTIALS = {
    "token": f"{SECRET}-token",
    "authentication": {"scheme": "Bearer", "credentials": f"{SECRET}-credentials"},
}
WORDS = "w0rds-of-a-client"
"""A failure message has them, because it has the record; a log line never."""

TOGETHER = 20


def assert_clean(written: str, what: str = "") -> None:
    assert SECRET not in written, what
    assert WORDS not in written, what
    assert "Traceback" not in written, what


def registered(stack: CloudStack, *names: str) -> str:
    task_id: str = stack.send(stack.message(WORDS))["id"]
    for name in names:
        stack.register(task_id, f"{WEBHOOK}/{name}?key={SECRET}", id=name, **CREDENTIALS)
    return task_id


def canceled(stack: CloudStack, task_id: str) -> Any:
    """The record of the task's last change."""
    stack.new_records()
    stack.call("CancelTask", {"id": task_id})
    (record,) = stack.new_records()
    return record


def of_generation(record: Any, number: int) -> Any:
    """The same change as if it were a later one, so that it is new to everybody."""
    change = record["dynamodb"]
    images = {
        name: {**change[name], "generation": {"N": str(2 * number + place)}}
        for place, name in ((10, "OldImage"), (11, "NewImage"))
    }
    return {**record, "dynamodb": {**change, **images, "SequenceNumber": str(number + 1)}}


def drained(url: str) -> list[Any]:
    """All messages of a queue, which is empty then."""
    sqs, found = cloud.client("sqs"), []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get(
        "Messages"
    ):
        for message in batch:
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def put_aside(stack: CloudStack) -> list[Any]:
    """The bodies of the failure messages, in which is no credential."""
    bodies = [json.loads(message["Body"]) for message in drained(stack.stream_failures)]
    for body in bodies:
        packed = body["packedRecord"]
        text = zlib.decompress(base64.b64decode(packed)).decode() if packed else ""
        assert SECRET not in json.dumps(body) + text
    return bodies


def batches(source: Iterator[Any], size: int = TOGETHER) -> Iterator[list[Any]]:
    while batch := list(islice(source, size)):
        yield batch


@contextmanager
def reading(operation: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """What DynamoDB answers to an operation, changed: also into what no client could have written."""

    def changed(parsed: Any, **_: Any) -> None:
        change(parsed)

    events = cloud.client("dynamodb").meta.events
    events.register(f"after-call.dynamodb.{operation}", changed)
    try:
        yield
    finally:
        events.unregister(f"after-call.dynamodb.{operation}", changed)


def stored_config(stack: CloudStack, task_id: str, name: str) -> Any:
    """A config's item with all the attributes that it can have."""
    key = {"taskId": {"S": task_id}, "configId": {"S": name}}
    item = cloud.client("dynamodb").get_item(TableName=stack.configs_table, Key=key)["Item"]
    moment = {"S": "2026-01-01T00:00:00+00:00"}
    moments = ("failingSince", "nextAttemptAt", "lastAttemptAt", "pausedUntil")
    return {
        **item,
        **dict.fromkeys(moments, moment),
        "attempts": {"N": "1"},
        "deadLetters": {"N": "1"},
        "deliveredThrough": {"N": "1"},
        "lastError": {"S": "timeout"},
        "redriven": {"S": ""},
        "held": {"S": json.dumps(["host", "2026-01-01T00:00:00+00:00"])},
        "recentFailures": {"S": json.dumps([["2026-01-01T00:00:00+00:00", "1.0", "timeout", 3]])},
    }
