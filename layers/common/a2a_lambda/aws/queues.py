"""The FIFO queues: the ports :class:`~..ports.RedeliveryQueue` and :class:`~..ports.DeadLetters` over SQS."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ..core.model import dumps
from ..core.ports import Poison, QueuedNotification, Unavailable
from ..dialects.webhooks import BY_NAME
from .clients import client, code_of, guarded
from .reading import Count, checked_instant, config_key, key, parsed

_log = logging.getLogger(__name__)

_BATCH = 10
"""Messages that one SendMessageBatch takes."""

_PLAIN = 20_000
"""Characters beyond which a body is compressed: a message holds 1 MiB, and so does a batch of ten."""

_BATCH_BYTES = 1_000_000

MAX_BODY = 4_000_000
"""Bytes of a body: a task is less than 400 kB, and the wordiest dialect makes its parts seven times as long."""

_MAX_KEPT = 1_000_000
"""Bytes of an unreadable message that a dead letter keeps: a message has room for 1 MiB with its reason."""


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
            "owner": message.owner,
            "packed": packed,
            "body": base64.b64encode(zlib.compress(raw)).decode() if packed else message.body,
        },
        separators=(",", ":"),
    )


class _Message(msgspec.Struct, rename="camel"):
    """What :func:`encode` writes."""

    task_id: str
    config_id: str
    incarnation: str
    generation: Count
    n: Count
    last: bool
    dialect: str
    written_at: str
    nonce: str
    redrive: str
    packed: bool
    body: str
    refused_by: str = ""
    owner: str = ""


def decode(text: str) -> QueuedNotification:
    """The inverse of :func:`encode`. Raises :class:`~..core.ports.Poison` for any other text."""
    try:
        return _decoded(msgspec.convert(json.loads(text), _Message))
    except Exception as error:
        raise Poison from error


def _decoded(stored: _Message) -> QueuedNotification:
    body = _unpacked(stored.body) if stored.packed else stored.body
    if stored.dialect not in BY_NAME or not isinstance(parsed(body), dict):
        raise ValueError("none of our notifications")
    checked_instant(stored.written_at)
    for name in (stored.config_id, stored.incarnation, stored.nonce, stored.redrive, stored.refused_by):
        name.encode()  # they go into headers and keys
    return QueuedNotification(
        task_id=key(stored.task_id),
        config_id=config_key(stored.config_id),
        incarnation=stored.incarnation,
        generation=stored.generation,
        n=stored.n,
        body=body,
        last=stored.last,
        dialect=stored.dialect,
        written_at=stored.written_at,
        nonce=stored.nonce,
        redrive=stored.redrive,
        refused_by=stored.refused_by,
        owner=stored.owner,
    )


def _unpacked(packed: str) -> str:
    """No further than a notification can be: a few bytes can unpack to gigabytes."""
    unpacking = zlib.decompressobj()
    raw = unpacking.decompress(base64.b64decode(packed, validate=True), MAX_BODY)
    if not unpacking.eof or unpacking.unconsumed_tail:
        raise ValueError("larger than any notification")
    return raw.decode("utf-8", "surrogatepass")


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
            for batch in batches(heads):
                failed |= self._send_batch(batch)
            waiting = {key: queue[1:] for key, queue in waiting.items() if key not in failed and len(queue) > 1}
        return frozenset(failed)

    @guarded
    def defer(self, receipt: str, seconds: int) -> None:
        """Hide a received message, and with it its group, for so many seconds."""
        client("sqs").change_message_visibility(QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=seconds)

    def _send_batch(self, batch: list[tuple[tuple[str, str], QueuedNotification]]) -> set[tuple[str, str]]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer = client("sqs").send_message_batch(QueueUrl=self._url, Entries=entries(batch))
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
    def send_all(self, messages: Sequence[QueuedNotification], reason: str) -> None:
        """See :class:`~..ports.DeadLetters`. Raises :class:`Unavailable` if one of them could not be kept; sent again,
        the others stay single."""
        for batch in batches([(None, message) for message in messages]):
            with_reason = [entry | {"MessageAttributes": _attributes(reason)} for entry in entries(batch)]
            if client("sqs").send_message_batch(QueueUrl=self._url, Entries=with_reason).get("Failed"):
                raise Unavailable("SendMessageBatch")

    def send_unreadable(self, record: Mapping[str, Any], reason: str) -> bool:
        """Keep a message as it is (if it fits) that is none of ours: its group must not wait for it. ``record`` is the
        event's. False: it could not be kept, whatever the reason."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            client("sqs").send_message(
                QueueUrl=self._url,
                MessageBody=record["body"].encode("utf-8", "replace")[:_MAX_KEPT].decode(errors="ignore"),
                MessageGroupId=record["attributes"]["MessageGroupId"],
                MessageDeduplicationId=record["messageId"],
                MessageAttributes=_attributes(reason),
            )
        except (BotoCoreError, ClientError) as error:
            _log.error("SendMessage failed: %s", code_of(error) or type(error).__name__)
            return False
        return True


def entries(batch: Iterable[tuple[Any, QueuedNotification]]) -> list[dict[str, Any]]:
    """Entries of one SendMessageBatch."""
    return [
        {
            "Id": str(place),
            "MessageBody": encode(message),
            "MessageGroupId": group(message),
            "MessageDeduplicationId": deduplication(message),
        }
        for place, (_, message) in enumerate(batch)
    ]


def _attributes(reason: str) -> dict[str, Any]:
    return {"reason": {"DataType": "String", "StringValue": reason}}


def deduplication(message: QueuedNotification) -> str:
    """Within five minutes, SQS takes a second message of this id and group for the first one come again.

    The group is part of it: a queue whose DeduplicationScope is not the group would drop what others are to hear.
    """
    identity = [group(message), message.generation, message.n, message.nonce, message.redrive]
    return hashlib.sha256(dumps(identity).encode()).hexdigest()


def batches(heads: list[Any]) -> Iterable[list[Any]]:
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
