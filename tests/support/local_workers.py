"""The processes in which the local AWS runs functions, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from emulator import Emulator


def workers(emulator: Emulator) -> list[int]:
    """The processes that the emulator runs functions in: its children."""
    return [process for process, parent in _processes() if parent == emulator.pid]


def kill_workers(emulator: Emulator) -> int:
    """Kill all functions where they are; how many."""
    killed = 0
    for worker in workers(emulator):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
            killed += 1
    return killed


def _processes() -> Iterator[tuple[int, int]]:
    """All processes with their parents."""
    if not Path("/proc/self/stat").exists():  # not Linux, and so with a ps
        listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        yield from ((int(process), int(parent)) for process, parent in map(str.split, listed.splitlines()))
        return
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            yield int(stat.parent.name), int(stat.read_text().rpartition(")")[2].split()[1])
