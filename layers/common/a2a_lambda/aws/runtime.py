"""The loop between Lambda's Runtime API and a handler, for a function whose answers may be streams.

AWS's own loop for Python (awslambdaric) posts whole answers only. The layer's ``a2a-runtime``, which the template names
as ``AWS_LAMBDA_EXEC_WRAPPER``, starts this one in its place: the same interpreter, handler and environment. A handler
returns what becomes JSON, or :class:`~.streamed.Streamed`.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import sys
import time
from binascii import b2a_base64
from contextlib import contextmanager

from .runtime_api import ERROR_BODY, ERROR_TYPE, Connection, Records, RuntimeApiError
from .streamed import Streamed

TYPE_CHECKING = False  # typing is half a millisecond that a start need not have
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Handler = Callable[[Any, "Context"], Any]

DELIMITER = b"\0" * 8
"""Between the response's status and headers, as JSON, and its body."""

CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
"""Says that the body begins with status and headers, for the services before Lambda that look for it."""

_STREAM = {
    "Content-Type": CONTENT_TYPE,
    "Lambda-Runtime-Function-Response-Mode": "streaming",
    "Trailer": f"{ERROR_TYPE}, {ERROR_BODY}",
    "Connection": "close",
}
_TOO_LARGE = 413


class HandlerNotLoaded(Exception):
    """The function cannot start. ``kind`` is what Lambda calls the reason."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Context:
    """What a handler is told of its invocation: of AWS's context object, what there is without mobile SDKs."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn", "")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self._deadline = int(headers.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        return max(self._deadline - time.time_ns() // 1_000_000, 0)


class Loop:
    """Hands ``handler`` one event after the other until the environment ends."""

    def __init__(self, address: str, handler: Handler, records: Records) -> None:
        self._address = address
        self._api = Connection(address)
        self._handler = handler
        self._records = records
        self._stopping = False
        self._may_stop = False

    def run(self) -> None:
        """Returns after SIGTERM, when what was under way is done. Raises ``RuntimeApiError`` if the API fails."""
        try:
            while not self._stopping:
                self._one()
        except SystemExit:
            if not self._stopping:
                raise

    def stop(self, *_: object) -> None:
        """The handler of SIGTERM. A plain answer is finished first; a stream ends, and its client subscribes again."""
        self._stopping = True
        if self._may_stop:
            sys.exit(0)

    @contextmanager
    def _stoppable(self) -> Iterator[None]:
        self._may_stop = True
        try:
            if self._stopping:  # since we looked last, and before the handler could end us here
                sys.exit(0)
            yield
        finally:
            self._may_stop = False

    def _one(self) -> None:
        with self._stoppable():
            headers, event = self._api.request("GET", "/invocation/next")
        context = Context(headers)
        self._records.request_id = context.aws_request_id
        _set_trace(headers.get("lambda-runtime-trace-id"))
        path = f"/invocation/{context.aws_request_id}"
        try:
            answer = self._handler(json.loads(event), context)
            if isinstance(answer, Streamed):
                send = self._streamed(path, answer)
            else:
                send = self._whole(path, json.dumps(answer).encode())
        except BaseException as error:  # noqa: BLE001
            self._report(error)
            self._failed(path, type(error).__name__, error)
            if not isinstance(error, Exception):
                sys.exit(1)  # what no handler catches is to end the process
            return
        send()

    def _whole(self, path: str, body: bytes) -> Callable[[], None]:
        def send() -> None:
            try:
                self._api.request("POST", f"{path}/response", body)
            except RuntimeApiError as error:
                if error.status != _TOO_LARGE:
                    self._survive(error)
                    return
                self._records.put(f"[ERROR] A response of {len(body)} bytes is too large\n")
                self._failed(path, "Function.ResponseSizeTooLarge", error)

        return send

    def _streamed(self, path: str, answer: Streamed) -> Callable[[], None]:
        """Raises for an answer that cannot be begun, while the client can still be told of an error."""
        prelude = json.dumps({"statusCode": answer.status, "headers": _texts(answer.headers)}).encode()
        body = iter(answer.body)

        def send() -> None:
            # One connection for each stream: the API wants it closed at the end.
            connection = Connection(self._address)
            try:
                connection.begin(f"{path}/response", _STREAM)
                # Chunks of their own, as AWS's runtimes for Node and Rust send them.
                connection.chunk(prelude)
                connection.chunk(DELIMITER)
                time.sleep(answer.pause)
                fault = self._pieces(connection, body)
                connection.end(_trailers(fault) if fault else {})
                connection.response()
                if fault is not None and not isinstance(fault, Exception):
                    sys.exit(1)
            except RuntimeApiError as error:
                self._survive(error)
            finally:
                connection.close()
                getattr(body, "close", lambda: None)()

        return send

    def _pieces(self, connection: Connection, body: Iterator[bytes]) -> BaseException | None:
        """What went wrong. The status is out by then: all that is left is to say that the stream is broken."""
        try:
            while True:
                with self._stoppable():
                    piece = next(body, None)
                if piece is None:
                    return None
                connection.chunk(piece)
        except RuntimeApiError:
            raise
        except BaseException as error:  # noqa: BLE001
            if self._stopping and isinstance(error, SystemExit):
                return None
            self._report(error)
            return error

    def _failed(self, path: str, kind: str, error: BaseException) -> None:
        try:
            self._api.request("POST", f"{path}/error", _description(kind, error), {ERROR_TYPE: kind})
        except RuntimeApiError as refusal:
            self._survive(refusal)

    def _survive(self, error: RuntimeApiError) -> None:
        """What the API refuses, or takes no more of, concerns one invocation, which is over by then. If it fails, the
        environment has to end."""
        self._records.put(f"[ERROR] {error}\n")
        if error.status >= 500:
            raise error

    def _report(self, error: BaseException) -> None:
        lines = [f"[ERROR] {type(error).__name__}", *(f"  at {place}" for place in _places(error))]
        self._records.put("\n".join(lines) + "\n")


