"""Runs ``async def`` steps: one event loop for the life of an environment, so that the connections that a model's
client keeps in it are there for the next step."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import inspect
import logging
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from .timer import StepTimeout
from .writing import AgentError


class StepLoop:
    """An event loop that is used for one step after the other, in one thread."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None
        self._abandoned: list[asyncio.Task[Any]] = []

    def run(
        self,
        work: Coroutine[Any, Any, object],
        seconds: float,
        grace: float = 0.5,
        shield: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> object:
        """The result of the work, which is canceled after so many seconds.

        Raises what the work raises; :class:`StepTimeout` if it ends by that cancellation, or goes on in spite of it for
        ``grace`` seconds: then it is left where it is, in a loop that never runs again. Tasks that the work has started
        and not awaited are canceled at its end, as by ``asyncio.run``. ``shield`` holds the step's alarm back while
        the loop is made or tidied up.
        """
        limited = _limited(work, seconds, grace)
        try:
            with shield():
                runner = self._opened()
            try:
                # A context of its own: the runner keeps the one in which it was made, which may be another request's.
                return runner.run(limited, context=contextvars.copy_context())
            finally:
                with shield():
                    self._cancel_rest(runner, grace)
        finally:
            # The alarm may have come before they began.
            _close_unstarted(limited, work)

    def close(self) -> None:
        """End the loop. The next step gets a new one."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.get_loop().close()

    def _opened(self) -> asyncio.Runner:
        if _is_running():
            raise AgentError("an async step cannot run inside of a running event loop: call from a plain function")
        if self._runner is None:
            self._runner = asyncio.Runner()
            self._runner.get_loop().set_exception_handler(_report)
        return self._runner

    def _cancel_rest(self, runner: asyncio.Runner, grace: float) -> None:
        loop = runner.get_loop()
        rest = asyncio.all_tasks(loop)
        if not rest:
            return
        for each in rest:
            each.cancel()
        ending = loop.create_task(_unended(rest, grace))
        # An alarm that rang as the loop was about to run leaves a callback at its task, which stops the loop as if that
        # task were what is waited for: once for each task at most.
        for _ in range(len(rest) + 1):
            with suppress(RuntimeError):
                loop.run_until_complete(ending)
                break
        if stubborn := ending.result() if ending.done() else {*rest, ending}:
            # A loop runs all of its tasks or none, and these must not go on within another step. They are kept, because
            # a coroutine that is collected runs once more.
            self._abandoned += stubborn
            self.close()


async def _limited(work: Coroutine[Any, Any, object], seconds: float, grace: float) -> object:
    """Not ``asyncio.timeout``, which waits for as long as the work swallows its cancellation."""
    task = asyncio.ensure_future(work)
    late = not (await asyncio.wait({task}, timeout=seconds))[0]
    if late:
        task.cancel()
        await asyncio.wait({task}, timeout=grace)
        if not task.done() or task.cancelled():
            raise StepTimeout
    if task.cancelled():
        raise RuntimeError("the step was canceled by its own code")
    error = task.exception()
    if late and isinstance(error, Exception):
        raise StepTimeout from error
    return task.result()


async def _unended(tasks: set[asyncio.Task[Any]], grace: float) -> set[asyncio.Task[Any]]:
    return (await asyncio.wait(tasks, timeout=grace))[1]


def _close_unstarted(*coroutines: Coroutine[Any, Any, object]) -> None:
    for each in coroutines:
        if inspect.iscoroutine(each) and inspect.getcoroutinestate(each) == inspect.CORO_CREATED:
            each.close()


def _is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _report(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The kind of an error that nobody awaits. Its text may hold anything, and is for nobody's log."""
    kind = type(context["exception"]).__name__ if "exception" in context else context["message"]
    logging.getLogger("asyncio").error("%s in a task that the agent's step does not await", kind)


_loops = threading.local()


def step_loop() -> StepLoop:
    """The loop of this thread. Lambda calls the handler in the main thread, so there is one in an environment."""
    loop: StepLoop | None = getattr(_loops, "loop", None)
    if loop is None:
        loop = _loops.loop = StepLoop()
        atexit.register(loop.close)
    return loop
