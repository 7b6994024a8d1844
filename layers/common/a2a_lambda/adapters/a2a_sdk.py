"""An ``AgentExecutor`` of the official SDK (`a2a-sdk`, 0.3 or 1.x), unchanged, as an agent of this stack.

::

    agent = agent_from("weather:executor", card="agent_card.json")

What the executor enqueues becomes the task's writes. See ``run`` for how, ``wire`` for the versions of the SDK. The
endpoint imports this module for the card, so it imports neither the SDK nor the executor.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..agent.agent import Agent, AgentError, Extension, Retry, Skill
from ..agent.context import TaskContext
from .card import fields_of

STEP = "execute"
"""The name of the one step, in logs and in the failure that a client sees."""


def agent_from(
    executor: str | Callable[[], Any],
    *,
    card: str | Mapping[str, Any] | None = None,
    name: str | None = None,
    version: str | None = None,
    description: str | None = None,
    skills: Sequence[Skill] | None = None,
    extensions: Sequence[Extension] | None = None,
    chunk_seconds: float = 1.0,
    cancel_seconds: float = 5.0,
    timeout: float | None = None,
    retry: Retry | None = None,
) -> Agent:
    """The agent whose one step is the executor's ``execute``.

    ``executor`` is ``"module:name"``: a class, a function that makes an executor (it may be async), or an executor. It
    is called once in each environment, at the first step there. ``card`` is an agent card of A2A 1.0 or 0.3: a JSON
    file beside the agent, or its content; what is given beside it comes before it. Its URLs, security and capabilities
    are those of the deployment and not read.

    ``chunk_seconds``: text statuses and artifacts that come faster are put together (0: each is one write).
    ``cancel_seconds``: how often a running ``execute`` looks whether its task was canceled, one read each; 0: never.
    ``timeout`` and ``retry`` are the step's. Raises :class:`AgentError` for what cannot work.
    """
    if isinstance(executor, str) and not all(executor.partition(":")):
        raise AgentError(f'{executor!r} does not name an executor: write "module:name"')
    if chunk_seconds < 0 or cancel_seconds < 0:
        raise AgentError("chunk_seconds and cancel_seconds cannot be negative")
    given = {
        "name": name,
        "version": version,
        "description": description,
        "skills": skills,
        "extensions": extensions,
    }
    fields = fields_of(card) | {key: value for key, value in given.items() if value is not None}
    missing = [key for key in ("name", "version", "description") if not fields.get(key)]
    if missing:
        raise AgentError(f"an agent needs {', '.join(missing)}: give a card, or {missing[0]}=")
    agent = Agent(**fields, imports=(executor,) if isinstance(executor, str) else ())
    made: list[Any] = []

    @agent.step(name=STEP, timeout=timeout, retry=retry, rerun="restart")
    async def execute(task: TaskContext) -> None:
        from .run import ExecutorRun

        if not made:
            made.append(await _made(executor))
        await ExecutorRun(task, made[0], chunk_seconds, cancel_seconds, STEP).run()

    return agent


async def _made(executor: str | Callable[[], Any]) -> Any:
    found: Any = executor
    if isinstance(executor, str):
        module, _, name = executor.partition(":")
        found = getattr(importlib.import_module(module), name, None)
        if found is None:
            raise AgentError(f"module {module!r} has no {name!r}, which agent_from names as its executor")
    if isinstance(found, type) or not hasattr(found, "execute"):
        found = found()
        if inspect.isawaitable(found):
            found = await found
    if not hasattr(found, "execute") or not hasattr(found, "cancel"):
        raise AgentError(f"{executor!r} makes no AgentExecutor: it has to have execute and cancel")
    return found


__all__ = ["agent_from"]
