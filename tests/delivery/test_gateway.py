"""The local gateway: as strict as API Gateway, as careless of clients that hang up. Functions are real processes."""

from __future__ import annotations

import asyncio
import http.client
import json
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from loopback import WAIT

from environments import HOST, Function, Pool, kept_variables
from gateway import LARGEST_REQUEST, Gateway, Limits

FUNCTION = """
import json, os, socket, sys, time
from pathlib import Path
here = Path(sys.argv[1])
host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
zeros = bytes(8)

def ask(head, body=b""):
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head.encode() + b"\\r\\n\\r\\n" + body)
    return connection

def until(name):
    for _ in range(1000):
        if (here / name).exists():
            return
        time.sleep(0.01)

while True:
    reader = ask("GET /2018-06-01/runtime/invocation/next HTTP/1.1").makefile("rb")
    headers = {}
    while line := reader.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    event = json.loads(reader.read(int(headers["content-length"])))
    told = json.loads(event["body"] or "{}")
    path = "/2018-06-01/runtime/invocation/" + headers["lambda-runtime-aws-request-id"]
    if told.get("die"):
        os._exit(3)
    if told.get("error"):
        ask(f"POST {path}/error HTTP/1.1\\r\\nContent-Length: 21", b'{"errorType": "Mine"}').recv(1)
        continue
    if told.get("whole"):
        ask(f"POST {path}/response HTTP/1.1\\r\\nContent-Length: 2", b"{}").recv(1)
        continue
    head = "Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked"
    connection = ask(f"POST {path}/response HTTP/1.1\\r\\n{head}")
    for piece in told.get("pieces", ["PRELUDE", "ZEROS", "EVENT"]):
        if piece.startswith("wait:"):
            until(piece[5:])
            continue
        if piece.startswith("break"):
            connection.close()
            break
        default = json.dumps({"statusCode": 200, "headers": {"x-pid": str(os.getpid())}})
        named = {"PRELUDE": default.encode(), "ZEROS": zeros, "EVENT": json.dumps(event).encode()}
        data = named.get(piece, piece.encode())
        connection.sendall(b"%x\\r\\n%b\\r\\n" % (len(data), data))
    else:
        trailers = "".join(f"{name}: {value}\\r\\n" for name, value in told.get("trailers", {}).items())
        connection.sendall(f"0\\r\\n{trailers}\\r\\n".encode())
        connection.recv(1)
    (here / "over").touch()
"""


