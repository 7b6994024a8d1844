"""What a campaign on the local AWS expects: the writes that its tables recorded, and what its receivers recorded."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import receivers
from campaign_report import CampaignReport, Leftovers, evaluate
from receivers import task_of
from simulation import Invocation
from workload import Address, Registration, Truth, Write

from a2a_lambda.core.ports import QueuedNotification
from receiver import Arrival

UNDER_WAY = timedelta(seconds=5)
"""How long before a POST arrives its function may have read the config: a first attempt's budget and something."""

Removals = Mapping[str, datetime]


def writes_of(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Write]]:
    """What each write of each task changed, by the records of the table's stream, in order of generation.

    Raises ``ValueError`` if a generation is missing or used twice.
    """
    writes: dict[str, list[Write]] = defaultdict(list)
    for record in records:
        new, old = (record["dynamodb"].get(name, {}) for name in ("NewImage", "OldImage"))
        if not new or (old and new["generation"] == old["generation"]):
            continue  # an announcement or a token beside the task
        task_id, generation = new["taskId"]["S"], int(new["generation"]["N"])
        if generation != len(writes[task_id]) + 1:
            raise ValueError(f"{task_id}: generation {generation} after {len(writes[task_id])}")
        before, after = (json.loads(image["doc"]["S"]) if image else {} for image in (old, new))
        artifacts = [artifact for artifact in after.get("artifacts", []) if artifact not in before.get("artifacts", [])]
        writes[task_id].append(Write(len(artifacts), before.get("status") != after["status"]))
    return dict(writes)


@dataclass
class ExpectedNotifications:
    """``root`` of a note is scheme, host and port of the receiver. Threads may write at once."""

    registrations: dict[str, Registration] = field(default_factory=dict)
    arrivals: list[tuple[str, Arrival]] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, root: str, arrival: Arrival) -> None:
        """A receiver's record of a POST."""
        with self.lock:
            self.arrivals.append((root, arrival))

    def register(self, task_id: str, config_id: str, dialect: str, address: Address, known: int) -> None:
        """A registration that took effect; the second one of a config moves it."""
        key = f"{task_id}/{config_id}"
        with self.lock:
            held = self.registrations.setdefault(key, Registration(task_id, config_id, key, dialect, known))
            held.addresses.append(address)

    def delete(self, task_id: str, config_id: str) -> None:
        """The client asked for it."""
        with self.lock:
            self.deleted.add(f"{task_id}/{config_id}")

    def evaluate(
        self,
        writes: dict[str, list[Write]],
        dead: Iterable[tuple[QueuedNotification, str, datetime]],
        removed: Removals,
        stuck: list[str],
    ) -> CampaignReport:
        """The report on what has happened so far. ``removed`` is since when configs are not in their table any more,
        by `task/config`."""
        with self.lock:
            logs, arrivals = self._logs(), list(self.arrivals)
            held = {key: replace(one, addresses=list(one.addresses)) for key, one in self.registrations.items()}
        refusing = {url for url, log in logs.items() if any(arrival.answer.status == 410 for arrival in log)}
        asked = {key for key, one in held.items() if refusing & {address.url for address in one.addresses}}
        asked |= self.deleted
        left = Leftovers(
            [
                (replace(letter, incarnation=f"{letter.task_id}/{letter.config_id}"), why, at)
                for letter, why, at in dead
            ],
            {key: moment for key, moment in removed.items() if key in asked},
            stuck,
        )
        report = evaluate(left, logs, Truth(writes, {}, held))
        report.breaches["lost"] += [f"{key}: the config" for key in removed if key not in asked]
        report.breaches["foreign"] += [
            f"{arrival.headers.get('webhook-id')}: {arrival.text}"
            for _, arrival in arrivals
            if arrival.text not in ("ok", "duplicate", "on request")
        ]
        return report

    def by_kind(self, kinds: Mapping[str, str]) -> dict[str, tuple[int, int]]:
        """POSTs, and how many of them were taken, by the kind that a config's first receiver is of."""
        of = {held.addresses[0].url: kinds.get(key, "late") for key, held in self.registrations.items()}
        counts: dict[str, tuple[int, int]] = {}
        for url, log in self._logs().items():
            posts, taken = counts.get(of.get(url, "moved to"), (0, 0))
            counts[of.get(url, "moved to")] = posts + len(log), taken + sum(arrival.taken for arrival in log)
        return dict(sorted(counts.items()))

    def _logs(self) -> dict[str, list[receivers.Arrival]]:
        logs: dict[str, list[receivers.Arrival]] = defaultdict(list)
        ordered = sorted(self.arrivals, key=lambda noted: noted[1].moment)
        for number, (root, arrival) in enumerate(ordered, start=1):
            logs[root + arrival.target].append(_arrival_of(number, arrival))
        return dict(logs)


def _arrival_of(number: int, arrival: Arrival) -> receivers.Arrival:
    return receivers.Arrival(
        number=number,
        moment=arrival.moment,
        webhook_id=arrival.headers.get("webhook-id", ""),
        arrived=True,
        taken=arrival.taken,
        acknowledged=arrival.taken and arrival.status == 200,
        answer=receivers.Answer(status=arrival.status or None),
        invocation=Invocation(arrival.moment - UNDER_WAY, "killed, or a batch that came again"),
        token=arrival.headers.get("x-a2a-notification-token", ""),
        task_id=task_of(json.loads(arrival.body)),
    )
