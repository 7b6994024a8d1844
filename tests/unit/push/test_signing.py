"""Signatures, verified by others' code: cryptography for v1a, joserfc for the JWT, standardwebhooks for the rest."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet, OKPKey
from standardwebhooks.webhooks import Webhook

from a2a_lambda.aws.signing_keys import TTL, KeyRing, key_ring, signer
from a2a_lambda.core.model import AuthenticationInfo
from a2a_lambda.core.ports import Unavailable
from a2a_lambda.core.records import PushConfig
from a2a_lambda.push.outcome import Post
from a2a_lambda.push.signing import SETTLING, Key, Signatures, jwks, local_key, seed_of
from a2a_lambda.push.webhook import post, unsigned
from a2a_lambda.settings import Environment, SettingsError

# RFC 9864 prefers the algorithm's name Ed25519, which most receivers' libraries do not know yet; EdDSA they all do.
pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=100)
NEW = local_key("n" * 64, LONG_AGO)
OLD = local_key("o" * 64, LONG_AGO - timedelta(days=1))
BODY = '{"statusUpdate":{"status":{"state":"größer"}}}'


def config(**changed: Any) -> PushConfig:
    return PushConfig(
        **{
            "task_id": "11111111-1111-4111-8111-111111111111",
            "config_id": "default",
            "owner": "alice",
            "url": "https://hooks.example.com/a2a",
            "dialect": "1.0",
            "incarnation": "i",
            **changed,
        }
    )


def sent(keys: Sequence[Key] = (NEW,), body: str = BODY, now: datetime = NOW, **changed: Any) -> Post:
    sign = Signatures(lambda: keys, "https://agent.example.com")
    return post(config(**changed), "task.1.0.default", body, "1.0", now, sign, None)


def verified_by_v1a(request: Post, key: Key) -> bool:
    """By the rules of Standard Webhooks: any of the signatures, over id, timestamp and the raw body."""
    headers = dict(request.headers)
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.body
    for signature in headers["webhook-signature"].split(" "):
        version, _, encoded = signature.partition(",")
        assert version == "v1a"
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(base64.b64decode(encoded), content)
        except InvalidSignature:
            continue
        return True
    return False


def token_of(request: Post, keys: Sequence[Key]) -> jwt.Token:
    return jwt.decode(
        dict(request.headers)["X-A2A-Notification-JWT"], KeySet.import_key_set(jwks(keys)), algorithms=["EdDSA"]
    )


def test_a_receiver_that_knows_standard_webhooks_can_verify() -> None:
    request = sent()

    assert verified_by_v1a(request, NEW)
    assert not verified_by_v1a(request, OLD)


def test_a_change_of_the_body_the_id_or_the_time_is_noticed() -> None:
    request = sent()
    others = [dict(request.headers) | {name: "1"} for name in ("webhook-id", "webhook-timestamp")]

    assert not verified_by_v1a(Post(request.url, request.headers, request.body + b" "), NEW)
    for headers in others:
        assert not verified_by_v1a(Post(request.url, list(headers.items()), request.body), NEW)


def test_the_standardwebhooks_package_reads_the_id_the_time_and_the_list_of_signatures() -> None:
    # The package knows the symmetric v1 only. Given one more signature, of that version, it accepts the request: so the
    # three headers are as it wants them, and a v1a before its own does not confuse it.
    secret = Webhook("whsec_" + base64.b64encode(b"s" * 24).decode())
    now = datetime.now(UTC).replace(microsecond=0)
    request = sent(now=now)
    headers = dict(request.headers)
    signature = secret.sign(headers["webhook-id"], now, request.body.decode())

    assert secret.verify(request.body, headers | {"webhook-signature": f"{headers['webhook-signature']} {signature}"})


def test_a_jose_library_verifies_the_token_with_the_published_keys() -> None:
    request = sent()

    token = token_of(request, [NEW])

    assert token.header == {"alg": "EdDSA", "typ": "JWT", "kid": NEW.kid}
    assert token.claims == {
        "iss": "https://agent.example.com",
        "aud": "https://hooks.example.com/a2a",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 300,
        "jti": "task.1.0.default",
        "taskId": "11111111-1111-4111-8111-111111111111",
        "request_body_sha256": hashlib.sha256(request.body).hexdigest(),
    }


def test_the_kid_is_the_thumbprint_that_a_jose_library_computes() -> None:
    (published,) = jwks([NEW])["keys"]  # type: ignore[misc]

    assert OKPKey.import_key(published).thumbprint() == NEW.kid


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        (None, []),
        ({"scheme": "Bearer"}, ["Bearer"]),
        ({"scheme": "bearer", "credentials": ""}, ["Bearer"]),
        ({"scheme": "Bearer", "credentials": "mine"}, ["mine"]),
        ({"scheme": "Basic"}, []),
    ],
)
def test_the_token_is_the_bearer_only_where_that_scheme_was_registered_without_credentials(
    authentication: AuthenticationInfo | None, expected: list[str]
) -> None:
    request = sent(authentication=authentication)
    token = dict(request.headers)["X-A2A-Notification-JWT"]

    bearers = [value.removeprefix("Bearer ") for name, value in request.headers if name == "Authorization"]

    assert bearers == [token if value == "Bearer" else value for value in expected]


def test_with_two_live_keys_either_verifies() -> None:
    request = sent([NEW, OLD])

    assert verified_by_v1a(request, NEW)
    assert verified_by_v1a(request, OLD)


@pytest.mark.parametrize(("age", "kid"), [(SETTLING, "new"), (SETTLING - timedelta(seconds=1), "old")])
def test_a_token_is_signed_with_a_new_key_only_when_everybody_has_had_time_to_learn_of_it(
    age: timedelta, kid: str
) -> None:
    young = Key(NEW.public, NOW - age, NEW.sign)

    assert token_of(sent([young, OLD]), [young, OLD]).header["kid"] == {"new": NEW, "old": OLD}[kid].kid


def test_a_first_key_signs_at_once() -> None:
    young = Key(NEW.public, NOW, NEW.sign)

    assert token_of(sent([young]), [young]).header["kid"] == NEW.kid


def test_a_key_that_is_no_longer_published_does_not_verify() -> None:
    request = sent([OLD])
    forged = jwks([NEW])
    forged["keys"][0]["kid"] = OLD.kid  # type: ignore[index]

    with pytest.raises(BadSignatureError):
        jwt.decode(dict(request.headers)["X-A2A-Notification-JWT"], KeySet.import_key_set(forged), algorithms=["EdDSA"])


def test_a_key_that_takes_short_messages_only_leaves_long_bodies_to_the_token() -> None:
    private = Ed25519PrivateKey.from_private_bytes(b"k" * 32)

    def sign(content: bytes) -> bytes:
        assert len(content) <= 4096
        return private.sign(content)

    key = Key(private.public_key().public_bytes_raw(), LONG_AGO, sign, 4096)

    assert verified_by_v1a(sent([key]), key)
    long = sent([key], body='"' + "x" * 5000 + '"')
    assert "webhook-signature" not in dict(long.headers)
    assert token_of(long, [key]).claims["request_body_sha256"] == hashlib.sha256(long.body).hexdigest()


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_can_be_signed_and_verified(text: str) -> None:
    request = sent(body=text)

    assert verified_by_v1a(request, NEW)
    assert token_of(request, [NEW]).claims["request_body_sha256"] == hashlib.sha256(request.body).hexdigest()


def test_a_standard_webhooks_private_key_is_used_as_it_is() -> None:
    assert seed_of("whsk_" + base64.b64encode(b"k" * 32).decode()) == b"k" * 32
    assert seed_of("whsk_" + base64.b64encode(b"k" * 32 + b"p" * 32).decode()) == b"k" * 32


@pytest.mark.parametrize("secret", ["", "short", "whsk_", "whsk_c2hvcnQ=", "whsk_no base64"])
def test_a_secret_that_cannot_be_a_key_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=r"32|base64|[Nn]on-base64|padding"):
        seed_of(secret)


class Source:
    def __init__(self) -> None:
        self.calls = 0
        self.broken = False

    def __call__(self, name: str) -> list[Key]:
        self.calls += 1
        if self.broken:
            raise Unavailable("Throttled")
        return [NEW]


@pytest.fixture
def now() -> list[datetime]:
    return [NOW]


def test_keys_are_looked_up_when_first_needed_and_then_every_five_minutes(now: list[datetime]) -> None:
    source = Source()
    ring = KeyRing(source, "key", lambda: now[0])
    assert source.calls == 0

    ring()
    ring()
    assert source.calls == 1

    now[0] += timedelta(minutes=5)
    ring()
    assert source.calls == 2


def test_an_old_key_is_better_than_none(now: list[datetime]) -> None:
    source = Source()
    ring = KeyRing(source, "key", lambda: now[0])
    ring()
    source.broken = True
    now[0] += timedelta(minutes=5)

    assert list(ring()) == [NEW]


def test_without_any_key_nothing_is_signed(now: list[datetime]) -> None:
    source = Source()
    source.broken = True

    with pytest.raises(Unavailable):
        KeyRing(source, "key", lambda: now[0])()


def test_a_stack_without_a_key_sends_unsigned() -> None:
    assert signer(Environment({"WEBHOOK_SIGNING": "NONE"}), lambda: NOW) is unsigned
    assert signer(Environment({}), lambda: NOW) is unsigned


def test_an_unknown_way_to_sign_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(SettingsError):
        key_ring(Environment({"WEBHOOK_SIGNING": "PGP", "SIGNING_KEY": "x"}), lambda: NOW)


def _signing(kind: str, name: str) -> Signatures:
    env = {"WEBHOOK_SIGNING": kind, "SIGNING_KEY": name, "ISSUER": "https://{apiId}.example.com/", "API_ID": "abc"}
    made = signer(Environment(env), lambda: NOW)
    assert isinstance(made, Signatures)
    return made


def secret(client: Callable[[str], Any]) -> tuple[str, str, Callable[[str], object]]:
    manager = client("secretsmanager")
    name = manager.create_secret(Name=f"signing-{uuid4()}", SecretString="a" * 64)["ARN"]
    return "SECRET", name, lambda value: manager.put_secret_value(SecretId=name, SecretString=value)


def parameter(client: Callable[[str], Any]) -> tuple[str, str, Callable[[str], object]]:
    ssm = client("ssm")

    name = f"/a2a/key-{uuid4()}"

    def put(value: str) -> object:
        return ssm.put_parameter(Name=name, Value=value, Type="SecureString", Overwrite=True)

    put("a" * 64)
    return "SSM", name, put


@pytest.mark.parametrize("kept", [secret, parameter])
def test_a_key_that_aws_keeps_can_be_replaced_and_both_are_live(aws: None, kept: Any) -> None:
    from a2a_lambda.aws.clients import client

    kind, name, replace = kept(client)
    first = list(_signing(kind, name).keys())
    replace("b" * 64)
    both = list(_signing(kind, name).keys())

    assert [key.kid for key in first] == [local_key("a" * 64, NOW).kid]
    assert [key.kid for key in both] == [local_key("b" * 64, NOW).kid, first[0].kid]


@pytest.mark.parametrize("kept", [secret, parameter])
@pytest.mark.parametrize("broken", ["too short", "whsk_not base64"])
def test_what_is_no_key_leaves_the_one_before_it_and_the_one_after_it(aws: None, kept: Any, broken: str) -> None:
    from a2a_lambda.aws.clients import client

    kind, name, replace = kept(client)
    replace(broken)
    (one,) = _signing(kind, name).keys()
    assert one.kid == local_key("a" * 64, NOW).kid
    replace("b" * 64)
    (one,) = _signing(kind, name).keys()
    assert one.kid == local_key("b" * 64, NOW).kid
    replace(broken)
    replace(broken)
    with pytest.raises(Unavailable):
        _signing(kind, name).keys()


def test_the_issuer_is_the_agents_url() -> None:
    assert _signing("SECRET", "x").issuer == "https://abc.example.com"


@pytest.mark.parametrize("kind", ["SECRET", "SSM"])
def test_a_key_that_does_not_exist_leaves_events_to_the_queue_and_says_why(
    aws: None, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unavailable):
        _signing(kind, "nowhere").keys()
    assert "NotFound" in caplog.text


@pytest.mark.parametrize("rotated", ["too short", "whsk_not base64"])
def test_a_key_that_cannot_be_used_does_not_replace_the_one_in_use(rotated: str) -> None:
    values, now = [[local_key("a" * 64, NOW)]], [NOW]

    def source(_: str) -> list[Key]:
        return values.pop() if values else [local_key(rotated, NOW)]

    ring = KeyRing(source, "name", lambda: now[0])
    before = ring()
    now[0] += TTL
    assert ring() == before
