"""Sees to it that no task hangs: does again what a request may have failed to do after its write, and ends the task of
an execution that ended without it."""

import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.workflow import StateMachine
from a2a_lambda.caretaker import Caretaker
from a2a_lambda.observability import MetricUnit, logger, metrics
from a2a_lambda.ports import Unavailable
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def caretaker() -> Caretaker:
    env = Environment(os.environ)
    return Caretaker(
        store=TaskTable(env.text("TASKS_TABLE")),
        workflow=StateMachine(env.text("STATE_MACHINE_ARN")),
        clock=lambda: datetime.now(UTC),
        retention=timedelta(days=env.number("TASK_RETENTION_DAYS", 30)),
    )


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    metrics.add_metric(name="CaretakerRuns", unit=MetricUnit.Count, value=1)
    if "detail" in event:
        # An execution has failed, timed out or been aborted. It has the name of its task, or is a successor: "<name>_".
        task_id = event["detail"]["name"].rstrip("_")
        outcome = caretaker().fail(task_id)["next"]
        extra = {"task_id": task_id, "status": event["detail"]["status"], "outcome": outcome}
        logger.info("execution ended", extra=extra)
        return {}
    failed = [record["dynamodb"]["SequenceNumber"] for record in event["Records"] if not _revived(record)]
    logger.info("stream", extra={"records": len(event["Records"]), "failed": len(failed)})
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}


def _revived(record: dict[str, Any]) -> bool:
    """False: Step Functions or the table does not answer, so the stream has to bring this one again."""
    try:
        done = caretaker().revive(record["dynamodb"]["Keys"]["taskId"]["S"])
    except Unavailable:
        return False
    if done is not None:
        metrics.add_metric(name="TaskRevived", unit=MetricUnit.Count, value=1)
    return True
