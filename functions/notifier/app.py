"""Makes the first attempt at each webhook, from the stream of TasksTable. Never waits for a slow one, never retries."""

import os
from functools import lru_cache
from typing import Any

from a2a_lambda.aws import at_start
from a2a_lambda.aws.bucket import link
from a2a_lambda.aws.clients import at_once
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.queues import SqsRedeliveryQueue
from a2a_lambda.aws.reading import sequence_of
from a2a_lambda.aws.signing_keys import signer
from a2a_lambda.aws.stream import PoisonRecord, stream_record
from a2a_lambda.aws.stream_failures import StreamFailures
from a2a_lambda.aws.tracing import traceparent
from a2a_lambda.aws.waiting_counts import backlog
from a2a_lambda.core.ports import Poison, utc_now
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.observability import MetricUnit, log_attempts, log_poison, logger, metrics
from a2a_lambda.push.notifier import Notifier, StreamRecord
from a2a_lambda.push.sender import Sender
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def notifier() -> Notifier:
    env = Environment(os.environ)
    policy = WebhookPolicy.of(env.flag("ALLOW_INSECURE_WEBHOOKS", False), env.text("ALLOWED_WEBHOOK_CIDRS", ""))
    return Notifier(
        PushConfigTable(env.text("PUSH_CONFIGS_TABLE")),
        SqsRedeliveryQueue(env.text("REDELIVERY_QUEUE_URL")),
        Sender(policy),
        utc_now,
        sign=signer(env, utc_now),
        link=link(env),
        first_attempt_seconds=env.number("FIRST_ATTEMPT_SECONDS", 3),
        trace=traceparent,
        backlog=backlog(env),
        map=at_once,
    )


@lru_cache(maxsize=1)
def failures() -> StreamFailures:
    return StreamFailures(Environment(os.environ).text("STREAM_FAILURES_QUEUE_URL"))


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    batch: list[StreamRecord] = []
    poison: dict[str, Poison] = {}
    for record in event["Records"]:
        try:
            batch.append(stream_record(record))
        except PoisonRecord as error:
            poison[error.sequence] = error
    report = notifier().notify(batch)
    failed = set(report.failed) | _put_aside(event["Records"], poison | report.poison, set(report.failed))
    log_attempts(report.attempts, report.held, first=True)
    metrics.add_metric(name="PushQueued", unit=MetricUnit.Count, value=report.queued)
    counts = {"delivered": report.delivered, "queued": report.queued, "gone": report.gone, "failed": len(failed)}
    logger.info("notifier", extra={"tasks": sorted({record.task_id for record in batch}), **counts})
    # DynamoDB Streams takes up again at the lowest of these.
    again = [sequence for sequence in map(sequence_of, event["Records"]) if sequence in failed]
    return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in again]}


def _put_aside(records: list[dict[str, Any]], poison: dict[str, Poison], failed: set[str]) -> set[str]:
    """Poison does not keep its shard waiting: it goes to the queue of failures, for an operator. Answers what could
    not even be put there. What comes again anyway, behind a failed record, is left for then."""
    for record in records:
        sequence = sequence_of(record)
        if sequence in failed:
            return set()
        if sequence in poison:
            log_poison(poison[sequence], sequence=sequence)
            if not failures().send(record, poison[sequence]):
                return {sequence}
    return set()


at_start.prepare(notifier, services=("dynamodb",))
