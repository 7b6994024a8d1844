"""The functions' configuration, read from the environment that the template gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class SettingsError(Exception):
    """The environment lacks something or has something that cannot be. Names the variable, not its value."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Typed access to environment variables. Every method raises :class:`SettingsError`."""

    variables: Mapping[str, str]

    def text(self, name: str, default: str | None = None) -> str:
        """A text that is not empty, unless the default is."""
        value = self.variables.get(name, "").strip()
        if value:
            return value
        if default is None:
            raise SettingsError(f"the environment variable {name} is missing or empty")
        return default

    def texts(self, name: str) -> frozenset[str]:
        """Texts that are separated by commas; none if there is nothing."""
        return frozenset(text.strip() for text in self.text(name, "").split(",")) - {""}

    def flag(self, name: str, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self.text(name, "true" if default else "false").lower()
        if value not in ("true", "false"):
            raise SettingsError(f"the environment variable {name} must be true or false")
        return value == "true"

    def choice(self, name: str, choices: Sequence[str]) -> str:
        """One of several texts; the first if there is none."""
        value = self.text(name, choices[0])
        if value not in choices:
            raise SettingsError(f"the environment variable {name} must be one of {', '.join(choices)}")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """A JSON object; an empty one if there is none."""
        try:
            value: object = json.loads(self.text(name, "{}"))
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise SettingsError(f"the environment variable {name} must be a JSON object")
        return value

    def number(self, name: str, default: float) -> float:
        """A number that is not negative."""
        try:
            value = float(self.text(name, str(default)))
        except ValueError:
            value = -1.0
        if not 0 <= value < float("inf"):
            raise SettingsError(f"the environment variable {name} must be a number that is not negative")
        return value
