"""Text that comes in small pieces, as from a model, in few writes: each is paid for, and pushed to every webhook."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from .writing import AgentError

PAUSE = timedelta(seconds=1)
"""Between two writes, unless there is much to write."""

MUCH = 4_096
"""Bytes that are written without waiting for more."""


class Timer(Protocol):
    """What an event loop calls later."""

    def cancel(self) -> None:
        """Not any more."""


class TextStream:
    """A context manager, plain or async, to which a step writes an artifact's text. See ``TaskContext.stream_text``.

    The latest piece is kept back until the next one: so there is one left for the last chunk, which goes with the next
    write of the step. Within ``async with`` it is kept for a second at most, while the model or a tool takes its time.
    ``emit`` adds a chunk to what the next write takes (text, append, last chunk), ``flush`` writes.
    """

    def __init__(
        self, emit: Callable[[str, bool, bool], None], flush: Callable[[], None], clock: Callable[[], datetime]
    ) -> None:
        self._emit, self._flush, self._clock = emit, flush, clock
        self._written_at = clock()
        self._pieces: list[str] = []
        self._bytes = 0
        self._begun = False
        self._open = True
        self._later: Callable[[float, Callable[[], None]], Timer] | None = None
        self._timer: Timer | None = None
        self._error: BaseException | None = None

    def write(self, text: str) -> None:
        """The next piece. Written with those before it: once a second, or when there are 4 kB."""
        if not isinstance(text, str):
            raise AgentError(f"a stream of text takes texts, not {type(text).__name__}")
        if not self._open:
            raise AgentError("the stream of text has ended: write within its with statement")
        self._raise_error()
        if not text:
            return
        if self._pieces and (self._bytes >= MUCH or self._clock() - self._written_at >= PAUSE):
            self.flush()
        self._pieces.append(text)
        self._bytes += len(text.encode(errors="surrogatepass"))
        if self._later is not None and self._timer is None:
            left = PAUSE - (self._clock() - self._written_at)
            self._timer = self._later(max(left.total_seconds(), 0.0), self._in_time)

    def flush(self) -> None:
        """Write what has come so far now, for instance before a tool is called that takes its time."""
        if self._pieces:
            self._chunk(last=False)
            self._flush()
            self._written_at = self._clock()

    def _in_time(self) -> None:
        """Called by the event loop, which would only log what is raised here."""
        self._timer = None
        try:
            self.flush()
        except BaseException as error:  # noqa: BLE001
            self._error = error

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _chunk(self, *, last: bool) -> None:
        text, self._pieces, self._bytes = "".join(self._pieces), [], 0
        self._emit(text, self._begun, last)
        self._begun = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """The end of the text. After an exception nothing more is written of it: the author may run the step again."""
        self._open = False
        if self._timer is not None:
            self._timer.cancel()
        if kind is None:
            self._raise_error()
            if self._pieces:
                self._chunk(last=True)

    async def __aenter__(self) -> Self:
        import asyncio  # which plain steps need not pay for

        self._later = asyncio.get_running_loop().call_later
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
