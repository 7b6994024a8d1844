"""AWS clients: made when first used, never at import, with time limits that fit a function's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from ..core.ports import Unavailable

ON_LAMBDA = "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ
"""False in tests and in processes of one's own."""

Service = Literal["dynamodb", "kms", "s3", "secretsmanager", "sqs", "ssm", "stepfunctions"]

_TRANSIENT = frozenset(
    {
        "DependencyTimeoutException",
        "ExecutionLimitExceeded",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceError",
        "ItemCollectionSizeLimitExceededException",
        "KMSInternalException",
        "LimitExceededException",
        "OverLimit",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
"""Codes that say "not now", of calls and of the items of a transaction. Anything else is a defect of ours and must be
seen as such."""

_TOO_MANY = 429


@cache
def client(service: Service) -> Any:
    """The client of a service, shared by the execution environment.

    ``Any``: its type is made at run time, and stubs do not belong into the layer.
    """
    from botocore import __version__
    from botocore.config import Config

    from .sdk_session import session, shared_session

    # Elsewhere each has its own: tests make some of them on a stand-in for AWS.
    return (shared_session if ON_LAMBDA else session)(get_args(Service)).create_client(
        service,
        config=Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"mode": "standard", "max_attempts": 3},
            tcp_keepalive=True,
            # The SDK puts its own together anew for each request, twice: a tenth of the request's CPU.
            user_agent=f"a2a-on-lambda Botocore/{__version__}",
            # Links that work in every region and partition name the bucket's own host: the global one redirects to it
            # for hours after the bucket was made, and a link is signed for one host.
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"} if service == "s3" else None,
        ),
    )


def code_of(error: Exception) -> str:
    """The error code that the service gave; "" if it was not even reached."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def reasons_of(error: Exception) -> set[str]:
    """The codes of the items for which a transaction was canceled."""
    reasons = getattr(error, "response", {}).get("CancellationReasons", [])
    return {str(reason.get("Code", "")) for reason in reasons} - {"", "None"}


def _not_now(error: Exception) -> bool:
    """Whether the service may do at another time what it did not do now."""
    status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    reasons = reasons_of(error)
    canceled = bool(reasons) and reasons <= _TRANSIENT
    return canceled or code_of(error) in _TRANSIENT or status >= 500 or status == _TOO_MANY


P = ParamSpec("P")
R = TypeVar("R")


def guarded(call: Callable[P, R]) -> Callable[P, R]:
    """The adapter's method with throttling, timeouts and outages turned into :class:`Unavailable`."""

    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

        try:
            return call(*args, **kwargs)
        except ClientError as error:
            if _not_now(error):
                raise Unavailable(code_of(error)) from error
            raise
        except ParamValidationError:
            raise  # what we asked for can never be had
        except BotoCoreError as error:
            raise Unavailable(type(error).__name__) from error

    wrapped.__doc__ = call.__doc__
    wrapped.__name__ = call.__name__
    return wrapped


def at_once(function: Callable[..., R], *arguments: Iterable[Any]) -> Iterator[R]:
    """``map``, with up to sixteen calls under way: for calls of AWS, which mostly wait."""
    return _threads().map(function, *arguments)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(16)
