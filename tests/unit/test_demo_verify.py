"""The receiver's checks, against the signatures that the runtime makes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import receiver
import verify
from a2a_lambda.records import PushConfig
from a2a_lambda.signing import Signatures, local_key
from a2a_lambda.webhook import post

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NEW, OLD = (local_key(letter * 64, NOW - timedelta(days=days)) for letter, days in (("n", 1), ("o", 2)))
KEYS = {key.kid: Ed25519PublicKey.from_public_bytes(key.public) for key in (NEW, OLD)}
BODY = json.dumps({"kind": "task", "status": {"state": "working"}})


def push(*keys: object) -> tuple[dict[str, str], bytes]:
    config = PushConfig("t", "c", "alice", "https://h.example/hook", "1.0", "i")
    sign = Signatures(lambda: keys or (NEW, OLD), "https://agent.example.com")  # type: ignore[arg-type, return-value]
    made = post(config, "t.1.0.c", BODY, "1.0", NOW, sign, None)
    return {name.lower(): value for name, value in made.headers}, made.body


def genuine(headers: dict[str, str], body: bytes, after: float = 0) -> bool:
    return verify.genuine(headers, body, KEYS, NOW.timestamp() + after)


def test_what_the_agent_signed_is_genuine() -> None:
    assert genuine(*push())
    assert genuine(*push(OLD))


@pytest.mark.parametrize("kept", ["webhook-signature", "x-a2a-notification-jwt"])
def test_either_proof_is_enough(kept: str) -> None:
    headers, body = push()
    for name in {"webhook-signature", "x-a2a-notification-jwt"} - {kept}:
        del headers[name]

    assert genuine(headers, body)
    assert not genuine(headers, body + b" ")


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "t.2.0.c"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1a,AAAA"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": ""},
        {"x-a2a-notification-jwt": "a.b.c"},
        {"x-a2a-notification-jwt": "bm9uZQ.bm9uZQ."},
        {"x-a2a-notification-jwt": ""},
    ],
)
def test_whatever_is_changed_is_noticed(changed: dict[str, str]) -> None:
    headers, body = push()

    assert not genuine({**headers, **changed}, body)


def test_without_any_proof_nothing_is_genuine() -> None:
    headers, body = push()
    del headers["webhook-signature"], headers["x-a2a-notification-jwt"]

    assert not genuine(headers, body)


@pytest.mark.parametrize(("after", "good"), [(299, True), (301, False), (-301, False)])
def test_what_is_old_or_of_the_future_may_be_a_replay(after: float, good: bool) -> None:
    assert genuine(*push(), after=after) is good


def test_a_strangers_key_proves_nothing() -> None:
    assert not genuine(*push(local_key("s" * 64, NOW - timedelta(days=1))))


def test_the_receiver_refuses_what_is_not_genuine_and_shows_nothing_of_it() -> None:
    shown: list[str] = []
    headers, body = push()
    receiver.SEEN.clear()

    def check(lowered: object, raw: bytes) -> bool:
        return genuine(lowered, raw)  # type: ignore[arg-type]

    assert receiver.handle(headers, body + b" ", show=shown.append, genuine=check) == (401, "unauthorized")
    assert shown == []
    assert receiver.handle(headers, body, show=shown.append, genuine=check) == (200, "ok")
    receiver.SEEN.clear()
