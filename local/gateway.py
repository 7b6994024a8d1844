"""A local API Gateway for what the emulator cannot do: a REST API in STREAM mode, before the deployed rpc function.

    python local/gateway.py --instance NAME --stack NAME --port PORT [--hold] [--idle SECONDS] [--total SECONDS]

It is strict, so that what works here is what AWS takes: an answer has to begin with its status and headers as JSON (the
headers texts) and eight NULs within 16 kB, else the client gets a 502; nothing is sent before; a stream that breaks is
cut off; what is idle or open for too long is closed, and the function runs on. With `--hold` each piece is kept until
the next one comes, as Lambda has been seen to do. It is mapped to the root of its address, as a custom domain is.
Callers are not checked: AuthMode NONE.

https://docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import emulator as emulators
from deployed import deployed
from emulator import HOST, LocalAwsError
from environments import DELIMITER, Call, Pool, Reader, Writer, chunks, log, read_fields

IDLE, TOTAL = 300.0, 900.0
"""Seconds after which a connection on which nothing is sent, and any connection, is closed."""

LARGEST_REQUEST = 10 * 1024 * 1024
PRELUDE = 16 * 1024
"""Bytes within which an answer's body has to begin."""

WITHOUT_BODY = {204, 304}
_CONNECTION = {"connection", "content-length", "keep-alive", "transfer-encoding"}


class BadAnswer(Exception):
    """What the function sent is no answer. The client gets a 502, the log the reason."""


class Request(NamedTuple):
    """A request as it was sent."""

    verb: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


@dataclass(frozen=True)
class Limits:
    """``hold``: whether a piece is kept until the next one comes."""

    idle: float = IDLE
    total: float = TOTAL
    hold: bool = False


class Gateway:
    """Hands each request on as an event, and the function's stream back."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self._pool = pool
        self._limits = limits
        self._drains: set[asyncio.Task[None]] = set()

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """One connection, for as many requests as its client sends."""
        try:
            while (request := await read_request(reader, writer)) is not None:
                await self._answer(request, writer)
                await writer.drain()
        except ValueError:
            refuse(writer, request=None, status=400)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client is gone
        finally:
            writer.close()

    async def _answer(self, request: Request, writer: Writer) -> None:
        if len(request.body) > LARGEST_REQUEST:
            refuse(writer, request, 413)
            return
        call = await self._pool.invoke(event_of(request))
        try:
            async with asyncio.timeout(self._limits.total):
                await self._relay(request, call, writer)
        except BadAnswer as reason:
            log(f"502 for {request.verb} {request.target}: {reason}")
            refuse(writer, request, 502)
        except TimeoutError:
            log(f"{request.verb} {request.target} is idle or open for too long")
            writer.transport.abort()
        finally:
            # As on Lambda: who hangs up stops nothing.
            drain = asyncio.create_task(call.drain())
            self._drains.add(drain)
            drain.add_done_callback(self._drains.discard)

    async def _relay(self, request: Request, call: Call, writer: Writer) -> None:
        """Raises :class:`BadAnswer` before anything is sent, ``TimeoutError`` at a limit."""
        received = b""
        while DELIMITER not in received[:PRELUDE] and len(received) < PRELUDE:
            piece = await self._piece(call)
            if piece is None:
                break
            received += piece
        prelude, delimiter, rest = received.partition(DELIMITER)
        if call.failed is not None:
            raise BadAnswer(call.failed.get("errorType", "the function failed"))
        if not delimiter or len(prelude) + len(delimiter) > PRELUDE:
            raise BadAnswer("no status and headers that end with eight NULs within 16 kB")
        status, headers = read_prelude(prelude)
        whole = request.verb == "HEAD" or status in WITHOUT_BODY
        write_head(writer, status, headers, chunked=not whole)
        await writer.drain()
        held = b""
        piece: bytes | None = rest
        while piece is not None:
            if not whole:
                ready, held = (held, piece) if self._limits.hold else (piece, b"")
                write_chunk(writer, ready)
                await writer.drain()
            piece = await self._piece(call)
        if call.trailers or call.failed:
            writer.transport.abort()  # what is broken must not look like a whole answer
        elif not whole:
            write_chunk(writer, held)
            writer.write(b"0\r\n\r\n")

    async def _piece(self, call: Call) -> bytes | None:
        return await asyncio.wait_for(call.piece(), self._limits.idle)


def event_of(request: Request) -> dict[str, Any]:
    """The event of a REST API (payload format 1.0), mapped to the root of a domain."""
    path, _, query = request.target.partition("?")
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value)
    asked: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        asked.setdefault(name, []).append(value)
    identity = dict.fromkeys(("accessKey", "accountId", "caller", "cognitoIdentityId", "user", "userArn"))
    return {
        "resource": "/{proxy+}" if path != "/" else "/",
        "path": path,
        "httpMethod": request.verb,
        "headers": {name: values[-1] for name, values in headers.items()} or None,
        "multiValueHeaders": headers or None,
        "queryStringParameters": {name: values[-1] for name, values in asked.items()} or None,
        "multiValueQueryStringParameters": asked or None,
        "pathParameters": {"proxy": unquote(path.lstrip("/"))} if path != "/" else None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": request.header("host"),
            "httpMethod": request.verb,
            "identity": {**identity, "sourceIp": HOST, "userAgent": request.header("user-agent")},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "resourcePath": "/{proxy+}",
            "stage": "a2a",
        },
        "body": request.body.decode("utf-8", "replace") or None,
        "isBase64Encoded": False,
    }


def read_prelude(prelude: bytes) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers. Raises :class:`BadAnswer`."""
    try:
        answer = json.loads(prelude)
        status, headers = answer["statusCode"], dict(answer.get("headers") or {})
        many = dict(answer.get("multiValueHeaders") or {}) | {"Set-Cookie": list(answer.get("cookies") or [])}
    except (KeyError, TypeError, ValueError) as error:
        raise BadAnswer(f"status and headers are no JSON object ({type(error).__name__})") from error
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise BadAnswer(f"the status {status!r} is none")
    pairs = [*headers.items(), *((name, value) for name, values in many.items() for value in values)]
    for name, value in pairs:
        if not isinstance(value, str) or set("\r\n") & set(name + value):
            raise BadAnswer(f"the header {name} is no text")
    return status, [(name, value) for name, value in pairs if name.lower() not in _CONNECTION]


