"""All later attempts, in order per config, with backoff. Never touches a task."""

import os
from functools import lru_cache
from typing import Any

from a2a_lambda.aws import at_start
from a2a_lambda.aws.bucket import link
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.queues import SqsDeadLetters, SqsRedeliveryQueue, decode
from a2a_lambda.aws.signing_keys import signer
from a2a_lambda.aws.tracing import traceparent
from a2a_lambda.aws.waiting_counts import waiting_counts
from a2a_lambda.core.ports import Poison, Unavailable, utc_now
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.observability import MetricUnit, fault, log_attempts, logger, metrics
from a2a_lambda.push.redelivery import Redeliverer
from a2a_lambda.push.sender import Sender
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def redeliverer() -> Redeliverer:
    env = Environment(os.environ)
    policy = WebhookPolicy.of(env.flag("ALLOW_INSECURE_WEBHOOKS", False), env.text("ALLOWED_WEBHOOK_CIDRS", ""))
    return Redeliverer(
        configs=PushConfigTable(env.text("PUSH_CONFIGS_TABLE")),
        dead_letters=dead_letters(),
        sender=Sender(policy),
        clock=utc_now,
        sign=signer(env, utc_now),
        link=link(env),
        trace=traceparent,
        counts=waiting_counts(env),
    )


@lru_cache(maxsize=1)
def queue() -> SqsRedeliveryQueue:
    return SqsRedeliveryQueue(Environment(os.environ).text("REDELIVERY_QUEUE_URL"))


@lru_cache(maxsize=1)
def dead_letters() -> SqsDeadLetters:
    return SqsDeadLetters(Environment(os.environ).text("DEAD_LETTER_QUEUE_URL"))


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    failed: list[str] = []
    metrics.add_metric(name="RedeliveryMessages", unit=MetricUnit.Count, value=len(event["Records"]))
    for record in event["Records"]:
        # One message at a time per group: after a failure the later ones of the batch wait as well.
        if failed or not _done(record):
            failed.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _done(record: dict[str, Any]) -> bool:
    try:
        message = decode(record["body"])
        result = redeliverer().redeliver(message, int(record["attributes"]["ApproximateReceiveCount"]))
    except Poison as error:  # the message, or its config
        return _unreadable(record, error)
    log_attempts(filter(None, [result.attempt]), filter(None, [result.held]), first=False)
    became = {"outcome": result.result, "delay": result.delay}
    logger.info("redelivery", extra={"task_id": message.task_id, "generation": message.generation, **became})
    if result.result == "dead":
        metrics.add_metric(name="PushDead", unit=MetricUnit.Count, value=1)
    if result.delay is None:
        return True
    try:
        queue().defer(record["receiptHandle"], result.delay)
    except Unavailable as error:
        # It comes back when the queue's own visibility timeout is over, and finds that it is not its time yet.
        logger.warning("not deferred", extra={"message_id": record["messageId"], **fault(error)})
    return False


def _unreadable(record: dict[str, Any], error: Exception) -> bool:
    """Its group must not wait for it, and an operator has to see it: to the dead letters as it is."""
    logger.error("unreadable message", extra={"message_id": record["messageId"], **fault(error)})
    if not dead_letters().send_unreadable(record, "unreadable"):
        return False  # it comes again
    metrics.add_metric(name="PushDead", unit=MetricUnit.Count, value=1)
    return True


at_start.prepare(redeliverer, queue, services=("dynamodb", "sqs"))
