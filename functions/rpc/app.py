"""The endpoint: JSON-RPC in all dialects, and the agent card. Never POSTs to a webhook."""

import importlib
import os
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from a2a_lambda.aws.http_api import read, write
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.workflow import StateMachine
from a2a_lambda.card import Stack
from a2a_lambda.dialects import legacy_params, v1_params
from a2a_lambda.discovery import PATHS, Discovery
from a2a_lambda.http import HttpRequest, HttpResponse, json_response
from a2a_lambda.jsonrpc import JsonRpc
from a2a_lambda.observability import MetricUnit, fault, logger, metrics
from a2a_lambda.push_configs import PushConfigService
from a2a_lambda.service import AgentService
from a2a_lambda.settings import Environment
from a2a_lambda.tasks import TaskService
from a2a_lambda.webhook_url import WebhookPolicy

RPC_PATHS = frozenset({"/", "/v1", "/v1/", "/a2a/v1", "/a2a/v1/"})


@lru_cache(maxsize=1)
def rpc() -> JsonRpc:
    env = Environment(os.environ)
    tasks_table, configs_table = env.text("TASKS_TABLE"), env.text("PUSH_CONFIGS_TABLE")
    tasks = TaskTable(tasks_table, configs_table)
    policy = WebhookPolicy.of(env.flag("ALLOW_INSECURE_WEBHOOKS", False), env.text("ALLOWED_WEBHOOK_CIDRS", ""))
    push_configs = PushConfigService(tasks, PushConfigTable(configs_table, tasks_table), policy, _now)
    service = AgentService(
        TaskService(
            store=tasks,
            push_configs=push_configs,
            workflow=StateMachine(env.text("STATE_MACHINE_ARN")),
            clock=_now,
            sleep=time.sleep,
            retention=timedelta(days=env.number("TASK_RETENTION_DAYS", 30)),
            blocking_seconds=env.number("BLOCKING_SECONDS", 20),
        ),
        push_configs,
        env.flag("PUSH_NOTIFICATIONS", True),
    )
    return JsonRpc([legacy_params.DIALECT, v1_params.DIALECT], service.execute)


@lru_cache(maxsize=1)
def discovery() -> Discovery:
    env = Environment(os.environ)
    module = importlib.import_module(env.text("AGENT_MODULE"))
    stack = Stack(
        push_notifications=env.flag("PUSH_NOTIFICATIONS", True),
        auth_mode=env.text("AUTH_MODE", "NONE"),
        jwt_issuer=env.text("JWT_ISSUER", ""),
    )
    return Discovery(module.agent, stack, Path(module.__file__ or __file__).stat().st_mtime)


@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = read(event, Environment(os.environ).text("PUBLIC_URL", ""))
    return write(_answer(request))


def _answer(request: HttpRequest) -> HttpResponse:
    if request.method == "GET" and request.path in PATHS:
        response = discovery().answer(request)
        logger.info("card", extra={"path": request.path, "status": response.status})
        _count("CardRequests")
        return response
    if request.method != "POST" or request.path not in RPC_PATHS:
        logger.info("unknown path", extra={"status": 404})
        _count("UnknownPaths")
        return json_response({"error": "Not found. POST JSON-RPC to /; the agent card is at /agentCard."}, 404)
    exchange = rpc().answer(request)
    code = exchange.error.code if exchange.error else 0
    logger.info(
        "rpc",
        extra={"method": exchange.method, "task_id": exchange.task_id, "code": code, **fault(exchange.fault)},
    )
    _count("RpcErrors" if code else "RpcCalls")
    return exchange.response


def _count(name: str) -> None:
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)


def _now() -> datetime:
    return datetime.now(UTC)
