"""What is made before the first event on Lambda, and what the quick session of the SDK knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, get_args

import botocore
import pytest
from botocore.session import Session
from cloud import ROOT

from a2a_lambda.aws.clients import Service, client
from a2a_lambda.aws.sdk_session import session

FUNCTIONS = ("caretaker", "executor", "notifier", "redelivery", "rpc")
CLIENTS = {
    "caretaker": {"dynamodb", "stepfunctions"},
    "executor": {"dynamodb"},
    "notifier": {"dynamodb"},
    "redelivery": {"dynamodb", "sqs"},
    "rpc": {"dynamodb", "stepfunctions"},
}
SETTINGS = {
    "AGENT_MODULE": "push_agent",
    "AUTH_MODE": "NONE",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "CONTEXTS_TABLE": "Contexts",
    "DEAD_LETTER_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/111122223333/dead",
    "PUSH_CONFIGS_TABLE": "Configs",
    "REDELIVERY_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/111122223333/again.fifo",
    "STATE_MACHINE_ARN": "arn:aws:states:eu-central-1:111122223333:stateMachine:tasks",
    "TASKS_TABLE": "Tasks",
}
PROBE = """
import gc, json, socket, sys

def closed(*_, **__):
    raise AssertionError("a socket before the first event")

socket.socket.connect = socket.getaddrinfo = socket.create_connection = closed
made = []
from a2a_lambda.aws import at_start
real = at_start.client
at_start.client = lambda name: made.append((name, real(name).meta.region_name))
import app
print(json.dumps({"made": made, "collects": gc.isenabled(), "frozen": gc.get_freeze_count() > 0}))
"""


def started(function: str, **changes: str) -> dict[str, Any]:
    """What there is after INIT of the function, as Lambda has it."""
    path = [ROOT / "functions" / function, ROOT / "layers" / "common", ROOT / "layers" / "agents"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, path)), **SETTINGS, **changes}
    probe = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert probe.returncode == 0, probe.stderr
    found: dict[str, Any] = json.loads(probe.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("function", FUNCTIONS)
def test_on_lambda_the_clients_that_most_events_need_are_there_before_the_first_one(function: str) -> None:
    found = started(function, AWS_LAMBDA_INITIALIZATION_TYPE="on-demand")
    assert found == {
        "made": [[name, "eu-central-1"] for name in sorted(CLIENTS[function])],
        "collects": True,
        "frozen": True,
    }


@pytest.mark.parametrize("function", FUNCTIONS)
def test_elsewhere_nothing_is_made_before_it_is_needed(function: str) -> None:
    assert started(function) == {"made": [], "collects": True, "frozen": False}


@pytest.mark.parametrize("function", ["rpc", "executor"])
def test_an_agent_that_cannot_be_imported_fails_the_event_and_not_the_start(function: str) -> None:
    found = started(function, AWS_LAMBDA_INITIALIZATION_TYPE="on-demand", AGENT_MODULE="no_such_agent")
    assert {name for name, _ in found["made"]} == CLIENTS[function]
    assert found["collects"]


@pytest.mark.parametrize("service", get_args(Service))
def test_a_client_of_the_quick_session_is_that_of_the_sdk(service: Service, aws: None) -> None:
    ours, theirs = (made.create_client(service) for made in (session(get_args(Service)), Session()))
    assert ours.meta.endpoint_url == theirs.meta.endpoint_url
    assert ours.meta.service_model.operation_names == theirs.meta.service_model.operation_names
    assert ours.meta.service_model.metadata == theirs.meta.service_model.metadata


def test_who_brings_descriptions_of_services_gets_the_sdk_s_own_loader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    loader = session(("dynamodb",)).get_component("data_loader")
    assert str(tmp_path) in loader.search_paths
    assert "sns" in loader.list_available_services("service-2")


def test_a_service_that_no_function_calls_is_not_looked_for() -> None:
    from botocore.exceptions import UnknownServiceError

    with pytest.raises(UnknownServiceError):
        session(("dynamodb",)).create_client("sns", region_name="eu-central-1")


def test_requests_of_aws_say_whose_they_are(aws: None) -> None:
    sent: list[str | bytes] = []
    made = client("dynamodb")
    made.meta.events.register_first(
        "before-send.dynamodb.*", lambda request, **_: sent.append(request.headers["User-Agent"])
    )
    with pytest.raises(made.exceptions.ResourceNotFoundException):
        made.get_item(TableName="none", Key={"taskId": {"S": "t"}})
    client.cache_clear()
    (agent,) = sent
    text = agent.decode() if isinstance(agent, bytes) else agent
    assert text.startswith(f"a2a-on-lambda Botocore/{botocore.__version__}")
