"""The FIFO queues: the ports :class:`~..ports.RedeliveryQueue` and :class:`~..ports.DeadLetters` over SQS."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.model import dumps
from ..core.ports import QueuedNotification
from ..dialects.webhooks import BY_NAME
from .clients import client, code_of, guarded

_log = logging.getLogger(__name__)

_BATCH = 10
"""Messages that one SendMessageBatch takes."""

_PLAIN = 20_000
"""Characters beyond which a body is compressed: a message holds 1 MiB, and so does a batch of ten."""

_BATCH_BYTES = 1_000_000


def encode(message: QueuedNotification) -> str:
    """The message's text. It has no credentials: the config is read again at delivery.

    ASCII only, because SQS refuses some characters that JSON may hold. It is always less than a message can be: a task
    is less than 400 kB, and so packed (a third more than that at worst) is each of its events.
    """
    packed = len(message.body) > _PLAIN
    raw = message.body.encode("utf-8", "surrogatepass")
    return json.dumps(
        {
            "taskId": message.task_id,
            "configId": message.config_id,
            "incarnation": message.incarnation,
            "generation": message.generation,
            "n": message.n,
            "last": message.last,
            "dialect": message.dialect,
            "writtenAt": message.written_at,
            "nonce": message.nonce,
            "redrive": message.redrive,
            "refusedBy": message.refused_by,
            "packed": packed,
            "body": base64.b64encode(zlib.compress(raw)).decode() if packed else message.body,
        },
        separators=(",", ":"),
    )


def decode(text: str) -> QueuedNotification:
    """The inverse of :func:`encode`. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for any other text."""
    stored = json.loads(text)
    body = stored["body"]
    if stored["dialect"] not in BY_NAME:
        raise ValueError("dialect")
    if stored["packed"]:
        try:
            body = zlib.decompress(base64.b64decode(body)).decode("utf-8", "surrogatepass")
        except zlib.error as error:
            raise ValueError from error
    return QueuedNotification(
        task_id=stored["taskId"],
        config_id=stored["configId"],
        incarnation=stored["incarnation"],
        generation=stored["generation"],
        n=stored["n"],
        body=body,
        last=stored["last"],
        dialect=stored["dialect"],
        written_at=stored["writtenAt"],
        nonce=stored["nonce"],
        redrive=stored["redrive"],
        refused_by=stored.get("refusedBy", ""),
    )


def group(message: QueuedNotification) -> str:
    """The message group: one per incarnation of a config, so that nothing else waits for it."""
    return hashlib.sha256(dumps([message.task_id, message.config_id, message.incarnation]).encode()).hexdigest()


class SqsRedeliveryQueue:
    """The redelivery queue by its URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    @guarded
    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        """See :class:`~..ports.RedeliveryQueue`.

        A batch call may fail for some of its messages. So it never holds two of one config: the second of a config
        goes out when the first is known to be queued.
        """
        waiting: dict[tuple[str, str], list[QueuedNotification]] = {}
        for message in messages:
            waiting.setdefault((message.task_id, message.config_id), []).append(message)
        failed: set[tuple[str, str]] = set()
        while waiting:
            heads = [(key, queue[0]) for key, queue in waiting.items()]
            for batch in _batches(heads):
                failed |= self._send_batch(batch)
            waiting = {key: queue[1:] for key, queue in waiting.items() if key not in failed and len(queue) > 1}
        return frozenset(failed)

    @guarded
    def defer(self, receipt: str, seconds: int) -> None:
        """Hide a received message, and with it its group, for so many seconds."""
        client("sqs").change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)

    def _send_batch(self, batch: list[tuple[tuple[str, str], QueuedNotification]]) -> set[tuple[str, str]]:
        from botocore.exceptions import BotoCoreError, ClientError

        entries = [
            {
                "Id": str(place),
                "MessageBody": encode(message),
                "MessageGroupId": group(message),
                "MessageDeduplicationId": deduplication(message),
            }
            for place, (_, message) in enumerate(batch)
        ]
        try:
            answer = client("sqs").send_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            _log.warning("SendMessageBatch failed: %s", code_of(error) or type(error).__name__)
            return {key for key, _ in batch}
        return {batch[int(entry["Id"])][0] for entry in answer.get("Failed", [])}


class SqsDeadLetters:
    """The dead-letter queue by its URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    @guarded
    def send(self, message: QueuedNotification, reason: str) -> None:
        """See :class:`~..ports.DeadLetters`."""
        client("sqs").send_message(
            QueueUrl=self._url,
            MessageBody=encode(message),
            MessageGroupId=group(message),
            MessageDeduplicationId=deduplication(message),
            MessageAttributes=_attributes(reason),
        )

    @guarded
    def send_unreadable(self, record: Mapping[str, Any], reason: str) -> None:
        """Keep a message as it is that is none of ours: its group must not wait for it. ``record`` is the event's."""
        client("sqs").send_message(
            QueueUrl=self._url,
            MessageBody=record["body"],
            MessageGroupId=record["attributes"]["MessageGroupId"],
            MessageDeduplicationId=record["messageId"],
            MessageAttributes=_attributes(reason),
        )


def _attributes(reason: str) -> dict[str, Any]:
    return {"reason": {"DataType": "String", "StringValue": reason}}


def deduplication(message: QueuedNotification) -> str:
    """Within five minutes, SQS takes a second message of this id and group for the first one come again.

    The group is part of it: a queue whose DeduplicationScope is not the group would drop what others are to hear.
    """
    identity = [group(message), message.generation, message.n, message.nonce, message.redrive]
    return hashlib.sha256(dumps(identity).encode()).hexdigest()


def _batches(heads: list[Any]) -> Iterable[list[Any]]:
    """At most ten messages and one megabyte each."""
    batch: list[Any] = []
    size = 0
    for head in heads:
        length = len(encode(head[1]).encode())
        if batch and (len(batch) == _BATCH or size + length > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(head)
        size += length
    if batch:
        yield batch
