"""The functions, handlers and all, on moto."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, tzinfo
from functools import cache, cached_property
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, unquote

import cloud
import pytest
from callers import ALICE, Caller
from harness import ENDPOINT, Options, Reply, Stack
from scripted import LambdaContext, ScriptedSender

import push_agent
from a2a_lambda.aws.context_table import ContextTable
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.streamed import Streamed
from a2a_lambda.aws.task_table import TaskTable
from a2a_lambda.aws.workflow import task_of
from a2a_lambda.core import ports

FUNCTIONS = ("rpc", "executor", "caretaker", "notifier", "redelivery")


@cache
def handler_module(function: str) -> ModuleType:
    """functions/<function>/app.py. All four have one name, so it is loaded from its path."""
    spec = importlib.util.spec_from_file_location(f"{function}_app", cloud.ROOT / "functions" / function / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class CloudStack(Stack):
    """See :class:`~harness.Stack`. ``sender`` is the webhooks' side of notifier and redelivery."""

    def __init__(self, options: Options, patch: pytest.MonkeyPatch) -> None:
        super().__init__(options)
        self.tasks_table = cloud.create_table("TasksTable")
        self.configs_table = cloud.create_table("PushConfigsTable")
        self.contexts_table = cloud.create_table("ContextsTable")
        self.contexts = ContextTable(self.contexts_table, self.tasks_table)
        self.tasks: TaskTable = TaskTable(self.tasks_table, self.configs_table)
        self.configs: PushConfigTable = PushConfigTable(self.configs_table, self.tasks_table)
        self.machine = cloud.create_state_machine()
        self.sender = ScriptedSender(self.time)
        self._seen = 0
        self._exits = ExitStack()
        self._workflow_calls = self._exits.enter_context(cloud.calls("stepfunctions"))
        self._outage = ExitStack()
        self._patch = patch
        for name, value in self._environment().items():
            patch.setenv(name, value)
        patch.setitem(sys.modules, "agent_under_test", _agent_module(options))
        self._inject(patch)

    @cached_property
    def redelivery_queue(self) -> str:
        """The URL of the queue. Made when first used, as most tests do not."""
        url = cloud.create_queue("RedeliveryQueue")
        self._patch.setenv("REDELIVERY_QUEUE_URL", url)
        return url

    @cached_property
    def watch_queue(self) -> str:
        """The URL of the queue of tasks that the caretaker looks at later."""
        return cloud.create_queue("WatchQueue")

    @cached_property
    def dead_letters(self) -> str:
        """The URL of the dead-letter queue."""
        url = cloud.create_queue("DeadLetterQueue")
        self._patch.setenv("DEAD_LETTER_QUEUE_URL", url)
        return url

    @cached_property
    def stream_failures(self) -> str:
        """The URL of the queue for records that cannot be worked on."""
        url = cloud.create_queue("StreamFailuresQueue")
        self._patch.setenv("STREAM_FAILURES_QUEUE_URL", url)
        return url

    def close(self) -> None:
        self._outage.close()
        self._exits.close()

    def _environment(self) -> dict[str, str]:
        options = self.options
        return {
            "TASKS_TABLE": self.tasks_table,
            "PUSH_CONFIGS_TABLE": self.configs_table,
            "CONTEXTS_TABLE": self.contexts_table,
            "STATE_MACHINE_ARN": self.machine,
            "AGENT_MODULE": "agent_under_test",
            "PUSH_NOTIFICATIONS": str(options.push_notifications).lower(),
            "ALLOW_INSECURE_WEBHOOKS": str(options.allow_insecure).lower(),
            "ALLOWED_WEBHOOK_CIDRS": options.allowed_cidrs,
            "AUTH_MODE": options.auth_mode,
            "JWT_ISSUER": "https://issuer.example.com" if options.auth_mode == "JWT" else "",
            "PUBLIC_URL": options.public_url,
            "TASK_RETENTION_DAYS": "30",
            "BLOCKING_SECONDS": str(options.blocking_seconds),
            "INLINE_WAIT_SECONDS": str(options.inline_wait),
            "TASK_TIMEOUT_SECONDS": "2592000",
            "FIRST_ATTEMPT_SECONDS": "3",
            **({"STREAMING": "true", "STREAM_SECONDS": str(options.stream_seconds)} if options.streaming else {}),
            **({"WORKFLOW_TYPE": "EXPRESS", "WATCH_QUEUE_URL": self.watch_queue} if options.express else {}),
        }

    def _inject(self, patch: pytest.MonkeyPatch) -> None:
        """Virtual time and the scripted webhooks instead of the real ones; nothing kept from the test before."""

        def now(zone: tzinfo) -> datetime:
            return self.time.now.astimezone(zone)

        virtual = SimpleNamespace(now=now, fromisoformat=datetime.fromisoformat)
        patch.setattr(ports, "datetime", virtual)
        for function in FUNCTIONS:
            module = handler_module(function)
            for name, value in vars(module).items():
                if hasattr(value, "cache_clear") and getattr(value, "__module__", "") == module.__name__:
                    getattr(module, name).cache_clear()
            if hasattr(module, "time"):
                patch.setattr(module, "time", SimpleNamespace(sleep=self.time.sleep))
            if hasattr(module, "Sender"):
                patch.setattr(module, "Sender", lambda *_args, **_named: self.sender)

    def invoke(self, function: str, event: dict[str, Any], remaining_ms: Callable[[], int] = lambda: 60_000) -> Any:
        """What Lambda does: the event through JSON to the handler, and its answer through JSON back."""
        if function in ("notifier", "redelivery"):
            assert all((self.redelivery_queue, self.dead_letters, self.stream_failures))
        answer = handler_module(function).handler(json.loads(json.dumps(event)), LambdaContext(remaining_ms))
        return json.loads(json.dumps(answer))

    def http(
        self,
        method: str,
        path: str,
        body: str | bytes = "",
        headers: dict[str, str] | None = None,
        caller: Caller = ALICE,
        query: str = "",
    ) -> Reply:
        if self.options.streaming:
            return self.rest(rest_event(method, path, body, headers or {}, caller, query))
        event = http_event(method, path, body, headers or {}, caller, query)
        answer = self.invoke("rpc", event)
        assert set(answer) <= {"statusCode", "headers", "body", "isBase64Encoded"}
        return Reply(answer["statusCode"], answer["headers"], answer["body"])

    def rest(self, event: dict[str, Any], remaining_ms: Callable[[], int] = lambda: 900_000) -> Reply:
        """The whole answer to an event of a REST API, from the pieces of its stream."""
        answer = handler_module("rpc").handler(json.loads(json.dumps(event)), LambdaContext(remaining_ms))
        assert isinstance(answer, Streamed)
        assert all(isinstance(text, str) for pair in answer.headers.items() for text in pair)
        pieces = list(answer.body)
        assert all(pieces)
        return Reply(answer.status, dict(answer.headers), b"".join(pieces).decode("utf-8", "surrogatepass"))

    def run(self, task_id: str, remaining_ms: Callable[[], int] = lambda: 60_000) -> dict[str, Any]:
        directive: dict[str, Any] = self.invoke("executor", {"action": "run", "taskId": task_id}, remaining_ms)
        return directive

    def await_input(self, task_id: str, token: str) -> None:
        self.invoke("executor", {"action": "await", "taskId": task_id, "resumeToken": token})

    def give_up(self, task_id: str) -> dict[str, Any]:
        directive: dict[str, Any] = self.invoke("executor", {"action": "fail", "taskId": task_id})
        return directive

    def expire(self, task_id: str) -> dict[str, Any]:
        directive: dict[str, Any] = self.invoke("executor", {"action": "expire", "taskId": task_id})
        return directive

    def snapshot(self) -> Any:
        stored = [cloud.items(table) for table in (self.tasks_table, self.configs_table)]
        executions = [(execution["name"], execution["status"]) for execution in self._executions()]
        return *stored, executions, self.resumed()

    def started(self) -> list[str]:
        return [task_of(execution["name"]) for execution in self._executions()]

    def stopped(self) -> list[str]:
        return [task_of(execution["name"]) for execution in self._executions() if execution["status"] == "ABORTED"]

    def resumed(self) -> list[str]:
        return [arguments["taskToken"] for name, arguments in self._workflow_calls if name == "SendTaskSuccess"]

    def break_workflow(self) -> None:
        self._outage.enter_context(cloud.outage("stepfunctions", "StartExecution", "StopExecution", "SendTaskSuccess"))

    def mend_workflow(self) -> None:
        self._outage.close()

    def _executions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = cloud.client("stepfunctions").list_executions(stateMachineArn=self.machine)[
            "executions"
        ]
        return found

    # --------------------------------------------------------------------------------------------- the two senders

    def new_records(self) -> list[dict[str, Any]]:
        """The records of the stream since the last call."""
        records = cloud.stream_records(self.tasks_table)
        fresh, self._seen = records[self._seen :], len(records)
        return fresh

    def notify(self, records: list[dict[str, Any]] | None = None) -> list[str]:
        """The stream's records (those since the last call) to the notifier; the sequence numbers that failed."""
        answer = self.invoke("notifier", {"Records": self.new_records() if records is None else records})
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def receive(self) -> list[dict[str, Any]]:
        """What the event source takes off the redelivery queue, as Lambda gives it to the function."""
        found: list[dict[str, Any]] = []
        arguments = {"QueueUrl": self.redelivery_queue, "MaxNumberOfMessages": 10, "AttributeNames": ["All"]}
        while batch := cloud.client("sqs").receive_message(**arguments).get("Messages"):
            found += [queue_record(message) for message in batch]
        return found

    def redeliver(self, records: list[dict[str, Any]]) -> list[str]:
        """Records to the redelivery function, which deletes what it took; the message ids that failed."""
        answer = self.invoke("redelivery", {"Records": records})
        failed = [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
        for record in records:
            if record["messageId"] not in failed:
                cloud.client("sqs").delete_message(
                    QueueUrl=self.redelivery_queue, ReceiptHandle=record["receiptHandle"]
                )
        return failed


def http_event(
    method: str, path: str, body: str | bytes, headers: dict[str, str], caller: Caller, query: str = ""
) -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0. Bytes come as base64, as for a binary media type."""
    lower = {name.lower(): value for name, value in headers.items()}
    context: dict[str, Any] = {
        "accountId": "111122223333",
        "apiId": "abc123",
        "domainName": ENDPOINT.removeprefix("https://"),
        "domainPrefix": "abc123",
        "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "t"},
        "requestId": "request",
        "routeKey": f"{method} {path}",
        "stage": "$default",
        "time": "01/Jan/2026:00:00:00 +0000",
        "timeEpoch": 1767225600000,
    }
    if caller.authorizer:
        context["authorizer"] = caller.authorizer
    binary = isinstance(body, bytes)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": unquote(path),
        "rawQueryString": query,
        "headers": lower,
        "requestContext": context,
        "isBase64Encoded": binary,
    }
    if body:
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return event


def rest_event(
    method: str, path: str, body: str | bytes, headers: dict[str, str], caller: Caller, query: str = ""
) -> dict[str, Any]:
    """An event of a REST API, payload format 1.0, on its stage ``a2a``. The path stays encoded."""
    sent = {name: [value] for name, value in headers.items()}
    asked: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        asked.setdefault(name, []).append(value)
    iam = caller.authorizer.get("iam") or {}
    identity = {
        "accessKey": iam.get("accessKey"),
        "accountId": iam.get("accountId"),
        "caller": iam.get("callerId"),
        "cognitoIdentityId": (iam.get("cognitoIdentity") or {}).get("identityId"),
        "sourceIp": "203.0.113.7",
        "user": iam.get("userId"),
        "userArn": iam.get("userArn"),
    }
    context: dict[str, Any] = {
        "accountId": "111122223333",
        "apiId": "abc123",
        "domainName": ENDPOINT.removeprefix("https://"),
        "domainPrefix": "abc123",
        "httpMethod": method,
        "identity": identity,
        "path": f"/a2a{path}",
        "protocol": "HTTP/1.1",
        "requestId": "request",
        "resourcePath": "/{proxy+}",
        "stage": "a2a",
    }
    if "jwt" in caller.authorizer:
        context["authorizer"] = {"claims": caller.authorizer["jwt"]["claims"]}
    binary = isinstance(body, bytes)
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {name: values[-1] for name, values in sent.items()} or None,
        "multiValueHeaders": sent or None,
        "queryStringParameters": {name: values[-1] for name, values in asked.items()} or None,
        "multiValueQueryStringParameters": asked or None,
        "pathParameters": {"proxy": path.lstrip("/")},
        "stageVariables": None,
        "requestContext": context,
        "body": (base64.b64encode(body).decode() if isinstance(body, bytes) else body) or None,
        "isBase64Encoded": binary,
    }


def queue_record(message: dict[str, Any]) -> dict[str, Any]:
    """A received message as Lambda's event source writes it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:redelivery.fifo",
        "awsRegion": "us-east-1",
    }


def _agent_module(options: Options) -> ModuleType:
    module = ModuleType("agent_under_test")
    module.__file__ = push_agent.__file__
    module.agent = options.agent  # type: ignore[attr-defined]
    return module
