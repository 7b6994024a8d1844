"""What an Express workflow leaves an agent: five minutes, and nobody who waits for an answer.

An Express execution ends after 300 seconds, past every catch and without a word. So the times of a task are divided
beforehand, counted from its creation:

* until ``Express.task_seconds`` a step, a wait or a retry may begin;
* by ``STEPS_END`` the last step is over, even one that only its function's end can interrupt;
* the rest is for the state machine: its retries, and its last resort, which ends the task as failed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from .agent import Agent, AgentError, Retry, Step

STEPS_END = 240.0
"""Seconds after which no step of a task runs any more."""

LONGEST_STEP = 120.0
"""Seconds: the longest StepTimeoutSeconds that leaves a task as much again."""

_ASKING = ("require_input", "require_auth")


class ExpressError(AgentError):
    """The agent needs what an Express workflow cannot do."""


@dataclass(frozen=True, slots=True)
class Express:
    """The limits of a stack with Express workflows. ``step_seconds`` is its StepTimeoutSeconds.

    Raises :class:`ExpressError` for one that leaves a task too little time.
    """

    step_seconds: float = 60.0

    def __post_init__(self) -> None:
        if not 0 < self.step_seconds <= LONGEST_STEP:
            raise ExpressError(f"with Express a step has at most {LONGEST_STEP:.0f} s, not {self.step_seconds:.0f}")

    @property
    def task_seconds(self) -> float:
        """Seconds after a task's creation in which its steps may begin."""
        return STEPS_END - self.step_seconds

    def check(self, agent: Agent) -> None:
        """Raises :class:`ExpressError`, with all reasons, for an agent that an Express workflow cannot run.

        What cannot be seen in the code (a wait that is computed, a question asked through another module) is refused
        when it happens: it ends the task as failed.
        """
        reasons = list(self._refusals(agent))
        if reasons:
            raise ExpressError(f"agent {agent.name!r} cannot run in an Express workflow: {'; '.join(reasons)}")

    def _refusals(self, agent: Agent) -> Iterator[str]:
        has = f"a task has {self.task_seconds:.0f} s"
        if agent.timeout is not None and agent.timeout > self.task_seconds:
            yield f"its timeout is {agent.timeout:.0f} s, {has}"
        for step in agent.steps:
            yield from (f"step {step.name!r} {reason}" for reason in self._of_step(step, has))

    def _of_step(self, step: Step, has: str) -> Iterator[str]:
        if step.wait >= self.task_seconds:
            yield f"waits {step.wait:.0f} s, {has}"
        if step.timeout is not None and step.timeout > self.step_seconds:
            yield f"may take {step.timeout:.0f} s, a step has {self.step_seconds:.0f} s"
        if step.retry is not None and _outlasts(step.retry, self.task_seconds):
            yield f"pauses between its retries for {self.task_seconds:.0f} s or more, {has}"
        asking = _question_in(step.function)
        if asking is not None:
            yield f"may ask its client ({asking}), and nobody waits for the answer"


def _outlasts(retry: Retry, seconds: float) -> bool:
    """Whether the pauses between all tries are so many seconds together."""
    together = 0.0
    for failures in range(1, retry.attempts):
        pause = retry.pause(failures)
        together += pause
        if together >= seconds or not pause:
            break
    return together >= seconds


def _question_in(function: Any) -> str | None:
    """The method with which a step may ask its client; None if its code names none.

    Looked for in the function, in what is defined inside it, and in the functions of its module that it names.
    """
    waiting: list[Any] = [function, inspect.unwrap(function), getattr(function, "__func__", None)]
    seen: set[FunctionType] = set()
    while waiting:
        found = waiting.pop()
        if not isinstance(found, FunctionType) or found in seen:
            continue
        seen.add(found)
        names = {name for code in _codes(found.__code__) for name in code.co_names}
        for asking in _ASKING:
            if asking in names:
                return asking
        known = [found.__globals__.get(name) for name in names]
        waiting += [each for each in known if getattr(each, "__module__", None) == found.__module__]
        for cell in found.__closure__ or ():
            with suppress(ValueError):  # a cell may be empty
                waiting.append(cell.cell_contents)
    return None


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of a function and of all that is defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)
