"""The services over the ports in memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from callers import ALICE, Caller
from harness import ENDPOINT, Options, Reply, Stack

from a2a_lambda.agent.caretaker import Caretaker
from a2a_lambda.agent.execution import Executor, StepFailure
from a2a_lambda.agent.express import Express
from a2a_lambda.core.operations import StreamReport
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.dialects import legacy_params, v0_3_params, v1_params
from a2a_lambda.endpoint.endpoint import Endpoint
from a2a_lambda.endpoint.http import EventStream, HttpRequest, HttpResponse
from a2a_lambda.endpoint.jsonrpc import JsonRpc
from a2a_lambda.endpoint.reception import Reception
from a2a_lambda.endpoint.rest import Rest
from a2a_lambda.endpoint.service import AgentService
from a2a_lambda.endpoint.stream import Streams
from a2a_lambda.endpoint.tasks import TaskService
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.configs import PushConfigService
from a2a_lambda.testing.memory import MemoryContexts, MemoryPushConfigs, MemoryTasks, MemoryWorkflow


class BreakableWorkflow(MemoryWorkflow):
    """Step Functions with outages."""

    broken = False

    def start(self, task_id: str, created_at: datetime) -> None:
        self._check()
        super().start(task_id, created_at)

    def stop(self, task_id: str, created_at: datetime) -> None:
        self._check()
        super().stop(task_id, created_at)

    def resume(self, token: str) -> None:
        self._check()
        super().resume(token)

    def _check(self) -> None:
        if self.broken:
            raise Unavailable("Throttled")


class MemoryStack(Stack):
    """See :class:`~harness.Stack`. ``failures`` are the step failures that the executor told of,
    ``fault`` is what was behind the last internal error."""

    def __init__(self, options: Options, tasks: MemoryTasks | None = None) -> None:
        super().__init__(options)
        self.tasks: MemoryTasks = tasks or MemoryTasks()
        self.configs: MemoryPushConfigs = MemoryPushConfigs(self.tasks)
        self.contexts: MemoryContexts = MemoryContexts(self.tasks)
        self.workflow = BreakableWorkflow()
        self.failures: list[StepFailure] = []
        self.fault: Exception | None = None
        policy = WebhookPolicy.of(options.allow_insecure, options.allowed_cidrs)
        push_configs = PushConfigService(self.tasks, self.configs, policy, self.time, self.time.sleep)
        task_service = TaskService(
            self.tasks,
            push_configs,
            self.workflow,
            self.time,
            self.time.sleep,
            blocking_seconds=options.blocking_seconds,
            traced=options.streaming,
        )
        self.reports: list[tuple[StreamReport, float]] = []
        streams = Streams(
            task_service,
            options.stream_seconds,
            options.stream_padding,
            lambda report, seconds: self.reports.append((report, seconds)),
        )
        agent = options.agent
        reception = Reception(agent.input_modes, agent.extensions, agent.first_look)
        self.service = AgentService(
            task_service,
            push_configs,
            options.push_notifications,
            reception,
            streams=streams if options.streaming else None,
        )
        self.endpoint = Endpoint(
            JsonRpc(
                [legacy_params.DIALECT, v0_3_params.DIALECT, v1_params.DIALECT], self.service.execute, options.streaming
            ),
            Rest(v1_params.DIALECT, self.service.execute, options.streaming),
            frozenset(extension.uri for extension in agent.extensions),
        )

    def http(
        self,
        method: str,
        path: str,
        body: str | bytes = "",
        headers: dict[str, str] | None = None,
        caller: Caller = ALICE,
        query: str = "",
    ) -> Reply:
        response = self.exchange(method, path, body, headers, caller, query)
        if isinstance(response, EventStream):
            return Reply(response.status, dict(response.headers), b"".join(response.frames).decode())
        return Reply(response.status, dict(response.headers), response.body)

    def exchange(
        self,
        method: str,
        path: str,
        body: str | bytes = "",
        headers: dict[str, str] | None = None,
        caller: Caller = ALICE,
        query: str = "",
        seconds: float = math.inf,
    ) -> HttpResponse | EventStream:
        """The response as the endpoint gives it: a stream is not read yet."""
        request = HttpRequest(
            method=method,
            path=unquote(path),  # as the gateway hands it over
            owner=caller.owner,
            base_url=ENDPOINT,
            headers={name.lower(): value for name, value in (headers or {}).items()},
            query=dict(parse_qsl(query, keep_blank_values=True)),
            body=body.encode() if isinstance(body, str) else body,
            seconds=seconds,
        )
        exchange = self.endpoint.answer(request)
        self.fault = exchange.fault
        return exchange.response

    def executor(self, **changed: Any) -> Executor:
        """An executor as a new execution environment has it."""
        arguments: dict[str, Any] = {
            "agent": self.options.agent,
            "store": self.tasks,
            "clock": self.time,
            "sleep": self.time.sleep,
            "on_failure": self.failures.append,
            "retention": timedelta(days=30),
            "task_timeout": timedelta(days=30),
            "inline_wait": self.options.inline_wait,
            "contexts": self.contexts,
            "express": Express() if self.options.express else None,
        }
        return Executor(**{**arguments, **changed})

    def run(self, task_id: str, remaining_ms: Callable[[], int] = lambda: 60_000) -> dict[str, Any]:
        return dict(self.executor().run(task_id, remaining_ms))

    def caretaker(self) -> Caretaker:
        return Caretaker(self.tasks, self.workflow, self.time)

    def await_input(self, task_id: str, token: str) -> None:
        self.caretaker().await_input(task_id, token)

    def give_up(self, task_id: str) -> dict[str, Any]:
        return dict(self.caretaker().fail(task_id))

    def expire(self, task_id: str) -> dict[str, Any]:
        return dict(self.caretaker().expire(task_id))

    def snapshot(self) -> Any:
        return dict(self.tasks.records), dict(self.configs.items), self.started(), self.stopped(), self.resumed()

    def started(self) -> list[str]:
        return list(self.workflow.started)

    def stopped(self) -> list[str]:
        return list(self.workflow.stopped)

    def resumed(self) -> list[str]:
        return list(self.workflow.resumed)

    def break_workflow(self) -> None:
        self.workflow.broken = True

    def mend_workflow(self) -> None:
        self.workflow.broken = False
