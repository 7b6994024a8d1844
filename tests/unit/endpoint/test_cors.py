"""Pages in browsers: what a preflight is told, and which answers a page may read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from callers import ALICE, NOBODY
from cloud_stack import CloudStack
from harness import UNKNOWN_TASK

from a2a_lambda.endpoint.cors import Cors
from a2a_lambda.endpoint.discovery import PATHS
from a2a_lambda.endpoint.http import EventStream, HttpRequest, HttpResponse

PAGE, OTHER = "https://app.example.com", "https://evil.example.com"
ASKS = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


def answer(
    origins: set[str],
    method: str,
    path: str,
    headers: dict[str, str],
    response: HttpResponse | EventStream | None = None,
) -> HttpResponse | EventStream:
    request = HttpRequest(method, path, "anonymous", "https://agent.example.com", headers)
    return Cors(origins, PATHS).answer(request, lambda _: response or HttpResponse(200, "{}", {"vary": "Accept"}))


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/message:stream", f"/tasks/{UNKNOWN_TASK}"])
def test_a_page_of_an_allowed_origin_may_call_with_credentials_and_read_the_answer(path: str) -> None:
    preflight = answer({PAGE}, "OPTIONS", path, {"origin": PAGE, **ASKS})

    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == PAGE
    assert {"POST", "GET", "DELETE"} <= set(preflight.headers["access-control-allow-methods"].split(", "))
    allowed = preflight.headers["access-control-allow-headers"].lower().split(", ")
    assert {"authorization", "content-type", "a2a-version", "a2a-extensions", "last-event-id", "x-amz-date"} <= set(
        allowed
    )
    assert preflight.headers["vary"] == "Origin"
    read = answer({PAGE}, "POST", path, {"origin": PAGE})
    assert (read.status, read.headers["access-control-allow-origin"]) == (200, PAGE)
    assert read.headers["vary"] == "Accept, Origin"
    assert "A2A-Extensions" in read.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origins", [set(), {PAGE}, {"http://evil.example.com"}, {"https://evil.example.com:444"}])
@pytest.mark.parametrize("origin", [OTHER, "null", "", f"{PAGE}.evil.example", PAGE.upper()])
def test_a_page_of_another_origin_learns_nothing(origins: set[str], origin: str) -> None:
    for method, headers in (("OPTIONS", ASKS), ("POST", {})):
        got = answer(origins, method, "/", {"origin": origin, **headers})
        assert not [name for name in got.headers if name.startswith("access-control-")]
        assert got.status == 200  # the endpoint's own answer, and not a permission


def test_without_an_origin_nothing_is_added() -> None:
    assert answer({PAGE}, "POST", "/", {}).headers == {"vary": "Accept"}


@pytest.mark.parametrize("path", sorted(PATHS))
@pytest.mark.parametrize("origins", [set(), {PAGE}])
@pytest.mark.parametrize("origin", [{}, {"origin": OTHER}])
def test_any_page_may_read_the_card_and_the_keys(path: str, origins: set[str], origin: dict[str, str]) -> None:
    read = answer(origins, "GET", path, origin)

    assert read.headers["access-control-allow-origin"] == "*"
    assert read.headers["vary"] == "Accept"
    assert answer(origins, "OPTIONS", path, {**origin, **ASKS}).headers["access-control-allow-origin"] == "*"


def test_a_star_allows_every_page() -> None:
    assert answer({"*"}, "POST", "/", {"origin": OTHER}).headers["access-control-allow-origin"] == "*"


def test_credentials_of_the_browser_are_never_allowed() -> None:
    for origins in ({PAGE}, {"*"}):
        for method, headers in (("OPTIONS", ASKS), ("POST", {})):
            assert (
                "access-control-allow-credentials"
                not in answer(origins, method, "/", {"origin": PAGE, **headers}).headers
            )


def test_a_stream_may_be_read_too() -> None:
    frames = iter([b"data: 1\n\n"])

    got = answer({PAGE}, "POST", "/", {"origin": PAGE}, EventStream(200, {"content-type": "text/event-stream"}, frames))

    assert isinstance(got, EventStream)
    assert got.frames is frames
    assert got.headers["access-control-allow-origin"] == PAGE


def test_an_options_request_that_is_no_preflight_is_answered_by_the_endpoint() -> None:
    assert answer({PAGE}, "OPTIONS", "/", {"origin": PAGE}).status == 200


@pytest.mark.parametrize("streaming", [False, True])
def test_the_function_reads_the_origins_from_its_environment(
    cloud_stack: Callable[..., CloudStack], monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    stack = cloud_stack(auth_mode="IAM", streaming=streaming)
    monkeypatch.setenv("CORS_ALLOW_ORIGINS", f"{PAGE},https://b.example.com")

    assert stack.http("OPTIONS", "/", "", {"origin": PAGE, **ASKS}, NOBODY).status == 204
    refused = stack.http("OPTIONS", "/", "", {"origin": OTHER, **ASKS}, NOBODY)
    assert refused.status == 401
    assert not [name for name in refused.headers if name.startswith("access-control-")]
    # A refusal can be read, too: a page has to show why.
    assert stack.http("POST", "/", "", {"origin": PAGE}, NOBODY).headers["access-control-allow-origin"] == PAGE
    called = stack.http("POST", "/", "{", {"origin": PAGE, "content-type": "application/json"}, ALICE)
    assert called.headers["access-control-allow-origin"] == PAGE
    assert json.loads(called.body)["error"]["code"] == -32700


@pytest.mark.parametrize("path", sorted(PATHS))
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_nothing_but_reading_is_open_at_the_public_paths(
    cloud_stack: Callable[..., CloudStack], path: str, method: str
) -> None:
    """The API lets every method through there."""
    body: Any = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ListTasks", "params": {}})
    stack = cloud_stack(auth_mode="IAM")
    before = stack.snapshot()

    assert stack.http(method, path, body, {"content-type": "application/json"}, NOBODY).status == 401
    assert stack.snapshot() == before
