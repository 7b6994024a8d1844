"""What `make smoke` judges by, and what it says when it cannot run. The whole command runs in tests/integration."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import smoke
from a2a_lambda.push import schedule
from push_client import DemoError
from smoke import DELAYS, JITTER, LATE, Deployed, as_scheduled, find, place_of, signature
from smoke_inbox import Arrival

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
TASK = "5b1c8a9e-0000-4000-8000-000000000000"


def attempts(*gaps: float) -> list[Arrival]:
    """Pushes that were sent so many seconds apart, and all written down late, at one moment."""
    sent = NOW.timestamp()
    late = NOW + timedelta(hours=1)
    made = [Arrival(1, late, int(sent), 503, f"{TASK}.2.0.default", b"")]
    for number, gap in enumerate(gaps, start=2):
        sent += gap
        made.append(Arrival(number, late, int(sent), 200, f"{TASK}.2.0.default", b""))
    return made


def test_the_delays_are_those_of_the_schedule() -> None:
    assert schedule.DELAYS[: len(DELAYS)] == DELAYS
    assert JITTER == schedule.JITTER


@pytest.mark.parametrize("gaps", [(5, 30, 300), (4, 24, 240), (3.5, 24, 240), (6 + LATE, 36 + LATE, 360 + LATE)])
def test_attempts_in_the_spans_of_the_schedule_pass(gaps: tuple[float, ...]) -> None:
    assert as_scheduled(attempts(*gaps), 3)[0]


@pytest.mark.parametrize(
    "gaps", [(2.9, 30, 300), (5, 30), (5, 30, 238), (5, 37 + LATE, 300), (), (0, 0, 0), (360, 360, 360)]
)
def test_attempts_too_soon_too_late_or_missing_fail(gaps: tuple[float, ...]) -> None:
    assert not as_scheduled(attempts(*gaps), 3)[0]


def test_the_place_of_a_push_is_read_off_its_id_and_only_of_this_task() -> None:
    (push,) = attempts()

    assert place_of(push, TASK) == (2, 0)
    assert place_of(push, "another") is None


def test_a_stack_with_jwt_needs_a_token_and_the_message_says_where_from() -> None:
    with pytest.raises(DemoError, match="--bearer TOKEN, or in A2A_BEARER"):
        signature("JWT", None, "https://inbox.example.com")


def test_requests_carry_what_the_stack_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    url = "https://abc.execute-api.eu-central-1.amazonaws.com/boxes"

    def sent(mode: str) -> str:
        sign, request = signature(mode, "token", url), requests.Request("POST", url, json={}).prepare()
        return str((sign(request) if sign else request).headers.get("Authorization"))

    assert sent("NONE") == "None"
    assert sent("JWT") == "Bearer token"
    assert sent("IAM").startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert "/eu-central-1/execute-api/" in sent("IAM")


def test_a_stack_without_an_inbox_is_told_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    described(monkeypatch, {"Outputs": [{"OutputKey": "Endpoint", "OutputValue": "https://a.example.com"}]})

    with pytest.raises(DemoError, match="SmokeInbox=true"):
        find("mine", None)


def test_a_stack_is_read_with_its_outputs_and_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    described(
        monkeypatch,
        {
            "Outputs": [
                {"OutputKey": "Endpoint", "OutputValue": "https://a.example.com"},
                {"OutputKey": "InboxUrl", "OutputValue": "https://b.example.com"},
            ],
            "Parameters": [{"ParameterKey": "AgentModule", "ParameterValue": "other_agent"}],
        },
    )

    found = find("mine", None)

    assert (found.endpoint, found.seeded) == ("https://a.example.com", False)


def test_a_stack_that_says_nothing_of_its_agent_has_the_one_of_the_template() -> None:
    assert Deployed("mine", {}, {}, None).seeded


def test_a_command_that_cannot_run_says_why_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    described(monkeypatch, {})

    assert smoke.main(["--stack", "mine"]) == 2

    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("error: The stack mine has no inbox.")


def described(monkeypatch: pytest.MonkeyPatch, stack: dict[str, Any]) -> None:
    """CloudFormation knows one stack, whatever it is asked."""
    import boto3

    class Client:
        def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
            return {"Stacks": [stack]}

    monkeypatch.setattr(boto3, "client", lambda service, region_name=None: Client())


@pytest.mark.parametrize(
    ("ends", "verdict", "tried"),
    [
        (["failed"], True, 1),
        (["completed", "failed"], True, 2),
        (["completed", "completed", "failed"], True, 3),
        (["completed", "completed", "completed"], False, 3),
        (["working"], False, 1),
    ],
)
def test_an_agent_that_is_done_before_it_is_stopped_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, ends: list[str], verdict: bool, tried: int
) -> None:
    left = list(ends)
    made = smoke.Smoke(Deployed("mine", {}, {"WebhookSigning": "NONE"}, None), None, None, argparse.Namespace())  # type: ignore[arg-type]
    monkeypatch.setattr(made, "_aborted_once", lambda: (left.pop(0), None))

    made.aborted()

    assert made.checks[0].passed is verdict
    assert len(ends) - len(left) == tried
