"""A deployed stack, found by its name: all that the command needs are its outputs and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from a2a_lambda.aws.clients import client as layer_client
from a2a_lambda.aws.dead_letters import Letters
from a2a_lambda.aws.push_config_table import PushConfigTable
from a2a_lambda.aws.queues import SqsRedeliveryQueue
from a2a_lambda.aws.task_table import TaskTable

from .errors import CannotRun


@cache
def client(service: str) -> Any:
    """The client of a service that only operators need."""
    config = Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 4})
    return boto3.client(service, config=config)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Stack:
    """``outputs`` and ``parameters`` are CloudFormation's; ``endpoint_override`` is where the agent answers instead."""

    name: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    region: str = ""
    endpoint_override: str = ""

    def output(self, name: str) -> str:
        """Raises :class:`CannotRun` where the stack has none of this name."""
        if name not in self.outputs:
            raise CannotRun(f"the stack {self.name} has no output {name}: is it A2A on Lambda, of this version?")
        return self.outputs[name]

    @cached_property
    def tasks(self) -> TaskTable:
        """TasksTable."""
        return TaskTable(self.output("TasksTableName"), self.output("PushConfigsTableName"))

    @cached_property
    def configs(self) -> PushConfigTable:
        """PushConfigsTable."""
        return PushConfigTable(self.output("PushConfigsTableName"), self.output("TasksTableName"))

    @cached_property
    def redelivery(self) -> SqsRedeliveryQueue:
        """RedeliveryQueue."""
        return SqsRedeliveryQueue(self.output("RedeliveryQueueUrl"))

    @cached_property
    def letters(self) -> Letters:
        """DeadLetterQueue."""
        return Letters(self.output("DeadLetterQueueUrl"))

    @property
    def endpoint(self) -> str:
        """The agent's URL, without a slash at its end."""
        return (self.endpoint_override or self.output("Endpoint")).rstrip("/")

    @property
    def express(self) -> bool:
        """Whether its executions are Express."""
        return self.parameters.get("WorkflowType") == "EXPRESS"

    @property
    def retention_days(self) -> int:
        """Days that a task stays after its last change."""
        return int(self.parameters.get("TaskRetentionDays", "30"))

    def log_group(self, function: str) -> str:
        """The log group of a function."""
        return f"/aws/lambda/{self.name}-{function}"


def dynamodb() -> Any:
    """The layer's client, with its limits of time."""
    return layer_client("dynamodb")


def sqs() -> Any:
    """The layer's client."""
    return layer_client("sqs")


def find(name: str, endpoint: str = "") -> Stack:
    """The stack of this name in the account and region of the credentials. Raises :class:`CannotRun`."""
    cloudformation = client("cloudformation")
    try:
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error.response.get("Error", {}).get("Message", "")):
            region = cloudformation.meta.region_name
            raise CannotRun(f"there is no stack {name} in {region}: see --stack and --region") from error
        raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}
    stack = Stack(name, outputs, parameters, found["StackStatus"], cloudformation.meta.region_name, endpoint)
    stack.output("TasksTableName")
    return stack
