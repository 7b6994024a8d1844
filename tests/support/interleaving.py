"""Several actors on one table, one call at a time, in an order that a test chooses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from a2a_lambda.agent.run import Halt
from a2a_lambda.testing.memory import MemoryTasks

MOST_TURNS = 300


class _Abandoned(Halt):
    """The test is over before its actors are."""


class Interleaving:
    """Runs actors as threads of which only one goes at a time, from one checkpoint to its next."""

    def __init__(self, choose: Callable[[Sequence[str]], str]) -> None:
        self._choose = choose
        self._go: dict[str, threading.Event] = {}
        self._paused = threading.Event()
        self._errors: list[BaseException] = []
        self._alive: list[str] = []
        self._abandoned = False

    def checkpoint(self) -> None:
        """Where an actor may be overtaken. Outside of :meth:`run` it is nothing."""
        mine = self._go.get(threading.current_thread().name)
        if mine is not None:
            self._paused.set()
            self._wait(mine)

    def run(self, actors: dict[str, Callable[[], object]]) -> None:
        """Until every actor has returned. What one raises comes out at the end."""
        self._go = {name: threading.Event() for name in actors}
        self._alive = list(actors)
        threads = [
            threading.Thread(target=self._act, args=actor, name=actor[0], daemon=True) for actor in actors.items()
        ]
        for thread in threads:
            thread.start()
        try:
            turns = 0
            while self._alive:
                turns += 1
                assert turns < MOST_TURNS, "it does not come to an end"
                name = self._choose(tuple(self._alive)) if len(self._alive) > 1 else self._alive[0]
                self._paused.clear()
                self._go[name].set()
                self._paused.wait()  # until its next checkpoint, or its end
        finally:
            self._abandoned = bool(self._alive)
            for event in self._go.values():
                event.set()
            for thread in threads:
                thread.join()
            self._go = {}
        if self._errors:
            raise self._errors[0]

    def _act(self, name: str, act: Callable[[], object]) -> None:
        try:
            self._wait(self._go[name])
            act()
        except _Abandoned:
            pass
        except BaseException as error:  # noqa: BLE001
            self._errors.append(error)
        finally:
            self._alive.remove(name)
            self._paused.set()

    def _wait(self, event: threading.Event) -> None:
        event.wait()
        event.clear()
        if self._abandoned:
            raise _Abandoned


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
