"""The loop that runs rpc where it streams: whole answers, the API's errors, start, end and logs."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from loopback import WAIT
from runtime_api import REQUEST_ID, RuntimeApi

from a2a_lambda.aws.runtime import Loop
from a2a_lambda.aws.runtime_api import Records

# -------------------------------------------------------------------------------------------------------- whole answers


def test_a_handler_gets_the_event_and_its_context_and_its_answer_is_posted(api: RuntimeApi, start: Any) -> None:
    start("app.echo")
    api.event({"a": "\u00e4"}, "Lambda-Runtime-Trace-Id: Root=1-5bef4de7\r\n")

    posted = api.request()

    assert (posted.verb, posted.path) == ("POST", f"/2018-06-01/runtime/invocation/{REQUEST_ID[:-1]}1/response")
    assert json.loads(posted.body) == {
        "event": {"a": "\u00e4"},
        "id": f"{REQUEST_ID[:-1]}1",
        "arn": "arn:aws:lambda:eu-west-1:111122223333:function:f",
        "name": "f",
        "left": True,
        "trace": "Root=1-5bef4de7",
    }


def test_one_process_answers_one_event_after_the_other_and_forgets_the_trace_of_the_last(
    api: RuntimeApi, start: Any
) -> None:
    start("app.echo")
    api.event(1, "Lambda-Runtime-Trace-Id: Root=1-5bef4de7\r\n")
    api.event(2)

    first, second = (json.loads(api.request().body) for _ in range(2))

    assert [first["event"], second["event"]] == [1, 2]
    assert [first["trace"], second["trace"]] == ["Root=1-5bef4de7", None]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("size", [0, 1, 6_000_000])
def test_an_event_of_any_size_arrives_whole(api: RuntimeApi, start: Any, size: int, chunked: bool) -> None:
    start("app.echo")
    api.event("x" * size, chunked=chunked)

    assert json.loads(api.request().body)["event"] == "x" * size


def test_a_handler_that_raises_is_an_error_of_the_invocation_and_the_next_one_is_answered(
    api: RuntimeApi, start: Any
) -> None:
    function = start("app.fails")
    api.event("fail")
    api.event("go on")

    failed, answered = api.request(), api.request()

    assert failed.path.endswith("1/error")
    assert failed.headers["lambda-runtime-function-error-type"] == "Secret"
    assert failed.error["errorType"] == "Secret"
    assert failed.error["errorMessage"].endswith(" fails")
    assert json.loads(answered.body) == "go on"
    assert "[ERROR] Secret" in (written := function.end())
    assert "what the client sent" not in written + failed.body.decode()


def test_a_connection_that_the_handler_loses_is_its_own_error_not_that_of_the_loop(api: RuntimeApi, start: Any) -> None:
    start("app.connection")
    api.event(None)

    assert api.request().error["errorType"] == "ConnectionResetError"
    assert api.asked.acquire(timeout=WAIT)


def test_an_answer_that_is_no_json_is_an_error_of_the_invocation(api: RuntimeApi, start: Any) -> None:
    start("app.unwritable")
    api.event("set")
    api.event("text")

    assert api.request().error["errorType"] == "TypeError"
    assert json.loads(api.request().body) == "text"


def test_an_event_that_is_no_json_is_an_error_of_the_invocation(api: RuntimeApi, start: Any) -> None:
    start("app.echo")
    api.event(b"{")
    api.event("text")

    assert api.request().error["errorType"] == "JSONDecodeError"
    assert json.loads(api.request().body)["event"] == "text"


def test_a_handler_that_exits_fails_its_invocation_and_ends_the_process(api: RuntimeApi, start: Any) -> None:
    function = start("app.exits")
    api.event("exit")

    assert api.request().error["errorType"] == "SystemExit"
    assert "what the client sent" not in function.output(1)


# ----------------------------------------------------------------------------------------------------- the API's errors


@pytest.mark.parametrize("status", [403, 500])
def test_the_process_ends_when_the_api_gives_no_events(api: RuntimeApi, start: Any, status: int) -> None:
    function = start("app.echo")
    api.answer_next(status)

    assert f"answered {status}" in function.output(1)


def test_an_answer_that_is_too_large_is_an_error_of_the_invocation(api: RuntimeApi, start: Any) -> None:
    api.statuses = [413]
    start("app.echo")
    api.event("x" * 100)
    api.event("small")

    api.request()
    failed = api.request()

    assert failed.path.endswith("1/error")
    assert failed.error["errorType"] == "Function.ResponseSizeTooLarge"
    assert json.loads(api.request().body)["event"] == "small"


@pytest.mark.parametrize("handler", ["app.echo", "app.streams"])
def test_an_answer_that_the_api_refuses_concerns_that_invocation_alone(
    api: RuntimeApi, start: Any, handler: str
) -> None:
    api.statuses = [400]
    start(handler)
    api.event({"pieces": ["x"]})
    api.event({"pieces": ["y"]})

    api.request()

    assert api.request().path.endswith("2/response")


@pytest.mark.parametrize("handler", ["app.echo", "app.streams", "app.fails"])
def test_the_process_ends_when_the_api_itself_fails(api: RuntimeApi, start: Any, handler: str) -> None:
    api.statuses = [500]
    function = start(handler)
    api.event("fail" if handler == "app.fails" else {"pieces": ["x"]})

    api.request()

    assert "answered 500" in function.output(1)


# -------------------------------------------------------------------------------------------------------- start and end


def test_a_sigterm_just_before_the_next_event_is_asked_for_ends_the_loop() -> None:
    """Between two looks at it, the signal may come: nothing listens at this address, so asking would fail."""

    class Stopped(Loop):
        def _one(self) -> None:
            self.stop()
            super()._one()

    Stopped("127.0.0.1:1", lambda *_: None, Records()).run()


def test_a_process_that_waits_ends_at_once_on_sigterm(api: RuntimeApi, start: Any) -> None:
    function = start("app.echo")
    assert api.asked.acquire(timeout=WAIT)

    assert function.end() == "imported\n"


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        ("missing.handler", "Runtime.ImportModuleError"),
        ("app.missing", "Runtime.HandlerNotFound"),
        ("app.os", "Runtime.HandlerNotFound"),
        ("app", "Runtime.MalformedHandlerName"),
    ],
)
def test_a_handler_that_cannot_be_loaded_is_an_error_of_the_start(
    api: RuntimeApi, start: Any, handler: str, kind: str
) -> None:
    function = start(handler)

    failed = api.request()

    assert failed.path == "/2018-06-01/runtime/init/error"
    assert failed.headers["lambda-runtime-function-error-type"] == kind
    assert failed.error["errorType"] == kind
    assert kind in function.output(1)


# ----------------------------------------------------------------------------------------------------------------- logs


def test_what_is_printed_and_logged_is_out_before_the_answer(api: RuntimeApi, start: Any) -> None:
    function = start("app.logs")
    api.event(None)
    api.request()

    written = function.end()

    assert "printed\n" in written
    assert f"\t{REQUEST_ID[:-1]}1\tfirst line\nsecond line\n" in written


def test_a_record_of_several_lines_is_one_where_lambda_takes_frames(api: RuntimeApi, start: Any) -> None:
    reader, writer = os.pipe()
    function = start("app.logs", (writer,), _LAMBDA_TELEMETRY_LOG_FD=str(writer))
    os.close(writer)
    api.event(None)
    api.request()
    written = function.end()

    with os.fdopen(reader, "rb") as frames:
        data = frames.read()

    assert int.from_bytes(data[:4], "big") == 0xA55A0003
    assert int.from_bytes(data[4:8], "big") == len(data) - 16
    assert data[16:].endswith(b"first line\nsecond line\n")
    assert written == "imported\nprinted\n"
