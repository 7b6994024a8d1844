"""Events of API Gateway: who called, where the endpoint is, and what was sent."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from callers import ALICE, CAROL, NOBODY, Caller, iam_role, iam_user, jwt
from cloud_stack import http_event

from a2a_lambda.aws.http_api import ANONYMOUS, owner_of, read, write
from a2a_lambda.endpoint.http import HttpResponse


def event(**changed: Any) -> dict[str, Any]:
    return {**http_event("POST", "/", "{}", {}, NOBODY), **changed}


# --------------------------------------------------------------------------------------------------------------- owners


@pytest.mark.parametrize(
    ("authorizer", "owner"),
    [
        ({}, ANONYMOUS),
        ({"iam": None}, ANONYMOUS),
        ({"jwt": None}, ANONYMOUS),
        ({"jwt": {"claims": None, "scopes": None}}, ANONYMOUS),
        ({"jwt": {"claims": {"sub": ""}}}, ANONYMOUS),
        (jwt("carol"), "jwt:carol"),
        ({"jwt": {"claims": {"sub": "carol", "client_id": "app"}}}, "jwt:carol"),
        ({"jwt": {"claims": {"client_id": "app"}}}, "jwt-client:app"),
        ({"jwt": {"claims": {"azp": "app"}}}, "jwt-client:app"),
        (iam_user("alice"), "iam:arn:aws:iam::111122223333:user/alice"),
        (iam_role("orders", "i-1"), "iam:arn:aws:sts::111122223333:assumed-role/orders"),
        ({"iam": {"userArn": "arn:aws:iam::111122223333:root"}}, "iam:arn:aws:iam::111122223333:root"),
        (
            {"iam": {"userArn": "arn:aws-cn:sts::111122223333:assumed-role/orders/session"}},
            "iam:arn:aws-cn:sts::111122223333:assumed-role/orders",
        ),
        (
            {"iam": {"userArn": "arn:aws:sts::111122223333:federated-user/alice"}},
            "iam:arn:aws:sts::111122223333:federated-user/alice",
        ),
    ],
)
def test_the_owner_is_the_principal_that_the_authorizer_names(authorizer: dict[str, Any], owner: str) -> None:
    assert owner_of(authorizer) == owner


def test_a_role_is_one_owner_in_all_its_sessions_and_another_role_is_another() -> None:
    sessions = {owner_of(iam_role("orders", session)) for session in ("i-1", "i-2", "a@example.com")}
    assert len(sessions) == 1
    assert sessions != {owner_of(iam_role("billing", "i-1"))}


def test_the_users_of_a_cognito_identity_pool_are_owners_of_their_own_although_they_share_a_role() -> None:
    def user(identity: str) -> str:
        authorizer = iam_role("pool", "CognitoIdentityCredentials")
        identity_of_pool = {"amr": ["authenticated"], "identityId": identity, "identityPoolId": "us-east-1:pool"}
        return owner_of({"iam": {**authorizer["iam"], "cognitoIdentity": identity_of_pool}})

    assert user("us-east-1:one") == "cognito:us-east-1:one"
    assert user("us-east-1:one") != user("us-east-1:two")


def test_no_name_in_one_scheme_can_pass_for_one_in_another() -> None:
    arn = "arn:aws:iam::111122223333:user/alice"
    owners = {owner_of(jwt(arn)), owner_of({"iam": {"userArn": arn}}), owner_of(jwt("anonymous")), ANONYMOUS}
    assert len(owners) == 4


@pytest.mark.parametrize("caller", [ALICE, CAROL, NOBODY], ids=lambda caller: caller.name)
def test_the_owner_of_a_request_comes_from_its_authorizer_and_from_nothing_else(caller: Caller) -> None:
    forged = {"x-owner": "jwt:dave", "authorization": "Bearer dave", "x-amzn-oidc-identity": "dave"}
    assert read(http_event("POST", "/", "{}", forged, caller)).owner == caller.owner


# ------------------------------------------------------------------------------------------------------------- requests


def test_a_request_is_read_as_it_was_sent() -> None:
    request = read(http_event("POST", "/v1", "\u00e4", {"X-Some": "Value"}, NOBODY, "A2A-Version=1.0&empty=&a=%20b"))
    assert (request.method, request.path, request.body) == ("POST", "/v1", "\u00e4".encode())
    assert request.headers == {"x-some": "Value"}
    assert request.query == {"A2A-Version": "1.0", "empty": "", "a": " b"}


def test_names_of_headers_are_read_in_any_case() -> None:
    assert read(event(headers={"Content-TYPE": "application/json"})).headers == {"content-type": "application/json"}


@pytest.mark.parametrize("missing", ["headers", "body", "rawQueryString", "rawPath"])
@pytest.mark.parametrize("value", [None, "absent"])
def test_what_an_event_leaves_out_is_empty(missing: str, value: str | None) -> None:
    given = event()
    given.pop(missing, None)
    if value is None:
        given[missing] = None
    request = read(given)
    assert request.path == "/"
    assert request.query == {}


def test_a_body_in_base64_is_decoded() -> None:
    body = bytes(range(256))
    given = event(body=base64.b64encode(body).decode(), isBase64Encoded=True)
    assert read(given).body == body


@pytest.mark.parametrize("body", ["x", "!!!!x", "\u00e9"])
def test_a_body_that_is_no_base64_is_empty(body: str) -> None:
    assert read(event(body=body, isBase64Encoded=True)).body == b""


def test_a_lone_surrogate_in_a_body_stays_what_it_is_for_the_parser_to_refuse() -> None:
    assert read(event(body="\ud800")).body == b"\xed\xa0\x80"


@pytest.mark.parametrize(
    ("public_url", "base_url"),
    [
        ("", "https://abc123.execute-api.us-east-1.amazonaws.com"),
        ("https://agent.example.com", "https://agent.example.com"),
        ("https://agent.example.com/", "https://agent.example.com"),
        (
            "http://localhost:4580/_aws/execute-api/{apiId}/$default",
            "http://localhost:4580/_aws/execute-api/abc123/$default",
        ),
    ],
)
def test_the_base_url_is_the_apis_own_unless_the_operator_names_another(public_url: str, base_url: str) -> None:
    assert read(event(), public_url).base_url == base_url


def test_the_base_url_does_not_follow_a_host_header() -> None:
    """A card that names what the caller wrote would lead other clients astray, caches included."""
    request = read(
        http_event("GET", "/agentCard", "", {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}, NOBODY)
    )
    assert "evil" not in request.base_url


def test_a_response_is_written_for_payload_format_2() -> None:
    response = HttpResponse(201, "\u00e4", {"content-type": "application/json"})
    assert write(response) == {"statusCode": 201, "headers": {"content-type": "application/json"}, "body": "\u00e4"}
