"""What the template makes, made on moto: tables and queues have the properties that the template gives them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError, EndpointConnectionError

from a2a_lambda.aws.clients import Service, client

ROOT = Path(__file__).resolve().parents[2]

_numbers = count(1)


class _Loader(yaml.SafeLoader):
    """Reads the template; its functions (``!Ref`` …) are of no interest here."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


@lru_cache(maxsize=1)
def _resources() -> dict[str, Any]:
    resources: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), _Loader)["Resources"]
    return resources


def create_table(logical_id: str) -> str:
    """A new table as the template describes it; its name."""
    properties = _resources()[logical_id]["Properties"]
    name = f"{logical_id}-{next(_numbers)}"
    wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
    arguments = {key: properties[key] for key in wanted if key in properties}
    if "StreamSpecification" in properties:
        arguments["StreamSpecification"] = {"StreamEnabled": True, **properties["StreamSpecification"]}
    client("dynamodb").create_table(TableName=name, **arguments)
    return name


def create_queue(logical_id: str) -> str:
    """A new queue as the template describes it; its URL."""
    properties = _resources()[logical_id]["Properties"]
    plain = {key: str(value).lower() for key, value in properties.items() if isinstance(value, bool | int)}
    plain |= {key: value for key, value in properties.items() if isinstance(value, str)}
    attributes = {key: value for key, value in plain.items() if key != "SqsManagedSseEnabled"}
    suffix = ".fifo" if properties.get("FifoQueue") else ""
    url: str = client("sqs").create_queue(QueueName=f"{logical_id}-{next(_numbers)}{suffix}", Attributes=attributes)[
        "QueueUrl"
    ]
    return url


def create_state_machine() -> str:
    """A state machine that keeps its executions; its ARN."""
    definition = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    arn: str = client("stepfunctions").create_state_machine(
        name=f"machine-{next(_numbers)}",
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::111122223333:role/machine",
    )["stateMachineArn"]
    return arn


def items(table: str) -> list[dict[str, Any]]:
    """All items of a table, in a stable order."""
    found = client("dynamodb").scan(TableName=table, ConsistentRead=True)["Items"]
    return sorted(found, key=lambda item: json.dumps(item, sort_keys=True, default=str))


def messages(url: str) -> list[dict[str, Any]]:
    """The messages that can be received now, in order; they stay where they are."""
    sqs = client("sqs")
    found: list[dict[str, Any]] = []
    while batch := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
    ).get("Messages"):
        found += batch
    for message in found:
        sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    return found


def stream_records(table: str) -> list[dict[str, Any]]:
    """What the event source mapping gives to the notifier, from the first write on."""
    import boto3

    streams = _streams(boto3)
    arn = client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    shard = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    start = streams.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records: list[dict[str, Any]] = streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
    for record in records:
        record["eventSourceARN"] = arn
        record["dynamodb"]["ApproximateCreationDateTime"] = record["dynamodb"][
            "ApproximateCreationDateTime"
        ].timestamp()
    return records


@lru_cache(maxsize=1)
def _streams(boto3: Any) -> Any:
    from botocore.config import Config

    # moto does not know the streams' endpoints of an account, which newer SDKs take from the ARN.
    config = Config(account_id_endpoint_mode="disabled")
    return boto3.client("dynamodbstreams", region_name="us-east-1", config=config)


@contextmanager
def outage(service: Service, *operations: str, code: str | None = None, message: str = "") -> Iterator[list[str]]:
    """The operations of a service (all, if none is named) fail: with an error code of the service, or without any
    answer. Yields the names of the operations that were tried."""
    tried: list[str] = []

    def fail(model: Any, **_: Any) -> None:
        if operations and model.name not in operations:
            return
        tried.append(model.name)
        if code is None:
            raise EndpointConnectionError(endpoint_url="https://service.example.com")
        raise ClientError({"Error": {"Code": code, "Message": message}}, model.name)

    events = client(service).meta.events
    events.register_first(f"before-call.{_event_name(service)}", fail)
    try:
        yield tried
    finally:
        events.unregister(f"before-call.{_event_name(service)}", fail)


@contextmanager
def calls(service: Service) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """Records the operations of a service that are called, with their arguments."""
    made: list[tuple[str, dict[str, Any]]] = []

    def record(params: dict[str, Any], model: Any, **_: Any) -> None:
        made.append((model.name, dict(params)))

    events = client(service).meta.events
    events.register_first(f"before-parameter-build.{_event_name(service)}", record)
    try:
        yield made
    finally:
        events.unregister(f"before-parameter-build.{_event_name(service)}", record)


def _event_name(service: Service) -> str:
    return "sfn" if service == "stepfunctions" else service
