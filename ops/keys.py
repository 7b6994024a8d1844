"""Signing keys: whether they can be read, and a new one."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from a2a_lambda.aws.signing_keys import key_ring
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.push.signing import local_key
from a2a_lambda.settings import Environment

from .errors import CannotRun, OpsError
from .stack import Stack, client

SETTLED = timedelta(minutes=15)
"""A new key signs JWTs only then, so that nobody's cached key set lacks it."""

_BYTES = 32


def _kind(stack: Stack) -> str:
    kind = stack.parameters.get("WebhookSigning", "SECRET")
    if kind == "NONE":
        raise CannotRun(f"the stack {stack.name} does not sign (WebhookSigning=NONE)")
    return kind


def check(stack: Stack) -> dict[str, Any]:
    """The keys, as the functions read them: how many, and since when. Raises :class:`OpsError`."""
    kind, name = _kind(stack), stack.output("SigningKeyName")
    if kind != "KMS" and not is_key(kind, name):
        raise OpsError(
            f"what was stored last in {name} is no key of 32 characters or more: put one there with `keys rotate`"
        )
    ring = key_ring(Environment({"WEBHOOK_SIGNING": kind, "SIGNING_KEY": name}), lambda: datetime.now(UTC))
    assert ring is not None
    try:
        keys = ring()
    except Unavailable as error:
        raise OpsError(f"the signing key {name} cannot be read ({error})") from error
    return {"kind": kind, "name": name, "keys": len(keys), "newest": keys[0].since.isoformat() if kind != "KMS" else ""}


def is_key(kind: str, name: str) -> bool:
    """Whether what was stored last, in SECRET or SSM, is a key."""
    if kind == "SSM":
        value = client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
    else:
        value = client("secretsmanager").get_secret_value(SecretId=name).get("SecretString", "")
    try:
        local_key(value, datetime.now(UTC))
    except ValueError:
        return False
    return True


def rotate(stack: Stack, again: bool = False) -> str:
    """Put a new key. The one before stays live, so what is on its way still verifies. Raises :class:`CannotRun` of KMS,
    whose keys the deployment names, and where the last rotation is not settled yet, unless ``again``, or unless what is
    there is no key: nobody signs with that."""
    kind = _kind(stack)
    if kind == "KMS":
        raise CannotRun("keys of KMS are parameters of the deployment: see docs/operations.md, Signing keys")
    name = stack.output("SigningKeyName")
    changed = _changed(kind, name)
    if not again and changed is not None and datetime.now(UTC) - changed < SETTLED and is_key(kind, name):
        raise CannotRun(f"the key is {_minutes(changed)} old: wait until it is 15, or say --again (after a leak: do)")
    value = secrets.token_urlsafe(_BYTES)
    if kind == "SECRET":
        client("secretsmanager").put_secret_value(SecretId=name, SecretString=value)
    else:
        client("ssm").put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)
    return "rotated: functions take the key up within 5 minutes, and sign JWTs with it after 15"


def _minutes(since: datetime) -> str:
    return f"{int((datetime.now(UTC) - since).total_seconds() // 60)} minutes"


def _changed(kind: str, name: str) -> datetime | None:
    if kind == "SSM":
        moment: datetime | None = client("ssm").get_parameter(Name=name)["Parameter"]["LastModifiedDate"]
        return moment
    versions = client("secretsmanager").list_secret_version_ids(SecretId=name)["Versions"]
    return next((each["CreatedDate"] for each in versions if "AWSCURRENT" in each.get("VersionStages", [])), None)
