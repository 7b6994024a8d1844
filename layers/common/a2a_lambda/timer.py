"""Time limits for the author's code: an alarm that interrupts a step where it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol


class StepTimeout(TimeoutError):
    """The step took longer than it may."""


class Timer(Protocol):
    """How steps are kept to their time."""

    def limit(self, seconds: float) -> AbstractContextManager[None]:
        """Raises :class:`StepTimeout` inside the context after so many seconds."""

    def shield(self) -> AbstractContextManager[None]:
        """Not inside this one: the runtime's own writes are made or not made, never torn."""


class NoTimer:
    """:class:`Timer` where time is virtual."""

    def limit(self, seconds: float) -> AbstractContextManager[None]:  # noqa: ARG002
        """See :class:`Timer`."""
        return nullcontext()

    def shield(self) -> AbstractContextManager[None]:
        """See :class:`Timer`."""
        return nullcontext()


class AlarmTimer:
    """:class:`Timer` with the system's alarm. It works in the main thread only, where Lambda calls the handler;
    elsewhere nothing is limited."""

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """See :class:`Timer`. Rings again each second: a step may swallow the first in an ``except``."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def ring(_signal: int, _frame: object) -> None:
            raise StepTimeout

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1.0)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """See :class:`Timer`. An alarm meanwhile rings at the end."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
