"""How much dead and hanging webhooks delay the healthy ones: `make isolation`.

A hundred webhooks on hosts of their own, each with its task; of them none, 1 % and 10 % are dead (half refuse, half
hang). Changes are written at a steady rate and go through the notifier as its event source would bring them: four lanes
by task, batches of what has come in meanwhile. Measured from the write to the arrival at the healthy receivers, after
each bad one has had its first attempt. The shares alternate; medians of the runs.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
import urllib.request
from collections import deque
from datetime import UTC, datetime
from typing import Any

from webhooks import webhooks

from a2a_lambda.core.lifecycle import new_task, with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.notifier import Notifier, StreamRecord
from a2a_lambda.push.sender import Sender
from a2a_lambda.push.signing import Signatures, local_key
from a2a_lambda.push.webhook import webhook_id
from a2a_lambda.testing.memory import MemoryPushConfigs, MemoryQueue, MemoryTasks

PORT = 4796
HOSTS, LANES, RATE, RUNS = 100, 4, 200, 3
WARM_UP, MEASURED = 10.0, 6.0
SHARES = (0, 1, 10)


def run(bad: int) -> tuple[float, float]:
    """p50 and p99 in milliseconds at the healthy receivers, with so many bad ones among the hundred."""
    hanging = (bad + 1) // 2
    hosts = [f"127.0.1.{number}" for number in range(1, HOSTS - bad + 1)]
    hosts += [f"127.0.2.{number}" for number in range(1, hanging + 1)]
    hosts += [f"127.0.3.{number}" for number in range(1, bad - hanging + 1)]  # nobody listens there
    now = datetime.now(UTC)
    tasks = [task(number, now) for number in range(HOSTS)]
    configs = MemoryPushConfigs(MemoryTasks())
    for record, host in zip(tasks, hosts, strict=True):
        url = f"http://{host}:{PORT}/webhook"
        configs.items[record.task_id, "c"] = PushConfig(record.task_id, "c", "alice", url, "1.0", "i", "r")
    lanes: list[deque[StreamRecord]] = [deque() for _ in range(LANES)]
    stop = threading.Event()
    threads = [threading.Thread(target=work, args=(lane, configs, stop), daemon=True) for lane in lanes]
    written: dict[str, float] = {}
    with webhooks(PORT, HOSTS - bad, hanging):
        for thread in threads:
            thread.start()
        started = time.monotonic()
        for number in range(int(RATE * (WARM_UP + MEASURED))):
            place = number % HOSTS
            old = tasks[place]
            new = tasks[place] = old.next(with_status(old.task, TaskState.WORKING, datetime.now(UTC)))
            moment = time.monotonic()
            if moment - started > WARM_UP and place < HOSTS - bad:
                written[webhook_id(configs.items[new.task_id, "c"], new.generation, 0)] = moment
            lanes[place % LANES].append(StreamRecord(str(number), new.task_id, old.image, new.image))
            time.sleep(max(0.0, started + (number + 1) / RATE - time.monotonic()))
        time.sleep(4)
        stop.set()
        for thread in threads:
            thread.join()
        with urllib.request.urlopen(f"http://127.0.1.1:{PORT}/arrivals") as response:
            arrivals = json.load(response)
    missing = [identity for identity in written if identity not in arrivals]
    assert not missing, f"{len(missing)} never arrived"
    delays = sorted(1000 * (arrivals[identity] - moment) for identity, moment in written.items())
    return delays[len(delays) // 2], delays[len(delays) * 99 // 100]


def task(number: int, now: datetime) -> TaskRecord:
    message: Any = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "Hello, agent"}]}
    return TaskRecord(new_task(f"task-{number}", "c", message, now), "alice", 1, "1.0", now)


def work(lane: deque[StreamRecord], configs: MemoryPushConfigs, stop: threading.Event) -> None:
    """One lane of the event source: takes what is there, at most a hundred, and waits for the function."""
    key = local_key("benchmark" * 8, datetime.now(UTC))
    sign = Signatures(lambda: [key], "https://agent.example.com")
    sender = Sender(WebhookPolicy.of(True, "127.0.0.0/8"))
    notifier = Notifier(configs, MemoryQueue(), sender, lambda: datetime.now(UTC), sign=sign)
    while not stop.is_set():
        batch = [lane.popleft() for _ in range(min(100, len(lane)))]
        if batch:
            notifier.notify(batch)
        else:
            time.sleep(0.001)


def main() -> int:
    """Prints the table; returns the exit code: 1 if the healthy ones suffer more than is promised."""
    results: dict[int, list[tuple[float, float]]] = {share: [] for share in SHARES}
    for _ in range(RUNS):
        for share in SHARES:
            results[share].append(run(share * HOSTS // 100))
    medians = {share: tuple(map(statistics.median, zip(*runs, strict=True))) for share, runs in results.items()}
    good = True
    print("bad webhooks    p50 ms    p99 ms    p50 ×    p99 ×")
    for share, (p50, p99) in medians.items():
        more50, more99 = p50 / medians[0][0], p99 / medians[0][1]
        print(f"{share:>9} % {p50:>11.1f} {p99:>9.1f} {more50:>8.2f} {more99:>8.2f}")
        good = good and more50 <= 1.1 and more99 <= 1.5
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
