"""What went wrong, in one line that says what to do. No traceback reaches an operator, and no text of a request."""

from __future__ import annotations

from botocore import exceptions as aws

from a2a_lambda.core.ports import Conflict, Poison, Unavailable

DONE, FAILED, CANNOT_RUN, NOTHING_MATCHED = 0, 1, 2, 3
"""The exit codes."""


class OpsError(Exception):
    """Something went wrong; the message is all that is shown."""

    code = FAILED


class CannotRun(OpsError):
    """Nothing was done: a wrong argument, no credentials, no stack."""

    code = CANNOT_RUN


class NothingMatched(OpsError):
    """There is nothing of that kind."""

    code = NOTHING_MATCHED


class Interrupted(OpsError):
    """SIGINT or SIGTERM came; what was begun is finished, and the rest is as it was."""


_LOGIN = "log in again (aws sso login), or set AWS_PROFILE or --profile"

_BY_CODE = {
    **dict.fromkeys(
        ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"),
        f"the AWS credentials have expired: {_LOGIN}",
    ),
    **dict.fromkeys(
        ("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure"),
        f"AWS does not know these credentials: {_LOGIN}",
    ),
    **dict.fromkeys(
        ("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature"),
        "AWS refuses the signature: the secret key or this machine's clock is wrong",
    ),
    **dict.fromkeys(
        (
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestLimitExceeded",
            "TooManyRequestsException",
            "ProvisionedThroughputExceededException",
            "SlowDown",
            "LimitExceededException",
        ),
        "AWS throttles these requests: try again in a minute",
    ),
}

_DENIED = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "NotAuthorized",
    "KMSAccessDeniedException",
)

_GONE = (
    "ResourceNotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    "StateMachineDoesNotExist",
    "NoSuchBucket",
)


def explain(error: Exception) -> str:
    """One line for an error of botocore or of the ports; the exit code for it is :func:`code_for`."""
    if isinstance(error, aws.ClientError):
        return _of_service(error)
    for kind, text in _KINDS:
        if isinstance(error, kind):
            return text
    return f"{type(error).__name__}: this is a defect of the command; --debug shows where"


def code_for(error: Exception) -> int:
    """2 where nothing can be done before somebody mends something; 1 otherwise."""
    if isinstance(error, OpsError):
        return error.code
    if isinstance(error, aws.ClientError):
        known = error.response.get("Error", {}).get("Code", "")
        return CANNOT_RUN if known in _DENIED or known in _GONE or "redentials" in _BY_CODE.get(known, "") else FAILED
    return CANNOT_RUN if isinstance(error, aws.BotoCoreError) else FAILED


def _of_service(error: aws.ClientError) -> str:
    details = error.response.get("Error", {})
    code, said = str(details.get("Code", "")), one_line(str(details.get("Message", "")))
    operation = error.operation_name
    if code in _BY_CODE:
        return _BY_CODE[code]
    if code in _DENIED:
        return f"these credentials may not do {operation}: docs/operations.md lists what the command needs"
    if code in _GONE:
        return (
            f"{operation} finds nothing there: it is not of this stack any more, or this is another region or account"
        )
    return f"{operation} failed with {code or 'no code'}: {said}"


_KINDS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (aws.NoCredentialsError, f"there are no AWS credentials: {_LOGIN}"),
    ((aws.PartialCredentialsError, aws.CredentialRetrievalError), f"the AWS credentials are not complete: {_LOGIN}"),
    (
        (aws.TokenRetrievalError, aws.SSOTokenLoadError, aws.UnauthorizedSSOTokenError, aws.SSOError),
        f"the AWS session has ended: {_LOGIN}",
    ),
    (aws.NoRegionError, "no AWS region is set: use --region, or AWS_REGION"),
    (aws.InvalidRegionError, "that is no AWS region: see --region, or AWS_REGION"),
    (aws.ProfileNotFound, "there is no such AWS profile: see --profile, or AWS_PROFILE"),
    (aws.ConfigParseError, "the AWS configuration file cannot be read: see ~/.aws/config"),
    (
        (aws.EndpointConnectionError, aws.ConnectionError, aws.HTTPClientError),
        "AWS cannot be reached from here: look at the region, the network and the proxy",
    ),
    (aws.ParamValidationError, "an id or a name has characters, or a length, that AWS does not take"),
    (aws.BotoCoreError, "the AWS client cannot work with these settings: look at ~/.aws/config and AWS_… variables"),
    (Unavailable, "AWS did not answer in time, or throttles: try again in a minute"),
    (Poison, "what is stored there cannot be read: see `dead` and `records` in docs/operations.md"),
    (Conflict, "somebody else wrote at the same time: look again, then repeat"),
    (BrokenPipeError, "the output was closed"),
    (OSError, "a file or the network of this machine failed"),
)


def one_line(text: str, limit: int = 300) -> str:
    """Text from outside for a terminal: one line, printable, no longer than ``limit``."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
