"""How late streams are on the local AWS, alone and fifty at once, and what that does to webhooks: `make streams`.

The probe agent, which tells ten statuses, a second apart. Delays run from the write of a status (its timestamp, in
milliseconds) to its arrival, by one clock. Fifty streams watch ten tasks, each of which has a webhook as well.
Environments are warm: each round is run once before it is measured. A stream is an environment of its own, on AWS as
here: what fifty of them take from each other here is the cores that they share with the emulator. The last line says
how busy those were: a delay on a machine that is all busy is that of the machine.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import requests

from emulator import LocalAwsError
from local_aws import local_stack
from push_webhook import Receiver

STREAMS, TASKS, WAIT = 50, 10, 120


class Seen(NamedTuple):
    """Milliseconds: until the first event, and from each later write to its arrival."""

    first: float
    delays: list[float]


def session() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    return made


def body(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def message(url: str = "") -> dict[str, Any]:
    config = {"taskPushNotificationConfig": {"url": url}} if url else {}
    sent = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"text": "go"}]}
    return {"message": sent, "configuration": {"returnImmediately": True, **config}}


def events(endpoint: str, method: str, params: dict[str, Any]) -> Iterator[tuple[float, dict[str, Any]]]:
    """Each event's result with the moment of its arrival."""
    with (
        session() as client,
        client.post(
            f"{endpoint}/", json=body(method, params), headers={"A2A-Version": "1.0"}, stream=True, timeout=WAIT
        ) as answer,
    ):
        rest = b""
        for piece in answer.iter_content(None):
            now = time.time()
            *blocks, rest = (rest + piece).split(b"\n\n")
            for block in blocks:
                if data := [line[6:] for line in block.split(b"\n") if line.startswith(b"data: ")]:
                    yield now, json.loads(data[0])["result"]


def watch(endpoint: str, method: str, params: dict[str, Any]) -> Seen:
    began = time.time()
    stream = events(endpoint, method, params)
    arrived, _ = next(stream, (0.0, {}))
    if not arrived:
        raise LocalAwsError(f"{method} was answered without a stream")
    first = (arrived - began) * 1000
    written = [
        (now, result["statusUpdate"]["status"]["timestamp"]) for now, result in stream if "statusUpdate" in result
    ]
    return Seen(first, [(now - datetime.fromisoformat(moment).timestamp()) * 1000 for now, moment in written])


def alone(endpoint: str, runs: int = 5) -> list[Seen]:
    """One stream after the other."""
    return [watch(endpoint, "SendStreamingMessage", message()) for _ in range(runs)]


def pushed(endpoint: str, streams: int, pause: float = 0.0) -> tuple[list[Seen], list[float]]:
    """Tasks with webhooks, watched by so many streams, each begun so many seconds after the one before; and the
    milliseconds from write to webhook."""
    seen: list[Seen] = []
    threads: list[threading.Thread] = []
    with Receiver(port=0) as receiver, session() as client:
        for _ in range(TASKS):
            task = send(client, endpoint, receiver.url)
            for _ in range(streams // TASKS):
                threads.append(threading.Thread(target=subscribe, args=(endpoint, task, seen)))
                threads[-1].start()
                time.sleep(pause)
        ended, delays = set(), []
        while len(ended) < TASKS and (push := receiver.next(WAIT)) is not None:
            update = push.payload.get("statusUpdate")
            if update:
                moment = datetime.fromisoformat(update["status"]["timestamp"]).timestamp()
                delays.append((push.arrived - moment) * 1000)
                ended |= {update["taskId"]} if update["status"]["state"] == "TASK_STATE_COMPLETED" else set()
        for thread in threads:
            thread.join(WAIT)
    return seen, delays


def send(client: requests.Session, endpoint: str, url: str) -> str:
    answer = client.post(
        f"{endpoint}/", json=body("SendMessage", message(url)), headers={"A2A-Version": "1.0"}, timeout=WAIT
    )
    task: str = answer.json()["result"]["task"]["id"]
    return task


def subscribe(endpoint: str, task: str, seen: list[Seen]) -> None:
    """Adds what it has seen; nothing if it gets no stream, because the task has ended by then."""
    with suppress(LocalAwsError):
        seen.append(watch(endpoint, "SubscribeToTask", {"id": task}))


def line(name: str, values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"{name:46}{statistics.median(values):8.0f}{cuts[94]:8.0f}{max(values):8.0f}  ms, of {len(values)}"


def ticks() -> tuple[int, int]:
    """How much of their time the processors have worked, and all of it. Zeros where there is no /proc."""
    try:
        counted = [int(word) for word in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:]]
    except OSError:
        return 0, 0
    return sum(counted) - counted[3] - counted[4], sum(counted)


def main() -> int:
    with local_stack({"Streaming": "true", "AgentModule": "probe_agent"}) as stack:
        print(f"{'':46}{'p50':>8}{'p95':>8}{'max':>8}")
        alone(stack.endpoint, 1)
        single = alone(stack.endpoint)
        print(line("one stream: until its first event, warm", [each.first for each in single]))
        print(line("one stream: write to event", [delay for each in single for delay in each.delays]))
        _, quiet = pushed(stack.endpoint, 0)
        for pause in (0.3, 0.2, 0.1):  # fifty environments that start at once on two cores would not be there in time
            pushed(stack.endpoint, STREAMS, pause)
        worked, passed = ticks()
        many, busy = pushed(stack.endpoint, STREAMS)
        worked, passed = (after - before for before, after in zip((worked, passed), ticks(), strict=True))
        if len(many) < STREAMS:
            print(
                f"error: {STREAMS - len(many)} of {STREAMS} streams were refused: they measure nothing", file=sys.stderr
            )
            return 1
        print(line(f"{STREAMS} streams: write to event", [delay for each in many for delay in each.delays]))
        print(line("webhooks without streams: write to webhook", quiet))
        print(line(f"webhooks beside {STREAMS} streams: write to webhook", busy))
        if passed:
            print(f"processors meanwhile: {worked / passed:.0%} busy")
    return 0


if __name__ == "__main__":
    sys.exit(main())
