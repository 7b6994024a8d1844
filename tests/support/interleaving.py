"""Several actors on one table, one call at a time, in an order that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from a2a_lambda.testing import MemoryTasks


class Interleaving:
    """Runs actors as threads of which only one goes at a time, from one checkpoint to its next."""

    def __init__(self, choose: Callable[[Sequence[str]], str]) -> None:
        self._choose = choose
        self._go: dict[str, threading.Event] = {}
        self._paused = threading.Event()
        self._errors: list[BaseException] = []
        self._over: set[str] = set()

    def checkpoint(self) -> None:
        """Where an actor may be overtaken. Outside of :meth:`run` it is nothing."""
        mine = self._go.get(threading.current_thread().name)
        if mine is not None:
            self._paused.set()
            mine.wait()
            mine.clear()

    def run(self, actors: dict[str, Callable[[], object]]) -> None:
        """Until every actor has returned. What one raises comes out at the end."""
        self._go = {name: threading.Event() for name in actors}
        threads = {name: threading.Thread(target=self._act, args=(act,), name=name) for name, act in actors.items()}
        for thread in threads.values():
            thread.start()
        while alive := [name for name, thread in threads.items() if thread.is_alive()]:
            name = self._choose(alive) if len(alive) > 1 else alive[0]
            self._paused.clear()
            self._go[name].set()
            # An actor sets it at its next checkpoint, or at its end.
            self._paused.wait()
            if name in self._over:
                threads[name].join()
        self._go = {}
        if self._errors:
            raise self._errors[0]

    def _act(self, act: Callable[[], object]) -> None:
        name = threading.current_thread().name
        mine = self._go[name]
        mine.wait()
        mine.clear()
        try:
            act()
        except BaseException as error:  # noqa: BLE001
            self._errors.append(error)
        finally:
            self._over.add(name)
            self._paused.set()


class SharedTasks(MemoryTasks):
    """A table with a checkpoint before each call."""

    def __init__(self, interleaving: Interleaving) -> None:
        super().__init__()
        self._interleaving = interleaving

    def create(self, *arguments: Any) -> Any:
        self._interleaving.checkpoint()
        return super().create(*arguments)

    def get(self, *arguments: Any) -> Any:
        self._interleaving.checkpoint()
        return super().get(*arguments)

    def update(self, *arguments: Any) -> None:
        self._interleaving.checkpoint()
        super().update(*arguments)

    def set_resume_token(self, *arguments: Any) -> Any:
        self._interleaving.checkpoint()
        return super().set_resume_token(*arguments)
