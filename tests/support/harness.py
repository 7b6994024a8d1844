"""One stack in two makes: over the ports in memory, and the real functions over moto.

A test that takes the fixture ``stack`` runs on both, so what it says holds for the services and for the adapters.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from callers import ALICE, Caller
from proto_json import answer_faults
from scripted import ListeningTime

import push_agent
from a2a_lambda.agent import Agent
from a2a_lambda.core.ports import PushConfigStore, TaskStore
from a2a_lambda.core.records import TaskRecord

ENDPOINT = "https://abc123.execute-api.us-east-1.amazonaws.com"
WEBHOOK = "https://hooks.example.com/a2a"
UNKNOWN_TASK = "11111111-1111-4111-8111-111111111111"


@dataclass(frozen=True)
class Options:
    """The template's parameters that a test can choose."""

    agent: Agent = field(default_factory=lambda: push_agent.agent)
    push_notifications: bool = True
    allow_insecure: bool = False
    allowed_cidrs: str = ""
    blocking_seconds: float = 20.0
    inline_wait: float = 2.0
    auth_mode: str = "NONE"
    public_url: str = ""
    express: bool = False
    streaming: bool = False
    stream_seconds: float = 300.0
    stream_padding: int = 0


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Stack(ABC):
    """What tests do with a stack, whatever it is made of."""

    tasks: TaskStore
    configs: PushConfigStore

    def __init__(self, options: Options) -> None:
        self.options = options
        self.time = ListeningTime()
        self._messages = count(1)

    @abstractmethod
    def http(
        self,
        method: str,
        path: str,
        body: str | bytes = "",
        headers: dict[str, str] | None = None,
        caller: Caller = ALICE,
        query: str = "",
    ) -> Reply:
        """One HTTP request at the endpoint."""

    @abstractmethod
    def run(self, task_id: str, remaining_ms: Callable[[], int] = lambda: 60_000) -> dict[str, Any]:
        """One invocation of the executor: the directive."""

    @abstractmethod
    def await_input(self, task_id: str, token: str) -> None:
        """What the state machine does when it starts to wait for the client."""

    @abstractmethod
    def give_up(self, task_id: str) -> dict[str, Any]:
        """What the state machine does when all its retries have failed."""

    @abstractmethod
    def expire(self, task_id: str) -> dict[str, Any]:
        """What the state machine does when the client has not answered in time."""

    @abstractmethod
    def snapshot(self) -> Any:
        """All that is stored, to compare."""

    @abstractmethod
    def started(self) -> list[str]:
        """The tasks that have an execution."""

    @abstractmethod
    def stopped(self) -> list[str]:
        """The tasks whose execution was stopped."""

    @abstractmethod
    def resumed(self) -> list[str]:
        """The tokens with which executions were resumed."""

    @abstractmethod
    def break_workflow(self) -> None:
        """Step Functions answers nothing from now on."""

    @abstractmethod
    def mend_workflow(self) -> None:
        """Step Functions answers again."""

    # -------------------------------------------------------------------------------------------------- shorthand

    def post(
        self,
        body: str | bytes | dict[str, Any] | list[Any],
        *,
        caller: Caller = ALICE,
        version: str | None = "1.0",
        content_type: str | None = "application/json",
        path: str = "/",
        query: str = "",
    ) -> dict[str, Any]:
        """POST a body to the endpoint; the JSON-RPC response, which always has HTTP status 200."""
        headers = {"A2A-Version": version} if version is not None else {}
        if content_type is not None:
            headers["Content-Type"] = content_type
        raw = body if isinstance(body, str | bytes) else json.dumps(body)
        reply = self.http("POST", path, raw, headers, caller, query)
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/json"
        response: dict[str, Any] = reply.json
        assert response["jsonrpc"] == "2.0"
        assert ("result" in response) != ("error" in response)
        return response

    def request(
        self, method: str, params: Any = None, *, caller: Caller = ALICE, version: str | None = "1.0"
    ) -> dict[str, Any]:
        """Call a method; the whole response."""
        body = {"jsonrpc": "2.0", "id": "call", "method": method, "params": params if params is not None else {}}
        response = self.post(body, caller=caller, version=version)
        assert response["id"] == "call"
        if "result" in response:
            assert answer_faults(method, response["result"]) == []
        return response

    def call(self, method: str, params: Any = None, *, caller: Caller = ALICE, version: str | None = "1.0") -> Any:
        """Call a method that must succeed; its result."""
        response = self.request(method, params, caller=caller, version=version)
        assert "error" not in response, (response["error"], getattr(self, "fault", None))
        return response["result"]

    def code(self, method: str, params: Any = None, *, caller: Caller = ALICE, version: str | None = "1.0") -> int:
        """Call a method that must fail; the error's code."""
        response = self.request(method, params, caller=caller, version=version)
        assert "result" not in response, response["result"]
        code: int = response["error"]["code"]
        return code

    def message(self, text: str = "hello", **fields: Any) -> dict[str, Any]:
        """A message with an id of its own."""
        return {
            "messageId": f"message-{next(self._messages)}",
            "role": "ROLE_USER",
            "parts": [{"text": text}],
            **fields,
        }

    def send(
        self,
        message: dict[str, Any] | None = None,
        *,
        caller: Caller = ALICE,
        webhook: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Start a task, or go on with one; the task as it is at once."""
        configuration: dict[str, Any] = {"returnImmediately": True}
        if webhook is not None:
            configuration["taskPushNotificationConfig"] = webhook
        params = {"message": message or self.message(), "configuration": configuration}
        task: dict[str, Any] = self.call("SendMessage", params, caller=caller)["task"]
        return task

    def register(self, task_id: str, url: str = WEBHOOK, *, caller: Caller = ALICE, **fields: Any) -> dict[str, Any]:
        """Register a webhook; the config."""
        params = {"taskId": task_id, "url": url, **fields}
        config: dict[str, Any] = self.call("CreateTaskPushNotificationConfig", params, caller=caller)
        return config

    def work(self, task_id: str) -> dict[str, Any]:
        """What the state machine does: run the executor until the task has ended or waits for its client."""
        for _ in range(100):
            directive = self.run(task_id)
            if directive["next"] == "wait":
                self.time.sleep(directive["seconds"])
            elif directive["next"] != "step":
                return directive
        raise AssertionError("the agent does not come to an end")

    def stored(self, task_id: str) -> TaskRecord:
        """The task as the table has it."""
        record = self.tasks.get(task_id)
        assert record is not None
        return record

    def finished(self, text: str = "hello") -> str:
        """The id of a new task that the agent has worked on to its end."""
        task_id: str = self.send(self.message(text))["id"]
        assert self.work(task_id) == {"next": "done"}
        return task_id

    def status_text(self, task_id: str) -> str | None:
        """The text of the stored status; None if there is none."""
        message = self.stored(task_id).task["status"].get("message")
        return message["parts"][0]["text"] if message else None

    def state(self, task_id: str) -> str:
        """The stored state without its prefix, in lower case."""
        return self.stored(task_id).state.removeprefix("TASK_STATE_").lower()
