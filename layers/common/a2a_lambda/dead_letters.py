"""Lists dead letters, and brings them back: `python -m a2a_lambda.dead_letters list` or `redrive`.

Needs AWS credentials, the package on the path, and the outputs of the stack:
`--dead-letters DeadLetterQueueUrl --queue RedeliveryQueueUrl --configs PushConfigsTableName`.
`--task` and `--config` choose; without them it is all. `make dead-letters` and `make redrive` do it on the local AWS.

A redriven notification goes to the end of its config's queue, in the order in which it was given up, with a clean
schedule. Later events wait behind it; events that were delivered after it was given up came before it, which the
generation in its webhook-id shows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .aws.clients import client
from .aws.push_config_table import PushConfigTable
from .aws.queues import SqsRedeliveryQueue, decode
from .ports import Poison, PushConfigStore, QueuedNotification, RedeliveryQueue

HELD = 120
"""Seconds for which a letter is hidden from others while it is looked at."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One letter. ``message`` is None for one that nobody can read."""

    message_id: str
    receipt: str
    reason: str
    message: QueuedNotification | None


@dataclass(frozen=True, slots=True)
class Letters:
    """The dead-letter queue by its URL."""

    url: str

    def read(self) -> Iterator[DeadLetter]:
        """All letters; those of one config in the order in which they were given up. They are hidden meanwhile."""
        while True:
            answer: Any = client("sqs").receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=HELD, MessageAttributeNames=["reason"]
            )
            if not answer.get("Messages"):
                return
            for entry in answer["Messages"]:
                reason = entry.get("MessageAttributes", {}).get("reason", {}).get("StringValue", "")
                try:
                    message = decode(entry["Body"])
                except (KeyError, TypeError, ValueError):
                    message = None
                yield DeadLetter(entry["MessageId"], entry["ReceiptHandle"], reason, message)

    def count(self) -> int:
        """About how many there are. A FIFO queue shows ten of a webhook at once, and more when those are dealt with."""
        answer = client("sqs").get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )
        return sum(map(int, answer["Attributes"].values()))

    def release(self, letter: DeadLetter) -> None:
        """Let others see the letter again."""
        client("sqs").change_message_visibility(QueueUrl=self.url, ReceiptHandle=letter.receipt, VisibilityTimeout=0)

    def remove(self, letter: DeadLetter) -> None:
        """The letter is dealt with."""
        client("sqs").delete_message(QueueUrl=self.url, ReceiptHandle=letter.receipt)


def redrive(letter: DeadLetter, configs: PushConfigStore, queue: RedeliveryQueue) -> str:
    """Bring one letter back; answers what became of it: "redriven", "no webhook", "unreadable webhook" or
    "not queued".

    First the config: it waits for the letter, so that nothing overtakes it, and it is not failing any more. Then the
    message, marked, which also is an id of its own: SQS may remember the one that was given up. What is broken off in
    between has to be redriven again: the letter is still there.
    """
    message = letter.message
    assert message is not None
    try:
        config = configs.get(message.task_id, message.config_id)
    except Poison:
        return "unreadable webhook"
    if config is None or config.incarnation != message.incarnation:
        return "no webhook"
    configs.reopen(config, letter.message_id)
    failed = queue.send([replace(message, redrive=letter.message_id)])
    return "not queued" if failed else "redriven"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 1 if something could not be redriven."""
    parser = argparse.ArgumentParser(prog="python -m a2a_lambda.dead_letters", description=__doc__)
    parser.add_argument("command", choices=["list", "redrive"])
    parser.add_argument("--dead-letters", required=True, metavar="URL")
    parser.add_argument("--queue", metavar="URL", help="the redelivery queue, to redrive")
    parser.add_argument("--configs", metavar="TABLE", help="the table of the push configs, to redrive")
    parser.add_argument("--task", metavar="ID")
    parser.add_argument("--config", metavar="ID")
    options = parser.parse_args(arguments)
    if options.command == "redrive" and not (options.queue and options.configs):
        parser.error("redrive needs --queue and --configs")
    letters = Letters(options.dead_letters)
    failed: set[tuple[str, str]] = set()
    kept: list[DeadLetter] = []
    for letter in letters.read():
        outcome = ""
        message = letter.message
        if options.command == "redrive" and message is not None and _chosen(message, options):
            key = (message.task_id, message.config_id)
            if key not in failed:  # else the ones behind would overtake it
                outcome = redrive(letter, PushConfigTable(options.configs), SqsRedeliveryQueue(options.queue))
            if outcome == "not queued":
                failed.add(key)
        if outcome in ("redriven", "no webhook"):
            letters.remove(letter)
        else:
            kept.append(letter)
        if message is None or _chosen(message, options):
            _show(letter, outcome)
    for letter in kept:
        letters.release(letter)
    print(f"{letters.count()} dead letters")  # noqa: T201
    return 1 if failed else 0


def _chosen(message: QueuedNotification, options: argparse.Namespace) -> bool:
    return options.task in (None, message.task_id) and options.config in (None, message.config_id)


def _show(letter: DeadLetter, outcome: str) -> None:
    message = letter.message
    what = f"{message.task_id}.{message.generation}.{message.n}.{message.config_id}" if message else "unreadable"
    print("  ".join(filter(None, [what, letter.reason, outcome])))  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
