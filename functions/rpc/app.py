"""The endpoint: JSON-RPC in all dialects, HTTP+JSON, and the agent card. Never POSTs to a webhook."""

import importlib
import os
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from a2a_lambda.aws.bucket import link
from a2a_lambda.aws.http_api import read, write
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.signing_keys import key_ring
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.workflow import state_machine
from a2a_lambda.dialects import legacy_params, v0_3_params, v1_params
from a2a_lambda.endpoint.card import Stack
from a2a_lambda.endpoint.discovery import PATHS, Discovery
from a2a_lambda.endpoint.endpoint import Endpoint
from a2a_lambda.endpoint.http import HttpRequest, HttpResponse
from a2a_lambda.endpoint.jsonrpc import JsonRpc
from a2a_lambda.endpoint.reception import Reception
from a2a_lambda.endpoint.rest import Rest
from a2a_lambda.endpoint.service import AgentService
from a2a_lambda.endpoint.tasks import TaskService
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.observability import MetricUnit, fault, logger, metrics
from a2a_lambda.push.configs import PushConfigService
from a2a_lambda.push.delivery_status import DELIVERY_STATUS
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def endpoint() -> Endpoint:
    env = Environment(os.environ)
    agent = importlib.import_module(env.text("AGENT_MODULE")).agent
    tasks_table, configs_table = env.text("TASKS_TABLE"), env.text("PUSH_CONFIGS_TABLE")
    tasks = TaskTable(tasks_table, configs_table)
    policy = WebhookPolicy.of(env.flag("ALLOW_INSECURE_WEBHOOKS", False), env.text("ALLOWED_WEBHOOK_CIDRS", ""))
    push_configs = PushConfigService(tasks, PushConfigTable(configs_table, tasks_table), policy, _now, time.sleep)
    task_service = TaskService(
        store=tasks,
        push_configs=push_configs,
        workflow=state_machine(env),
        clock=_now,
        sleep=time.sleep,
        retention=timedelta(days=env.number("TASK_RETENTION_DAYS", 30)),
        blocking_seconds=env.number("BLOCKING_SECONDS", 20),
    )
    reception = Reception(agent.input_modes, agent.extensions, agent.first_look)
    service = AgentService(task_service, push_configs, env.flag("PUSH_NOTIFICATIONS", True), reception, link(env))
    return Endpoint(
        JsonRpc([legacy_params.DIALECT, v0_3_params.DIALECT, v1_params.DIALECT], service.execute),
        Rest(v1_params.DIALECT, service.execute),
        frozenset(extension.uri for extension in agent.extensions) | {DELIVERY_STATUS},
        anonymous=env.text("AUTH_MODE") == "NONE",
    )


@lru_cache(maxsize=1)
def discovery() -> Discovery:
    env = Environment(os.environ)
    module = importlib.import_module(env.text("AGENT_MODULE"))
    auth_mode, issuer = env.text("AUTH_MODE"), env.text("JWT_ISSUER", "")
    stack = Stack(env.flag("PUSH_NOTIFICATIONS", True), auth_mode, issuer)
    return Discovery(module.agent, stack, Path(module.__file__ or __file__).stat().st_mtime, key_ring(env, _now))


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return write(_answer(read(event, Environment(os.environ).text("PUBLIC_URL", ""))))


def _answer(request: HttpRequest) -> HttpResponse:
    if request.method == "GET" and request.path in PATHS:
        response = discovery().answer(request)
        logger.info("card", extra={"path": request.path, "status": response.status})
        metrics.add_metric(name="CardRequests", unit=MetricUnit.Count, value=1)
        return response
    exchange = endpoint().answer(request)
    code = exchange.error.code if exchange.error else 0
    said = {"method": exchange.method, "task_id": exchange.task_id, "code": code}
    logger.info("rpc", extra={**said, **fault(exchange.fault)})
    metrics.add_metric(name="RpcErrors" if code else "RpcCalls", unit=MetricUnit.Count, value=1)
    return exchange.response


def _now() -> datetime:
    return datetime.now(UTC)
