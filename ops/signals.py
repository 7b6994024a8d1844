"""SIGINT and SIGTERM while something is held: what was begun is finished, and the rest is put back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopper:
    """``stopped`` is true once a signal came. Ask it between two pieces of work."""

    stopped = False

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """The handler. A second signal is no different: putting back takes a moment, and must not be cut off."""
        self.stopped = True
        os.write(2, b"finishing what was begun, and putting the rest back ...\n")


@contextmanager
def held_back() -> Iterator[Stopper]:
    """Signals only set ``stopped`` meanwhile; in a thread they are not ours to handle."""
    stopper = Stopper()
    try:
        before = {number: signal.signal(number, stopper.stop) for number in _SIGNALS}
    except ValueError:  # not the main thread: the console's
        yield stopper
        return
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
