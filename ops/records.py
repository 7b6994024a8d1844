"""Records of the stream that notifier or caretaker did not get through: StreamFailuresQueue."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from a2a_lambda.aws.workflow import task_of

from .errors import Interrupted
from .scan import Progress, silent
from .signals import held_back
from .stack import Stack, sqs

Json = dict[str, Any]

_HELD = 120
_LARGEST = 8_000_000


@contextmanager
def _taken(stack: Stack, task: str, progress: Progress) -> Iterator[Iterator[tuple[Any, Json]]]:
    """The messages and what they say; those that were not deleted are put back, however this ends."""
    url = stack.output("StreamFailuresQueueUrl")
    held: dict[str, str] = {}
    with held_back() as stopper:

        def messages() -> Iterator[tuple[Any, Json]]:
            while not stopper.stopped:
                answer = sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=_HELD)
                batch = [each for each in answer.get("Messages") or [] if each["MessageId"] not in held]
                held.update((each["MessageId"], each["ReceiptHandle"]) for each in batch)
                if not batch:
                    return
                progress(f"{len(held)} records looked at")
                for each in batch:
                    shown = _described(each)
                    if task in ("", shown["task"]):
                        yield each, shown

        try:
            yield messages()
        finally:
            for receipt in held.values():  # of a deleted one it is refused, which is as well
                with suppress(BotoCoreError, ClientError):
                    sqs().change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
    if stopper.stopped:
        raise Interrupted("interrupted: what was shown is done, all other records were put back")


def listed(stack: Stack, task: str = "", limit: int = 1_000, progress: Progress = silent) -> list[Json]:
    """The records, or those of a task, at most ``limit``. They stay where they are."""
    found: list[Json] = []
    with _taken(stack, task, progress) as messages:
        for _, shown in messages:
            found.append(shown)
            if len(found) >= limit:
                break
    return found


def dropped(stack: Stack, task: str = "", progress: Progress = silent) -> Iterator[Json]:
    """Remove them for good."""
    with _taken(stack, task, progress) as messages:
        for message, shown in messages:
            url = stack.output("StreamFailuresQueueUrl")
            sqs().delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            yield {**shown, "outcome": "dropped"}


def _described(message: Any) -> Json:
    """Which task it is, and why. Never what was in the record."""
    found: Any = {}
    with suppress(ValueError, RecursionError):
        found = json.loads(message["Body"])
    body: Json = found if isinstance(found, dict) else {}
    record: Json = {}
    with suppress(Exception):
        record = _unpacked(body)
    return {
        "record": message["MessageId"],
        "task": _task(body, record),
        "what": _what(body, record),
        "reason": str(body.get("reason") or (body.get("requestContext") or {}).get("condition") or ""),
        "webhooks": ", ".join(map(str, body.get("unreadableConfigs") or [])),
    }


def _what(body: Json, record: Json) -> str:
    if body.get("unreadableConfigs"):
        return "a webhook that could not be read"
    if isinstance(body.get("DDBStreamBatchInfo"), dict):
        return "a batch that failed for a day"
    return (
        "the end of an execution whose task could not be read"
        if "detail" in record
        else "a record that could not be read"
    )


def _task(body: Json, record: Json) -> str:
    """The task's id, or nothing: whatever is in the message, it is shown."""
    with suppress(Exception):
        return task_of(str(record["detail"]["name"]))
    with suppress(Exception):
        return str((record["dynamodb"]["Keys"] if record else body["keys"])["taskId"]["S"])
    return ""


def _unpacked(body: Json) -> Json:
    """The record, or the event of the execution's end, that is packed in a message."""
    if not body.get("packedRecord"):
        return {}
    raw = zlib.decompressobj().decompress(base64.b64decode(body["packedRecord"]), _LARGEST)
    record: Json = json.loads(raw)
    return record
