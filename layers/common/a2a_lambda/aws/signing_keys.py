"""Where the signing keys are: Secrets Manager, a SecureString of Parameter Store, or KMS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from ..core.ports import Clock, Unavailable
from ..push.signing import Key, Signatures, local_key
from ..push.webhook import Signer, unsigned
from ..settings import Environment, SettingsError
from .clients import client, code_of, guarded

_log = logging.getLogger(__name__)

TTL = timedelta(minutes=5)
"""How long keys are used before they are looked up again."""

_KMS_LONGEST = 4_096
"""Bytes that KMS signs. Pure Ed25519 takes no digest instead, so what is longer gets a JWT only: that signs a hash."""

Source = Callable[[str], list[Key]]


class KeyRing:
    """The live keys, the newest first; looked up when first needed, and again every five minutes.

    An old key is better than none, so those at hand stay in use while there is no answer, or none that can be used:
    what somebody put into the secret must not keep notifications back.
    """

    def __init__(self, source: Source, name: str, clock: Clock) -> None:
        self._source = source
        self._name = name
        self._clock = clock
        self._keys: list[Key] = []
        self._until: datetime | None = None

    def __call__(self) -> Sequence[Key]:
        """Raises :class:`Unavailable`."""
        now = self._clock()
        if self._until is None or now >= self._until:
            try:
                self._keys = self._source(self._name)
                self._until = now + TTL
            except Exception as error:
                _log.warning("the signing keys cannot be read: %s", code_of(error) or type(error).__name__)
                if not self._keys:
                    raise Unavailable(type(error).__name__) from error
                self._until = now + TTL / 10
        return self._keys


def key_ring(env: Environment, clock: Clock) -> KeyRing | None:
    """The keys that the template's parameters name; None for a stack that does not sign.

    ``WEBHOOK_SIGNING`` is SECRET, SSM, KMS or NONE, ``SIGNING_KEY`` the name or ARN; for KMS a list with commas, of
    which the first one signs what takes one signature.
    """
    kind = env.text("WEBHOOK_SIGNING", "NONE")
    if kind == "NONE":
        return None
    if kind not in _SOURCES:
        raise SettingsError("the environment variable WEBHOOK_SIGNING must be SECRET, SSM, KMS or NONE")
    return KeyRing(_SOURCES[kind], env.text("SIGNING_KEY"), clock)


def signer(env: Environment, clock: Clock) -> Signer:
    """What signs the notifications of this stack. ``ISSUER`` is the agent's URL; ``{apiId}`` in it is replaced."""
    keys = key_ring(env, clock)
    if keys is None:
        return unsigned
    return Signatures(keys, env.text("ISSUER").replace("{apiId}", env.text("API_ID", "")).rstrip("/"))


@guarded
def _from_secret(name: str) -> list[Key]:
    """The current version and the one before: a rotation is one ``put-secret-value``."""
    from botocore.exceptions import ClientError

    found: list[tuple[str, datetime]] = []
    for stage in ("AWSCURRENT", "AWSPREVIOUS"):
        try:
            answer = client("secretsmanager").get_secret_value(SecretId=name, VersionStage=stage)
        except ClientError as error:
            if found and code_of(error) == "ResourceNotFoundException":
                break
            raise
        found.append((answer.get("SecretString", ""), answer["CreatedDate"]))
    return _usable(found)


@guarded
def _from_parameter(name: str) -> list[Key]:
    """The present version and the one before: a rotation is one ``put-parameter --overwrite``."""
    from botocore.exceptions import ClientError

    found: Any = client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    values = [(found["Value"], found["LastModifiedDate"])]
    if found["Version"] > 1:
        try:
            before = client("ssm").get_parameter(Name=f"{name}:{found['Version'] - 1}", WithDecryption=True)
        except ClientError as error:
            if code_of(error) not in ("ParameterVersionNotFound", "ParameterNotFound"):
                raise
        else:
            values.append((before["Parameter"]["Value"], before["Parameter"]["LastModifiedDate"]))
    return _usable(values)


def _usable(values: Sequence[tuple[str, datetime]]) -> list[Key]:
    """The keys among the values and their moments, the newest first. What somebody put there that is none keeps neither
    the key before it nor the one after it from being used; raises ValueError if that leaves nothing."""
    keys = []
    for value, since in values:
        try:
            keys.append(local_key(value, since))
        except ValueError:
            _log.warning("a version of the signing key is no key")
    if not keys:
        raise ValueError("no key")
    return keys


@guarded
def _from_kms(names: str) -> list[Key]:
    """Keys of the spec ECC_NIST_EDWARDS25519, whose private halves nobody ever sees."""
    since = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
    return [
        Key(
            # A SubjectPublicKeyInfo of Ed25519 is a fixed header and the 32 bytes of the key (RFC 8410).
            client("kms").get_public_key(KeyId=name)["PublicKey"][-32:],
            since,
            partial(_kms_sign, name),
            _KMS_LONGEST,
        )
        for name in names.split(",")
    ]


def _kms_sign(name: str, content: bytes) -> bytes:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer: Any = client("kms").sign(
            KeyId=name, Message=content, MessageType="RAW", SigningAlgorithm="ED25519_SHA_512"
        )
    except (BotoCoreError, ClientError) as error:
        _log.warning("KMS does not sign: %s", code_of(error) or type(error).__name__)
        raise Unavailable("KMS") from error
    signature: bytes = answer["Signature"]
    return signature


_SOURCES: dict[str, Source] = {"SECRET": _from_secret, "SSM": _from_parameter, "KMS": _from_kms}
