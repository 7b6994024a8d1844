"""What a cold start pays for: what each handler imports, and that importing makes no client and opens no socket.

Each in an interpreter of its own, with Lambda's search path.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from cloud import ROOT

PACKAGE = ROOT / "layers" / "common" / "a2a_lambda"
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


@pytest.mark.parametrize("function", FUNCTIONS)
def test_importing_a_handler_needs_no_environment_and_makes_no_client(function: str) -> None:
    assert not imported(function) & {"boto3", "botocore.client", "botocore.session"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_handler_pays_for_the_tracing_sdk_for_tests_or_demos(function: str) -> None:
    assert not imported(function) & {"aws_xray_sdk", "requests", "moto", "pytest", "urllib3"}
    assert not ours(function) & {"testing", "harness"}


def test_rpc_pays_for_nothing_that_sends_or_runs_steps() -> None:
    assert "pycurl" not in imported("rpc")
    assert not ours("rpc") & {"sender", "notifier", "redelivery", "execution", "caretaker", "timer"}


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - {"rpc"}))
def test_only_rpc_reads_requests(function: str) -> None:
    assert "pydantic" not in imported(function)
    assert not {name for name in ours(function) if name.endswith("_params")} | ours(function) & {"jsonrpc", "rest"}


@pytest.mark.parametrize("function", ["executor", "caretaker"])
def test_who_writes_tasks_knows_no_push_config_table_and_no_sender(function: str) -> None:
    assert not ours(function) & {"sender", "notifier", "redelivery", "aws.push_config_table", "aws.queues"}


@pytest.mark.parametrize("function", ["notifier", "redelivery"])
def test_who_sends_knows_no_agent_and_no_state_machine(function: str) -> None:
    assert not ours(function) & {"agent", "execution", "caretaker", "card", "aws.workflow", "tasks", "service"}


def test_the_notifier_does_not_know_redelivery() -> None:
    assert "redelivery" not in ours("notifier")


# ------------------------------------------------------------------------------------------- imports point inwards only

MODULES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Full names of what a module imports, at its top or later."""
    package = ["a2a_lambda", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return found


def test_only_the_adapters_know_aws() -> None:
    for path in MODULES:
        if path.parent.name != "aws":
            known = {name for name in imports_of(path) if name.split(".")[0] in ("boto3", "botocore")}
            assert not known, path
            assert not {name for name in imports_of(path) if name.startswith("a2a_lambda.aws")}, path


def test_libcurls_handles_and_sockets_are_made_in_one_place_where_they_are_guarded() -> None:
    makers = re.compile(r"pycurl\.Curl\(|OPENSOCKETFUNCTION|\bsocket\.socket\(")
    assert {path.name for path in MODULES if makers.search(path.read_text())} == {"curl.py"}


PURE = ("changes", "delivery", "errors", "lifecycle", "model", "operations", "outcome", "records", "schedule")


@pytest.mark.parametrize("name", PURE)
def test_the_core_knows_no_service_no_clock_and_no_framework(name: str) -> None:
    known = imports_of(PACKAGE / f"{name}.py")
    services = {"tasks", "push_configs", "service", "execution", "notifier", "redelivery", "jsonrpc", "sender"}
    assert not known & {f"a2a_lambda.{service}" for service in services}
    assert not {module.split(".")[0] for module in known} & {
        "pydantic",
        "pycurl",
        "aws_lambda_powertools",
        "time",
        "os",
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_can_be_read_in_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_is_thin(function: str) -> None:
    assert len((ROOT / "functions" / function / "app.py").read_text().splitlines()) <= 90
