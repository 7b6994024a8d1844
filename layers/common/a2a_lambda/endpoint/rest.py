"""The HTTP+JSON binding of A2A 1.0 (specification section 11): another way into the same translation table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..core.errors import A2AError, InternalError, InvalidRequest, MethodNotFound
from ..core.operations import Request, Stream
from ..core.strict_json import loads
from ..dialects.base import Dialect, Method
from .binding import (
    DEFAULT_VERSION,
    Exchange,
    bare,
    error_details,
    named_task,
    operation_of,
    require_json,
    unsupported_version,
    version_of,
    with_delivery_status,
)
from .http import EventStream, HttpRequest, HttpResponse, json_response

CONTENT_TYPE = "application/a2a+json"

_ROUTES = (
    ("POST", "/message:send", "SendMessage"),
    ("POST", "/message:stream", "SendStreamingMessage"),
    ("GET", "/tasks", "ListTasks"),
    ("POST", "/tasks/{id}:cancel", "CancelTask"),
    ("POST", "/tasks/{id}:subscribe", "SubscribeToTask"),
    ("GET", "/tasks/{id}:subscribe", "SubscribeToTask"),
    ("GET", "/tasks/{id}", "GetTask"),
    ("POST", "/tasks/{taskId}/pushNotificationConfigs", "CreateTaskPushNotificationConfig"),
    ("GET", "/tasks/{taskId}/pushNotificationConfigs", "ListTaskPushNotificationConfigs"),
    ("GET", "/tasks/{taskId}/pushNotificationConfigs/{id}", "GetTaskPushNotificationConfig"),
    ("DELETE", "/tasks/{taskId}/pushNotificationConfigs/{id}", "DeleteTaskPushNotificationConfig"),
    ("GET", "/extendedAgentCard", "GetExtendedAgentCard"),
)
"""Section 11.3, and the one path that the proto file has with another verb. A name in braces is a parameter's."""


def _pattern(path: str) -> re.Pattern[str]:
    """The path with its parameters. It was decoded once, on its way here (RFC 3986, section 2.4): a config's id, which
    is the last of its path, may hold slashes."""
    last = path.replace("pushNotificationConfigs/{id}", "pushNotificationConfigs/(?P<id>.+)")
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", last), re.DOTALL)


_PATTERNS = [(verb, _pattern(path), name) for verb, path, name in _ROUTES]
_FLAGS = {"true": True, "false": False}


class Rest:
    """Answers requests with the methods of ``dialect`` and ``execute``, as :class:`~.jsonrpc.JsonRpc` does."""

    def __init__(self, dialect: Dialect, execute: Callable[[str, Request], Any], streaming: bool = False) -> None:
        self._streaming = streaming
        self._dialect = dialect
        self._execute = execute

    def answer(self, request: HttpRequest, path: str) -> Exchange:
        """The response to a request for ``path``, which is that of the request below the interface's URL."""
        name = task_id = ""
        try:
            name, inserted = _route(request.method, path)
            if (version_of(request) or DEFAULT_VERSION) not in self._dialect.versions:
                raise unsupported_version(self._dialect.versions)
            method = self._dialect.methods[name]
            parameters = {**_parameters(request), **inserted}
            operation = operation_of(method, parameters, request, streaming=self._streaming)
            task_id = named_task(operation)
            answer = self._execute(request.owner, operation)
            if isinstance(answer, Stream):
                return Exchange(_event_stream(method, answer), name, answer.task_id)
            result = with_delivery_status(method.write(answer), answer, request)
            # google.protobuf.Empty is an empty object.
            return Exchange(_response(request, {} if result is None else result), name, task_id)
        except A2AError as error:
            return Exchange(error_response(request, error), name, task_id, bare(error))
        except Exception as fault:  # noqa: BLE001
            internal = InternalError()
            return Exchange(error_response(request, internal), name, task_id, internal, fault)


def _route(verb: str, path: str) -> tuple[str, dict[str, str]]:
    """The method's name and the parameters in the path. Raises :class:`MethodNotFound`."""
    for allowed, pattern, name in _PATTERNS:
        match = pattern.fullmatch(path)
        if match and allowed == verb:
            return name, match.groupdict()
    raise MethodNotFound("Not found. POST JSON-RPC to /; the agent card is at /.well-known/agent-card.json.")


def _parameters(request: HttpRequest) -> dict[str, Any]:
    """From the body, or, for a verb without one, from the query (section 11.5)."""
    if request.method != "POST":
        return dict(_from_query(request.query))
    if not request.body:
        return {}
    require_json(request)
    parameters = loads(request.body)
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidRequest("The body must be a JSON object")
    return parameters


def _from_query(query: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for name, value in query.items():
        yield name, _FLAGS.get(value, value) if name in ("includeArtifacts", "include_artifacts") else value


def _response(request: HttpRequest, value: Any, status: int = 200) -> HttpResponse:
    """In the media type of A2A for a client that shows that it knows it, else in plain JSON."""
    known = (request.headers.get("accept", ""), request.headers.get("content-type", ""))
    content_type = CONTENT_TYPE if any(CONTENT_TYPE in header.lower() for header in known) else "application/json"
    return json_response(value, status, {"vary": "Accept"}, content_type)


def error_response(request: HttpRequest, error: A2AError) -> HttpResponse:
    """The error as HTTP+JSON answers it."""
    return _response(request, _error_object(error), error.http_status)


def _error_object(error: A2AError) -> dict[str, Any]:
    """``google.rpc.Status`` as JSON (section 11.6)."""
    status = {
        "code": error.http_status,
        "status": error.grpc_status,
        "message": str(error),
        "details": error_details(error),
    }
    return {"error": status}


def _event_stream(method: Method, stream: Stream) -> EventStream:
    from .sse import event_stream  # only where something streams

    assert method.form is not None
    return event_stream(
        stream, method.form(stream.dialect), lambda event: event, lambda _: _error_object(InternalError())
    )