def _texts(headers: Mapping[str, str]) -> dict[str, str]:
    # API Gateway answers 502 for a header that is no text.
    return {str(name): str(value) for name, value in headers.items()}


def _trailers(error: BaseException) -> dict[str, str]:
    kind = type(error).__name__
    return {ERROR_TYPE: kind, ERROR_BODY: b2a_base64(_description(kind, error), newline=False).decode()}


def _description(kind: str, error: BaseException) -> bytes:
    """What Lambda is told of an error: its type and place. A text could have in it what clients sent."""
    places = _places(error)
    return json.dumps({"errorType": kind, "errorMessage": places[-1] if places else "", "stackTrace": places}).encode()


def _places(error: BaseException) -> list[str]:
    """Where an error came from, outermost first."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found


def _set_trace(trace: str | None) -> None:
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def loaded(name: str) -> Handler:
    """The handler of this name, ``module.function``. Raises :class:`HandlerNotLoaded`."""
    module, _, function = name.rpartition(".")
    if not module:
        raise HandlerNotLoaded("Runtime.MalformedHandlerName", f"{name} is not module.function")
    try:
        found = getattr(importlib.import_module(module.replace("/", ".")), function, None)
    except Exception as error:
        # Nobody has sent anything yet: the text is the developer's own.
        raise HandlerNotLoaded("Runtime.ImportModuleError", f"{module}: {type(error).__name__}: {error}") from error
    if not callable(found):
        raise HandlerNotLoaded("Runtime.HandlerNotFound", f"{module} has no {function}")
    return found  # type: ignore[no-any-return]


def main() -> int:
    """Returns the exit code: 0 after SIGTERM."""
    address = os.environ["AWS_LAMBDA_RUNTIME_API"]
    sys.path.insert(0, os.environ.get("LAMBDA_TASK_ROOT", "."))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    records = Records()
    logging.getLogger().addHandler(records)
    try:
        handler = loaded(os.environ["_HANDLER"])
    except HandlerNotLoaded as error:
        records.put("\n".join([f"[ERROR] {error.kind}: {error}", *_places(error.__cause__ or error)]) + "\n")
        failure = {"errorType": error.kind, "errorMessage": str(error), "stackTrace": []}
        Connection(address).request("POST", "/init/error", json.dumps(failure).encode(), {ERROR_TYPE: error.kind})
        return 1
    loop = Loop(address, handler, records)
    signal.signal(signal.SIGTERM, loop.stop)
    try:
        loop.run()
    except RuntimeApiError as error:
        records.put(f"[ERROR] {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
