"""Runs the agent's steps for the state machine. Never looks at push configs: the table's stream does the telling."""

import importlib
import os
import time
from datetime import timedelta
from functools import lru_cache
from typing import Any

from a2a_lambda.agent.caretaker import Caretaker, Directive
from a2a_lambda.aws import at_start
from a2a_lambda.aws.bucket import bucket
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.workflow import StateMachine, is_express
from a2a_lambda.core.ports import utc_now
from a2a_lambda.observability import MetricUnit, fault, logged_poison, logger, metrics
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def executor() -> Any:
    # Only where a step is run: an agent that cannot be imported must not keep its tasks from being marked as failed.
    from a2a_lambda.agent.execution import Executor
    from a2a_lambda.agent.express import Express
    from a2a_lambda.agent.timer import AlarmTimer
    from a2a_lambda.aws.agent_secrets import agent_secrets
    from a2a_lambda.aws.context_table import ContextTable
    from a2a_lambda.net.web import Web
    from a2a_lambda.net.webhook_url import WebhookPolicy

    env = Environment(os.environ)
    policy = WebhookPolicy.of(env.flag("ALLOW_INSECURE_WEBHOOKS", False), env.text("ALLOWED_FETCH_CIDRS", ""))
    return Executor(
        agent=importlib.import_module(env.text("AGENT_MODULE")).agent,
        store=TaskTable(env.text("TASKS_TABLE"), traced=env.flag("STREAMING", False)),
        clock=utc_now,
        sleep=time.sleep,
        on_failure=_step_failed,
        retention=timedelta(days=env.number("TASK_RETENTION_DAYS", 30)),
        task_timeout=timedelta(seconds=env.number("TASK_TIMEOUT_SECONDS", 31_536_000)),
        inline_wait=env.number("INLINE_WAIT_SECONDS", 2),
        timer=AlarmTimer(),
        blobs=bucket(env),
        fetch=Web(policy),
        contexts=ContextTable(env.text("CONTEXTS_TABLE"), env.text("TASKS_TABLE")),
        secrets=agent_secrets(env, utc_now),
        settings=env.mapping("AGENT_SETTINGS"),
        express=Express(env.number("STEP_TIMEOUT_SECONDS", 60)) if is_express(env) else None,
    )


@lru_cache(maxsize=1)
def caretaker() -> Caretaker:
    env = Environment(os.environ)
    retention = timedelta(days=env.number("TASK_RETENTION_DAYS", 30))
    store = TaskTable(env.text("TASKS_TABLE"), traced=env.flag("STREAMING", False))
    return Caretaker(store, StateMachine(""), utc_now, retention)


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> Directive:
    action, task_id = event["action"], event["taskId"]
    with logged_poison(task_id=task_id):  # fails the execution
        directive: Directive = _done(action, task_id, event, context)
    for name in ("ExecutorRuns", *(["TaskGivenUp"] if action == "fail" else [])):
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
    logger.info("executor", extra={"action": action, "task_id": task_id, "outcome": directive["next"]})
    return directive


def _done(action: str, task_id: str, event: dict[str, Any], context: Any) -> Any:
    if action == "run":
        return executor().run(task_id, context.get_remaining_time_in_millis)
    if action == "expire":
        return caretaker().expire(task_id)
    if action == "fail":
        return caretaker().fail(task_id)
    if action == "await":
        caretaker().await_input(task_id, event["resumeToken"])
    return {"next": "done"}


def _step_failed(failure: Any) -> None:
    extra = {"step": failure.step, "hint": failure.hint, **fault(failure.exception)}
    logger.warning("step failed", extra=extra)
    metrics.add_metric(name="StepFailed", unit=MetricUnit.Count, value=1)


at_start.prepare(executor, caretaker, services=("dynamodb",))
