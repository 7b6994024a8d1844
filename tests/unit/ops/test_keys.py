"""Signing keys by the operator's command, on moto: whether they can be used, and a new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from a2a_lambda.aws.clients import client
from a2a_lambda.push.signing import local_key
from ops import keys, status
from ops.errors import CannotRun, OpsError
from ops.stack import Stack

GOOD = "a" * 64
Stored = tuple[Stack, Callable[[str], Any]]


@pytest.fixture(params=["SECRET", "SSM"])
def stored(aws: None, request: pytest.FixtureRequest) -> Stored:
    """A stack, and what puts a value where its key is."""
    name, manager, ssm = f"/a2a/{uuid4()}", client("secretsmanager"), client("ssm")
    if request.param == "SECRET":
        manager.create_secret(Name=name, SecretString=GOOD)

    def put(value: str) -> Any:
        if request.param == "SECRET":
            return manager.put_secret_value(SecretId=name, SecretString=value)
        return ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    if request.param == "SSM":
        put(GOOD)
    outputs = {"SigningKeyName": name, "Endpoint": "http://127.0.0.1:1"}
    return Stack("s", outputs, {"WebhookSigning": request.param}, "CREATE_COMPLETE", "us-east-1"), put


def test_a_key_is_shown_without_its_value(stored: Stored) -> None:
    stack, _ = stored
    shown = keys.check(stack)
    assert (shown["keys"], shown["name"]) == (1, stack.output("SigningKeyName"))
    assert GOOD not in str(shown)


@pytest.mark.parametrize("value", ["not a key", "whsec_not base64"])
def test_what_is_no_key_is_told_and_replaced_at_once(stored: Stored, value: str) -> None:
    stack, put = stored
    put(value)
    with pytest.raises(OpsError, match="keys rotate") as told:
        keys.check(stack)
    assert value not in str(told.value)
    assert status.signing(stack)["run"] == "keys rotate"

    keys.rotate(stack)

    assert keys.check(stack)["keys"] == 1


def test_a_key_is_not_rotated_twice_before_all_have_it_unless_asked(stored: Stored) -> None:
    stack, _ = stored
    with pytest.raises(CannotRun, match="--again"):
        keys.rotate(stack)
    keys.rotate(stack, again=True)
    assert keys.check(stack)["keys"] == 2


@pytest.mark.parametrize("command", [keys.check, keys.rotate])
def test_a_stack_that_does_not_sign_or_whose_keys_are_of_kms_says_so(command: Callable[[Stack], Any]) -> None:
    with pytest.raises(CannotRun, match="does not sign"):
        command(Stack("s", {}, {"WebhookSigning": "NONE"}, "CREATE_COMPLETE", "us-east-1"))
    with pytest.raises(CannotRun, match="parameters of the deployment"):
        keys.rotate(Stack("s", {}, {"WebhookSigning": "KMS"}, "CREATE_COMPLETE", "us-east-1"))


def test_the_stored_value_is_that_of_a_key(stored: Stored) -> None:
    stack, put = stored
    kind = stack.parameters["WebhookSigning"]
    assert keys.is_key(kind, stack.output("SigningKeyName"))
    assert local_key(GOOD, datetime.now(UTC))
    put("short")
    assert not keys.is_key(kind, stack.output("SigningKeyName"))
