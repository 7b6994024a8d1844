"""A redelivery queue, its dead letters and their webhooks on moto, with the operator's command to act on them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cloud
import pytest

from a2a_lambda.aws.clients import client
from a2a_lambda.aws.items import config_item
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.queues import SqsDeadLetters, decode
from a2a_lambda.core.ports import QueuedNotification
from a2a_lambda.core.records import PushConfig
from ops.__main__ import main
from ops.stack import Stack

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class World:
    def __init__(self) -> None:
        self.dead = cloud.create_queue("DeadLetterQueue")
        self.queue = cloud.create_queue("RedeliveryQueue")
        self.table = cloud.create_table("PushConfigsTable")
        self.configs = PushConfigTable(self.table)
        self.stack = Stack(
            "s",
            {
                "DeadLetterQueueUrl": self.dead,
                "RedeliveryQueueUrl": self.queue,
                "PushConfigsTableName": self.table,
                "TasksTableName": "none",
            },
        )

    def config(self, config_id: str, settled: int = 3, queued: int = 3) -> None:
        config = PushConfig(
            "t", config_id, "alice", "https://h.example", "1.0", f"i-{config_id}", "r", None, None, (), queued, settled
        )
        client("dynamodb").put_item(TableName=self.table, Item=config_item(config))
        failed = replace(
            config,
            attempts=9,
            failing_since=NOW,
            last_attempt_at=NOW + timedelta(days=4),
            next_attempt_at=NOW + timedelta(days=5),
            last_error="dns",
        )
        self.configs.record_failure(config, failed)

    def bury(self, config_id: str, *generations: int) -> None:
        for generation in generations:
            message = QueuedNotification(
                "t", config_id, f"i-{config_id}", generation, 0, "{}", True, "1.0", "2026-05-01T00:00:00.000Z"
            )
            SqsDeadLetters(self.dead).send(message, "dns; given up")

    def run(self, what: str, *arguments: str) -> int:
        return main(["--stack", "s", "--yes", "dead", what, *arguments])

    def waiting(self) -> list[QueuedNotification]:
        return [decode(message["Body"]) for message in cloud.messages(self.queue)]


def shown_lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines of the result, their columns two blanks apart."""
    return [re.sub(r"  +", "  ", line) for line in capsys.readouterr().out.splitlines()]
