"""What the author of an agent writes with: an agent is a card and a list of Python steps.

::

    agent = Agent(name="Greeter", version="1.0.0", description="Greets.", skills=[Skill("greet", "Greet", "Says hi.")])

    @agent.step
    def greet(task):
        task.artifact("greeting", text=f"Hello, {task.text}!")
        task.complete("Greeted.")

Steps run one after the other. Each is run again if it is interrupted by a crash; what it has written by then is not
written twice, because writes are numbered. Effects outside the task should use ``task.idempotency_key``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, overload

from ..core.model import Json, Message, Part
from ..net.web import FetchError
from .context import MAX_WAIT, TaskContext
from .writing import AgentError, causes

StepFunction: TypeAlias = Callable[[TaskContext], object]
MessageFunction: TypeAlias = Callable[[Message], str | Sequence[Part] | None]

Rerun: TypeAlias = Literal["skip", "restart"]

MAX_BACKOFF = 3_600.0
"""Seconds: the longest pause between two tries of a step."""


@dataclass(frozen=True, slots=True)
class Skill:
    """One skill on the agent card (specification section 4.4.5)."""

    id: str
    name: str
    description: str
    tags: Sequence[str] = ()
    examples: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension on the agent card (specification section 4.6). ``required``: a message is refused with -32008 unless
    its client asks for the extension."""

    uri: str
    description: str = ""
    required: bool = False
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step that raises is run in all, and the seconds before the next try, doubled each time up to an hour.

    ``on`` are the exceptions that are worth another try; any other ends the task as failed. A step that takes too long
    raises ``TimeoutError``. A group of exceptions is worth it if all in it are.
    """

    attempts: int = 3
    backoff: float = 2.0
    on: type[Exception] | tuple[type[Exception], ...] = (Exception,)

    def __post_init__(self) -> None:
        if self.attempts < 1 or not 0 <= self.backoff <= MAX_BACKOFF:
            raise AgentError(f"Retry needs at least one attempt, and a backoff between 0 and {MAX_BACKOFF:.0f} seconds")
        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        try:
            exceptions = all(issubclass(kind, Exception) for kind in kinds)
        except TypeError:
            exceptions = False
        if not exceptions:
            raise AgentError("Retry(on=) takes an exception class or a tuple of them")

    def covers(self, error: BaseException) -> bool:
        """Whether what a step raised is worth another try. A canceled call is a failure like any other, although
        Python's ``CancelledError`` is no ``Exception``."""
        from asyncio import CancelledError

        kinds = self.on if isinstance(self.on, tuple) else (self.on,)
        worth = (*kinds, CancelledError) if Exception in kinds else kinds
        return isinstance(error, kinds) or all(isinstance(each, worth) for each in causes(error))

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures, counted from 1."""
        # The exponent is bounded as well: a float has an end.
        return min(self.backoff * 2.0 ** min(failures - 1, 30), MAX_BACKOFF)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: a function of the task. ``wait`` seconds pass before it, ``timeout`` seconds is the longest that it may
    take; ``retry`` None: one failure ends the task. ``rerun`` is what a run after a crash or a failure does with the
    writes of the one before: "skip" those that are recorded, or "restart", as if they had not been made."""

    name: str
    function: StepFunction
    wait: float = 0.0
    retry: Retry | None = None
    timeout: float | None = None
    rerun: Rerun = "skip"

    @property
    def is_async(self) -> bool:
        """Whether the function has to be awaited."""
        call = getattr(self.function, "__call__", None)  # noqa: B004 - of an object, it may be async
        return inspect.iscoroutinefunction(self.function) or inspect.iscoroutinefunction(call)

    def call(self, task: TaskContext) -> None:
        """Run the function. Raises what it raises, and :class:`AgentError` where it returns something that would still
        have to be awaited or iterated: nothing of its work was done, so the step must not count as done."""
        self.check_returned(self.function(task))

    def check_returned(self, returned: object) -> None:
        """Raises :class:`AgentError` for what would still have to be awaited or iterated."""
        if inspect.isawaitable(returned) or inspect.isgenerator(returned) or inspect.isasyncgen(returned):
            if inspect.iscoroutine(returned) or inspect.isgenerator(returned):
                returned.close()
            kind = type(returned).__name__
            raise AgentError(f"step {self.name!r} returned a value of {kind}: its work would never be done")


