"""Evaluates a run by the records of receivers and workload; nothing here asks the code under test."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from receivers import Arrival
from simulation import Simulation
from workload import Registration, Truth, Write

from a2a_lambda.core.ports import QueuedNotification

BREACHES = ("lost", "out of order", "leaked", "foreign", "wrongly dead", "stuck")


@dataclass
class CampaignReport:
    """``breaches`` by kind, with what broke; ``duplicates`` by cause."""

    expected: int = 0
    posts: int = 0
    dead: int = 0
    removed: int = 0
    breaches: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in BREACHES})
    duplicates: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        """Whether every promise held."""
        return not any(self.breaches.values())


Logs = Mapping[str, list[Arrival]]
"""What each URL saw, in order."""


@dataclass
class Leftovers:
    """What a run left behind: the dead letters with reason and moment, when configs went (by incarnation), what is not
    done, and what neither arrived nor was put aside."""

    dead: list[tuple[QueuedNotification, str, datetime]] = field(default_factory=list)
    removed: Mapping[str, datetime] = field(default_factory=dict)
    stuck: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def leftovers(simulation: Simulation) -> Leftovers:
    """Those of a simulation that has nothing left to do."""
    stuck = [f"stream {lane.number}" for lane in simulation.lanes for _ in lane.records]
    stuck += [name for name, waiting in simulation.queue.groups.items() if waiting]
    poison = simulation.counts["poison"] - len(simulation.aside.ids)
    return Leftovers(simulation.dead.messages, simulation.configs.removed, stuck, ["a poison record"] * poison)


def evaluate(left: Leftovers, logs: Logs, truth: Truth) -> CampaignReport:
    """Every event of every live config arrived at least once, first arrivals in order, nothing after a deletion,
    nothing for another, dead letters exactly for the dead."""
    report = CampaignReport()
    report.posts = sum(len(log) for log in logs.values())
    dead: dict[str, dict[tuple[int, int], tuple[str, object]]] = defaultdict(dict)
    for message, reason, moment in left.dead:
        dead[message.incarnation][message.generation, message.n] = (reason, moment)
    report.dead = sum(len(letters) for letters in dead.values())
    for registration in truth.registrations.values():
        removed = left.removed.get(registration.incarnation)
        _evaluate(registration, removed, logs, truth, dead[registration.incarnation], report)
    registered = {address.url for known in truth.registrations.values() for address in known.addresses}
    report.breaches["foreign"] += [f"{len(log)} at {url}" for url, log in logs.items() if url not in registered]
    report.breaches["stuck"] += left.stuck
    report.breaches["lost"] += left.lost
    return report


def _evaluate(
    registration: Registration,
    removed: datetime | None,
    logs: Logs,
    truth: Truth,
    dead: dict[tuple[int, int], tuple[str, object]],
    report: CampaignReport,
) -> None:
    urls = dict.fromkeys(address.url for address in registration.addresses)
    arrivals = sorted((arrival for url in urls for arrival in logs.get(url, ())), key=lambda arrival: arrival.number)
    name = f"{registration.task_id[-4:]}/{registration.config_id}"
    report.removed += removed is not None
    if removed is None:
        for lost in _lost(registration, truth.writes[registration.task_id], arrivals, dead, report):
            report.breaches["lost"].append(f"{name} {lost}")
        report.breaches["lost"] += [f"{name} {missing}" for missing in _missing_announcements(registration, logs, dead)]
    report.breaches["out of order"] += [f"{name} {late}" for late in _out_of_order(arrivals)]
    for address in {address.url: address for address in registration.addresses}.values():
        for arrival in logs.get(address.url, ()):
            started = arrival.invocation.started
            if (removed is not None and started > removed) or address.url not in _in_force(registration, started):
                report.breaches["leaked"].append(f"{name} {arrival.webhook_id}")
            if arrival.arrived and (arrival.task_id, arrival.token) != (registration.task_id, address.token):
                report.breaches["foreign"].append(f"{name} {arrival.webhook_id}")
    for (generation, n), (reason, moment) in dead.items():
        if not reason.startswith("status 413") and not _failed_for_the_horizon(arrivals, moment):
            report.breaches["wrongly dead"].append(f"{name} {generation}.{n} {reason}")
    _count_duplicates(arrivals, report)


def _in_force(registration: Registration, started: datetime) -> set[str]:
    """The URLs that an invocation may have read: the one that was set when it started, and any that was set later."""
    later = {address.url for address in registration.addresses if address.since >= started}
    before = [address.url for address in registration.addresses if address.since < started]
    return later | set(before[-1:])


def _lost(
    registration: Registration,
    writes: list[Write],
    arrivals: list[Arrival],
    dead: dict[tuple[int, int], tuple[str, object]],
    report: CampaignReport,
) -> Iterator[str]:
    received = {place(arrival) for arrival in arrivals if arrival.acknowledged}
    announced = registration.addresses[0].announced
    for generation, write in enumerate(writes, start=1):
        if generation <= registration.known or generation == announced:
            continue
        for n in _events(write, registration.dialect):
            report.expected += 1
            if (generation, n) not in received and (generation, n) not in dead:
                yield f"{generation}.{n}"


def _missing_announcements(
    registration: Registration, logs: Logs, dead: dict[tuple[int, int], tuple[str, object]]
) -> Iterator[str]:
    """Announcements that nobody received, neither at the address they were for nor at one that replaced it."""
    for position, address in enumerate(registration.addresses):
        received = [
            place(arrival)[0]
            for later in registration.addresses[position:]
            for arrival in logs.get(later.url, ())
            if arrival.acknowledged
        ]
        buried = [generation for generation, _ in dead]
        if address.announced and max([*received, *buried], default=0) < address.announced:
            yield f"announcement of {address.announced}"


def _out_of_order(arrivals: list[Arrival]) -> Iterator[str]:
    """First arrivals that came after a later event. Announcements repeat a state and have no place in the order."""
    seen: set[str] = set()
    highest = (0, -1)
    for arrival in arrivals:
        if not arrival.arrived or arrival.webhook_id in seen or announcement(arrival):
            continue
        seen.add(arrival.webhook_id)
        if place(arrival) < highest:
            yield f"{arrival.webhook_id} after {highest}"
        highest = max(highest, place(arrival))


def _failed_for_the_horizon(arrivals: list[Arrival], moment: object) -> bool:
    """Nobody acknowledged anything for three days before, and somebody tried all the time."""
    before = [arrival for arrival in arrivals if arrival.moment <= moment]  # type: ignore[operator]
    start = moment - timedelta(days=3)  # type: ignore[operator]
    acknowledged = [arrival.moment for arrival in before if arrival.acknowledged]
    failures = [arrival.moment for arrival in before if not arrival.acknowledged]
    return max(acknowledged, default=start) <= start and min(failures, default=start) <= start


def _count_duplicates(arrivals: list[Arrival], report: CampaignReport) -> None:
    first: dict[str, Arrival] = {}
    for arrival in arrivals:
        if not arrival.taken:
            continue
        before = first.setdefault(arrival.webhook_id, arrival)
        if before is not arrival:
            lost = not before.acknowledged
            report.duplicates["answer lost or too late" if lost else f"invocation: {before.invocation.fate}"] += 1


def _events(write: Write, dialect: str) -> list[int]:
    """Which events of a write are told in a dialect, by their place."""
    if dialect == "0.3":
        return [0] if write.artifacts or write.status else []
    if dialect == "legacy":
        return [write.artifacts] if write.status else []
    return list(range(write.artifacts + write.status))


def place(arrival: Arrival) -> tuple[int, int]:
    """Generation and place of the event that arrived."""
    _, generation, n, *_ = arrival.webhook_id.split(".")
    return int(generation), int(n)


def announcement(arrival: Arrival) -> bool:
    """Whether this repeats a state for a config that was registered late."""
    return arrival.webhook_id.count(".") > 3


def row(heads: Sequence[str], cells: Iterable[object]) -> str:
    """A line of a table with these heads."""
    return "  ".join(f"{cell!s:>{max(8, len(head))}}" for head, cell in zip(heads, cells, strict=True))


def complaints(report: CampaignReport) -> list[str]:
    """What broke, a line each, and not too many."""
    return [f"    {kind}: {what}" for kind, broken in report.breaches.items() for what in broken[:5]]
