"""The state machine: the port :class:`~..ports.Workflow` over Step Functions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ..core.model import dumps
from ..core.ports import Poison
from ..settings import Environment
from .clients import client, code_of, guarded
from .reading import key

_TASK_ID = 36
"""Characters of a task's id, with which the name of each of its executions begins."""


def execution_name(task_id: str, created_at: datetime) -> str:
    """The name of the task's execution: ``<taskId>-<epoch>``.

    Step Functions takes a name again only 90 days after its execution has ended, and by then a task may be long gone
    and made anew by the same message.
    """
    return f"{task_id}-{int(created_at.timestamp())}"


def task_of(name: str) -> str:
    """The id of the task of an execution, by its name. A successor's has one ``_`` more at the end each time."""
    return name[:_TASK_ID]


class EndedExecution(NamedTuple):
    """The task of an execution that ended badly, and how: FAILED, TIMED_OUT or ABORTED."""

    task_id: str
    status: str


def ended_execution(event: Mapping[str, Any]) -> EndedExecution:
    """Read EventBridge's event of it. Raises :class:`~..core.ports.Poison` for any other."""
    try:
        detail = event["detail"]
        return EndedExecution(key(task_of(detail["name"])), str(detail["status"])[:20])
    except Exception as error:
        raise Poison from error


class StateMachine:
    """The state machine by its ARN. An execution is named after its task, so a task has one execution at most."""

    def __init__(self, arn: str) -> None:
        self._arn = arn

    @guarded
    def start(self, task_id: str, created_at: datetime) -> None:
        """See :class:`~..ports.Workflow`. The same name and input again are the same execution."""
        from botocore.exceptions import ClientError

        try:
            client("stepfunctions").start_execution(
                stateMachineArn=self._arn,
                name=execution_name(task_id, created_at),
                input=dumps({"taskId": task_id}),
            )
        except ClientError as error:
            if code_of(error) != "ExecutionAlreadyExists":
                raise

    @guarded
    def stop(self, task_id: str, created_at: datetime) -> None:
        """See :class:`~..ports.Workflow`. One that has just ended by itself has nothing left to stop."""
        from botocore.exceptions import ClientError

        executions = self._arn.replace(":stateMachine:", ":execution:", 1)
        execution = f"{executions}:{execution_name(task_id, created_at)}"
        try:
            client("stepfunctions").stop_execution(executionArn=execution, error="Canceled", cause="by the client")
        except ClientError as error:
            if code_of(error) not in ("ExecutionDoesNotExist", "ValidationException"):
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

    def stop(self, task_id: str, created_at: datetime) -> None:
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
