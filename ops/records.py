"""Records of the stream that notifier or caretaker did not get through: StreamFailuresQueue."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

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
    task = ""
    with suppress(Exception):
        task = str(_keys(body)["taskId"]["S"])
    info = body.get("DDBStreamBatchInfo")
    what = "a batch that failed for a day" if isinstance(info, dict) else "a record that could not be read"
    if body.get("unreadableConfigs"):
        what = "a webhook that could not be read"
    return {
        "record": message["MessageId"],
        "task": task,
        "what": what,
        "reason": str(body.get("reason") or (body.get("requestContext") or {}).get("condition") or ""),
        "webhooks": ", ".join(map(str, body.get("unreadableConfigs") or [])),
    }


def _keys(body: Any) -> Any:
    if body.get("packedRecord"):
        raw = zlib.decompressobj().decompress(base64.b64decode(body["packedRecord"]), _LARGEST)
        return json.loads(raw)["dynamodb"]["Keys"]
    return body["keys"]
