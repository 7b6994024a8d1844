"""The JSON-RPC 2.0 binding (specification section 9), for all dialects on one endpoint."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from .dialects.base import Dialect, Method
from .errors import (
    A2AError,
    ContentTypeNotSupported,
    InternalError,
    InvalidParams,
    InvalidRequest,
    MethodNotFound,
    VersionNotSupported,
)
from .http import HttpRequest, HttpResponse, json_response
from .operations import Request
from .strict_json import loads

JSON_CONTENT_TYPE = re.compile(r"application/([a-z0-9.!#$&^_-]+\+)?json\s*(;.*)?", re.IGNORECASE)
DEFAULT_VERSION = "0.3"
"""What a client without an ``A2A-Version`` speaks (section 3.6.2)."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A response, and what the log says of it: no parameters, no texts of the client's."""

    response: HttpResponse
    method: str = ""
    task_id: str = ""
    error: A2AError | None = None
    fault: Exception | None = None
    """What went wrong on our side, if the error is an internal one."""


class JsonRpc:
    """Answers requests with ``execute``, which takes the owner and the operation and gives the canonical answer."""

    def __init__(self, dialects: Iterable[Dialect], execute: Callable[[str, Request], Any]) -> None:
        self._methods = {name: (dialect, method) for dialect in dialects for name, method in dialect.methods.items()}
        self._versions = {version for dialect, _ in self._methods.values() for version in dialect.versions}
        self._execute = execute

    def answer(self, request: HttpRequest) -> Exchange:
        """Always a JSON-RPC response with HTTP status 200, whatever came in."""
        call_id: Any = None
        method_name = task_id = ""
        try:
            content_type = request.headers.get("content-type", "")
            if not JSON_CONTENT_TYPE.fullmatch(content_type.strip()):
                raise ContentTypeNotSupported("The Content-Type must be application/json")
            envelope = loads(request.body)
            if not isinstance(envelope, dict):
                raise InvalidRequest("A request is one JSON object; batches are not supported")
            call_id = _id(envelope)
            method_name, params = _call(envelope)
            dialect, method = self._lookup(method_name)
            self._check_version(dialect, request)
            operation = method.read(params)
            task_id = str(getattr(operation, "task_id", "") or "")
            answer = self._execute(request.owner, operation)
            result = method.write(answer)
            task_id = task_id or _task_id(answer)
            return Exchange(json_response({"jsonrpc": "2.0", "id": call_id, "result": result}), method_name, task_id)
        except A2AError as error:
            return Exchange(_error_response(call_id, error), _known(method_name, self._methods), task_id, error)
        except Exception as fault:  # noqa: BLE001
            # The rim of the system: whatever failed, the client gets an answer, and no internals with it.
            internal = InternalError()
            response = _error_response(call_id, internal)
            return Exchange(response, _known(method_name, self._methods), task_id, internal, fault)

    def _lookup(self, name: str) -> tuple[Dialect, Method]:
        if name not in self._methods:
            raise MethodNotFound
        return self._methods[name]

    def _check_version(self, dialect: Dialect, request: HttpRequest) -> None:
        if not dialect.versions:
            return
        asked = request.headers.get("a2a-version") or request.query.get("A2A-Version") or DEFAULT_VERSION
        version = re.fullmatch(r"(\d{1,9}\.\d{1,9})(\.\d{1,9})?", asked.strip())
        if version is None or version[1] not in dialect.versions:
            supported = ", ".join(sorted(dialect.versions))
            raise VersionNotSupported(f"This method belongs to A2A version {supported}: send it as A2A-Version")


def error_object(error: A2AError) -> dict[str, Any]:
    """The error as JSON-RPC writes it, with its details (section 9.5)."""
    details: list[dict[str, Any]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.reason,
            "domain": "a2a-protocol.org",
            "metadata": {},
        }
    ]
    if isinstance(error, InvalidParams) and error.violations:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [violation._asdict() for violation in error.violations],
            }
        )
    return {"code": error.code, "message": str(error), "data": details}


def _error_response(call_id: Any, error: A2AError) -> HttpResponse:
    return json_response({"jsonrpc": "2.0", "id": call_id, "error": error_object(error)})


def _id(envelope: dict[str, Any]) -> Any:
    call_id = envelope.get("id")
    if isinstance(call_id, bool) or not isinstance(call_id, str | int | float | None):
        raise InvalidRequest("id must be a string, a number or null")
    return call_id


def _call(envelope: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if envelope.get("jsonrpc") != "2.0":
        raise InvalidRequest('jsonrpc must be "2.0"')
    method = envelope.get("method")
    if not isinstance(method, str):
        raise InvalidRequest("method must be a string")
    params = envelope.get("params")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise InvalidParams("Invalid parameters: params must be an object")
    return method, params


def _task_id(answer: Any) -> str:
    return str(answer.get("id", "")) if isinstance(answer, dict) else ""


def _known(name: str, methods: Iterable[str]) -> str:
    """A method's name for the log: only if it is one of ours, since the client may send anything."""
    return name if name in methods else ""
