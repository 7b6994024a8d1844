"""The endpoint: JSON-RPC in all dialects, HTTP+JSON, and the agent card. Never POSTs to a webhook."""

import importlib
import os
import time
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from a2a_lambda.aws import at_start
from a2a_lambda.aws.bucket import link
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.signing_keys import key_ring
from a2a_lambda.aws.streaming import front, streams
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.workflow import state_machine
from a2a_lambda.core.ports import utc_now
from a2a_lambda.dialects import legacy_params, v0_3_params, v1_params
from a2a_lambda.endpoint.card import Stack
from a2a_lambda.endpoint.cors import Cors
from a2a_lambda.endpoint.discovery import PATHS, Discovery
from a2a_lambda.endpoint.endpoint import Endpoint
from a2a_lambda.endpoint.http import EventStream, HttpRequest, HttpResponse
from a2a_lambda.endpoint.jsonrpc import JsonRpc
from a2a_lambda.endpoint.reception import Reception
from a2a_lambda.endpoint.rest import Rest
from a2a_lambda.endpoint.service import AgentService
from a2a_lambda.endpoint.tasks import TaskService
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.observability import log_call, log_card, log_stream, metrics
from a2a_lambda.push.configs import PushConfigService
from a2a_lambda.push.delivery_status import DELIVERY_STATUS
from a2a_lambda.settings import Environment


@lru_cache(maxsize=1)
def endpoint() -> Endpoint:
    env = Environment(os.environ)
    agent = importlib.import_module(env.text("AGENT_MODULE")).agent
    tasks_table, configs_table = env.text("TASKS_TABLE"), env.text("PUSH_CONFIGS_TABLE")
    streaming, push = env.flag("STREAMING", False), env.flag("PUSH_NOTIFICATIONS", True)
    tasks = TaskTable(tasks_table, configs_table, streaming)
    policy = WebhookPolicy.of(env.flag("ALLOW_INSECURE_WEBHOOKS", False), env.text("ALLOWED_WEBHOOK_CIDRS", ""))
    configs = PushConfigService(tasks, PushConfigTable(configs_table, tasks_table), policy, utc_now, time.sleep)
    retention, blocking = timedelta(days=env.number("TASK_RETENTION_DAYS", 30)), env.number("BLOCKING_SECONDS", 20)
    task_service = TaskService(
        tasks, configs, state_machine(env), utc_now, time.sleep, retention, blocking, traced=streaming
    )
    reception = Reception(agent.input_modes, agent.extensions, agent.first_look)
    service = AgentService(task_service, configs, push, reception, link(env), streams(env, task_service, log_stream))
    return Endpoint(
        JsonRpc([legacy_params.DIALECT, v0_3_params.DIALECT, v1_params.DIALECT], service.execute, streaming),
        Rest(v1_params.DIALECT, service.execute, streaming),
        frozenset(extension.uri for extension in agent.extensions) | {DELIVERY_STATUS},
        anonymous=env.text("AUTH_MODE") == "NONE",
    )


@lru_cache(maxsize=1)
def discovery() -> Discovery:
    env = Environment(os.environ)
    module = importlib.import_module(env.text("AGENT_MODULE"))
    auth_mode, issuer = env.text("AUTH_MODE"), env.text("JWT_ISSUER", "")
    stack = Stack(env.flag("PUSH_NOTIFICATIONS", True), auth_mode, issuer, streaming=env.flag("STREAMING", False))
    return Discovery(module.agent, stack, Path(module.__file__ or __file__).stat().st_mtime, key_ring(env, utc_now))


def handler(event: dict[str, Any], context: Any) -> Any:
    env = Environment(os.environ)
    api, cors = front(env), Cors(env.texts("CORS_ALLOW_ORIGINS"), PATHS)
    request = replace(api.read(event), seconds=context.get_remaining_time_in_millis() / 1_000)
    return api.write(cors.answer(request, _answer))


def _answer(request: HttpRequest) -> HttpResponse | EventStream:
    try:
        if request.method in ("GET", "HEAD") and request.path in PATHS:
            response = discovery().answer(request)
            log_card(request.path, response.status)
            return response
        exchange = endpoint().answer(request)
        log_call(exchange.method, exchange.task_id, exchange.error.code if exchange.error else 0, exchange.fault)
        return exchange.response
    finally:
        metrics.flush_metrics()


at_start.prepare(discovery, endpoint, services=("dynamodb", "stepfunctions"))
