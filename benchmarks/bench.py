"""`make bench`: runs the benchmarks and writes docs/performance.md with a plot per growth curve."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "growth.svg"
SECONDS = 1_800
"""Within which a part has to be done."""


def _run(part: str) -> str:
    print(f"{part} …", file=sys.stderr, flush=True)
    command = [ROOT / ".venvs/dev/bin/python", ROOT / "benchmarks" / f"{part}.py"]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True).stdout


def _made(target: str, start: str = "") -> str:
    """What `make target` prints, from the line that begins with ``start``. A goal that is missed is a figure, too."""
    print(f"{target} …", file=sys.stderr, flush=True)
    command = ["make", "--no-print-directory", target]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    lines = [line.rstrip() for line in done.stdout.splitlines() if line.strip() and not line.startswith("Installing ")]
    first = next((place for place, line in enumerate(lines) if line.startswith(start)), len(lines))
    if len(lines) - first < 2:
        raise ValueError(f"make {target} printed no table")
    return "\n".join(lines[first:])


def _printed(title: str, target: str, text: str, start: str = "") -> Callable[[], str]:
    return lambda: f"## {title}\n\n{text} (`make {target}`):\n\n```text\n{_made(target, start)}\n```\n"


def growth() -> str:
    """The table of units by number of tasks; draws the plot."""
    measured = json.loads(_run("growth"))
    mpl.rcParams.update({"svg.hashsalt": "growth", "svg.fonttype": "none"})
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    axes.set_prop_cycle(color=mpl.colormaps["tab20"].colors)
    lines = ["| operation | 10 tasks | 1,000 | 100,000 | last beside 1,000 |", "|---|---|---|---|---|"]
    for name, points in measured.items():
        sizes, units = zip(*points, strict=True)
        axes.plot(sizes, units, marker="o", label=name)
        lines.append(f"| {name} | " + " | ".join(f"{each:g}" for each in units) + f" | × {units[-1] / units[-2]:.2f} |")
    axes.set(xscale="log", yscale="log", xlabel="tasks of the owner", ylabel="read and write units")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", frameon=False)
    axes.set_ylim(bottom=0.1)
    figure.savefig(PLOT, metadata={"Date": None})
    text = "Units per operation, writes to indexes left out, pages of five (`benchmarks/growth.py`):\n\n"
    return "## Growth\n\n" + text + "\n".join(lines) + "\n\n![Units by number of tasks](growth.svg)\n"


def prices() -> str:
    """The table of README."""
    return "## Prices\n\n" + "\n".join(line for line in _run("prices").splitlines() if line.startswith("|")) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "growth": growth,
    "prices": prices,
    "coldstart": _printed(
        "Coldstart",
        "coldstart",
        "CPU of INIT, of the first event, of both, of both with the function's share of a core for the first event,\n"
        "and of the hundredth; beside the official SDK with Starlette, Mangum and one call of boto3 per request. In\n"
        "parentheses: ours ÷ this",
        start="CPU in ms",  # before it come the modules of each function, which nothing is compared with
    ),
    "throughput": _printed("Throughput", "throughput", "Notifications a second, beside the official SDK's sender"),
    "isolation": _printed("Isolation", "isolation", "Healthy webhooks beside bad ones, and against as many good ones"),
    "loops": _printed("Loops", "loops", "The loop that streams, beside AWS's own for Python"),
    "streams": _printed("Streams", "streams", "How late events are on the local AWS, by streams and by webhooks"),
}


def main(chosen: list[str]) -> int:
    """Run these parts, or all; the page is written only if all of them succeed."""
    if unknown := set(chosen) - set(PARTS):
        print(f"error: no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    parts: dict[str, str] = {}
    if PAGE.exists():
        sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
        parts = {each.split("\n")[0].lower(): f"## {each.rstrip()}\n" for each in sections}
    for name in chosen or PARTS:
        try:
            parts[name] = PARTS[name]()
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            print(f"error: {name}: {type(error).__name__}; run benchmarks/{name}.py by itself", file=sys.stderr)
            return 1
    body = "\n".join(parts[name] for name in PARTS if name in parts)
    PAGE.write_text(
        "# Performance\n\nWritten by `make bench` (`PARTS=growth,prices` for some). Carry the ratios, not the times:\n"
        "they are of one machine.\n\n" + body,
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main([part for part in "".join(sys.argv[1:]).split(",") if part]))
