"""Whatever goes wrong, an operator gets one line that says what to do, and an exit code that is honest."""

from __future__ import annotations

from typing import Any

import pytest
from botocore import exceptions as aws

from a2a_lambda.core.ports import Conflict, Poison, Unavailable
from ops.__main__ import main
from ops.errors import CannotRun, Interrupted, NothingMatched


def refused(code: str, message: str = "said\nin two lines", operation: str = "DescribeStacks") -> aws.ClientError:
    return aws.ClientError({"Error": {"Code": code, "Message": message}}, operation)


CASES: list[tuple[BaseException, int, str]] = [
    (aws.NoCredentialsError(), 2, "no AWS credentials"),
    (aws.PartialCredentialsError(provider="env", cred_var="secret"), 2, "not complete"),
    (aws.CredentialRetrievalError(provider="p", error_msg="x"), 2, "not complete"),
    (aws.NoRegionError(), 2, "--region"),
    (aws.InvalidRegionError(region_name="no region"), 2, "--region"),
    (aws.ProfileNotFound(profile="nobody"), 2, "--profile"),
    (aws.TokenRetrievalError(provider="sso", error_msg="x"), 2, "log in again"),
    (aws.UnauthorizedSSOTokenError(), 2, "log in again"),
    (aws.SSOTokenLoadError(error_msg="x"), 2, "log in again"),
    (aws.ConfigParseError(path="~/.aws/config", error=ValueError()), 2, "~/.aws/config"),
    (aws.EndpointConnectionError(endpoint_url="https://x.example"), 2, "cannot be reached"),
    (aws.ConnectTimeoutError(endpoint_url="https://x.example"), 2, "cannot be reached"),
    (aws.ReadTimeoutError(endpoint_url="https://x.example"), 2, "cannot be reached"),
    (aws.SSLError(endpoint_url="https://x.example", error="x"), 2, "cannot be reached"),
    (aws.ParamValidationError(report="x"), 2, "does not take"),
    (aws.UnknownServiceError(service_name="x", known_service_names="y"), 2, "AWS client"),
    (refused("ExpiredToken"), 2, "have expired"),
    (refused("ExpiredTokenException"), 2, "have expired"),
    (refused("UnrecognizedClientException"), 2, "does not know"),
    (refused("InvalidClientTokenId"), 2, "does not know"),
    (refused("SignatureDoesNotMatch"), 1, "clock"),
    (refused("AccessDenied"), 2, "may not do DescribeStacks"),
    (refused("AccessDeniedException", operation="Scan"), 2, "may not do Scan"),
    (refused("ThrottlingException"), 1, "throttles"),
    (refused("ProvisionedThroughputExceededException"), 1, "throttles"),
    (refused("ValidationError", "Stack with id s does not exist"), 2, "there is no stack s"),
    (refused("ResourceNotFoundException", operation="GetItem"), 2, "nothing there"),
    (refused("AWS.SimpleQueueService.NonExistentQueue"), 2, "nothing there"),
    (refused("InternalError"), 1, "InternalError"),
    (refused(""), 1, "no code"),
    (Unavailable("Throttling"), 1, "try again"),
    (Poison("t"), 1, "cannot be read"),
    (Conflict(), 1, "at the same time"),
    (BrokenPipeError(), 1, "closed"),
    (OSError(28, "No space left on device"), 1, "failed"),
    (KeyError("a defect"), 1, "defect"),
    (RecursionError(), 1, "defect"),
    (KeyboardInterrupt(), 1, "interrupted"),
    (CannotRun("say so"), 2, "say so"),
    (NothingMatched("none"), 3, "none"),
    (Interrupted("put back"), 1, "put back"),
]


@pytest.mark.parametrize(("error", "code", "says"), CASES, ids=lambda value: str(value)[:40])
def test_every_error_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, says: str
) -> None:
    class Cloud:
        class meta:  # noqa: N801
            region_name = "eu-west-1"

        def describe_stacks(self, **_: Any) -> Any:
            raise error

    monkeypatch.setattr("ops.stack.client", lambda _: Cloud())

    assert main(["--stack", "s", "status"]) == code

    shown = capsys.readouterr()
    assert shown.out == ""
    assert len(shown.err.splitlines()) == 1
    assert says in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["webhook"],
        ["webhook", "pause", "t"],
        ["webhook", "pause", "t", "--until", "yesterday"],
        ["webhook", "pause", "t", "--until", "2001-01-01T00:00:00Z"],
        ["webhook", "pause", "t", "--until", "9999-01-01T00:00:00Z"],
        ["webhook", "pause", "t", "--until", "99999d"],
        ["tasks", "--limit", "0"],
        ["tasks", "--stuck", "-1"],
        ["dead", "list", "--limit", "many"],
        ["task", "show"],
        ["status", "--log", "nobody"],
        ["purge"],
    ],
)
def test_a_wrong_argument_is_one_line_and_code_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--stack", "s", *arguments])

    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


def test_a_stack_of_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Cloud:
        class meta:  # noqa: N801
            region_name = "eu-west-1"

        def describe_stacks(self, **_: Any) -> Any:
            return {"Stacks": [{"StackStatus": "CREATE_COMPLETE"}]}

    monkeypatch.setattr("ops.stack.client", lambda _: Cloud())

    assert main(["--stack", "s", "status"]) == 2
    assert "has no output TasksTableName" in capsys.readouterr().err
