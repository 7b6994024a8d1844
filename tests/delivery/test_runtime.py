"""The loop that runs rpc where it streams, as a process of its own, against a Runtime API on loopback."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud import ROOT
from loopback import WAIT
from runtime_api import REQUEST_ID, RuntimeApi, runtime_api

WRAPPER = ROOT / "layers" / "common" / "a2a-runtime"
ZEROS = b"\0" * 8

HANDLERS = """
import os, sys, time
from a2a_lambda.aws.streamed import Streamed

print("imported")

class Secret(Exception):
    pass

def echo(event, context):
    return {
        "event": event,
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "name": context.function_name,
        "left": 0 < context.get_remaining_time_in_millis() <= 30_000,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }

def fails(event, context):
    if event == "fail":
        raise Secret("what the client sent")
    return event

def exits(event, context):
    if event == "exit":
        sys.exit("what the client sent")
    return event

def connection(event, context):
    raise ConnectionResetError("of some webhook")

def unwritable(event, context):
    return {1, 2} if event == "set" else event

def streams(event, context):
    def body():
        try:
            for piece in event["pieces"]:
                if piece is None:
                    raise Secret("what the client sent")
                if piece == "exit":
                    sys.exit(3)
                if piece == "wait":
                    time.sleep(60)
                yield piece.encode()
        finally:
            print("closed")
    return Streamed(event.get("status", 200), event.get("headers", {"content-type": "text/event-stream"}), body())

def endless(event, context):
    def body():
        try:
            while True:
                yield b"x" * 65536
        finally:
            print("closed")
    return Streamed(200, {}, body()) if event == "endless" else event

def logs(event, context):
    import logging
    logging.getLogger("library").warning("first line\\nsecond line")
    print("printed")
    return "ok"
"""


class Function:
    """A process with a handler of HANDLERS. ``output`` is all that it wrote, once it has ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        return self.output(0)

    def output(self, code: int) -> str:
        written, _ = self.process.communicate(timeout=WAIT)
        assert self.process.returncode == code, written
        return written


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with runtime_api() as served:
        yield served


@pytest.fixture
def start(api: RuntimeApi, tmp_path: Path) -> Iterator[Callable[..., Function]]:
    """Starts the loop with a handler, by the wrapper, as Lambda does."""
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "app.py").write_text(HANDLERS)
    opt = tmp_path / "opt"
    opt.mkdir()
    (opt / "python").symlink_to(ROOT / "layers" / "common")
    (opt / "a2a-runtime").symlink_to(WRAPPER)
    started: list[Function] = []

    def begin(handler: str, pass_fds: tuple[int, ...] = (), **variables: str) -> Function:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "LAMBDA_TASK_ROOT": str(tmp_path / "task"),
            "_HANDLER": handler,
            **variables,
        }
        command = [str(opt / "a2a-runtime"), sys.executable, "/var/runtime/bootstrap.py"]
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=pass_fds,
        )
        started.append(Function(process))
        return started[-1]

    yield begin
    for function in started:
        function.process.kill()
        function.process.communicate()


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


# -------------------------------------------------------------------------------------------------------------- streams


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


def test_a_process_that_waits_ends_at_once_on_sigterm(api: RuntimeApi, start: Any) -> None:
    function = start("app.echo")
    assert api.asked.acquire(timeout=WAIT)

    assert function.end() == "imported\n"


def test_a_stream_ends_whole_on_sigterm_so_that_its_client_subscribes_again(api: RuntimeApi, start: Any) -> None:
    function = start("app.streams")
    api.event({"pieces": ["first", "wait"]})
    assert [api.piece() for _ in range(3)][2] == b"first"

    written = function.end()

    sent = api.request()
    assert sent.complete
    assert sent.trailers == {}
    assert written == "imported\nclosed\n"


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
