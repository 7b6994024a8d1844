"""`make chaos`: the real handlers, receivers of all kinds, crashes at every step. Prints a table, exits 1 on a breach.

Reproduce a seed with `make chaos SEEDS=3`. All that is promised is checked from the receivers' own records.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from collections import Counter
from contextlib import nullcontext
from datetime import timedelta
from random import Random

os.environ |= {"POWERTOOLS_SERVICE_NAME": "chaos", "POWERTOOLS_METRICS_NAMESPACE": "A2A/chaos"}

from campaign_report import BREACHES, CampaignReport, complaints, evaluate, leftovers, row
from moto import mock_aws
from receivers import Population
from simulated_aws import silence
from simulated_moto import move_in
from simulation import START, Faults, Simulation
from workload import Workload

FAULTS = Faults(crash=0.001, error=0.002, repeat=0.03, zombie=0.01, interleave=0.02, outages=4)


def campaign(
    seed: int, tasks: int, configs: int, faults: Faults = FAULTS, *, moto: bool = False
) -> tuple[Simulation, Workload, CampaignReport]:
    """One run, until nothing is left to be done; with ``moto`` over the real adapters of the tables."""
    simulation = Simulation(seed, faults)
    if moto:
        move_in(simulation)
    ids = Random(seed)
    uuid.uuid4 = lambda: uuid.UUID(int=ids.getrandbits(128), version=4)
    population = Population(simulation, max(20, tasks // 8))
    workload = Workload(simulation, population)
    workload.plan(tasks, configs)
    for resource in ("table", "queue"):
        for _ in range(faults.outages):
            start = simulation.now + timedelta(seconds=simulation.random.uniform(0, 1500))
            length = timedelta(seconds=simulation.random.uniform(5, 120))
            simulation.outages[resource].append((start, start + length))
    for _ in range(faults.outages // 4):
        start = simulation.now + timedelta(hours=simulation.random.uniform(1, 60))
        simulation.outages["key"].append((start, start + timedelta(hours=simulation.random.uniform(4, 8))))
    for _ in range(10):
        simulation.after(simulation.random.uniform(0, 900), simulation.poison)
    simulation.run()
    return simulation, workload, evaluate(leftovers(simulation), population.logs, workload.truth)


def main() -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--configs", type=int, default=3, help="beside the one that comes with the task")
    parser.add_argument("--moto", action="store_true", help="the tables on moto: slow, so take --tasks 40")
    options = parser.parse_args()
    heads = (
        "seed",
        "events",
        "expected",
        "POSTs",
        *BREACHES,
        "dead",
        "dupl.",
        "killed",
        "errors",
        "zombies",
        "days",
        "s",
    )
    print(row(heads, heads))
    causes: Counter[str] = Counter()
    clean = True
    for seed in options.seeds:
        started = time.monotonic()
        with silence(), mock_aws() if options.moto else nullcontext():
            simulation, workload, report = campaign(seed, options.tasks, options.configs, moto=options.moto)
        counts = simulation.counts
        cells = (
            seed,
            workload.truth.events,
            report.expected,
            report.posts,
            *(len(report.breaches[kind]) for kind in BREACHES),
            report.dead,
            report.duplicates.total(),
            counts["killed"],
            counts["throttled"] + counts["answer of AWS lost"],
            counts["zombies"],
            (simulation.now - START).days,
            round(time.monotonic() - started),
        )
        print("\n".join([row(heads, cells), *complaints(report)]), flush=True)
        causes += report.duplicates
        clean = clean and report.clean
    print("\nDuplicates by cause:")
    for cause, number in causes.most_common():
        print(f"  {number:>7}  {cause}")
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