def write_head(writer: Writer, status: int, headers: Sequence[tuple[str, str]], *, chunked: bool) -> None:
    phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "X"
    framing = (
        "Transfer-Encoding: chunked\r\n" if chunked else "Content-Length: 0\r\n" if status not in WITHOUT_BODY else ""
    )
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    writer.write(f"HTTP/1.1 {status} {phrase}\r\n{fields}{framing}\r\n".encode("latin-1", "replace"))


def write_chunk(writer: Writer, piece: bytes) -> None:
    if piece:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))


def refuse(writer: Writer, request: Request | None, status: int) -> None:
    """API Gateway's own answer."""
    body = b"" if request and request.verb == "HEAD" else b'{"message": "Internal server error"}'
    if status != 502:
        body = json.dumps({"message": HTTPStatus(status).phrase}).encode()
    head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


async def read_request(reader: Reader, writer: Writer) -> Request | None:
    """The next request; None at the end. Raises ``ValueError`` for what is no HTTP."""
    line = await reader.readline()
    if not line:
        return None
    verb, target, _ = line.decode("latin-1").split(" ", 2)
    headers = await read_fields(reader)
    request = Request(verb, target, headers, b"")
    if request.header("expect").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in request.header("transfer-encoding").lower():
        return request._replace(body=b"".join([piece async for piece in chunks(reader)]))
    return request._replace(body=await reader.readexactly(int(request.header("content-length") or "0")))


async def run(options: argparse.Namespace) -> None:
    """Until SIGTERM, or until the emulator is gone."""
    running = emulators.find(options.instance)
    if running is None:
        raise LocalAwsError(f"There is no local AWS of the name {options.instance}")
    with tempfile.TemporaryDirectory() as directory:
        function = deployed(running, options.stack, options.function, Path(directory))
        pool = Pool(function)
        gateway = Gateway(pool, Limits(options.idle, options.total, options.hold))
        server = await asyncio.start_server(gateway.serve, HOST, options.port)
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
        log(f"listening on {options.port}")
        try:
            while not ended.is_set() and emulators.find(options.instance) is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(ended.wait(), 1)
        finally:
            server.close()
            await pool.close()


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A local API Gateway that streams.")
    parser.add_argument("--instance", required=True, help="the local AWS: its directory below .local")
    parser.add_argument("--stack", required=True, help="the stack on it")
    parser.add_argument("--function", default="RpcFunction", help="its logical id; default RpcFunction")
    parser.add_argument("--port", type=int, required=True, help="on the loopback address")
    parser.add_argument("--hold", action="store_true", help="keep each piece until the next one comes")
    parser.add_argument("--idle", type=float, default=IDLE, metavar="SECONDS", help=f"default {IDLE:.0f}")
    parser.add_argument("--total", type=float, default=TOTAL, metavar="SECONDS", help=f"default {TOTAL:.0f}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        asyncio.run(run(parse(arguments)))
    except (LocalAwsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
