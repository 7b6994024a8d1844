"""Requests of twelve kinds that `rpc` refuses, and the memory that stays of them: `python refused_requests.py TIMES`.

Prints a line of JSON: `answers`, the status codes and JSON-RPC codes of each kind, and `growth`, the megabytes by which
the process grew over TIMES requests in turns of all kinds, after a tenth as many that warm it. It touches no AWS: what
is refused is refused before. Each request differs from the others, so that whatever remembers requests grows, too.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LARGE = 8_000
"""Elements of a list that has too many: the body stays under the limit of a request."""

Event = dict[str, Any]


class Context:
    """Lambda's."""

    aws_request_id = "8e3f1c52-0d5a-4b47-9b1c-5d2a8f0c6e17"
    function_name = invoked_function_arn = "rpc"
    memory_limit_in_mb = "1024"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 29_000


def _event(path: str, body: str, headers: dict[str, str]) -> Event:
    http = {"method": "POST", "path": path, "sourceIp": "192.0.2.1", "protocol": "HTTP/1.1", "userAgent": "test"}
    context = {"http": http, "requestId": "r", "stage": "$default", "domainName": "agent.example"}
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": context,
        "body": body,
        "isBase64Encoded": False,
    }


def _call(method: str, params: Any, version: str = "1.0") -> Event:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    return _event("/", body, {"content-type": "application/json", "a2a-version": version})


def _send(n: int, **changes: Any) -> Event:
    message = {"messageId": f"m{n}", "role": "ROLE_USER", "parts": [{"text": "go"}], **changes}
    return _call("SendMessage", {"message": message})


def _with_webhook(n: int, **config: Any) -> Event:
    message = {"messageId": f"m{n}", "role": "ROLE_USER", "parts": [{"text": "go"}]}
    webhook = {"url": f"https://webhook-{n}.example/", **config}
    return _call("SendMessage", {"message": message, "configuration": {"taskPushNotificationConfig": webhook}})


KINDS: dict[str, Callable[[int], Event]] = {
    "no JSON": lambda n: _event("/", f"{{{n}" * 1_000, {"content-type": "application/json"}),
    "nested too deeply": lambda n: _event("/", "[" * 50_000 + str(n), {"content-type": "application/json"}),
    "no such method": lambda n: _call(f"Method{n}", {}),
    "no such version": lambda n: _call("SendMessage", {}, f"{n + 7}.0"),
    "empty parts": lambda n: _send(n, parts=[{}] * LARGE),
    "too many parts": lambda n: _send(n, parts=[{"text": str(n)}] * LARGE),
    "parts of wrong types": lambda n: _send(n, parts=[{"text": n, "raw": []}] * 50),
    "a role that is none": lambda n: _send(n, role=f"ROLE_{n}"),
    "an address that is none": lambda n: _with_webhook(n, url=f"ftp://{n}"),
    "credentials that are too long": lambda n: _with_webhook(
        n, authentication={"scheme": "Bearer", "credentials": str(n) * 20_000}
    ),
    "a media type that is none": lambda n: _event("/", "{}", {"content-type": f"text/x-{n}"}),
    "a body of REST that is none": lambda n: _event(
        "/message:send", json.dumps({"message": [n] * 1_000}), {"content-type": "application/json"}
    ),
}


def _handler() -> Callable[[Event, Any], dict[str, Any]]:
    os.environ |= {
        "AWS_DEFAULT_REGION": "eu-central-1",
        "TASKS_TABLE": "Tasks",
        "PUSH_CONFIGS_TABLE": "Configs",
        "CONTEXTS_TABLE": "Contexts",
        "STATE_MACHINE_ARN": "arn:aws:states:eu-central-1:111122223333:stateMachine:tasks",
        "AGENT_MODULE": "push_agent",
        "AUTH_MODE": "NONE",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "POWERTOOLS_METRICS_NAMESPACE": "test",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    }
    spec = importlib.util.spec_from_file_location("rpc_app", ROOT / "functions/rpc/app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    handler: Callable[[Event, Any], dict[str, Any]] = module.handler
    return handler


def resident() -> float:
    """Megabytes (of 2^20 bytes) that this process has in memory."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def main(times: int) -> None:
    handler = _handler()
    made = list(KINDS.items())
    answers: dict[str, set[tuple[int, int]]] = defaultdict(set)

    def run(numbers: range) -> float:
        for n in numbers:
            kind, event = made[n % len(made)]
            answer = handler(event(n), Context)
            error = json.loads(answer["body"])["error"]
            answers[kind].add((answer["statusCode"], error["code"]))
        gc.collect()
        return resident()

    warm = run(range(times // 10))
    grown = run(range(times // 10, times // 10 + times)) - warm
    found = {"growth": round(grown, 1), "answers": {kind: sorted(given) for kind, given in answers.items()}}
    sys.stdout.write(f"\n{json.dumps(found)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
