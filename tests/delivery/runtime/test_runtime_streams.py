"""Streams of the loop that runs rpc where it streams."""

from __future__ import annotations

import base64
import json
from typing import Any

from runtime_api import REQUEST_ID, RuntimeApi
from runtime_function import ZEROS


def test_a_stream_is_sent_as_the_runtime_api_wants_it(api: RuntimeApi, start: Any) -> None:
    start("app.streams")
    api.event({"pieces": ["data: 1\n\n", "", "data: \u00e4\n\n"], "status": 201, "headers": {"x-a": 1}})

    sent = api.request()

    assert sent.head.decode().split("\r\n") == [
        f"POST /2018-06-01/runtime/invocation/{REQUEST_ID[:-1]}1/response HTTP/1.1",
        f"Host: {api.address}",
        "Content-Type: application/vnd.awslambda.http-integration-response",
        "Lambda-Runtime-Function-Response-Mode: streaming",
        "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
        "Connection: close",
        "Transfer-Encoding: chunked",
        "",
        "",
    ]
    prelude = b'{"statusCode": 201, "headers": {"x-a": "1"}}'
    assert sent.chunks == [prelude, ZEROS, b"data: 1\n\n", "data: \u00e4\n\n".encode()]
    assert sent.complete
    assert sent.trailers == {}


def test_each_piece_is_sent_when_it_is_made(api: RuntimeApi, start: Any) -> None:
    start("app.streams")
    api.event({"pieces": ["first", "wait"]})

    assert [api.piece() for _ in range(3)][2] == b"first"


def test_the_same_process_streams_again_and_answers_whole_in_between(api: RuntimeApi, start: Any) -> None:
    start("app.endless")
    for _ in range(2):
        api.hang_up_after = 3
        api.event("endless")
        api.event("whole")
        assert not api.request().complete
        assert json.loads(api.request().body) == "whole"


def test_headers_that_cannot_be_sent_are_an_error_and_not_half_a_stream(api: RuntimeApi, start: Any) -> None:
    start("app.streams")
    api.event({"pieces": ["x"], "headers": None})

    failed = api.request()

    assert failed.path.endswith("/error")
    assert failed.error["errorType"] == "AttributeError"


def test_a_stream_that_fails_says_so_in_its_trailers(api: RuntimeApi, start: Any) -> None:
    function = start("app.streams")
    api.event({"pieces": ["first", None]})
    api.event({"pieces": ["again"]})

    broken, whole = api.request(), api.request()

    assert broken.chunks[2:] == [b"first"]
    assert broken.trailers["Lambda-Runtime-Function-Error-Type"] == "Secret"
    description = json.loads(base64.b64decode(broken.trailers["Lambda-Runtime-Function-Error-Body"]))
    assert description["errorType"] == "Secret"
    assert "what the client sent" not in json.dumps(description)
    assert whole.chunks[2:] == [b"again"]
    assert whole.trailers == {}
    written = function.end()
    assert "[ERROR] Secret" in written
    assert written.count("closed") == 2


def test_a_stream_that_exits_says_so_and_ends_the_process(api: RuntimeApi, start: Any) -> None:
    function = start("app.streams")
    api.event({"pieces": ["first", "exit"]})

    assert api.request().trailers["Lambda-Runtime-Function-Error-Type"] == "SystemExit"
    assert "closed" in function.output(1)


def test_a_stream_that_nobody_takes_any_more_is_closed_and_the_next_event_is_answered(
    api: RuntimeApi, start: Any
) -> None:
    function = start("app.endless")
    api.hang_up_after = 5
    api.event("endless")
    api.event("whole")

    assert not api.request().complete
    assert json.loads(api.request().body) == "whole"
    assert "closed" in function.end()


def test_a_stream_ends_whole_on_sigterm_so_that_its_client_subscribes_again(api: RuntimeApi, start: Any) -> None:
    function = start("app.streams")
    api.event({"pieces": ["first", "wait"]})
    assert [api.piece() for _ in range(3)][2] == b"first"

    written = function.end()

    sent = api.request()
    assert sent.complete
    assert sent.trailers == {}
    assert written == "imported\nclosed\n"
