"""The errors a client can be told of (specification sections 3.3.2, 5.4 and 9.5).

Texts are written for the client: they name what was wrong, never internals.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple


class FieldViolation(NamedTuple):
    """One field of the parameters that is not as it must be: ``google.rpc.BadRequest.FieldViolation``."""

    field: str
    description: str


class A2AError(Exception):
    """An answer to the client in the form of an error.

    Subclasses fix the JSON-RPC code, the reason, the HTTP status, the name of the gRPC status (which the HTTP+JSON
    binding shows as well), and the text where an error has none of its own.
    """

    code: ClassVar[int] = -32603
    reason: ClassVar[str] = "INTERNAL_ERROR"
    http_status: ClassVar[int] = 500
    grpc_status: ClassVar[str] = "INTERNAL"
    text: ClassVar[str] = "Internal error"

    def __init__(self, text: str | None = None, violations: Sequence[FieldViolation] = ()) -> None:
        super().__init__(text or self.text)
        self.violations = tuple(violations)


class _InvalidArgument(A2AError):
    """What the client sent is wrong, whatever the state of things."""

    http_status, grpc_status = 400, "INVALID_ARGUMENT"


class _FailedPrecondition(A2AError):
    """What the client asks for is right, and cannot be had here or now."""

    http_status, grpc_status = 400, "FAILED_PRECONDITION"


class ParseError(_InvalidArgument):
    """The body is not JSON."""

    code, reason, text = -32700, "PARSE_ERROR", "Invalid JSON payload"


class InvalidRequest(_InvalidArgument):
    """The JSON is not a JSON-RPC request."""

    code, reason, text = -32600, "INVALID_REQUEST", "Request payload validation error"


class MethodNotFound(A2AError):
    """No dialect knows the method, or nothing is at this path."""

    code, reason, http_status = -32601, "METHOD_NOT_FOUND", 404
    grpc_status, text = "NOT_FOUND", "Method not found"


class InvalidParams(_InvalidArgument):
    """The parameters of a known method are wrong; ``violations`` says which."""

    code, reason, text = -32602, "INVALID_PARAMS", "Invalid parameters"

    @classmethod
    def of(cls, field: str, description: str) -> InvalidParams:
        """One violation, repeated in the error's text so that people see it without looking into ``data``."""
        return cls(f"Invalid parameters: {field}: {description}", [FieldViolation(field, description)])


class InternalError(A2AError):
    """Something failed on our side. Says nothing else, on purpose."""


class Unauthenticated(A2AError):
    """The credentials are good, and name nobody. The specification has no code for it (section 7 leaves it to HTTP)."""

    code, reason, http_status = -32000, "UNAUTHENTICATED", 401
    grpc_status, text = "UNAUTHENTICATED", "The credentials name nobody: a JWT needs sub"


class TaskNotFound(A2AError):
    """No such task for this caller. Another owner's task is answered just like this."""

    code, reason, http_status = -32001, "TASK_NOT_FOUND", 404
    grpc_status, text = "NOT_FOUND", "Task not found"


class PushConfigNotFound(TaskNotFound):
    """No such push notification config for this caller: the specification gives it the code of a missing task."""

    text = "Push notification config not found"


class TaskNotCancelable(_FailedPrecondition):
    """The task has already ended."""

    code, reason, text = -32002, "TASK_NOT_CANCELABLE", "Task cannot be canceled"


class PushNotificationNotSupported(_FailedPrecondition):
    """The agent card says ``pushNotifications: false``."""

    code, reason, text = -32003, "PUSH_NOTIFICATION_NOT_SUPPORTED", "Push notifications are not supported"


class UnsupportedOperation(_FailedPrecondition):
    """The method exists, but not for this agent or this task."""

    code, reason, text = -32004, "UNSUPPORTED_OPERATION", "This operation is not supported"


class ContentTypeNotSupported(_InvalidArgument):
    """The request, or one of its parts, has a media type that the agent does not take."""

    code, reason, text = -32005, "CONTENT_TYPE_NOT_SUPPORTED", "Content type not supported"


class UnsupportedMediaType(ContentTypeNotSupported):
    """The Content-Type of the request itself. HTTP has a status for that; section 5.4 gives a part's media type 400."""

    http_status = 415


class InvalidAgentResponse(A2AError):
    """The agent's own code gave an answer that the specification does not allow."""

    code, reason, http_status = -32006, "INVALID_AGENT_RESPONSE", 500
    grpc_status, text = "INTERNAL", "The agent gave an invalid response"


class ExtendedCardNotConfigured(_FailedPrecondition):
    """The agent declares an extended card but has none."""

    code, reason, text = -32007, "EXTENDED_AGENT_CARD_NOT_CONFIGURED", "No extended agent card"


class ExtensionSupportRequired(_FailedPrecondition):
    """The client did not declare an extension that the agent requires."""

    code, reason, text = -32008, "EXTENSION_SUPPORT_REQUIRED", "A required extension is missing"


class VersionNotSupported(_FailedPrecondition):
    """The ``A2A-Version`` is unknown, or does not have the method."""

    code, reason, text = -32009, "VERSION_NOT_SUPPORTED", "A2A version not supported"
