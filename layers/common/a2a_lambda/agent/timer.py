"""Time limits for the author's code: an alarm that interrupts a step where it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol


class StepTimeout(TimeoutError):
    """The step took longer than it may."""


class Timer(Protocol):
    """How steps are kept to their time."""

    def limit(self, seconds: float, work: Callable[[], object]) -> None:
        """Does the work. Raises :class:`StepTimeout` inside it after so many seconds."""

    def shield(self) -> AbstractContextManager[None]:
        """Not inside this one: the runtime's own writes are made or not made, never torn."""


class NoTimer:
    """:class:`Timer` where time is virtual."""

    def limit(self, seconds: float, work: Callable[[], object]) -> None:  # noqa: ARG002
        """See :class:`Timer`."""
        work()

    def shield(self) -> AbstractContextManager[None]:
        """See :class:`Timer`."""
        return nullcontext()


class AlarmTimer:
    """:class:`Timer` with the system's alarm. It works in the main thread only, where Lambda calls the handler;
    elsewhere nothing is limited.

    Python runs a signal's handler some time after the signal, when it next calls or loops. So no signal mask is used
    (a handler that raises in the call which blocks the signal leaves it blocked for ever) but a flag, which takes no
    call to set.
    """

    def __init__(self) -> None:
        self._held = True
        self._rang = False

    def limit(self, seconds: float, work: Callable[[], object]) -> None:
        """See :class:`Timer`. Rings again each second: a step may swallow the first in an ``except``."""
        if not _interruptible():
            work()
            return
        self._rang = False
        before = signal.signal(signal.SIGALRM, self._ring)
        try:
            self._held = False
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1.0)
            work()
        finally:
            self._held = True  # before any call: an alarm that comes as the work ends must not keep the timer running
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    @contextmanager
    def shield(self) -> Iterator[None]:
        """See :class:`Timer`. An alarm meanwhile rings at the end, or a step that only writes would never hear one."""
        if not _interruptible():
            yield
            return
        before, self._held = self._held, True
        try:
            yield
        finally:
            self._held = before
        if self._rang and not before:
            self._rang = False
            raise StepTimeout

    def _ring(self, _signal: int, _frame: object) -> None:
        if not self._held:
            raise StepTimeout
        self._rang = True


def _interruptible() -> bool:
    """Python handles signals in the main thread only."""
    return threading.current_thread() is threading.main_thread()
