"""AWS clients: made when first used, never at import, with time limits that fit a function's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, ParamSpec, TypeVar

from ..core.ports import Unavailable

Service = Literal["dynamodb", "kms", "s3", "secretsmanager", "sqs", "ssm", "stepfunctions"]

# Codes that say "not now". Anything else is a defect of ours and must be seen as such.
_TRANSIENT = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "ItemCollectionSizeLimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "ServiceUnavailable",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


@cache
def client(service: Service) -> Any:
    """The client of a service, shared by the execution environment.

    ``Any``: its type is made at run time, and stubs do not belong into the layer.
    """
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "max_attempts": 3},
            tcp_keepalive=True,
            signature_version="s3v4" if service == "s3" else None,  # for links that work in every region
        ),
    )


def code_of(error: Exception) -> str:
    """The error code that the service gave; "" if it was not even reached."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


P = ParamSpec("P")
R = TypeVar("R")


def guarded(call: Callable[P, R]) -> Callable[P, R]:
    """The adapter's method with throttling, timeouts and outages turned into :class:`Unavailable`."""

    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            return call(*args, **kwargs)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if code_of(error) in _TRANSIENT or status >= 500:
                raise Unavailable(code_of(error)) from error
            raise
        except ParamValidationError:
            raise  # what we asked for can never be had
        except BotoCoreError as error:
            raise Unavailable(type(error).__name__) from error

    wrapped.__doc__ = call.__doc__
    wrapped.__name__ = call.__name__
    return wrapped
