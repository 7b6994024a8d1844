"""Sees to it that no task hangs: does again what a request may have failed to do after its write, and ends the task of
an execution that ended without it. Nobody hears when an Express execution ends: a queue brings its task back."""

import os
from datetime import timedelta
from functools import lru_cache
from typing import Any

from a2a_lambda.agent.caretaker import Caretaker
from a2a_lambda.aws.reading import sequence_of, task_id_of
from a2a_lambda.aws.stream_failures import StreamFailures
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.watch import WatchQueue, watched
from a2a_lambda.aws.workflow import is_express, state_machine, task_of
from a2a_lambda.core.ports import Poison, Unavailable, utc_now
from a2a_lambda.observability import MetricUnit, log_poison, logger, metrics
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def caretaker() -> Caretaker:
    env = Environment(os.environ)
    return Caretaker(
        store=TaskTable(env.text("TASKS_TABLE"), traced=env.flag("STREAMING", False)),
        workflow=state_machine(env),
        clock=utc_now,
        retention=timedelta(days=env.number("TASK_RETENTION_DAYS", 30)),
        watch=WatchQueue(env.text("WATCH_QUEUE_URL")) if is_express(env) else None,
    )


@lru_cache(maxsize=1)
def failures() -> StreamFailures:
    return StreamFailures(Environment(os.environ).text("STREAM_FAILURES_QUEUE_URL"))


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    metrics.add_metric(name="CaretakerRuns", unit=MetricUnit.Count, value=1)
    if "detail" in event:
        _execution_ended(event)
        return {}
    failed = [identifier for identifier, record in map(_identified, event["Records"]) if not _looked_after(record)]
    logger.info("looked after", extra={"records": len(event["Records"]), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _execution_ended(event: dict[str, Any]) -> None:
    """An execution has failed, timed out or been aborted."""
    task_id = task_of(event["detail"]["name"])
    extra = {"task_id": task_id, "status": event["detail"]["status"]}
    try:
        ended = caretaker().end_abandoned(task_id)
    except Poison as error:
        log_poison(error, task_id=task_id)
        if not failures().send(event, error):
            raise Unavailable from None
        return
    if ended:
        metrics.add_metric(name="TaskGivenUp", unit=MetricUnit.Count, value=1)
    logger.info("execution ended", extra={**extra, "outcome": "failed" if ended else "had ended"})


def _identified(record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """By what the event source, the stream or the queue, knows the record."""
    return sequence_of(record) if "dynamodb" in record else record["messageId"], record


def _looked_after(record: dict[str, Any]) -> bool:
    """False: Step Functions, the table or a queue does not answer, so the record has to come again."""
    try:
        task_id = task_id_of(record) if "dynamodb" in record else watched(record)
        done = caretaker().look_after(task_id)
    except Unavailable:
        return False
    except Poison as error:
        return _put_aside(record, error)
    if done is not None:
        metrics.add_metric(name="TaskGivenUp" if done == "failed" else "TaskRevived", unit=MetricUnit.Count, value=1)
    return True


def _put_aside(record: dict[str, Any], error: Poison) -> bool:
    """The record, or its task, cannot be read. A shard must not wait for it: to the queue of failures, for an operator.
    Nobody waits for a message of the other queue: it comes again until that queue puts it aside."""
    log_poison(error, event_id=str(record.get("messageId", record.get("eventID"))))
    return "dynamodb" in record and failures().send(record, error)
