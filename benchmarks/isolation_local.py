"""How much bad webhooks delay the healthy ones on the local AWS, with the deployed template: `make isolation-local`.

Tasks of the demo agent are sent at a steady pace, each with a webhook. In the first run all webhooks are good, in the
second a third is bad, in ten ways, each on a host of its own and new with each task; the good ones are the same. All of
them have one owner (`AuthMode=NONE`). Measured from the status's timestamp to its first arrival.
"""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable
from typing import NamedTuple

import requests
from webhooks import WAYS, bad_url, webhooks

from emulator import LocalAwsError
from local_aws import local_stack

PORT = 4797
TASKS, PACE, GOOD_HOSTS = 48, 1.0, 8
PATIENCE = 60.0
STATUSES = 6
"""Status updates of a task of the demo agent that its webhook hears of, its creation included."""
P99_MORE = 0.5
"""Seconds that p99 may be more with bad webhooks: what is promised."""


class Figures(NamedTuple):
    """Seconds, and how many did not arrive."""

    p50: float
    p99: float
    missing: int


def good_url(number: int) -> str:
    return f"http://127.0.1.{1 + number % GOOD_HOSTS}:{PORT}/webhook"


def all_good(number: int) -> str:
    return good_url(number)


def third_bad(number: int) -> str:
    if number % 3 != 2:
        return good_url(number)
    return bad_url(number, PORT, WAYS[number // 3 % len(WAYS)] + "/2")


def run(endpoint: str, url_of: Callable[[int], str], name: str) -> Figures:
    """One run: the latencies of the tasks that have a good webhook in both runs."""
    watched: set[str] = set()
    with webhooks(PORT, GOOD_HOSTS, TASKS), requests.Session() as session:
        session.trust_env = False
        started = time.monotonic()
        for number in range(TASKS):
            task_id = send(session, endpoint, f"{name}-{number}", url_of(number))
            if number % 3 != 2 and number >= GOOD_HOSTS:  # the first ones warm everything up
                watched.add(task_id)
            time.sleep(max(0.0, started + (number + 1) * PACE - time.monotonic()))
        latencies = arrived(watched)
    ordered = sorted(latencies)
    missing = len(watched) * STATUSES - len(ordered)
    return Figures(ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], missing)


def send(session: requests.Session, endpoint: str, message_id: str, url: str) -> str:
    """A new task with this webhook; its id. Raises LocalAwsError if it is refused."""
    message = {"messageId": message_id, "role": "ROLE_USER", "parts": [{"text": "isolation"}]}
    configuration = {"returnImmediately": True, "taskPushNotificationConfig": {"url": url}}
    params = {"message": message, "configuration": configuration}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    answer = session.post(endpoint + "/", json=body, headers={"A2A-Version": "1.0"}, timeout=60).json()
    if "result" not in answer:
        raise LocalAwsError(f"SendMessage was refused: {answer.get('error')}")
    return str(answer["result"]["task"]["id"])


def arrived(task_ids: set[str]) -> list[float]:
    """The latencies of these tasks' statuses, when all are there or patience is over."""
    until = time.monotonic() + PATIENCE
    while True:
        with urllib.request.urlopen(f"http://127.0.1.1:{PORT}/latencies") as response:
            seen: dict[str, float] = json.load(response)
        found = [seconds for identity, seconds in seen.items() if identity.partition(".")[0] in task_ids]
        if len(found) >= len(task_ids) * STATUSES or time.monotonic() > until:
            return found
        time.sleep(0.5)


def main() -> int:
    """Prints both lines; returns the exit code: 1 if the good ones suffer more than is promised."""
    print(f"Starting the local AWS; two runs of {TASKS} tasks take about {2 * TASKS * PACE + 40:.0f} s", flush=True)
    try:
        with local_stack({"AllowedWebhookCidrs": "127.0.0.0/8"}) as stack:
            before = run(stack.endpoint, all_good, "good")
            after = run(stack.endpoint, third_bad, "bad")
    except LocalAwsError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{'webhooks':<30}{'p50 s':>8}{'p99 s':>8}{'missing':>9}")
    for title, figures in (("all good", before), ("a third bad, in ten ways", after)):
        print(f"{title:<30}{figures.p50:>8.3f}{figures.p99:>8.3f}{figures.missing:>9}")
    kept = after.p99 <= before.p99 + P99_MORE and not after.missing
    verdict = "as promised" if kept else "more than is promised"
    print(f"p50 × {after.p50 / before.p50:.2f}, p99 + {after.p99 - before.p99:.3f} s: {verdict}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
