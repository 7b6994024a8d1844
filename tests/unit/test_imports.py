"""What a cold start pays for: what each handler imports, and that importing makes no client and opens no socket.

Each in an interpreter of its own, with Lambda's search path.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache

import pytest
from cloud import ROOT

FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py"))

PROBE = """
import json, socket, sys

def closed(*_, **__):
    raise AssertionError("a socket at import")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = closed
import app
assert callable(app.handler)
print(json.dumps(sorted(sys.modules)))
"""


@cache
def imported(function: str) -> frozenset[str]:
    """The modules that are there when the handler has been imported, in an environment without any setting."""
    path = [ROOT / "functions" / function, ROOT / "layers" / "common", ROOT / "layers" / "agents"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, path))}
    command = [sys.executable, "-W", "error", "-c", PROBE]
    probe = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert probe.returncode == 0, probe.stderr
    return frozenset(json.loads(probe.stdout))


def ours(function: str) -> set[str]:
    return {name.removeprefix("a2a_lambda.") for name in imported(function) if name.startswith("a2a_lambda.")}


def wings(function: str) -> set[str]:
    return {name.split(".")[0] for name in ours(function)}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_importing_a_handler_needs_no_environment_and_makes_no_client(function: str) -> None:
    assert not imported(function) & {"boto3", "botocore.client", "botocore.session"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_handler_pays_for_the_tracing_sdk_for_tests_or_demos(function: str) -> None:
    assert not imported(function) & {"aws_xray_sdk", "requests", "moto", "pytest", "urllib3"}
    assert not wings(function) & {"testing"}


def test_rpc_pays_for_nothing_that_sends_or_runs_steps() -> None:
    assert "pycurl" not in imported("rpc")
    assert not ours("rpc") & {"push.sender", "push.notifier", "push.redelivery"}
    assert not ours("rpc") & {"agent.execution", "agent.caretaker", "agent.timer"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_handler_imports_what_only_streaming_needs(function: str) -> None:
    assert not ours(function) & {"endpoint.stream", "endpoint.sse", "aws.rest_api", "aws.runtime", "aws.streamed"}


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - {"rpc"}))
def test_only_rpc_reads_requests(function: str) -> None:
    assert "pydantic" not in imported(function)
    assert not {name for name in ours(function) if name.endswith("_params")}
    assert not ours(function) & {"endpoint.jsonrpc", "endpoint.rest"}


@pytest.mark.parametrize("function", ["executor", "caretaker"])
def test_who_writes_tasks_knows_no_push_config_table_and_no_sender(function: str) -> None:
    assert not wings(function) & {"push", "endpoint"}
    assert not ours(function) & {"aws.push_config_table", "aws.queues"}


@pytest.mark.parametrize("function", ["notifier", "redelivery"])
def test_who_sends_knows_no_agent_and_no_state_machine(function: str) -> None:
    assert not wings(function) & {"agent", "endpoint"}
    assert not ours(function) & {"aws.workflow"}


def test_the_notifier_does_not_know_redelivery() -> None:
    assert "push.redelivery" not in ours("notifier")


def test_the_caretaker_does_not_pay_for_what_authors_write_with() -> None:
    assert not ours("caretaker") & {"agent.agent", "agent.context", "net.web"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_handler_pays_for_streams_before_something_streams(function: str) -> None:
    assert not ours(function) & {"core.trace", "endpoint.stream", "endpoint.sse"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_is_thin(function: str) -> None:
    assert len((ROOT / "functions" / function / "app.py").read_text().splitlines()) <= 90


def test_an_executor_without_async_steps_does_not_pay_for_asyncio() -> None:
    probe = "import sys, a2a_lambda.agent.execution, push_agent; sys.exit('asyncio' in sys.modules)"
    path = os.pathsep.join(str(ROOT / "layers" / each) for each in ("common", "agents"))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path}
    assert subprocess.run([sys.executable, "-c", probe], env=environment, timeout=60, check=False).returncode == 0
