"""What a step must know and nobody may read: values that are looked up by name, kept for five minutes, and watched for
in all that the step writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..core.model import dumps
from ..core.ports import Clock, Unavailable
from .writing import AgentError

TTL = timedelta(minutes=5)
"""How long a value is used before it is looked up again."""

SHORTEST = 8
"""Characters of a value that is watched for. A shorter one is in many texts by chance."""

_SUFFIX = 7
"""A hyphen and six characters, which Secrets Manager puts after the name."""


class Secrets:
    """Values by the names of their secrets. ``read`` is from an ARN to the present value.

    A value that is too old stays in use where there is no answer.
    """

    def __init__(self, arns: Sequence[str], read: Callable[[str], str], clock: Clock) -> None:
        self._arns = {arn.partition(":secret:")[2][:-_SUFFIX]: arn for arn in arns}
        self._read, self._clock = read, clock
        self._values: dict[str, tuple[str, datetime]] = {}

    def __call__(self, name: str) -> str:
        """Raises :class:`AgentError` for a name that the stack does not give to the agent, :class:`Unavailable`."""
        arn = self._arns.get(name)
        if arn is None:
            there = ", ".join(sorted(self._arns)) or "none"
            raise AgentError(f"there is no secret {name!r} for this agent; AgentSecretArns gives it: {there}")
        now = self._clock()
        value, until = self._values.get(name, ("", now))
        if now >= until:
            try:
                value, until = self._read(arn), now + TTL
            except Unavailable:
                if name not in self._values:
                    raise
                until = now + TTL / 10
            self._values[name] = value, until
        return value


class Watched:
    """The values that a run has read, so that none gets out by it."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def field(self, name: str, value: str, key: str | None) -> str:
        """The value, or (``key``) a field of it as JSON, watched from now on. Raises :class:`AgentError`."""
        self._add(name, value)
        if key is None:
            return value
        try:
            found = json.loads(value)[key]
        except (ValueError, TypeError, LookupError):
            raise AgentError(f"the secret {name!r} is no JSON object with the key {key!r}") from None
        text = found if isinstance(found, str) else dumps(found)
        self._add(name, text)
        return text

    def check(self, *written: Any) -> None:
        """Raises :class:`AgentError` if a value is in what is to be written."""
        if self._values:
            name = self.name_in(dumps(written))
            if name is not None:
                raise AgentError(f"a write of the step holds the value of the secret {name!r}")

    def name_in(self, text: str) -> str | None:
        """The name of a secret whose value is in the text; None: there is none."""
        return next((name for value, name in self._values.items() if value in text), None)

    def _add(self, name: str, value: str) -> None:
        for form in (value, dumps(value)[1:-1]):  # as it is within JSON
            if len(form) >= SHORTEST:
                self._values[form] = name


def no_secrets(name: str) -> str:
    """For a stack that has none."""
    raise AgentError(f"there is no secret {name!r} for this agent; AgentSecretArns gives it: none")


def given_secrets(values: Mapping[str, str]) -> Callable[[str], str]:
    """For tests of an agent."""

    def secret(name: str) -> str:
        if name not in values:
            raise AgentError(f"run_agent was given no secret {name!r}: run_agent(…, secrets={{{name!r}: …}})")
        return values[name]

    return secret
