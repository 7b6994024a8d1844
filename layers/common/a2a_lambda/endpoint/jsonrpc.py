"""The JSON-RPC 2.0 binding (specification section 9), for all dialects on one endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..core.errors import A2AError, InternalError, InvalidParams, InvalidRequest, MethodNotFound, UnsupportedOperation
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


class JsonRpc:
    """Answers requests with ``execute``, which takes the owner and the operation and gives the canonical answer.
    ``streaming``: methods that stream are not refused."""

    def __init__(
        self, dialects: Iterable[Dialect], execute: Callable[[str, Request], Any], streaming: bool = False
    ) -> None:
        self._streaming = streaming
        self._methods: dict[str, list[tuple[Dialect, Method]]] = {}
        for dialect in dialects:
            for name, method in dialect.methods.items():
                self._methods.setdefault(name, []).append((dialect, method))
        self._execute = execute

    def answer(self, request: HttpRequest) -> Exchange:
        """Always a JSON-RPC response with HTTP status 200, or a stream of them, whatever came in."""
        call_id: Any = None
        method_name = task_id = ""
        method: Method | None = None
        try:
            require_json(request)
            envelope = loads(request.body)
            if not isinstance(envelope, dict):
                raise InvalidRequest("A request is one JSON object; batches are not supported")
            call_id = _id(envelope)
            method_name, params = _call(envelope)
            method = self._method(method_name, version_of(request))
            operation = operation_of(method, params, request, streaming=self._streaming)
            if "id" not in envelope:  # looked at last, as kits and clients want to hear of what else is wrong
                raise InvalidRequest("id is missing: a request of A2A is no notification")
            task_id = named_task(operation)
            answer = self._execute(request.owner, operation)
            if isinstance(answer, Stream):
                return Exchange(_event_stream(call_id, method, answer), method_name, answer.task_id)
            result = with_delivery_status(method.write(answer), answer, request)
            task_id = task_id or _task_id(answer)
            return Exchange(json_response({"jsonrpc": "2.0", "id": call_id, "result": result}), method_name, task_id)
        except A2AError as error:
            return Exchange(_refusal(call_id, error, method, request), self._known(method_name), task_id, bare(error))
        except Exception as fault:  # noqa: BLE001
            # The rim of the system: whatever failed, the client gets an answer, and no internals with it.
            internal = InternalError()
            response = _refusal(call_id, internal, method, request)
            return Exchange(response, self._known(method_name), task_id, internal, fault)

    def _known(self, name: str) -> str:
        """A method's name for the log: only if it is one of ours, since the client may send anything."""
        return name if name in self._methods else ""

    def _method(self, name: str, version: str | None) -> Method:
        """The method of this name in the dialect that is meant.

        The version decides. A dialect older than the header answers whatever version is asked for, so of two that have
        the method it is the one that a client without a version reaches.
        """
        candidates = self._methods.get(name)
        if candidates is None:
            raise MethodNotFound
        asked = [method for dialect, method in candidates if version in dialect.versions]
        older = [method for dialect, method in candidates if not dialect.versions]
        assumed = [method for dialect, method in candidates if version is None and DEFAULT_VERSION in dialect.versions]
        for method in (*asked, *older, *assumed):
            return method
        raise unsupported_version(frozenset().union(*(dialect.versions for dialect, _ in candidates)))


def error_object(error: A2AError) -> dict[str, Any]:
    """The error as JSON-RPC writes it, with its details (section 9.5)."""
    return {"code": error.code, "message": str(error), "data": error_details(error)}


def error_response(call_id: Any, error: A2AError) -> HttpResponse:
    """The error as JSON-RPC answers it."""
    return json_response({"jsonrpc": "2.0", "id": call_id, "error": error_object(error)})


def _refusal(call_id: Any, error: A2AError, method: Method | None, request: HttpRequest) -> HttpResponse:
    """The error as a response, in the only event of a stream where the client looks for it there."""
    response = error_response(call_id, error)
    return _as_event(response) if method is not None and _in_stream(method, request, error) else response


def _event_stream(call_id: Any, method: Method, stream: Stream) -> EventStream:
    from .sse import event_stream  # only where something streams

    assert method.form is not None
    form = method.form(stream.dialect)
    envelope = {"jsonrpc": "2.0", **({"id": call_id} if form.numbered else {})}
    return event_stream(
        stream,
        form,
        lambda result: {**envelope, "result": result},
        lambda _: {**envelope, "error": error_object(InternalError())},
    )


def _in_stream(method: Method, request: HttpRequest, error: A2AError) -> bool:
    """Whether the client looks for this error in a stream. That nothing can be streamed is said without one."""
    accepted = "text/event-stream" in request.headers.get("accept", "").lower()
    return method.streams_errors and accepted and not isinstance(error, UnsupportedOperation)


def _as_event(response: HttpResponse) -> HttpResponse:
    return HttpResponse(200, f"data: {response.body}\n\n", {"content-type": "text/event-stream"})


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
