"""One notification as an HTTP request: its headers in each dialect and for each scheme (section 4.3.3)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from scripted import header

from a2a_lambda.core.records import PushConfig
from a2a_lambda.push.outcome import Post
from a2a_lambda.push.webhook import RESERVED_HEADERS, post, unsigned, webhook_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def config(dialect: str = "1.0", **fields: Any) -> PushConfig:
    return PushConfig("task", "config", "owner", "https://example.com/hook", dialect, "i", "r", **fields)


def made(registered: PushConfig, body: str = "{}", trace: str | None = None) -> Post:
    return post(registered, webhook_id(registered, 3, 1), body, registered.dialect, NOW, unsigned, trace)


@pytest.mark.parametrize(
    ("dialect", "content_type", "version"),
    [("1.0", "application/a2a+json", "1.0"), ("0.3", "application/json", "0.3"), ("legacy", "application/json", None)],
)
def test_content_type_and_version_are_those_of_the_dialect(
    dialect: str, content_type: str, version: str | None
) -> None:
    request = made(config(dialect))
    assert header(request, "Content-Type") == content_type
    assert header(request, "A2A-Version") == version


def test_a_request_says_which_event_it_is_and_when_it_was_sent() -> None:
    request = made(config())
    assert header(request, "webhook-id") == "task.3.1.config"
    assert header(request, "webhook-timestamp") == str(int(NOW.timestamp()))
    assert request.url == "https://example.com/hook"


@pytest.mark.parametrize("name", ["a b", "a/b", "a.b", "\u00e4", "a\r\nb", "x" * 256])
def test_a_webhook_id_is_a_header_value_whatever_the_config_is_called(name: str) -> None:
    registered = PushConfig("task", name, "owner", "https://example.com/", "1.0", "i", "r")
    identity = webhook_id(registered, 1, 0)
    assert identity.isascii()
    assert identity.isprintable()
    assert " " not in identity


def test_two_configs_never_share_a_webhook_id() -> None:
    one = PushConfig("task", "a.0", "owner", "u", "1.0", "i", "r")
    other = PushConfig("task", "a", "owner", "u", "1.0", "i", "r")
    assert webhook_id(one, 1, 0) != webhook_id(other, 1, 0)
    assert webhook_id(other, 1, 0, "nonce") != webhook_id(other, 1, 0)


@pytest.mark.parametrize("trace", [None, "00-67891233abcdef012345678912345678-53995c3f42cd8ad8-01"])
def test_the_trace_goes_along_if_there_is_one(trace: str | None) -> None:
    assert header(made(config(), trace=trace), "traceparent") == trace


@pytest.mark.parametrize("token", [None, "", "t-1"])
def test_the_token_goes_along_if_one_was_registered(token: str | None) -> None:
    assert header(made(config(token=token)), "X-A2A-Notification-Token") == (token or None)


@pytest.mark.parametrize(
    ("scheme", "sent"),
    [
        ("Bearer", "Bearer secret"),
        ("bearer", "Bearer secret"),
        ("BASIC", "Basic secret"),
        ("token", "Token secret"),
        ("Digest", "Digest secret"),
        ("ApiKey", "ApiKey secret"),
    ],
)
@pytest.mark.parametrize("dialect", ["1.0", "0.3"])
def test_credentials_are_sent_under_the_scheme_that_was_registered(dialect: str, scheme: str, sent: str) -> None:
    request = made(config(dialect, authentication={"scheme": scheme, "credentials": "secret"}))
    assert header(request, "Authorization") == sent


@pytest.mark.parametrize(
    ("info", "name", "sent"),
    [
        ({"scheme": "bearer", "credentials": "secret"}, "Authorization", "Bearer secret"),
        ({"scheme": "apiKey", "credentials": "secret"}, "Authorization", "secret"),
        ({"scheme": "apiKey", "credentials": "secret", "headerName": "X-Key"}, "X-Key", "secret"),
        ({"scheme": "bearer", "credentials": "secret", "headerName": "X-Auth"}, "X-Auth", "Bearer secret"),
    ],
)
def test_the_legacy_dialect_may_name_the_header_and_has_bare_schemes(info: Any, name: str, sent: str) -> None:
    request = made(config("legacy", authentication=info))
    assert header(request, name) == sent
    if name != "Authorization":
        assert header(request, "Authorization") is None


@pytest.mark.parametrize("authentication", [None, {"scheme": "Bearer"}, {"scheme": "Bearer", "credentials": ""}])
def test_without_credentials_there_is_no_authorization(authentication: Any) -> None:
    assert header(made(config(authentication=authentication)), "Authorization") is None


def test_a_signer_gets_what_is_sent_and_its_headers_go_along() -> None:
    signed = []

    def sign(registered: PushConfig, identity: str, now: datetime, body: bytes) -> list[tuple[str, str]]:
        signed.append((registered.config_id, identity, now, body))
        return [("webhook-signature", "v1a,abc")]

    request = post(config(), "identity", '{"\u00e4": 1}', "1.0", NOW, sign, None)
    assert signed == [("config", "identity", NOW, request.body)]
    assert header(request, "webhook-signature") == "v1a,abc"


def test_a_body_is_utf_8_and_a_lone_surrogate_spoils_only_itself() -> None:
    assert made(config(), "\u00e4\u20ac").body == "\u00e4\u20ac".encode()
    assert made(config(), "a\ud800b").body == b"a?b"


def test_every_header_that_is_set_here_is_reserved() -> None:
    """Otherwise a client could name it for its credentials, and it would be sent twice."""
    request = post(config(token="t"), "i", "{}", "1.0", NOW, lambda *_: [("webhook-signature", "s")], "00-trace")
    assert {name.lower() for name, _ in request.headers} <= RESERVED_HEADERS
