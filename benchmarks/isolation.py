"""How much bad webhooks delay the healthy ones: `make isolation`, `… PROFILES="third none"`.

67 healthy webhooks on hosts of their own, each with its task, whose changes are written at a steady rate and go through
the notifier as its event source would bring them: four lanes by task, batches of what has come in meanwhile. Beside
them, at half that rate, come changes for bad webhooks, each of a task of its own, so that no config's schedule spares
anybody: see ``PROFILES``. What is not delivered at once goes
through redelivery, in twenty places. In the middle of the attack, before the measurement, all environments are replaced
by new ones, which know nobody. Measured from the write to the arrival at the healthy receivers. Each profile is
compared with the run without bad ones just before it.

The run "without bad ones" has as many webhooks and as many changes, and all of them are good: what is measured is what
bad ones do to others, and not what work does.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from event_source import Configs, EventSource
from webhooks import WAYS, bad_url, webhooks

from a2a_lambda.core.lifecycle import new_task, with_status
from a2a_lambda.core.model import TaskState
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.push.webhook import webhook_id

PORT = 4796
HEALTHY, RATE, BAD_RATE = 67, 134, 66
ATTACK, COLD, WARM_UP, MEASURED, PATIENCE = 2.0, 5.0, 10.0, 10.0, 6.0
AWAY = 0.005
"""Seconds that a healthy receiver takes to answer: none is nearer than that."""
P50, P99, P99_MORE = 1.2, 1.5, 50.0
"""What is promised: p50 and p99 relative to the run without bad webhooks, or p99 by so many milliseconds more."""

BadWebhooks = Callable[[int], list[tuple[str, str]]]
"""Owner and URL of the webhooks of bad task ``number``."""


def healthy_url(number: int) -> str:
    return f"http://127.0.1.{number + 1}:{PORT}/webhook"


def one(owner: str, number: int, way: str) -> list[tuple[str, str]]:
    return [(owner, bad_url(number, PORT, way))]


def burst(number: int) -> list[tuple[str, str]]:
    """Twenty webhooks for each of twenty tasks, every two seconds."""
    many, place = divmod(number, 2 * BAD_RATE)
    first = 400 * many + 20 * place
    return [("bob", bad_url(first + n, PORT, "hang")) for n in range(20)] if place < 20 else []


def third(owner: Callable[[int], str]) -> BadWebhooks:
    return lambda number: one(owner(number % 33), number % 33, WAYS[number % 33 % 10] + "/0.4")


PROFILES: dict[str, tuple[str, BadWebhooks]] = {
    "new": ("a new hanging host with each change", lambda number: one("bob", number, "hang")),
    "owners": ("… each of a new owner", lambda number: one(f"bob {number}", number, "hang")),
    "none": ("… all of the healthy ones' owner (AuthMode=NONE)", lambda number: one("alice", number, "hang")),
    "once": ("new hosts that answer once, then hang", lambda number: one("bob", number // 2, "once")),
    "slow": ("33 hosts that answer after 1.45 s", lambda number: one("bob", number % 33, "delay/1.45")),
    "halting": ("33 hosts that answer after 0.5 s", lambda number: one("bob", number % 33, "delay/0.5")),
    "burst": ("400 new hanging ones at once, every 2 s", burst),
    "third": ("a third, bad in ten ways", third(lambda host: f"bob {host}")),
    "third-none": ("… all of the healthy ones' owner", third(lambda _: "alice")),
}


def made_good(bad: BadWebhooks) -> BadWebhooks:
    """As many webhooks at the same moments, all of them healthy."""
    return lambda number: [(owner, healthy_url((number + n) % HEALTHY)) for n, (owner, _) in enumerate(bad(number))]


class Figures(NamedTuple):
    """Milliseconds, and the number of healthy events that did not arrive in time."""

    p50: float
    p99: float
    missing: int


def run(bad: BadWebhooks) -> Figures:
    """One run with these bad webhooks."""
    now = datetime.now(UTC)
    configs = Configs()
    tasks = [task(f"good-{number}", now) for number in range(HEALTHY)]
    for number, record in enumerate(tasks):
        url = healthy_url(number)
        configs.add(PushConfig(record.task_id, "c", "alice", url, "1.0", "i", "r"))
    source = EventSource(configs)
    written: dict[str, float] = {}
    with webhooks(PORT, HEALTHY, 3_500, AWAY), source:
        started = time.monotonic()
        for number in range(int((RATE + BAD_RATE) * (WARM_UP + MEASURED))):
            if number == int((RATE + BAD_RATE) * COLD):
                source.start_anew()
            if number % 3 == 2:
                if number < ATTACK * (RATE + BAD_RATE):
                    continue
                for record in bad_task(configs, number // 3, bad, now):
                    source.add(record, record)
            else:
                place = (number - number // 3) % HEALTHY
                old = tasks[place]
                new = tasks[place] = old.next(with_status(old.task, TaskState.WORKING, datetime.now(UTC)))
                moment = time.monotonic()
                if moment - started > WARM_UP:
                    written[webhook_id(configs.items[new.task_id, "c"], new.generation, 0)] = moment
                source.add(old, new)
            time.sleep(max(0.0, started + (number + 1) / (RATE + BAD_RATE) - time.monotonic()))
        arrivals = arrived(written)
    delays = sorted(
        1000 * (arrivals[identity] - moment) for identity, moment in written.items() if identity in arrivals
    )
    return Figures(delays[len(delays) // 2], delays[len(delays) * 99 // 100], len(written) - len(delays))


def bad_task(configs: Configs, number: int, bad: BadWebhooks, now: datetime) -> list[TaskRecord]:
    """The next bad task, with its webhooks; none if there is none now."""
    record = task(f"bad-{number}", now)
    for place, (owner, url) in enumerate(bad(number)):
        configs.add(PushConfig(record.task_id, str(place), owner, url, "1.0", "i", "r"))
    return [record] if bad(number) else []


def arrived(written: dict[str, float]) -> dict[str, float]:
    """When each came, after all have or patience is over."""
    until = time.monotonic() + PATIENCE
    while True:
        with urllib.request.urlopen(f"http://127.0.1.1:{PORT}/arrivals") as response:
            arrivals: dict[str, float] = json.load(response)
        if time.monotonic() > until or all(identity in arrivals for identity in written):
            return arrivals
        time.sleep(0.2)


def task(task_id: str, now: datetime) -> TaskRecord:
    message: Any = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "Hello, agent"}]}
    return TaskRecord(new_task(task_id, "c", message, now), "alice", 1, "1.0", now)


def main(names: list[str]) -> int:
    """Prints a line per profile; returns the exit code: 1 if the healthy ones suffer more than is promised."""
    unknown = set(names) - set(PROFILES)
    if unknown:
        print(f"There is no profile {', '.join(sorted(unknown))}; there are {', '.join(PROFILES)}.", file=sys.stderr)
        return 2
    good = True
    print(f"{'bad webhooks':<50}{'p50 ms':>8}{'p99 ms':>8}{'p50 ×':>7}{'p99 ×':>7}{'missing':>8}")
    for name in names or PROFILES:
        title, bad = PROFILES[name]
        before, after = run(made_good(bad)), run(bad)
        more50, more99 = after.p50 / before.p50, after.p99 / before.p99
        kept = more50 <= P50 and (more99 <= P99 or after.p99 <= before.p99 + P99_MORE) and not after.missing
        good = good and kept
        line = f"{title:<50}{after.p50:>8.1f}{after.p99:>8.1f}{more50:>7.2f}{more99:>7.2f}{after.missing:>8}"
        print(line + ("" if kept else "  more than is promised"), flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(os.environ.get("PROFILES", "").split()))
