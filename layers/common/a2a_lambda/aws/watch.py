"""The caretaker's queues: tasks to look at later (the port :class:`~..core.ports.Watch` over SQS), and events of ended
executions that it could not handle when they came."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..core.model import dumps
from ..core.ports import Poison
from .clients import client, guarded
from .reading import key
from .workflow import EndedExecution, ended_execution

LONGEST_DELAY = 900
"""Seconds: the longest delay of a message."""


class WatchQueue:
    """The queue by its URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    @guarded
    def later(self, task_id: str, seconds: float) -> None:
        """See :class:`~..ports.Watch`. Never before its time, and so never in vain."""
        delay = min(max(math.ceil(seconds), 1), LONGEST_DELAY)
        client("sqs").send_message(QueueUrl=self._url, MessageBody=dumps({"taskId": task_id}), DelaySeconds=delay)


def watched(record: Mapping[str, Any]) -> str | EndedExecution:
    """What a received message is about: the id of a task to look at, or an execution that has ended.

    The event of the latter is as EventBridge could not deliver it, or within Lambda's report of an asynchronous
    invocation that failed. Raises :class:`~..core.ports.Poison` for what is none of ours.
    """
    try:
        body = json.loads(record["body"])
        return key(body["taskId"]) if "taskId" in body else ended_execution(body.get("requestPayload", body))
    except Exception as error:
        raise Poison from error
