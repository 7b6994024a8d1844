"""The processes in which the local AWS runs functions, to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from emulator import Emulator


def workers(emulator: Emulator) -> list[int]:
    """The processes that the emulator runs functions in: its children. None where there is no /proc."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == emulator.pid:
            children.append(int(stat.parent.name))
    return children


def kill_workers(emulator: Emulator) -> int:
    """Kill all functions where they are; how many."""
    killed = 0
    for worker in workers(emulator):
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)
            killed += 1
    return killed
