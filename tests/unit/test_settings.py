"""Environment variables: missing, empty, wrong."""

from __future__ import annotations

import json
from collections.abc import Callable

import cloud
import pytest
from callers import ALICE
from cloud_stack import CloudStack, handler_module, http_event
from scripted import LambdaContext

from a2a_lambda.net.web import FetchError, FetchRequest
from a2a_lambda.settings import Environment, SettingsError

# A function that cannot even start has counted nothing, of which Powertools complains on the way out.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


def test_a_text_is_read_without_the_blanks_around_it() -> None:
    assert Environment({"NAME": "  value "}).text("NAME") == "value"


@pytest.mark.parametrize("variables", [{}, {"NAME": ""}, {"NAME": "   "}])
def test_a_text_that_is_missing_or_empty_is_an_error_that_names_it(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="NAME is missing or empty"):
        Environment(variables).text("NAME")
    assert Environment(variables).text("NAME", "default") == "default"
    assert Environment(variables).text("NAME", "") == ""


@pytest.mark.parametrize(("value", "flag"), [("true", True), ("false", False), ("TRUE", True), (" False ", False)])
def test_a_flag_is_true_or_false(value: str, flag: bool) -> None:
    assert Environment({"FLAG": value}).flag("FLAG", not flag) is flag


@pytest.mark.parametrize("value", ["yes", "1", "0", "on", "truee"])
def test_anything_else_is_no_flag(value: str) -> None:
    with pytest.raises(SettingsError, match="FLAG must be true or false"):
        Environment({"FLAG": value}).flag("FLAG", default=True)


@pytest.mark.parametrize("value", ["", " "])
def test_an_empty_flag_or_number_is_its_default(value: str) -> None:
    environment = Environment({"NAME": value})
    assert environment.flag("NAME", default=True) is True
    assert environment.number("NAME", 2.5) == 2.5


@pytest.mark.parametrize(("value", "number"), [("0", 0.0), ("2.5", 2.5), ("1e3", 1000.0)])
def test_a_number_is_finite_and_not_negative(value: str, number: float) -> None:
    assert Environment({"NUMBER": value}).number("NUMBER", 1) == number


@pytest.mark.parametrize("value", ["-1", "-0.1", "nan", "inf", "-inf", "one", "1,5", "0x10"])
def test_anything_else_is_no_number(value: str) -> None:
    with pytest.raises(SettingsError, match="NUMBER must be a number"):
        Environment({"NUMBER": value}).number("NUMBER", 1)


def test_a_choice_is_one_of_its_texts_and_the_first_by_default() -> None:
    assert Environment({"KIND": " EXPRESS "}).choice("KIND", ("STANDARD", "EXPRESS")) == "EXPRESS"
    assert Environment({"KIND": ""}).choice("KIND", ("STANDARD", "EXPRESS")) == "STANDARD"


@pytest.mark.parametrize("value", ["express", "EXPRES", "STANDARD,EXPRESS", "0"])
def test_anything_else_is_no_choice(value: str) -> None:
    with pytest.raises(SettingsError, match="KIND must be one of STANDARD, EXPRESS"):
        Environment({"KIND": value}).choice("KIND", ("STANDARD", "EXPRESS"))


def test_an_error_never_shows_the_value() -> None:
    for read in (Environment({"NAME": "secret"}).flag, Environment({"NAME": "secret"}).number):
        with pytest.raises(SettingsError) as caught:
            read("NAME", True)
        assert "secret" not in str(caught.value)


REQUIRED = {
    "rpc": ["TASKS_TABLE", "PUSH_CONFIGS_TABLE", "STATE_MACHINE_ARN", "AGENT_MODULE"],
    "executor": ["TASKS_TABLE", "AGENT_MODULE"],
    "notifier": ["PUSH_CONFIGS_TABLE", "REDELIVERY_QUEUE_URL"],
    "redelivery": ["PUSH_CONFIGS_TABLE", "DEAD_LETTER_QUEUE_URL"],
}
EVENTS = {
    "rpc": http_event("POST", "/", "{}", {"Content-Type": "application/json"}, ALICE),
    "executor": {"action": "run", "taskId": "t"},
    "notifier": {"Records": []},
    "redelivery": json.loads((cloud.ROOT / "events" / "redelivery-message.json").read_text()),
}


@pytest.mark.parametrize(
    ("function", "name"), [(function, name) for function in REQUIRED for name in REQUIRED[function]]
)
@pytest.mark.parametrize("value", [None, ""])
def test_a_function_without_what_it_needs_says_which_variable_it_is(
    cloud_stack: Callable[..., CloudStack],
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    name: str,
    value: str | None,
) -> None:
    stack = cloud_stack()
    assert all((stack.redelivery_queue, stack.dead_letters))
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        handler_module(function).handler(EVENTS[function], LambdaContext())


@pytest.mark.parametrize(
    ("function", "name", "value"),
    [
        ("rpc", "PUSH_NOTIFICATIONS", "perhaps"),
        ("rpc", "BLOCKING_SECONDS", "soon"),
        ("rpc", "TASK_RETENTION_DAYS", "-1"),
        ("executor", "INLINE_WAIT_SECONDS", "x"),
        ("executor", "TASK_TIMEOUT_SECONDS", "nan"),
        ("executor", "WORKFLOW_TYPE", "FAST"),
        ("rpc", "WORKFLOW_TYPE", "express"),
        ("notifier", "FIRST_ATTEMPT_SECONDS", "x"),
        ("notifier", "ALLOW_INSECURE_WEBHOOKS", "x"),
        ("redelivery", "ALLOW_INSECURE_WEBHOOKS", "x"),
    ],
)
def test_a_function_with_a_setting_that_cannot_be_says_which_one_it_is(
    cloud_stack: Callable[..., CloudStack], monkeypatch: pytest.MonkeyPatch, function: str, name: str, value: str
) -> None:
    stack = cloud_stack()
    assert all((stack.redelivery_queue, stack.dead_letters))
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        handler_module(function).handler(EVENTS[function], LambdaContext())


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("rpc", "ALLOWED_WEBHOOK_CIDRS"),
        ("notifier", "ALLOWED_WEBHOOK_CIDRS"),
        ("redelivery", "ALLOWED_WEBHOOK_CIDRS"),
        ("executor", "ALLOWED_FETCH_CIDRS"),
    ],
)
def test_a_network_with_host_bits_is_refused_and_not_guessed_at(
    cloud_stack: Callable[..., CloudStack], monkeypatch: pytest.MonkeyPatch, function: str, name: str
) -> None:
    stack = cloud_stack()
    assert all((stack.redelivery_queue, stack.dead_letters))
    monkeypatch.setenv(name, "10.0.0.1/8")
    with pytest.raises(ValueError, match="host bits"):
        handler_module(function).handler(EVENTS[function], LambdaContext())


@pytest.mark.parametrize(
    ("name", "reason"),
    [("ALLOWED_WEBHOOK_CIDRS", "refused: the host is a private address"), ("ALLOWED_FETCH_CIDRS", "timeout")],
)
def test_what_is_open_to_webhooks_is_not_open_to_what_agents_fetch(
    cloud_stack: Callable[..., CloudStack], monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    assert cloud_stack()
    monkeypatch.setenv(name, "10.0.0.0/8")
    with pytest.raises(FetchError, match=reason):  # without any time it ends before it opens a socket
        handler_module("executor").executor().fetch(FetchRequest("https://10.0.0.1/", seconds=0))
