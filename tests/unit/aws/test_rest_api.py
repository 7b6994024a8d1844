"""Events of a REST API, and that nothing but the way differs from an HTTP API: same request, same answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
from callers import ALICE, BOB, CAROL, NOBODY, Caller
from cloud_stack import CloudStack, handler_module, http_event, rest_event
from harness import ENDPOINT, UNKNOWN_TASK, Reply
from hypothesis import given
from hypothesis import strategies as st
from scripted import LambdaContext

from a2a_lambda.aws import http_api, rest_api
from a2a_lambda.aws.streaming import Front
from a2a_lambda.endpoint.http import EventStream, HttpRequest, HttpResponse

COGNITO = Caller("cognito", {"iam": {"userArn": "arn:of:role", "cognitoIdentity": {"identityId": "us-east-1:one"}}})
CALLERS = [ALICE, BOB, CAROL, COGNITO, NOBODY]

words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), max_size=8)
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)


def both(
    method: str, path: str, body: str | bytes, headers: dict[str, str], caller: Caller, query: str
) -> tuple[HttpRequest, HttpRequest]:
    """One request as each kind of API gives it."""
    public_url = "https://agent.example.com"
    # An HTTP API has decoded the path already.
    whole = http_api.read(http_event(method, unquote(path), body, headers, caller, query), public_url)
    return whole, rest_api.read(rest_event(method, path, body, headers, caller, query), public_url)


@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "HEAD"]),
    segments=st.lists(words.map(lambda word: quote(word, safe="")), max_size=3),
    body=st.text(st.characters(exclude_categories=["Cs"])) | st.binary(),
    headers=st.dictionaries(names, words, max_size=4),
    query=st.lists(st.tuples(names, words), max_size=5),
    caller=st.sampled_from(CALLERS),
)
def test_a_request_reads_the_same_whatever_kind_of_api_it_came_through(
    method: str,
    segments: list[str],
    body: str | bytes,
    headers: dict[str, str],
    query: list[tuple[str, str]],
    caller: Caller,
) -> None:
    by_http, by_rest = both(method, "/" + "/".join(segments), body, headers, caller, urlencode(query))

    assert by_rest == by_http


def test_values_of_a_header_that_was_sent_twice_are_joined_as_an_http_api_joins_them() -> None:
    event = rest_event("GET", "/", "", {}, NOBODY)
    event["multiValueHeaders"] = {"A2A-Extensions": ["https://a.example", "https://b.example"]}
    event["headers"] = {"A2A-Extensions": "https://b.example"}

    assert rest_api.read(event).headers == {"a2a-extensions": "https://a.example,https://b.example"}


def test_an_event_without_lists_of_values_is_read_too() -> None:
    event = rest_event("GET", "/", "", {"X": "1"}, NOBODY, "a=2")
    del event["multiValueHeaders"], event["multiValueQueryStringParameters"]

    request = rest_api.read(event)

    assert (request.headers, request.query) == ({"x": "1"}, {"a": "2"})


@pytest.mark.parametrize("missing", ["headers", "multiValueHeaders", "body", "requestContext", "path", "httpMethod"])
@pytest.mark.parametrize("value", [None, "absent"])
def test_what_an_event_leaves_out_is_empty(missing: str, value: str | None) -> None:
    event = rest_event("GET", "/", "", {}, NOBODY)
    del event[missing]
    if value is None:
        event[missing] = None

    request = rest_api.read(event)

    assert (request.path, request.query, request.body) == ("/", {}, b"")


def test_an_event_that_is_no_request_is_answered_with_an_error_and_breaks_nothing(
    cloud_stack: Callable[..., CloudStack],
) -> None:
    answer = cloud_stack(streaming=True).rest({"invokeCompletionStatus": "SUCCEEDED"})

    assert answer.status == 404


@pytest.mark.parametrize(
    ("requested", "path", "base_url"),
    [
        ("/a2a/", "/", f"{ENDPOINT}/a2a"),
        ("/a2a/v1/tasks", "/v1/tasks", f"{ENDPOINT}/a2a"),
        ("/v1/tasks", "/v1/tasks", ENDPOINT),  # behind a custom domain
        ("/", "/", ENDPOINT),
        ("/other", "/v1", f"{ENDPOINT}/a2a"),
        (None, "/v1", f"{ENDPOINT}/a2a"),
    ],
)
def test_the_stage_is_part_of_the_base_url(requested: str | None, path: str, base_url: str) -> None:
    event = rest_event("GET", path, "", {}, NOBODY)
    event["requestContext"]["path"] = requested

    request = rest_api.read(event)

    assert (request.base_url, request.path) == (base_url, path)


@pytest.mark.parametrize(
    ("public_url", "path", "read"),
    [
        ("https://agent.example.com/", "/v1", "/v1"),
        ("https://agent.example.com/agents/one", "/agents/one/v1", "/v1"),
        ("https://agent.example.com/agents/one", "/agents/one", "/"),
    ],
)
def test_the_operator_may_name_another_url(public_url: str, path: str, read: str) -> None:
    request = rest_api.read(rest_event("GET", path, "", {}, NOBODY), public_url)

    assert (request.base_url, request.path) == (public_url.rstrip("/"), read)


def test_the_base_url_does_not_follow_a_host_header() -> None:
    event = rest_event("GET", "/agentCard", "", {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}, NOBODY)

    assert "evil" not in rest_api.read(event).base_url


@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller.name)
def test_the_owner_is_the_principal_that_the_authorizer_names_and_nobody_else(caller: Caller) -> None:
    forged = {"x-owner": "jwt:dave", "authorization": "Bearer dave", "x-amzn-oidc-identity": "dave"}

    assert rest_api.read(rest_event("POST", "/", "{}", forged, caller)).owner == caller.owner


ISSUER, AUDIENCE = "https://issuer.example.com", "agent"


@pytest.mark.parametrize(
    ("claims", "owner"),
    [
        ({"iss": ISSUER, "aud": AUDIENCE, "sub": "carol"}, "jwt:carol"),
        ({"iss": ISSUER, "aud": ["other", AUDIENCE], "sub": "carol"}, "jwt:carol"),
        ({"iss": ISSUER, "client_id": AUDIENCE, "sub": "carol"}, "jwt:carol"),
        ({"iss": ISSUER, "aud": "other", "sub": "carol"}, "anonymous"),
        ({"iss": ISSUER, "aud": ["other"], "client_id": AUDIENCE, "sub": "carol"}, "anonymous"),
        ({"iss": ISSUER, "sub": "carol"}, "anonymous"),
        ({"iss": f"{ISSUER}/", "aud": AUDIENCE, "sub": "carol"}, "anonymous"),
        ({"aud": AUDIENCE, "sub": "carol"}, "anonymous"),
        ({}, "anonymous"),
    ],
)
def test_a_token_that_the_stack_no_longer_accepts_names_nobody(claims: dict[str, Any], owner: str) -> None:
    """An API that was deployed before the parameters were changed lets it through."""
    event = rest_event("POST", "/", "{}", {}, Caller("token", {"jwt": {"claims": claims}}))

    assert rest_api.read(event, tokens=rest_api.Tokens(ISSUER, frozenset({AUDIENCE}))).owner == owner


@given(
    status=st.sampled_from([200, 204, 304, 400, 404, 500]),
    body=st.text(),
    headers=st.dictionaries(names, words, max_size=3),
)
def test_an_answer_is_written_the_same_and_never_empty(status: int, body: str, headers: dict[str, str]) -> None:
    response = HttpResponse(status, body, headers)

    streamed, whole = rest_api.write(response), http_api.write(response)

    assert (streamed.status, dict(streamed.headers)) == (whole["statusCode"], whole["headers"])
    pieces = list(streamed.body)
    assert all(pieces)
    assert b"".join(pieces).decode("utf-8", "surrogatepass") == (whole["body"] or "\n")
    assert streamed.pause == 0


def test_a_stream_is_handed_on_frame_by_frame_after_a_pause() -> None:
    frames = iter([b"data: 1\n\n", b"data: 2\n\n"])

    streamed = rest_api.write(EventStream(200, {"content-type": "text/event-stream"}, frames))

    assert streamed.body is frames
    assert 0 < streamed.pause < 0.05


def rpc(method: str, params: dict[str, Any], version: str | None) -> tuple[str, str, str, dict[str, str]]:
    headers = {"content-type": "application/json", **({"a2a-version": version} if version else {})}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    return "POST", "/", body, headers


REQUESTS = [
    ("GET", "/.well-known/jwks.json", "", {}),
    ("GET", "/nothing", "", {}),
    ("POST", "/", "{", {"content-type": "application/json"}),
    ("POST", "/", b"\xff", {"content-type": "application/json"}),
    ("POST", "/", "{}", {"content-type": "text/plain"}),
    ("GET", "/tasks?pageSize=5&pageSize=1", "", {"a2a-version": "1.0"}),
    ("GET", "/tasks?contextId=%20%C3%A4&pageToken=", "", {"a2a-version": "1.0"}),
    ("GET", f"/v1/tasks/{UNKNOWN_TASK}", "", {"a2a-version": "1.0", "accept": "application/a2a+json"}),
    ("GET", f"/tasks/{UNKNOWN_TASK}/pushNotificationConfigs/a%20b%2Fc", "", {"a2a-version": "1.0"}),
    rpc("GetTask", {"id": UNKNOWN_TASK}, "1.0"),
    rpc("ListTasks", {}, "1.0"),
    rpc("GetTask", {"id": UNKNOWN_TASK}, "9.9"),
    rpc("tasks/get", {"id": UNKNOWN_TASK}, "0.3"),
    rpc("tasks/get", {"id": UNKNOWN_TASK}, None),
    rpc("message/stream", {}, "0.3"),
    rpc("nothing", {}, None),
]


@pytest.mark.parametrize(("method", "target", "body", "headers"), REQUESTS)
@pytest.mark.parametrize("caller", [ALICE, CAROL], ids=lambda caller: caller.name)
def test_every_json_answer_is_the_same_by_both_kinds_of_api(
    cloud_stack: Callable[..., CloudStack],
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    target: str,
    body: str | bytes,
    headers: dict[str, str],
    caller: Caller,
) -> None:
    stack = cloud_stack(public_url="https://agent.example.com", auth_mode="IAM")
    path, _, query = target.partition("?")

    whole = stack.http(method, unquote(path), body, headers, caller, query)
    by_rest = Front(partial(rest_api.read, public_url="https://agent.example.com"), rest_api.write)
    monkeypatch.setattr(handler_module("rpc"), "front", lambda _: by_rest)
    streamed = stack.rest(rest_event(method, path, body, headers, caller, query))

    assert streamed == Reply(whole.status, whole.headers, whole.body or "\n")


def test_the_handler_takes_the_kind_of_events_that_its_stack_gets(cloud_stack: Callable[..., CloudStack]) -> None:
    cloud_stack()
    assert "statusCode" in handler_module("rpc").handler(
        http_event("GET", "/nothing", "", {}, NOBODY), LambdaContext(lambda: 1_000)
    )
    stack = cloud_stack(streaming=True)
    assert stack.rest(rest_event("GET", "/nothing", "", {}, NOBODY)).status == 404


def test_a_task_is_streamed_by_the_handler_until_its_seconds_are_over(cloud_stack: Callable[..., CloudStack]) -> None:
    stack = cloud_stack(streaming=True, stream_seconds=5)
    method, path, body, headers = rpc("SendStreamingMessage", {"message": stack.message()}, "1.0")

    answer = stack.rest(rest_event(method, path, body, headers, ALICE))

    assert answer.headers["content-type"] == "text/event-stream"
    (first,) = [line for line in answer.body.splitlines() if line.startswith("data: ")]
    assert json.loads(first.removeprefix("data: "))["result"]["task"]["status"]["state"] == "TASK_STATE_SUBMITTED"
