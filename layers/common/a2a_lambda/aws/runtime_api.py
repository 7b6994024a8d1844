"""Lambda's Runtime API over one socket, and the records of a function's log. Standard library only.

Not ``http.client``, which imports ``ssl`` and ``email``: half of a function's start. The API is on this machine and
speaks plain HTTP/1.1 without redirects.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PREFIX = "/2018-06-01/runtime"
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
ERROR_BODY = "Lambda-Runtime-Function-Error-Body"

_RECORD = 0xA55A0003
"""The type of a frame on Lambda's descriptor for logs: one record in plain text, whatever lines it has."""


class RuntimeApiError(Exception):
    """The API refused a request with ``status``, or hung up: then that is 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Connection:
    """One connection to the API at ``address`` (host:port), made when it is first needed. What has to do with it raises
    :class:`RuntimeApiError`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None

    def request(
        self, verb: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> tuple[dict[str, str], bytes]:
        """Headers (names in lower case) and body of the response."""
        fields = {"Content-Length": str(len(body)), "Content-Type": "application/json"} if verb == "POST" else {}
        self.send(_head(verb, path, self._address, {**fields, **(headers or {})}) + body)
        return self.response()

    def begin(self, path: str, headers: Mapping[str, str]) -> None:
        """The head of a POST whose body comes in chunks."""
        self.send(_head("POST", path, self._address, {**headers, "Transfer-Encoding": "chunked"}))

    def chunk(self, piece: bytes) -> None:
        """A piece of the body. An empty one would be its end, and is not sent."""
        if piece:
            self.send(b"%x\r\n%b\r\n" % (len(piece), piece))

    def end(self, trailers: Mapping[str, str]) -> None:
        """The end of the body."""
        self.send(f"0\r\n{_fields(trailers)}\r\n".encode("latin-1"))

    def send(self, data: bytes) -> None:
        try:
            if self._socket is None:
                host, _, port = self._address.rpartition(":")
                # Of bytes: a text would first go through IDNA, whose tables take a millisecond to load.
                address: tuple[Any, int] = (host.strip("[]").encode(), int(port))
                self._socket = socket.create_connection(address)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._file = self._socket.makefile("rb")
            self._socket.sendall(data)
        except OSError as error:
            self.close()
            raise RuntimeApiError(f"The Runtime API cannot be reached ({type(error).__name__})") from error

    def response(self) -> tuple[dict[str, str], bytes]:
        """The response to what was sent. A status that is no success raises, too."""
        try:
            status, headers = self._response_head()
            body = self._response_body(headers)
        except (OSError, ValueError, IndexError) as error:
            self.close()
            raise RuntimeApiError("The Runtime API hung up or does not speak HTTP") from error
        if headers.get("connection", "").lower() == "close":
            self.close()
        if not 200 <= status < 300:
            raise RuntimeApiError(f"The Runtime API answered {status}", status)
        return headers, body

    def close(self) -> None:
        if self._socket is not None:
            self._file.close()
            self._socket.close()
            self._socket = None

    def _response_head(self) -> tuple[int, dict[str, str]]:
        status = int(self._file.readline().split()[1])
        return status, self._header_fields()

    def _header_fields(self) -> dict[str, str]:
        headers = {}
        while line := self._line():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers

    def _response_body(self, headers: Mapping[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            return self._exactly(int(headers.get("content-length", "0")))
        pieces = []
        while size := int(self._line().partition(b";")[0], 16):
            pieces.append(self._exactly(size))
            self._line()
        self._header_fields()
        return b"".join(pieces)

    def _line(self) -> bytes:
        line: bytes = self._file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the response ends within a line")
        return line.rstrip(b"\r\n")

    def _exactly(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        if len(data) != size:
            raise ConnectionError("the response is shorter than it says")
        return data


def _head(verb: str, path: str, host: str, headers: Mapping[str, str]) -> bytes:
    return f"{verb} {PREFIX}{path} HTTP/1.1\r\nHost: {host}\r\n{_fields(headers)}\r\n".encode("latin-1")


def _fields(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


class Records(logging.Handler):
    """What the function's libraries log, and what the loop itself reports.

    On standard output Lambda takes each line for a record. Where it gives a descriptor for frames, a record of several
    lines stays one, as with AWS's runtimes. ``request_id`` is that of the invocation.
    """

    def __init__(self) -> None:
        super().__init__()
        given = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", "")
        self._descriptor = int(given) if given else None
        self.request_id = ""
        form = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
        formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        record.aws_request_id = self.request_id
        self.put(self.format(record))

    def put(self, text: str) -> None:
        """One record."""
        if self._descriptor is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        data = text.encode("utf-8", "backslashreplace")
        head = (_RECORD, 4), (len(data), 4), (time.time_ns() // 1_000, 8)
        frame = b"".join(number.to_bytes(size, "big") for number, size in head) + data
        while frame:
            frame = frame[os.write(self._descriptor, frame) :]
