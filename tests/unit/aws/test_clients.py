"""What a service says of an error, and hosts of links."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from a2a_lambda.aws.bucket import Bucket
from a2a_lambda.aws.clients import client, guarded
from a2a_lambda.aws.task_table import lost
from a2a_lambda.core.ports import Unavailable


def refused(code: str, status: int = 400, *reasons: str) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    if reasons:
        response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
    return ClientError(response, "Operation")


@guarded
def call(error: ClientError) -> None:
    raise error


@pytest.mark.parametrize(
    "code",
    [
        "ExecutionLimitExceeded",  # Step Functions: a million open executions
        "InternalServerError",
        "KMSInternalException",
        "OverLimit",  # SQS: too many messages in flight
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",  # S3
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    ],
)
def test_a_service_that_cannot_now_is_unavailable(code: str) -> None:
    with pytest.raises(Unavailable):
        call(refused(code))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_status_that_means_not_now_is_unavailable_whatever_its_code(status: int) -> None:
    with pytest.raises(Unavailable):
        call(refused("SomethingNew", status))


@pytest.mark.parametrize(
    "reasons",
    [
        ("ThrottlingError", "None"),
        ("None", "ProvisionedThroughputExceeded"),
        ("ThrottlingError", "ProvisionedThroughputExceeded"),
        ("None", "TransactionConflict"),
    ],
)
def test_a_transaction_that_was_throttled_is_unavailable(reasons: tuple[str, ...]) -> None:
    with pytest.raises(Unavailable):
        call(refused("TransactionCanceledException", 400, *reasons))


@pytest.mark.parametrize(
    ("code", "reasons"),
    [
        ("AccessDeniedException", ()),
        ("ValidationException", ()),
        ("ResourceNotFoundException", ()),
        ("TransactionCanceledException", ("None", "None")),
        ("TransactionCanceledException", ("ValidationError", "ThrottlingError")),
        ("TransactionCanceledException", ("ItemCollectionSizeLimitExceeded", "None")),
    ],
)
def test_a_defect_is_seen_as_such(code: str, reasons: tuple[str, ...]) -> None:
    with pytest.raises(ClientError):
        call(refused(code, 400, *reasons))


def test_a_transaction_that_lost_while_another_part_was_throttled_has_lost() -> None:
    assert lost(refused("TransactionCanceledException", 400, "ConditionalCheckFailed", "ThrottlingError"))
    assert not lost(refused("TransactionCanceledException", 400, "None", "ThrottlingError"))


@pytest.fixture
def no_clients() -> Iterator[None]:
    client.cache_clear()
    yield
    client.cache_clear()


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("us-east-1", "amazonaws.com"),
        ("us-west-2", "amazonaws.com"),
        ("eu-central-1", "amazonaws.com"),
        ("eu-south-1", "amazonaws.com"),
        ("ap-southeast-4", "amazonaws.com"),
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-north-1", "amazonaws.com.cn"),
    ],
)
@pytest.mark.usefixtures("no_clients")
def test_a_link_names_the_bucket_where_it_is(region: str, domain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.setenv(name, region)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    link = urlsplit(Bucket("a2a-artifacts-1abc").link("task/0"))
    assert link.netloc == f"a2a-artifacts-1abc.s3.{region}.{domain}"
    assert link.path == "/task/0"
