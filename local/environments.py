"""Lambda's side of a function that streams: execution environments, each with a Runtime API of its own.

The emulator runs functions without a Runtime API and gives whole answers only. Here a deployed function runs as Lambda
runs it: its code, layers, variables and role, one process for each request at a time, an idle one again for the next.
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
DELIMITER = b"\0" * 8

YOUNG = 30 * 60.0
"""Seconds after which an environment gets no further events: the credentials of its role end after an hour."""

STARTING = 10.0
"""Seconds that a process has to ask for its first event, as on Lambda."""

AHEAD = 64
"""Pieces that a function may be ahead of a slow client."""

_INVOCATION = re.compile(r"/2018-06-01/runtime/invocation/([0-9a-f-]{36})/(response|error)")

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


@dataclass(frozen=True)
class Function:
    """What is deployed. ``command`` starts its loop, in ``directory``; ``seconds`` is its time limit."""

    name: str
    handler: str
    command: tuple[str, ...]
    directory: Path
    variables: Mapping[str, str]
    seconds: float


class Call:
    """One invocation. ``pieces`` are those of a stream and end with None; ``failed`` and ``trailers`` say by then what
    went wrong. A whole answer has no pieces: the integration takes streams only."""

    def __init__(self, event: Any) -> None:
        self.event = event
        self.request_id = str(uuid.uuid4())
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue(AHEAD)
        self.finished = asyncio.Event()
        self.failed: dict[str, Any] | None = None
        self.trailers: dict[str, str] = {}
        self.ended = False

    async def piece(self) -> bytes | None:
        """The next piece, None after the last one."""
        if self.ended:
            return None
        piece = await self.pieces.get()
        self.ended = piece is None
        return piece

    async def drain(self) -> None:
        """Lets the function finish although nobody reads: Lambda does not tell it."""
        while await self.piece() is not None:
            pass


@dataclass
class Pool:
    """The environments of a function."""

    function: Function
    idle: list[Environment] = field(default_factory=list)
    all: set[Environment] = field(default_factory=set)

    async def invoke(self, event: Any) -> Call:
        """The invocation, at its beginning. An environment takes it as soon as it is ready."""
        call = Call(event)
        while self.idle:
            environment = self.idle.pop()
            if environment.usable:
                break
            await self.end(environment)
        else:
            environment = Environment(self)
            self.all.add(environment)
            await environment.start()
        environment.take(call)
        return call

    async def end(self, environment: Environment) -> None:
        await environment.end()
        self.all.discard(environment)

    async def close(self) -> None:
        """Ends all environments."""
        await asyncio.gather(*(self.end(environment) for environment in list(self.all)))


class Environment:
    """A process that runs the function, and the Runtime API that it talks to."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._events: asyncio.Queue[Call] = asyncio.Queue(1)
        self._call: Call | None = None
        self._asked = asyncio.Event()
        self._started = time.monotonic()
        self._watch: asyncio.Task[None] | None = None

    @property
    def usable(self) -> bool:
        return self._process.returncode is None and time.monotonic() - self._started < YOUNG

    async def start(self) -> None:
        function = self._pool.function
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        address = "{}:{}".format(*self._server.sockets[0].getsockname()[:2])
        variables = {**function.variables, "AWS_LAMBDA_RUNTIME_API": address, "_HANDLER": function.handler}
        self._process = await asyncio.create_subprocess_exec(*function.command, env=variables, cwd=function.directory)

    def take(self, call: Call) -> None:
        self._call = call
        self._events.put_nowait(call)
        self._watch = asyncio.create_task(self._watched(call))

    async def end(self) -> None:
        self._server.close()
        if self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 5)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _watched(self, call: Call) -> None:
        """Ends a call whose process dies or takes too long, and the environment with it."""
        limits = STARTING, self._pool.function.seconds
        death = asyncio.create_task(self._process.wait())
        for seconds, reached in zip(limits, (self._asked.wait, call.finished.wait), strict=True):
            waiting = asyncio.create_task(reached())
            await asyncio.wait({waiting, death}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if waiting.cancel():  # it did not happen
                call.failed = call.failed or {
                    "errorType": "Sandbox.Timedout" if not death.done() else "Runtime.ExitError"
                }
                log(f"{self._pool.function.name}: {call.failed['errorType']}")
                await self._finish(call)
                death.cancel()
                await self._pool.end(self)
                return
        death.cancel()

    async def _finish(self, call: Call) -> None:
        """The end of a call's pieces. If nobody takes them, the front drains them."""
        self._call = None
        call.finished.set()
        await call.pieces.put(None)

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        try:
            while (request := await read_head(reader)) is not None:
                verb, path, headers = request
                if verb == "GET" and path.endswith("/runtime/invocation/next"):
                    await self._next(writer)
                else:
                    await self._posted(path, headers, reader, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass  # the process is gone, or does not speak HTTP: its call ends with it
        finally:
            writer.close()

    async def _next(self, writer: Writer) -> None:
        self._asked.set()
        if self._call is None and self not in self._pool.idle and self in self._pool.all:
            self._pool.idle.append(self)
        call = await self._events.get()
        body = json.dumps(call.event).encode()
        deadline = int((time.time() + self._pool.function.seconds) * 1000)
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"Lambda-Runtime-Aws-Request-Id: {call.request_id}\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n"
            f"Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:"
            f"{self._pool.function.name}\r\n\r\n".encode()
        )
        writer.write(body)

    async def _posted(self, path: str, headers: Mapping[str, str], reader: Reader, writer: Writer) -> None:
        call, found = self._call, _INVOCATION.fullmatch(path)
        if found is None or call is None or found[1] != call.request_id:
            body = await read_body(reader, headers)
            if call is not None and path.endswith("/runtime/init/error"):
                call.failed = json.loads(body)
            known = path.endswith("/runtime/init/error")
            respond(writer, 202 if known else 400, b'{"errorType":"InvalidRequestID"}')
            return
        if found[2] == "response" and headers.get("lambda-runtime-function-response-mode") == "streaming":
            try:
                async for piece in chunks(reader, call.trailers):
                    await call.pieces.put(piece)
            except (asyncio.IncompleteReadError, ConnectionError, ValueError):
                call.trailers["lambda-runtime-function-error-type"] = "Runtime.TruncatedResponse"
        else:
            body = await read_body(reader, headers)
            if found[2] == "error":
                call.failed = json.loads(body)
        if failure := call.trailers.get("lambda-runtime-function-error-body"):
            log(f"{self._pool.function.name}: the stream failed: {base64.b64decode(failure).decode()}")
        if call.failed is not None:
            log(f"{self._pool.function.name}: {json.dumps(call.failed)}")
        respond(writer, 202, b"{}")
        await writer.drain()
        await self._finish(call)


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def respond(writer: Writer, status: int, body: bytes) -> None:
    writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


async def read_head(reader: Reader) -> tuple[str, str, dict[str, str]] | None:
    """Verb, target and headers (names in lower case; of several of one name the last) of a request; None at the end."""
    line = await reader.readline()
    if not line:
        return None
    verb, target, _ = line.decode("latin-1").split(" ", 2)
    return verb, target, {name.lower(): value for name, value in await read_fields(reader)}


async def read_fields(reader: Reader) -> list[tuple[str, str]]:
    """Headers or trailers as they were sent."""
    found = []
    while line := (await reader.readline()).rstrip(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        found.append((name.strip(), value.strip()))
    return found


async def chunks(reader: Reader, trailers: dict[str, str] | None = None) -> AsyncIterator[bytes]:
    """The pieces of a chunked body. ``trailers`` gets those that come after it."""
    while size := int((await reader.readuntil(b"\n")).partition(b";")[0], 16):
        piece = await reader.readexactly(size)
        await reader.readexactly(2)
        yield piece
    for name, value in await read_fields(reader):
        if trailers is not None:
            trailers[name.lower()] = value


async def read_body(reader: Reader, headers: Mapping[str, str]) -> bytes:
    """The body of a request, chunked or not. Raises ``ValueError`` for a length that is none."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return b"".join([piece async for piece in chunks(reader)])
    return await reader.readexactly(int(headers.get("content-length", "0")))


def kept_variables() -> dict[str, str]:
    """What a process needs of the person's shell: no more, as on Lambda."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
