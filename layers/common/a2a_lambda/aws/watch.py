"""The queue of tasks that the caretaker looks at later: the port :class:`~..ports.Watch` over SQS."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..core.model import dumps
from ..core.ports import Poison
from .clients import client, guarded
from .reading import key

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


def watched(record: Mapping[str, Any]) -> str:
    """The id of the task that a received message is about.

    Raises :class:`~..core.ports.Poison` for what is none of ours.
    """
    try:
        return key(json.loads(record["body"])["taskId"])
    except Exception as error:
        raise Poison from error
