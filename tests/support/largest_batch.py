"""The largest legal batches of the notifier, and the memory that one takes: a process for each, because memory that was
used once stays with its process.

`python largest_batch.py KIND URL` prints a line of JSON: `tasks`, `tried`, `queued`, and `peak` in MB. Tasks are as
large as can be in as many records as an invocation may bring, each with 20 configs, and one write brought all of it.
"""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from a2a_lambda.aws import queues
from a2a_lambda.aws.items import config_item, push_config, task_item
from a2a_lambda.aws.stream import stream_record
from a2a_lambda.core.lifecycle import MAX_ARTIFACTS, MAX_DOCUMENT
from a2a_lambda.core.ports import QueuedNotification, TaskConfigs
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.configs import MAX_CONFIGS
from a2a_lambda.push.notifier import Notifier
from a2a_lambda.push.sender import Sender

INVOCATION = 6 * 1024 * 1024
"""Bytes of an event that Lambda takes."""

SPARE = 4_000
"""Bytes of a task beside its artifacts."""

ROOM = MAX_DOCUMENT - SPARE
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DIALECTS = ("1.0", "0.3", "legacy")

Artifact = dict[str, Any]


def _one(parts: list[Any]) -> list[Artifact]:
    return [{"artifactId": "a", "parts": parts}]


def _many() -> list[Artifact]:
    room = ROOM // MAX_ARTIFACTS - len('{"artifactId":"000","parts":[]},')
    return [{"artifactId": str(n), "parts": [{"text": "x"}] * (room // 13)} for n in range(MAX_ARTIFACTS)]


KINDS: dict[str, Callable[[], list[Artifact]]] = {
    "one text": lambda: _one([{"text": "x" * ROOM}]),
    "a text of three-byte characters": lambda: _one([{"text": "語" * (ROOM // 3)}]),
    "a text of control characters": lambda: _one([{"text": "\x01" * (ROOM // 6)}]),
    "many parts": lambda: _one([{"text": "x"}] * (ROOM // 13)),
    "many values in one part": lambda: _one([{"data": [[]] * (ROOM // 3)}]),
    "many artifacts": _many,
}


def event(kind: str) -> dict[str, Any]:
    """As many records as an invocation may bring: each replaces all of a task's artifacts by as many others."""
    artifacts = KINDS[kind]()
    records: list[dict[str, Any]] = []
    size = 0
    while True:
        record = _record(len(records), artifacts)
        size += len(json.dumps(record)) + 2
        if size > INVOCATION:
            return {"Records": records}
        records.append(record)


def _record(number: int, artifacts: list[Artifact]) -> dict[str, Any]:
    task_id = str(uuid.UUID(int=number))
    moment = "2026-01-01T00:00:00.000Z"
    task: Any = {"id": task_id, "contextId": "c", "artifacts": artifacts}
    done = {**task, "status": {"state": "TASK_STATE_COMPLETED", "timestamp": moment}}
    others = [{**artifact, "artifactId": f"{artifact['artifactId']}x"} for artifact in artifacts]
    working = {**task, "artifacts": others, "status": {"state": "TASK_STATE_WORKING", "timestamp": moment}}
    new = TaskRecord(done, "owner", 2, "1.0", NOW, expires_at=1_800_000_000)
    old = replace(new, task=working, generation=1)
    change = {"SequenceNumber": str(number), "Keys": {"taskId": {"S": task_id}}}
    return {"dynamodb": {**change, "OldImage": task_item(old), "NewImage": task_item(new)}}


class Configs:
    """A task's configs as the table has them: read anew for each task."""

    def __init__(self, url: str) -> None:
        self._url = url

    def of_task(self, task_id: str) -> TaskConfigs:
        return TaskConfigs(push_config(config_item(self._config(task_id, n))) for n in range(MAX_CONFIGS))

    def _config(self, task_id: str, n: int) -> PushConfig:
        return PushConfig(
            task_id,
            str(n),
            f"owner {n}",
            f"{self._url}/{task_id}/{n}",
            DIALECTS[n % len(DIALECTS)],
            "incarnation",
            token="t" * 1_000,
            authentication={"scheme": "Bearer", "credentials": "c" * 6_000},
            task_created_at=NOW,
        )

    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *_, **__: True


class Queue:
    """Makes the requests to SQS, and sends none."""

    def send(self, messages: Iterable[QueuedNotification]) -> frozenset[tuple[str, str]]:
        for batch in queues.batches([(None, message) for message in messages]):
            queues.entries(batch)
        return frozenset()

    def defer(self, receipt: str, seconds: int) -> None:
        """Nothing is received here."""


def peak() -> float:
    """The most memory that this process has had, in MB of 2^20 bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def main(kind: str, url: str) -> None:
    import a2a_lambda.observability  # noqa: F401 - the function has it, too

    text = json.dumps(event(kind))
    Path("/proc/self/clear_refs").write_text("5")  # what made the event is not the function's
    sender = Sender(WebhookPolicy.of(True, "127.0.0.0/8"))
    notifier = Notifier(Configs(url), Queue(), sender, lambda: datetime.now(UTC), first_attempt_seconds=20)  # type: ignore[arg-type]
    batch = [stream_record(record) for record in json.loads(text)["Records"]]
    report = notifier.notify(batch)
    sender.close()
    found = {"tasks": len(batch), "tried": len(report.attempts), "queued": report.queued, "peak": round(peak())}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
