"""Notifications per second of one CPU: the notifier's handler against the official SDK's sender. `make throughput`.

Both are given changes of tasks with one webhook each, on one loopback receiver that has the other CPU, 64 at a time.
Ours is the real handler: stream records in, signed (v1a and JWT), acknowledged, logged. Its configs come from memory,
as the SDK's do. The SDK's sender is tried with several concurrencies and its best counts. Runs alternate; medians.

"The least" is what no notifier on libcurl and libsodium can do without: requests that are ready, and two signatures
for each. What is between it and the handler is ours to make faster; it itself is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from webhooks import webhooks

PORT = 4795
RUNS = 5
OURS, THEIRS = 6_400, 640
CONCURRENCIES = (1, 8, 32, 64)
Rate = tuple[float, float]
"""Notifications per second of the clock, and per second of this process's CPU: the steadier of the two where others
work on the machine as well."""
ROOT = Path(__file__).resolve().parent.parent
os.environ |= {"POWERTOOLS_SERVICE_NAME": "notifier", "POWERTOOLS_METRICS_NAMESPACE": "A2A/benchmark"}


def handler() -> tuple[Callable[[], Rate], Callable[[], Rate]]:
    """A run of the notifier's handler over ports in memory, and one of the least that it could do."""
    from a2a_lambda.aws.items import task_item
    from a2a_lambda.aws.stream import stream_record
    from a2a_lambda.core.lifecycle import new_task, with_status
    from a2a_lambda.core.model import TaskState
    from a2a_lambda.core.ports import TaskConfigs
    from a2a_lambda.core.records import PushConfig, TaskRecord
    from a2a_lambda.net.webhook_url import WebhookPolicy
    from a2a_lambda.push.notifier import Notifier
    from a2a_lambda.push.sender import Sender
    from a2a_lambda.push.signing import JWT_HEADER, Signatures, local_key
    from a2a_lambda.testing.memory import MemoryQueue

    module = load(ROOT / "functions" / "notifier" / "app.py")
    now = datetime.now(UTC)
    configs: dict[str, PushConfig] = {}
    records = []
    for number in range(OURS):
        task_id = f"00000000-0000-4000-8000-{number:012x}"
        url = f"http://127.0.1.1:{PORT}/webhook"
        configs[task_id] = PushConfig(task_id, "default", "alice", url, "1.0", "i", "r", token="secret")
        message: Any = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "Hello, agent"}]}
        old = TaskRecord(new_task(task_id, "c", message, now), "alice", 1, "1.0", now)
        new = old.next(with_status(old.task, TaskState.WORKING, datetime.now(UTC)))
        change = {"SequenceNumber": str(number), "Keys": {"taskId": {"S": task_id}}}
        records.append({"dynamodb": {**change, "OldImage": task_item(old), "NewImage": task_item(new)}})

    class Configs:
        def of_task(self, task_id: str) -> TaskConfigs:
            return TaskConfigs([configs[task_id]])

    key = local_key("benchmark" * 8, now)
    policy = WebhookPolicy.of(True, "127.0.0.0/8")

    def made(sender: Any) -> Notifier:
        sign = Signatures(lambda: [key], "https://agent.example.com")
        return Notifier(Configs(), MemoryQueue(), sender, lambda: datetime.now(UTC), sign=sign)  # type: ignore[arg-type]

    def run() -> Rate:
        notifier = made(Sender(policy))
        module.notifier = lambda: notifier
        measure = stopwatch(OURS)
        for first in range(0, OURS, 64):
            answer = module.handler({"Records": records[first : first + 64]}, None)
            assert answer == {"batchItemFailures": []}
        return measure()

    def least() -> Rate:
        recorder, sender = Recorder(), Sender(policy)
        made(recorder).notify([stream_record(record) for record in records[:64]])
        posts = recorder.posts
        contents = [(post.body, dict(post.headers)[JWT_HEADER].rpartition(".")[0].encode()) for post in posts]
        measure = stopwatch(OURS)
        for _ in range(0, OURS, 64):
            for content in contents:
                key.sign(content[0])
                key.sign(content[1])
            sender.run((lane(post) for post in posts), 3.0)
        return measure()

    return run, least


class Recorder:
    """Keeps the posts that are made, and answers them."""

    def __init__(self) -> None:
        self.posts: list[Any] = []

    def run(self, lanes: Iterable[Any], seconds: float) -> None:  # noqa: ARG002
        from a2a_lambda.push.outcome import Answer

        for one in lanes:
            self.posts.append(next(one))
            with suppress(StopIteration):
                one.send(Answer(status=200))


def lane(post: Any) -> Iterator[Any]:
    """A lane of one post."""
    yield post


def stopwatch(number: int) -> Callable[[], Rate]:
    """Starts now; what it returns ends it."""
    wall, cpu = time.perf_counter(), time.process_time()
    return lambda: (number / (time.perf_counter() - wall), number / (time.process_time() - cpu))


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("notifier_app", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def sdk(concurrency: int) -> Rate:
    """Notifications per second of the SDK's sender with so many under way."""
    import httpx
    from a2a.server.context import ServerCallContext
    from a2a.server.tasks import BasePushNotificationSender, InMemoryPushNotificationConfigStore
    from a2a.types import TaskPushNotificationConfig, TaskState, TaskStatus, TaskStatusUpdateEvent

    store = InMemoryPushNotificationConfigStore()
    url = f"http://127.0.1.1:{PORT}/webhook"
    for number in range(THEIRS):
        config = TaskPushNotificationConfig(id="default", task_id=f"t{number}", url=url, token="secret")
        await store.set_info(f"t{number}", config, ServerCallContext())
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        sender = BasePushNotificationSender(client, store)
        turn = asyncio.Semaphore(concurrency)

        async def send(number: int) -> None:
            async with turn:
                status = TaskStatus(state=TaskState.TASK_STATE_WORKING)
                event = TaskStatusUpdateEvent(task_id=f"t{number}", context_id="c", status=status)
                await sender.send_notification(f"t{number}", event)

        measure = stopwatch(THEIRS)
        await asyncio.gather(*(send(number) for number in range(THEIRS)))
        return measure()


def main() -> int:
    """Prints the table; returns the exit code."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    ours, least = handler()
    gc.collect()
    gc.freeze()  # The records of all batches are here at once; neither side shall pay for looking through them.
    rates: dict[str, list[Rate]] = {"ours": [], "the least": []} | {
        f"a2a-sdk, {number} at once": [] for number in CONCURRENCIES
    }
    from a2a_lambda.observability import logger

    cpu = 1 if (os.cpu_count() or 1) > 1 else None
    with webhooks(PORT, 1, cpu=cpu), Path(os.devnull).open("w") as sink:
        for stream in logger.handlers:
            stream.setStream(sink)  # type: ignore[attr-defined]
        for _ in range(RUNS):
            with contextlib.redirect_stdout(sink):
                rates["ours"].append(ours())
                rates["the least"].append(least())
            for concurrency in CONCURRENCIES:
                rates[f"a2a-sdk, {concurrency} at once"].append(asyncio.run(sdk(concurrency)))
    medians = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in rates.items()}
    best = [max(rates[place] for name, rates in medians.items() if "sdk" in name) for place in (0, 1)]
    for name, (wall, cpu) in medians.items():
        print(f"{name:<22} {wall:>6.0f}/s × {wall / best[0]:<5.1f} {cpu:>6.0f} per CPU second × {cpu / best[1]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
