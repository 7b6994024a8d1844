"""What `make coldstart` measures: functions, their events and environment, from a tree as it is built for Lambda."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_stand_in import RUNNING, WAITING

ROOT = Path(__file__).resolve().parent.parent
EVENTS = ROOT / "events"
CALLS = 120

FULL_CORE = 1_769
"""Megabytes of memory with which a function has one whole core (AWS, "Configure Lambda function memory")."""

TASK_ID = "4f1c2d3e-5a6b-5c7d-8e9f-0a1b2c3d4e5f"
"""Of the events in the repository."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Events of one kind for one function. ``peer``: the peer does the same, with these events of its own."""

    name: str
    function: str
    memory: int
    """Megabytes, as the template has it (ExecutorMemory: its default)."""
    event: Callable[[int], Event]
    peer: Callable[[int], Event] | None = None

    @property
    def share(self) -> float:
        """Of a core, in an invocation. INIT has a whole one."""
        return min(1.0, self.memory / FULL_CORE)


def of_file(name: str) -> Event:
    """An event of the repository."""
    event: Event = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def of_task(name: str) -> Callable[[int], Event]:
    """The event of the repository, each time of another task."""
    text = (EVENTS / f"{name}.json").read_text()
    return lambda number: json.loads(text.replace(TASK_ID, _id(number)))  # type: ignore[no-any-return]


def call(method: str, params: Callable[[int], Any], **headers: str) -> Callable[[int], Event]:
    """A JSON-RPC request."""
    event = of_file("rpc-tasks-send")

    def made(number: int) -> Event:
        body = {"jsonrpc": "2.0", "id": number, "method": method, "params": params(number)}
        return {**event, "headers": {**event["headers"], **headers}, "body": json.dumps(body)}

    return made


def _id(number: int) -> str:
    return str(uuid.UUID(int=(4 << 76) + (8 << 60) + number))


def _legacy_send(number: int) -> Any:
    return {"message": {"messageId": _id(number), "role": "user", "parts": [{"text": "run push demo"}]}}


def _v1_send(number: int) -> Any:
    return {"message": {"messageId": _id(number), "role": "ROLE_USER", "parts": [{"text": "run push demo"}]}}


def _config(number: int) -> Any:
    return {"id": _id(number), "pushNotificationConfig": {"webhookUrl": "https://client.example.com/webhook"}}


_CARD = of_file("rpc-agent-card")
_PEER_SEND = call("SendMessage", _v1_send, **{"a2a-version": "1.0"})

CASES = (
    Case("rpc, card", "rpc", 1_024, lambda _: _CARD, lambda _: _CARD),
    Case("rpc, tasks/send", "rpc", 1_024, call("tasks/send", _legacy_send), _PEER_SEND),
    Case("rpc, tasks/get", "rpc", 1_024, call("tasks/get", lambda number: {"id": _id(number)})),
    Case("rpc, …/set", "rpc", 1_024, call("tasks/pushNotification/set", _config)),
    Case("notifier", "notifier", 512, of_task("notifier-modify")),
    Case("redelivery", "redelivery", 512, of_task("redelivery-message")),
    Case("executor", "executor", 512, of_task("executor-run")),
    Case("caretaker", "caretaker", 256, of_task("caretaker-new-task")),
)


@dataclass(frozen=True)
class Build:
    """A tree as Lambda has it: functions without bytecode, layers with it."""

    directory: Path

    @classmethod
    def of(cls, tree: Path, directory: Path, python: Path) -> Build:
        """Builds it anew. ``python`` has pip, and is of the version that will run the functions."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        shutil.copytree(tree / "functions", directory / "functions", ignore=shutil.ignore_patterns("__pycache__"))
        for layer in ("CommonLayer", "AgentsLayer"):
            place = next((tree / "layers" / "targets").iterdir())
            made = directory / layer
            made.mkdir()
            variables = os.environ | {"ARTIFACTS_DIR": str(made), "LAYER_PYTHON": str(python)}
            command = ["make", "--silent", "-f", str(tree / "layers" / "Makefile"), f"build-{layer}"]
            done = subprocess.run(command, cwd=place, env=variables, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"error: {layer} of {tree} cannot be built:\n{done.stderr[-2_000:]}")
        return cls(directory)

    def path(self, function: str) -> list[Path]:
        """Lambda's search path: the function, then the layers in one directory."""
        return [self.directory / "functions" / function, *(self.directory.glob("*Layer/python"))]


def environment(case: Case, endpoint: str, path: list[Path]) -> Mapping[str, str]:
    """The variables that Lambda and the template give the function."""
    arn = "arn:aws:states:eu-central-1:111122223333:stateMachine:tasks"
    queue = f"{endpoint}/111122223333"
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PYTHONDONTWRITEBYTECODE": "1",  # the function's own file is compiled at each start: Lambda's disk is read-only
        "AWS_LAMBDA_FUNCTION_NAME": case.function,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(case.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_ENDPOINT_URL": endpoint,
        "POWERTOOLS_SERVICE_NAME": case.function,
        "POWERTOOLS_METRICS_NAMESPACE": "A2A/benchmark",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "TASKS_TABLE": RUNNING if case.function == "executor" else "Tasks",
        "PUSH_CONFIGS_TABLE": WAITING if case.function == "redelivery" else "Configs",
        "CONTEXTS_TABLE": "Contexts",
        "ARTIFACTS_BUCKET": "artifacts",
        "STATE_MACHINE_ARN": arn,
        "AGENT_MODULE": "push_agent",
        "AUTH_MODE": "NONE",
        "BLOCKING_SECONDS": "0",
        "INLINE_WAIT_SECONDS": "0",
        "REDELIVERY_QUEUE_URL": f"{queue}/redelivery.fifo",
        "DEAD_LETTER_QUEUE_URL": f"{queue}/dead.fifo",
        "STREAM_FAILURES_QUEUE_URL": f"{queue}/failures",
        "WEBHOOK_SIGNING": "SECRET",
        "SIGNING_KEY": "arn:aws:secretsmanager:eu-central-1:111122223333:secret:signing",
        "ISSUER": "https://agent.example.com",
        "ALLOW_INSECURE_WEBHOOKS": "true",
        "ALLOWED_WEBHOOK_CIDRS": "127.0.0.0/8",
        "MAX_WAITING_PER_OWNER": "6000",
    }
