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


class ParseError(A2AError):
    """The body is not JSON."""

    code, reason, http_status = -32700, "PARSE_ERROR", 400
    grpc_status, text = "INVALID_ARGUMENT", "Invalid JSON payload"


class InvalidRequest(A2AError):
    """The JSON is not a JSON-RPC request."""

    code, reason, http_status = -32600, "INVALID_REQUEST", 400
    grpc_status, text = "INVALID_ARGUMENT", "Request payload validation error"


class MethodNotFound(A2AError):
    """No dialect knows the method, or nothing is at this path."""

    code, reason, http_status = -32601, "METHOD_NOT_FOUND", 404
    grpc_status, text = "NOT_FOUND", "Method not found"


class InvalidParams(A2AError):
    """The parameters of a known method are wrong; ``violations`` says which."""

    code, reason, http_status = -32602, "INVALID_PARAMS", 400
    grpc_status, text = "INVALID_ARGUMENT", "Invalid parameters"

    @classmethod
    def of(cls, field: str, description: str) -> InvalidParams:
        """One violation, repeated in the error's text so that people see it without looking into ``data``."""
        return cls(f"Invalid parameters: {field}: {description}", [FieldViolation(field, description)])


class InternalError(A2AError):
    """Something failed on our side. Says nothing else, on purpose."""


class TaskNotFound(A2AError):
    """No such task for this caller. Another owner's task is answered just like this."""

    code, reason, http_status = -32001, "TASK_NOT_FOUND", 404
    grpc_status, text = "NOT_FOUND", "Task not found"


class PushConfigNotFound(TaskNotFound):
    """No such push notification config for this caller: the specification gives it the code of a missing task."""

    text = "Push notification config not found"


class TaskNotCancelable(A2AError):
    """The task has already ended."""

    code, reason, http_status = -32002, "TASK_NOT_CANCELABLE", 400
    grpc_status, text = "FAILED_PRECONDITION", "Task cannot be canceled"


class PushNotificationNotSupported(A2AError):
    """The agent card says ``pushNotifications: false``."""

    code, reason, http_status = -32003, "PUSH_NOTIFICATION_NOT_SUPPORTED", 400
    grpc_status, text = "FAILED_PRECONDITION", "Push notifications are not supported"


class UnsupportedOperation(A2AError):
    """The method exists, but not for this agent or this task."""

    code, reason, http_status = -32004, "UNSUPPORTED_OPERATION", 400
    grpc_status, text = "FAILED_PRECONDITION", "This operation is not supported"


class ContentTypeNotSupported(A2AError):
    """The request, or one of its parts, has a media type that the agent does not take."""

    code, reason, http_status = -32005, "CONTENT_TYPE_NOT_SUPPORTED", 400
    grpc_status, text = "INVALID_ARGUMENT", "Content type not supported"


class UnsupportedMediaType(ContentTypeNotSupported):
    """The Content-Type of the request itself. HTTP has a status for that; section 5.4 gives a part's media type 400."""

    http_status = 415


class InvalidAgentResponse(A2AError):
    """The agent's own code gave an answer that the specification does not allow."""

    code, reason, http_status = -32006, "INVALID_AGENT_RESPONSE", 500
    grpc_status, text = "INTERNAL", "The agent gave an invalid response"


class ExtendedCardNotConfigured(A2AError):
    """The agent declares an extended card but has none."""

    code, reason, http_status = -32007, "EXTENDED_AGENT_CARD_NOT_CONFIGURED", 400
    grpc_status, text = "FAILED_PRECONDITION", "No extended agent card"


class ExtensionSupportRequired(A2AError):
    """The client did not declare an extension that the agent requires."""

    code, reason, http_status = -32008, "EXTENSION_SUPPORT_REQUIRED", 400
    grpc_status, text = "FAILED_PRECONDITION", "A required extension is missing"


class VersionNotSupported(A2AError):
    """The ``A2A-Version`` is unknown, or does not have the method."""

    code, reason, http_status = -32009, "VERSION_NOT_SUPPORTED", 400
    grpc_status, text = "FAILED_PRECONDITION", "A2A version not supported"
