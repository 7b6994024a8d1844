"""The state machine: the port :class:`~..ports.Workflow` over Step Functions."""

from __future__ import annotations

from ..model import dumps
from ..settings import Environment
from .clients import client, code_of, guarded


class StateMachine:
    """The state machine by its ARN. An execution has the name of its task, so a task has one execution at most."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    @guarded
    def start(self, task_id: str) -> None:
        """See :class:`~..ports.Workflow`. The same name and input again are the same execution."""
        from botocore.exceptions import ClientError

        try:
            client("stepfunctions").start_execution(
                stateMachineArn=self._arn, name=task_id, input=dumps({"taskId": task_id})
            )
        except ClientError as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise

    @guarded
    def stop(self, task_id: str) -> None:
        """See :class:`~..ports.Workflow`."""
        from botocore.exceptions import ClientError

        execution = f"{self._arn.replace(':stateMachine:', ':execution:', 1)}:{task_id}"
        try:
            client("stepfunctions").stop_execution(executionArn=execution, error="Canceled", cause="by the client")
        except ClientError as error:
            if code_of(error) != "ExecutionDoesNotExist":
                raise

    @guarded
    def resume(self, token: str) -> None:
        """See :class:`~..ports.Workflow`."""
        from botocore.exceptions import ClientError

        try:
            client("stepfunctions").send_task_success(taskToken=token, output="{}")
        except ClientError as error:
            if code_of(error) not in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken"):
                raise


class ExpressStateMachine(StateMachine):
    """The state machine where it is Express: nothing keeps a second execution of a name from running beside the first,
    none can be stopped, and none waits for a token."""

    def stop(self, task_id: str) -> None:
        """See :class:`~..ports.Workflow`."""

    def resume(self, token: str) -> None:
        """See :class:`~..ports.Workflow`."""


def is_express(env: Environment) -> bool:
    """Whether the stack's executions are Express (``WORKFLOW_TYPE``)."""
    return env.choice("WORKFLOW_TYPE", ("STANDARD", "EXPRESS")) == "EXPRESS"


def state_machine(env: Environment) -> StateMachine:
    """The stack's state machine. Raises :class:`~..settings.SettingsError`."""
    kind = ExpressStateMachine if is_express(env) else StateMachine
    return kind(env.text("STATE_MACHINE_ARN"))
