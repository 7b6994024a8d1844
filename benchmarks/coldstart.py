"""What a start costs and what comes after it, of each function and beside a peer: `make coldstart`.

Each start is an interpreter of its own, from the layers as they are built for Lambda, over a stand-in for AWS that
answers at once. INIT is the import of the handler's module, which on Lambda has a whole core; then come events, which
have the share of a core that the function's memory gives. In each round all are started one after the other: the peer
(the official SDK on Mangum, with one boto3 put for each message), this tree, and another one if ``--tree`` names it.
Shown are medians of process CPU, in milliseconds of this machine, and the ratios, which are what carries over.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from aws_stand_in import aws_stand_in, forget
from coldstart_cases import CALLS, CASES, ROOT, Build, Case, Event, environment

HERE = Path(__file__).resolve().parent
BUILDS = ROOT / ".local" / "coldstart"
PEER_PYTHON = ROOT / ".venvs" / "peer" / "bin" / "python"
PIP_PYTHON = ROOT / ".venvs" / "tools" / "bin" / "python"
ROUNDS = 7

GOALS = {("rpc, tasks/send", "cold"): 0.60, ("rpc, tasks/send", "weighted"): 0.65, ("rpc, card", "cold"): 0.45}
GOALS |= {("rpc, tasks/send", "hundredth"): 0.75}
"""Of the peer's CPU."""


class Start(NamedTuple):
    """One start of a function, or medians of several: seconds."""

    init: float
    first: float
    hundredth: float
    init_wall: float
    first_wall: float
    hundredth_wall: float

    def cold(self) -> float:
        """CPU of the import and of the first event."""
        return self.init + self.first

    def weighted(self, share: float) -> float:
        """Seconds that the client waits: the import at a whole core, the first event at the function's share."""
        return self.init + self.first / share

    def figures(self, share: float) -> dict[str, float]:
        """All of them, by name."""
        return {**self._asdict(), "cold": self.cold(), "weighted": self.weighted(share)}


class Subject(NamedTuple):
    """What is measured in a case: ``name`` is its column."""

    name: str
    module: str
    path: list[Path]
    event_file: Path


def started(case: Case, subject: Subject, endpoint: str, directory: Path) -> Start:
    """One start."""
    forget(endpoint)
    result = directory / "result.json"
    command = [str(PEER_PYTHON), str(HERE / "coldstart_child.py"), subject.module, str(subject.event_file), str(result)]
    variables = environment(case, endpoint, subject.path)
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        sys.exit(f"error: {subject.name}, {case.name}: {(done.stderr or done.stdout).strip()[-2_000:]}")
    told = json.loads(result.read_text())
    figures = [told[name] for name in ("init", "first", "hundredth")]
    return Start(*(cpu for cpu, _ in figures), *(wall for _, wall in figures))


def subjects_of(case: Case, builds: Mapping[str, Build], directory: Path) -> Iterator[Subject]:
    """The peer, where it does the same, and each tree."""
    if case.peer is not None:
        yield Subject("peer", "peer_app", [HERE], _written(directory / "peer.json", map(case.peer, range(CALLS))))
    for name, build in builds.items():
        events = _written(directory / "ours.json", map(case.event, range(CALLS)))
        yield Subject(name, "app", build.path(case.function), events)


def _written(path: Path, events: Iterator[Event]) -> Path:
    path.write_text(json.dumps([*events]))
    return path


def measured(cases: Sequence[Case], builds: Mapping[str, Build], rounds: int) -> dict[str, dict[str, Start]]:
    """By case and subject, the medians."""
    starts: dict[str, dict[str, list[Start]]] = {case.name: {} for case in cases}
    with aws_stand_in() as endpoint, TemporaryDirectory() as directory:
        for number in range(rounds + 1):
            for case in cases:
                for subject in subjects_of(case, builds, Path(directory)):
                    start = started(case, subject, endpoint, Path(directory))
                    if number:  # the first round brings the files into the cache
                        starts[case.name].setdefault(subject.name, []).append(start)
            print(f"round {number} of {rounds}", end="\r", file=sys.stderr, flush=True)
    return {
        name: {subject: Start(*map(statistics.median, zip(*many, strict=True))) for subject, many in of.items()}
        for name, of in starts.items()
    }


def table(cases: Sequence[Case], found: Mapping[str, Mapping[str, Start]]) -> Iterator[str]:
    """One line for each subject of each case, with the ratio of "ours" to it."""
    columns = ("INIT", "first", "cold", "weighted", "100th")
    yield f"{'CPU in ms (ours ÷ this)':<32}" + "".join(f"{column:>16}" for column in columns)
    for case in cases:
        ours = shown(found[case.name]["ours"], case)
        for subject, start in found[case.name].items():
            cells = []
            for mine, value in zip(ours, shown(start, case), strict=True):
                ratio = f"({mine / value:.2f})" if subject != "ours" else ""
                cells.append(f"{value * 1000:>9.2f} {ratio:<6}")
            yield f"{case.name:<24}{subject:<8}" + "".join(cells)


def shown(start: Start, case: Case) -> list[float]:
    return [start.init, start.first, start.cold(), start.weighted(case.share), start.hundredth]


def goals(cases: Sequence[Case], found: Mapping[str, Mapping[str, Start]]) -> Iterator[tuple[str, bool]]:
    """What was set as a goal, and whether it is reached."""
    for case in cases:
        ours = found[case.name]["ours"].figures(case.share)
        if "peer" in found[case.name]:
            peer = found[case.name]["peer"].figures(case.share)
            for figure in ("cold", "weighted", "hundredth"):
                if (case.name, figure) in GOALS:
                    yield _goal(case, figure, ours[figure] / peer[figure], GOALS[case.name, figure], "the peer")


def _goal(case: Case, figure: str, ratio: float, goal: float, of: str) -> tuple[str, bool]:
    return f"{case.name}, {figure}: {ratio:.2f} of {of}, goal {goal:.2f}", ratio <= goal


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What a start costs, beside a peer.")
    parser.add_argument("--tree", type=Path, help="another tree of this repository, measured in turns with this one")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="starts of each; medians are shown")
    parser.add_argument("--case", default="", help="only cases whose names have this text")
    parser.add_argument("--json", type=Path, help="where all figures go, in seconds")
    given = parser.parse_args()
    if given.tree is not None and not (given.tree / "layers" / "Makefile").is_file():
        parser.error(f"{given.tree} is no tree of this repository")
    return given


def main() -> int:
    """Prints the table; returns the exit code: 1 if a goal is not reached."""
    given = arguments()
    cases = [case for case in CASES if given.case in case.name]
    print("Building the layers", file=sys.stderr, flush=True)
    # The packages of the environment have no bytecode yet; on Lambda those of the runtime, and of a package, have.
    subprocess.run([str(PEER_PYTHON), "-m", "compileall", "-q", str(PEER_PYTHON.parent.parent / "lib")], check=False)
    builds = {"ours": Build.of(ROOT, BUILDS / "ours", PIP_PYTHON)}
    if given.tree is not None:
        builds["tree"] = Build.of(given.tree.resolve(), BUILDS / "tree", PIP_PYTHON)
    found = measured(cases, builds, given.rounds)
    print("\n".join(table(cases, found)))
    if given.json is not None:
        figures = {
            case.name: {name: start.figures(case.share) for name, start in found[case.name].items()} for case in cases
        }
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    reached = True
    for line, ok in goals(cases, found):
        print(f"{line}: {'reached' if ok else 'NOT reached'}")
        reached &= ok
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