class Client:
    """One connection to the gateway."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection(HOST, port, timeout=WAIT)

    def begin(
        self, told: Any = None, verb: str = "POST", target: str = "/", **headers: str
    ) -> http.client.HTTPResponse:
        """Status and headers; the body can be read from it."""
        self.connection.request(verb, target, json.dumps(told or {}).encode(), headers)
        return self.connection.getresponse()

    def ask(self, told: Any = None, **request: Any) -> tuple[int, bytes]:
        response = self.begin(told, **request)
        return response.status, response.read()

    def event(self, **request: Any) -> dict[str, Any]:
        """The event that the function gets of a request."""
        status, body = self.ask(**request)
        assert status == 200
        found: dict[str, Any] = json.loads(body)
        return found


@contextmanager
def served(directory: Path, seconds: float, limits: Limits) -> Iterator[int]:
    """The port of a gateway before FUNCTION, which runs in a loop of its own."""
    (directory / "function.py").write_text(FUNCTION)
    command = (sys.executable, str(directory / "function.py"), str(directory))
    ready: queue.Queue[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = queue.Queue()

    async def run() -> None:
        pool, over = Pool(Function("f", "app.handler", command, directory, kept_variables(), seconds)), asyncio.Event()
        server = await asyncio.start_server(Gateway(pool, limits).serve, HOST, 0)
        ready.put((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), over))
        await over.wait()
        server.close()
        await pool.close()
        open_connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
        await asyncio.sleep(0)  # until their sockets are closed

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    port, loop, over = ready.get(timeout=WAIT)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(WAIT)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Callable[..., Callable[[], Client]]]:
    """Starts a gateway; what it returns makes connections to it."""
    with ExitStack() as exits:

        def start(seconds: float = 30.0, **limits: Any) -> Callable[[], Client]:
            port = exits.enter_context(served(tmp_path, seconds, Limits(**limits)))

            def connect() -> Client:
                client = Client(port)
                exits.callback(client.connection.close)
                return client

            return connect

        yield start


def wait_for(path: Path) -> None:
    done = threading.Event()
    for _ in range(int(WAIT * 100)):
        if path.exists():
            return
        done.wait(0.01)
    raise AssertionError(f"{path.name} never came")


# --------------------------------------------------------------------------------------------------------------- events


def test_a_request_becomes_an_event_of_payload_format_1(gateway: Any) -> None:
    event = gateway()().event(verb="GET", target="/v1/a%20b?x=1&x=2&empty=", Accept="a")

    assert (event["httpMethod"], event["path"]) == ("GET", "/v1/a%20b")
    assert event["queryStringParameters"] == {"x": "2", "empty": ""}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "empty": [""]}
    assert event["headers"]["Accept"] == "a"
    assert event["multiValueHeaders"]["Accept"] == ["a"]
    assert event["requestContext"]["identity"]["userArn"] is None
    assert event["requestContext"]["path"] == event["path"]  # as behind a custom domain
    assert (event["body"], event["isBase64Encoded"]) == ("{}", False)


def test_a_connection_is_kept_for_the_next_request_and_an_environment_too(gateway: Any) -> None:
    client = gateway()()
    seen = []
    for _ in range(20):
        response = client.begin()
        response.read()
        seen.append(response.getheader("x-pid"))

    assert len(set(seen)) < len(seen)


def test_requests_at_once_have_an_environment_each(gateway: Any, tmp_path: Path) -> None:
    connect = gateway()
    waiting = connect().begin({"pieces": ["PRELUDE", "ZEROS", "wait:go", "x"]})

    other = connect().begin()

    assert waiting.getheader("x-pid") != other.getheader("x-pid")
    (tmp_path / "go").touch()
    assert waiting.read() == b"x"


# -------------------------------------------------------------------------------------------------------------- answers


def test_a_piece_is_there_before_the_next_one_is_made(gateway: Any, tmp_path: Path) -> None:
    response = gateway()().begin({"pieces": ["PRELUDE", "ZEROS", "first", "wait:go", "second"]})

    assert response.read1() == b"first"
    (tmp_path / "go").touch()
    assert response.read() == b"second"


def test_a_piece_can_be_held_back_until_the_next_one_comes(gateway: Any, tmp_path: Path) -> None:
    client = gateway(hold=True)()
    response = client.begin({"pieces": ["PRELUDE", "ZEROS", "first", ":", "wait:go", "last"]})

    assert response.read1() == b"first"
    (tmp_path / "go").touch()
    assert response.read() == b":last"


@pytest.mark.parametrize(
    "pieces",
    [
        ["PRELUDE", "EVENT"],
        ["PRELUDE", "0000000", "EVENT"],
        ["x" * 16_400, "ZEROS"],
        ["{", "ZEROS"],
        ["[]", "ZEROS"],
        ["{}", "ZEROS"],
        ['{"statusCode": "200"}', "ZEROS"],
        ['{"statusCode": 1000}', "ZEROS"],
        ['{"statusCode": 200, "headers": {"a": 1}}', "ZEROS"],
        ['{"statusCode": 200, "headers": {"a": ["b"]}}', "ZEROS"],
        ['{"statusCode": 200, "headers": {"a": "b\\r\\nc: d"}}', "ZEROS"],
        ['{"statusCode": 200, "headers": "a"}', "ZEROS"],
        [],
    ],
)
def test_what_does_not_begin_as_an_answer_is_a_502(gateway: Any, pieces: list[str]) -> None:
    client = gateway()()

    assert client.ask({"pieces": pieces}) == (502, b'{"message": "Internal server error"}')
    assert client.ask()[0] == 200


@pytest.mark.parametrize("told", [{"whole": True}, {"error": True}])
def test_an_answer_that_is_no_stream_is_a_502(gateway: Any, told: dict[str, bool]) -> None:
    client = gateway()()

    assert client.ask(told)[0] == 502
    assert client.ask()[0] == 200


def test_nothing_is_sent_before_the_delimiter(gateway: Any, tmp_path: Path) -> None:
    client = gateway()()
    client.connection.connect()
    client.connection.sock.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.begin({"pieces": ["PRELUDE", "wait:go", "ZEROS", "x"]})
    (tmp_path / "go").touch()


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_body_has_none_whatever_the_function_sends(gateway: Any, status: int) -> None:
    client = gateway()()

    assert client.ask({"pieces": [f'{{"statusCode": {status}}}', "ZEROS", "\n"]}) == (status, b"")
    assert client.ask()[0] == 200


def test_the_answer_to_head_has_no_body(gateway: Any) -> None:
    client = gateway()()

    assert client.ask(verb="HEAD") == (200, b"")
    assert client.ask()[0] == 200


def test_several_cookies_are_several_headers(gateway: Any) -> None:
    prelude = json.dumps({"statusCode": 200, "cookies": ["a=1", "b=2"], "multiValueHeaders": {"x-y": ["1", "2"]}})

    response = gateway()().begin({"pieces": [prelude, "ZEROS", "x"]})

    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert response.headers.get_all("x-y") == ["1", "2"]


# ----------------------------------------------------------------------------------------------------------------- ends


@pytest.mark.parametrize(
    "told",
    [
        {"pieces": ["PRELUDE", "ZEROS", "x", "break"]},
        {"pieces": ["PRELUDE", "ZEROS", "x"], "trailers": {"Lambda-Runtime-Function-Error-Type": "Mine"}},
    ],
)
def test_a_stream_that_breaks_does_not_look_whole(gateway: Any, told: dict[str, Any]) -> None:
    connect = gateway()
    response = connect().begin(told)

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    assert connect().ask()[0] == 200


def test_a_function_that_dies_is_a_502_and_the_next_request_gets_another(gateway: Any) -> None:
    client = gateway()()

    assert client.ask({"die": True})[0] == 502
    assert client.ask()[0] == 200


def test_a_function_beyond_its_time_is_ended(gateway: Any) -> None:
    connect = gateway(seconds=0.2)
    response = connect().begin({"pieces": ["PRELUDE", "ZEROS", "x", "wait:never"]})

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()


@pytest.mark.parametrize("limits", [{"idle": 0.2}, {"total": 0.2}])
def test_a_connection_beyond_its_time_is_closed_and_the_function_runs_on(
    gateway: Any, tmp_path: Path, limits: dict[str, float]
) -> None:
    response = gateway(**limits)().begin({"pieces": ["PRELUDE", "ZEROS", "x", "wait:go", "y"]})

    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        response.read()
    assert not (tmp_path / "over").exists()
    (tmp_path / "go").touch()
    wait_for(tmp_path / "over")


def test_who_hangs_up_does_not_stop_the_function(gateway: Any, tmp_path: Path) -> None:
    connect = gateway()
    client = connect()
    pieces = ["x" * 1_000] * 300
    client.begin({"pieces": ["PRELUDE", "ZEROS", "wait:go", *pieces]})
    client.connection.close()

    (tmp_path / "go").touch()

    wait_for(tmp_path / "over")
    assert connect().ask()[0] == 200


def test_a_request_that_is_too_large_never_reaches_the_function(gateway: Any) -> None:
    client = gateway()()
    client.connection.request("POST", "/", b"x" * (LARGEST_REQUEST + 1))

    assert client.connection.getresponse().status == 413


def test_what_is_no_http_is_a_bad_request(gateway: Any) -> None:
    client = gateway()()
    client.connection.connect()
    client.connection.sock.sendall(b"nonsense\r\n\r\n")

    assert client.connection.sock.recv(100).startswith(b"HTTP/1.1 400 ")
