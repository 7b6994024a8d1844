"""Sees to it that no task hangs: does again what a request may have failed to do after its write, and ends the task of
an execution that ended without it. The end of an Express execution raises no event: a queue brings its task back."""

import os
from datetime import timedelta
from functools import lru_cache
from typing import Any

from a2a_lambda.agent.caretaker import Caretaker
from a2a_lambda.aws import at_start
from a2a_lambda.aws.reading import sequence_of, task_id_of
from a2a_lambda.aws.stream_failures import StreamFailures
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.watch import WatchQueue, watched
from a2a_lambda.aws.workflow import EndedExecution, ended_execution, is_express, state_machine
from a2a_lambda.core.ports import Poison, Unavailable, utc_now
from a2a_lambda.observability import MetricUnit, log_poison, logger, metrics
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def caretaker() -> Caretaker:
    env = Environment(os.environ)
    store = TaskTable(env.text("TASKS_TABLE"), traced=env.flag("STREAMING", False))
    retention = timedelta(days=env.number("TASK_RETENTION_DAYS", 30))
    watch = WatchQueue(env.text("WATCH_QUEUE_URL")) if is_express(env) else None
    return Caretaker(store, state_machine(env), utc_now, retention, watch)


@lru_cache(maxsize=1)
def failures() -> StreamFailures:
    return StreamFailures(Environment(os.environ).text("STREAM_FAILURES_QUEUE_URL"))


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    metrics.add_metric(name="CaretakerRuns", unit=MetricUnit.Count, value=1)
    if "detail" in event:
        _handle_event(event)
        return {}
    failed = [identifier for identifier, record in map(_identified, event["Records"]) if not _handle(record)]
    logger.info("looked after", extra={"records": len(event["Records"]), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in failed]}


def _handle_event(event: dict[str, Any]) -> None:
    """An event of EventBridge. What is raised here is tried again by Lambda, and queued when that does not help."""
    try:
        _end_task_of(ended_execution(event))
    except Poison as error:
        log_poison(error, event_id=str(event.get("id")))
        if not failures().send(event, error):
            raise Unavailable from None


def _end_task_of(execution: EndedExecution) -> None:
    """Nothing else ends the task of an execution that has failed, timed out or been aborted."""
    if ended := caretaker().end_abandoned(execution.task_id):
        metrics.add_metric(name="TaskGivenUp", unit=MetricUnit.Count, value=1)
    logger.info("execution ended", extra={**execution._asdict(), "outcome": "failed" if ended else "had ended"})


def _identified(record: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """By what the event source, the stream or the queue, knows the record."""
    return sequence_of(record) if "dynamodb" in record else record["messageId"], record


def _handle(record: dict[str, Any]) -> bool:
    """False: Step Functions, the table or a queue does not answer, so the record has to come again."""
    try:
        subject = task_id_of(record) if "dynamodb" in record else watched(record)
        if isinstance(subject, EndedExecution):
            _end_task_of(subject)
            return True
        done = caretaker().look_after(subject)
    except Unavailable:
        return False
    except Poison as error:  # it must not block its shard; a message blocks nothing, as its queue puts it aside
        log_poison(error, event_id=str(record.get("messageId", record.get("eventID"))))
        return "dynamodb" in record and failures().send(record, error)
    if done is not None:
        metrics.add_metric(name="TaskGivenUp" if done == "failed" else "TaskRevived", unit=MetricUnit.Count, value=1)
    return True


at_start.prepare(caretaker, services=("dynamodb", "stepfunctions"))