@dataclass(eq=False)
class Agent:
    """The card of an agent and its steps. Raises :class:`AgentError` at import for what cannot work.

    ``timeout`` is the longest in seconds that a task may take from its first message to its end, waiting included;
    None: as long as the stack allows (parameter TaskTimeoutSeconds). ``imports`` names what only its steps import, as
    ``"module"`` or ``"module:name"``: ``make check-agent`` tries it.
    """

    name: str
    version: str
    description: str
    skills: Sequence[Skill] = ()
    input_modes: Sequence[str] = ("text/plain", "application/json")
    output_modes: Sequence[str] = ("text/plain", "application/json")
    provider: Mapping[str, str] | None = None
    documentation_url: str | None = None
    timeout: float | None = None
    extensions: Sequence[Extension] = ()
    imports: Sequence[str] = ()
    steps: list[Step] = field(default_factory=list)
    first_look: MessageFunction | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None and not 0 < self.timeout <= MAX_WAIT:
            raise AgentError(f"agent {self.name!r}: timeout must be between 0 and {MAX_WAIT} seconds")

    @overload
    def step(self, function: StepFunction, /) -> StepFunction: ...

    @overload
    def step(
        self,
        /,
        *,
        wait: float = 0.0,
        retry: Retry | None = None,
        timeout: float | None = None,
        name: str | None = None,
        rerun: Rerun = "skip",
    ) -> Callable[[StepFunction], StepFunction]: ...

    def step(
        self,
        function: StepFunction | None = None,
        /,
        *,
        wait: float = 0.0,
        retry: Retry | None = None,
        timeout: float | None = None,
        name: str | None = None,
        rerun: Rerun = "skip",
    ) -> Any:
        """Declare the next step, a function or a coroutine function. ``wait`` and ``timeout`` are in seconds; ``name``
        is for ``goto`` and defaults to the function's. ``rerun`` "restart" is for a step that does not make the same
        writes again when it is run again, such as one that asks a model."""

        def declare(declared: StepFunction) -> StepFunction:
            step = Step(str(name or getattr(declared, "__name__", "")), declared, wait, retry, timeout, rerun)
            self._check(step)
            self.steps.append(step)
            return declared

        return declare(function) if function is not None else declare

    def on_message(self, function: MessageFunction) -> MessageFunction:
        """Declare the function that sees each new message before there is a task.

        What it returns, a text or parts, is the agent's direct answer: nothing is stored, no webhook is notified. None
        lets the message become a task. It runs in the endpoint's function, while the client waits, and again if the
        client sends the message again: it should decide fast and have no effects.
        """
        if self.first_look is not None:
            raise AgentError(f"agent {self.name!r}: on_message is declared twice")
        self.first_look = function
        return function

    def step_named(self, name: str) -> Step:
        """The step of this name. Raises :class:`AgentError` if there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise AgentError(f"agent {self.name!r} has no step {name!r}")

    def step_after(self, name: str) -> Step | None:
        """The step declared after this one; None at the end."""
        place = self.steps.index(self.step_named(name)) + 1
        return self.steps[place] if place < len(self.steps) else None

    def _check(self, step: Step) -> None:
        if not step.name or any(known.name == step.name for known in self.steps):
            raise AgentError(f"agent {self.name!r}: two steps are named {step.name!r}, or one has no name")
        if not 0 <= step.wait <= MAX_WAIT:
            raise AgentError(f"step {step.name!r}: wait must be between 0 and {MAX_WAIT} seconds")
        if step.timeout is not None and not 0 < step.timeout <= 900:
            raise AgentError(f"step {step.name!r}: timeout must be between 0 and 900 seconds, as long as a Lambda runs")
        if step.rerun not in ("skip", "restart"):
            raise AgentError(f"step {step.name!r}: rerun must be 'skip' or 'restart'")
        if inspect.isasyncgenfunction(step.function) or inspect.isgeneratorfunction(step.function):
            raise AgentError(f"step {step.name!r} must be a plain or an async function, not a generator")
        try:
            inspect.signature(step.function).bind(None)
        except TypeError:
            raise AgentError(f"step {step.name!r} must take one argument, the task") from None


__all__ = ["Agent", "AgentError", "Extension", "FetchError", "Json", "Message", "Part", "Retry", "Skill", "TaskContext"]
