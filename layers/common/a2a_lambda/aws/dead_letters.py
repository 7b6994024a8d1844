"""The dead-letter queue as an operator reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ..core.ports import Poison
from ..push.dead_letters import DeadLetter
from .clients import client
from .queues import decode

HELD = 120
"""Seconds for which a letter is hidden from others while it is looked at."""


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead-letter queue by its URL."""

    url: str

    def batches(self) -> Iterator[list[DeadLetter]]:
        """All letters; those of one config in the order in which they were given up. They are hidden meanwhile, all of
        a batch at once: who stops half way releases them.

        Who takes longer than ``HELD`` sees the first ones come back. That is the end: the rest is for another call.
        """
        seen: set[str] = set()
        while entries := self._receive():
            fresh = [entry for entry in entries if entry["MessageId"] not in seen]
            seen |= {entry["MessageId"] for entry in fresh}
            yield [_letter(entry) for entry in fresh]
            if len(fresh) < len(entries):
                return

    def _receive(self) -> list[Any]:
        answer: Any = client("sqs").receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=HELD, MessageAttributeNames=["reason"]
        )
        return answer.get("Messages") or []

    def count(self) -> int:
        """About how many there are. A FIFO queue shows ten of a webhook at once, and more when those are dealt with."""
        answer = client("sqs").get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(map(int, answer["Attributes"].values()))

    def release(self, letter: DeadLetter) -> None:
        """Let others see the letter again."""
        from botocore.exceptions import BotoCoreError, ClientError

        with suppress(BotoCoreError, ClientError):  # others see it already, or will in a moment
            client("sqs").change_message_visibility(
                QueueUrl=self.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0
            )

    def remove(self, letter: DeadLetter) -> None:
        """The letter is dealt with."""
        client("sqs").delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)


def _letter(entry: Any) -> DeadLetter:
    reason = entry.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "")
    try:
        message = decode(entry["Body"])
    except Poison:
        message = None
    return DeadLetter(entry["MessageId"], entry["ReceiptHandle"], reason, message, entry["Body"])
