"""What the two bindings, JSON-RPC and HTTP+JSON, have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from ..core.errors import A2AError, InvalidParams, UnsupportedMediaType, UnsupportedOperation, VersionNotSupported
from ..core.operations import PushConfigList, Request, SendMessage, StreamMessage, SubscribeToTask
from ..core.records import PushConfig
from ..dialects.base import Method
from ..push.delivery_status import DELIVERY_STATUS, delivery_status
from .http import EventStream, HttpRequest, HttpResponse

DEFAULT_VERSION = "0.3"
"""What a client without an ``A2A-Version`` speaks (section 3.6.2)."""

_JSON = re.compile(r"application/([a-z0-9.!#$&^_-]+\+)?json\s*(;.*)?", re.IGNORECASE)
_VERSION = re.compile(r"(\d{1,9}\.\d{1,9})(\.\d{1,9})?", re.ASCII)
_TASK_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_EXTENSION_HEADERS = ("a2a-extensions", "x-a2a-extensions")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A response, and what the log says of it: no parameters, no texts of the client's."""

    response: HttpResponse | EventStream
    method: str = ""
    task_id: str = ""
    error: A2AError | None = None
    fault: Exception | None = None
    """What went wrong on our side, if the error is an internal one."""


def require_json(request: HttpRequest) -> None:
    """Raises :class:`UnsupportedMediaType` for a body that is not declared as JSON, before anybody looks into it."""
    if not _JSON.fullmatch(request.headers.get("content-type", "").strip()):
        raise UnsupportedMediaType("The Content-Type must be application/json")
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("The body must come as it is, without Content-Encoding")


def version_of(request: HttpRequest) -> str | None:
    """The ``Major.Minor`` that the client asks for in header or query, "" for what is no version, None if it does not
    say (section 3.6)."""
    in_query = (value for name, value in request.query.items() if name.lower() == "a2a-version")
    asked = request.headers.get("a2a-version") or next(in_query, "")
    if not asked:
        return None
    # A header that came twice has both values in one line.
    versions = {version[1] if version else "" for version in map(_VERSION.fullmatch, map(str.strip, asked.split(",")))}
    return versions.pop() if len(versions) == 1 else ""


def bare(error: A2AError) -> A2AError:
    """The error without the frames that it came through: they hold the request, and whoever keeps the error, all of
    it."""
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def require_streaming(method: Method, streaming: bool) -> None:
    """Raises :class:`UnsupportedOperation` for a method that streams where nothing does, whatever its parameters."""
    if method.form is not None and not streaming:
        raise UnsupportedOperation("This agent does not stream: its card says so")


def operation_of(method: Method, params: dict[str, Any], request: HttpRequest, *, streaming: bool) -> Request:
    """What a request for this method asks for. Raises the errors of its parameters, and :func:`require_streaming`'s."""
    require_streaming(method, streaming)
    return in_request(method.read(params), request)


def unsupported_version(supported: frozenset[str]) -> VersionNotSupported:
    """The error that names what would have done."""
    return VersionNotSupported(f"This belongs to A2A version {', '.join(sorted(supported))}: send it as A2A-Version")


def extensions_of(request: HttpRequest) -> frozenset[str]:
    """The URIs of the extensions that the client wants to use (section 3.2.6; 0.3 has another header)."""
    listed = ",".join(request.headers.get(name, "") for name in _EXTENSION_HEADERS)
    return frozenset(uri.strip() for uri in listed.split(",")) - {""}


def in_request(operation: Request, request: HttpRequest) -> Request:
    """The operation with what the request adds to it beside its parameters."""
    match operation:
        case SendMessage():
            return replace(operation, extensions=extensions_of(request))
        case StreamMessage():
            send = replace(operation.send, extensions=extensions_of(request))
            return StreamMessage(send, seconds=request.seconds)
        case SubscribeToTask():
            last = request.headers.get("last-event-id", "")
            return replace(operation, last_event_id=last, seconds=request.seconds)
    return operation


def with_delivery_status(result: Any, answer: Any, request: HttpRequest) -> Any:
    """The written answer with the status of each config in it, if the client asks for that extension."""
    if DELIVERY_STATUS not in extensions_of(request):
        return result
    if isinstance(answer, PushConfig):
        return {**result, "deliveryStatus": delivery_status(answer)}
    if isinstance(answer, PushConfigList):
        listed = result["configs"] if isinstance(result, dict) else result
        for written, config in zip(listed, answer.configs, strict=True):
            written["deliveryStatus"] = delivery_status(config)
    return result


def named_task(operation: Request) -> str:
    """The task that an operation is about, for the log: only what may be an id of ours, since a client may send
    anything."""
    named = getattr(operation, "task_id", None)
    return named if isinstance(named, str) and _TASK_ID.fullmatch(named) else ""


def echo(request: HttpRequest, supported: frozenset[str]) -> dict[str, str]:
    """The header that tells a client which of the extensions that it asked for are used, in the header that it sent."""
    used = ",".join(sorted(extensions_of(request) & supported))
    return {name: used for name in _EXTENSION_HEADERS if used and name in request.headers}


def error_details(error: A2AError) -> list[dict[str, Any]]:
    """What both bindings say of an error beside its code (sections 9.5 and 11.6)."""
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
    return details
