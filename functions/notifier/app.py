"""Makes the first attempt at each webhook, from the stream of TasksTable. Never waits for a slow one, never retries."""

import os
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.queues import SqsRedeliveryQueue
from a2a_lambda.aws.stream import PoisonRecord, stream_record
from a2a_lambda.aws.tracing import traceparent
from a2a_lambda.notifier import Notifier
from a2a_lambda.observability import MetricUnit, fault, log_attempts, logger, metrics
from a2a_lambda.sender import Sender
from a2a_lambda.settings import Environment
from a2a_lambda.webhook_url import WebhookPolicy


@lru_cache(maxsize=1)
def notifier() -> Notifier:
    env = Environment(os.environ)
    policy = WebhookPolicy.of(env.flag("ALLOW_INSECURE_WEBHOOKS", False), env.text("ALLOWED_WEBHOOK_CIDRS", ""))
    return Notifier(
        PushConfigTable(env.text("PUSH_CONFIGS_TABLE")),
        SqsRedeliveryQueue(env.text("REDELIVERY_QUEUE_URL")),
        Sender(policy),
        lambda: datetime.now(UTC),
        first_attempt_seconds=env.number("FIRST_ATTEMPT_SECONDS", 3),
        trace=traceparent,
    )


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    batch, poison = [], []
    for record in event["Records"]:
        try:
            batch.append(stream_record(record))
        except PoisonRecord as error:
            poison.append(error.sequence)
            logger.error("poison record", extra={"sequence": error.sequence, **fault(error)})
    report = notifier().notify(batch)
    log_attempts(report.attempts, first=True)
    metrics.add_metric(name="PushQueued", unit=MetricUnit.Count, value=report.queued)
    logger.info(
        "notifier",
        extra={
            "tasks": sorted({record.task_id for record in batch}),
            "delivered": report.delivered,
            "queued": report.queued,
            "gone": report.gone,
            "failed": len(report.failed),
        },
    )
    # DynamoDB Streams takes up again at the lowest of these. A record that we cannot read stays failed: the event
    # source splits the batch around it and hands it to the on-failure queue in the end.
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in report.failed + poison]}
