"""Runs the agent's steps for the state machine. Never looks at push configs: the table's stream does the telling."""

import importlib
import os
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.workflow import StateMachine
from a2a_lambda.execution import Directive, Executor, StepFailure
from a2a_lambda.observability import MetricUnit, logger, metrics
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def executor() -> Executor:
    env = Environment(os.environ)
    return Executor(
        agent=importlib.import_module(env.text("AGENT_MODULE")).agent,
        store=TaskTable(env.text("TASKS_TABLE")),
        workflow=StateMachine(""),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
        on_failure=_step_failed,
        retention=timedelta(days=env.number("TASK_RETENTION_DAYS", 30)),
        task_timeout=timedelta(seconds=env.number("TASK_TIMEOUT_SECONDS", 31_536_000)),
        inline_wait=env.number("INLINE_WAIT_SECONDS", 2),
    )


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Directive:
    action, task_id = event["action"], event["taskId"]
    directive: Directive = {"next": "done"}
    if action == "run":
        directive = executor().run(task_id, context.get_remaining_time_in_millis)
    elif action == "await":
        executor().await_input(task_id, event["resumeToken"])
    elif action == "fail":
        executor().fail(task_id, event.get("error", ""))
        metrics.add_metric(name="TaskGivenUp", unit=MetricUnit.Count, value=1)
    metrics.add_metric(name="ExecutorRuns", unit=MetricUnit.Count, value=1)
    logger.info("executor", extra={"action": action, "task_id": task_id, "outcome": directive["next"]})
    return directive


def _step_failed(failure: StepFailure) -> None:
    logger.warning("step failed", extra={"step": failure.step, "error": failure.error, "where": failure.where})
    metrics.add_metric(name="StepFailed", unit=MetricUnit.Count, value=1)
