"""What the loop costs that runs rpc where it streams, beside AWS's own for Python (awslambdaric): `make loops`.

CPU and memory of a process from its start to its first request for an event, with a handler that imports nothing and
with the rpc function. Both loops in turn, medians of the runs.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from runtime_api import RuntimeApi, runtime_api

import stack
from emulator import ROOT

RUNS = 15
RIC = ROOT / ".venvs" / "ric" / "bin" / "python"
BARE = "def handler(event, context):\n    return event\n"


class Start(NamedTuple):
    cpu: float
    wall: float
    memory: float


def command(loop: str, layer: Path) -> list[str]:
    if loop == "ours":
        return [str(layer.parent / "a2a-runtime"), str(RIC), "bootstrap.py"]
    return [str(RIC), "-m", "awslambdaric", "app.handler"]


def started(loop: str, task: Path, layer: Path, api: RuntimeApi) -> int:
    """The process, which asks for an event."""
    path = [str(task), str(layer), str(stack.BUILD / "AgentsLayer" / "python")]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(path),
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        "AWS_LAMBDA_LOG_GROUP_NAME": "g",
        "AWS_LAMBDA_LOG_STREAM_NAME": "s",
        "LAMBDA_TASK_ROOT": str(task),
        "_HANDLER": "app.handler",
    }
    words = command(loop, layer)
    process = os.posix_spawn(words[0], words, environment, setsid=True)
    if not api.asked.acquire(timeout=30):
        raise SystemExit(f"{loop} never asked for an event")
    return process


def start(loop: str, task: Path, layer: Path) -> Start:
    """One start, in milliseconds and megabytes."""
    with runtime_api() as api:
        began = time.perf_counter()
        process = started(loop, task, layer, api)
        wall = time.perf_counter() - began
        os.kill(process, signal.SIGKILL)
        _, _, usage = os.wait4(process, 0)
    return Start((usage.ru_utime + usage.ru_stime) * 1000, wall * 1000, usage.ru_maxrss / 1024)


def in_turn(measure: Callable[[str], object], runs: int) -> dict[str, list]:
    """Both loops alternately, so that what else the machine does hits both; the first of each is not counted."""
    found: dict[str, list] = {"ours": [], "awslambdaric": []}
    for _ in range(runs + 1):
        for loop, values in found.items():
            values.append(measure(loop))
    return {loop: values[1:] for loop, values in found.items()}


def main() -> int:
    if not RIC.exists():
        sys.exit("awslambdaric is not installed: make loops")
    stack.build()
    layer = stack.BUILD / "CommonLayer" / "python"
    with ExitStack() as exits:
        bare = Path(exits.enter_context(tempfile.TemporaryDirectory()))
        (bare / "app.py").write_text(BARE)
        print(f"{'':24}{'CPU to ready':>14}{'wall':>10}{'memory':>11}")
        for name, task in (("bare handler", bare), ("rpc", ROOT / "functions" / "rpc")):
            found = in_turn(lambda loop, task=task: start(loop, task, layer), RUNS)
            for loop, starts in found.items():
                cpu, wall, memory = (statistics.median(values) for values in zip(*starts, strict=True))
                print(f"{name + ', ' + loop:24}{cpu:11.1f} ms{wall:7.0f} ms{memory:8.1f} MB")
            ratio = statistics.median(each.cpu for each in found["ours"]) / statistics.median(
                each.cpu for each in found["awslambdaric"]
            )
            print(f"{'':24}{ratio:11.2f} times awslambdaric's CPU")
    return 0


if __name__ == "__main__":
    sys.exit(main())
