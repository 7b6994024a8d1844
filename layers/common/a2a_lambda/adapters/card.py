"""What an agent card says of its agent, apart from how it is deployed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..agent.agent import AgentError, Extension, Skill


def fields_of(card: str | Mapping[str, Any] | None) -> dict[str, Any]:
    """The arguments of ``Agent`` that a card of A2A 1.0 or 0.3 has. A text is the path of a JSON file, absolute or
    beside the agent. Raises :class:`AgentError` if it is no card."""
    if card is None:
        return {}
    content: object = _read(card) if isinstance(card, str) else card
    if not isinstance(content, Mapping):
        raise AgentError("an agent card is a JSON object")
    try:
        fields = {
            "name": content.get("name"),
            "version": content.get("version"),
            "description": content.get("description"),
            "skills": [_skill(each) for each in content.get("skills") or ()],
            "extensions": [_extension(each) for each in (content.get("capabilities") or {}).get("extensions") or ()],
            "input_modes": _strings(content.get("defaultInputModes")),
            "output_modes": _strings(content.get("defaultOutputModes")),
            "provider": content.get("provider"),
            "documentation_url": content.get("documentationUrl"),
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise AgentError(f"the agent card is not one of A2A 1.0 or 0.3: {type(error).__name__} {error}") from error
    return {key: value for key, value in fields.items() if value}


def _read(path: str) -> object:
    places = [Path(path)] if Path(path).is_absolute() else [Path(folder or ".") / path for folder in sys.path]
    for place in places:
        if place.is_file():
            try:
                return json.loads(place.read_text(encoding="utf-8"))
            except ValueError as error:
                raise AgentError(f"the agent card {path!r} is not JSON: {error}") from error
    raise AgentError(f"there is no agent card {path!r} beside the agent")


def _skill(skill: Mapping[str, Any]) -> Skill:
    return Skill(
        skill["id"],
        skill["name"],
        skill.get("description", ""),
        _strings(skill.get("tags")),
        _strings(skill.get("examples")),
    )


def _extension(extension: Mapping[str, Any]) -> Extension:
    return Extension(
        extension["uri"],
        extension.get("description") or "",
        bool(extension.get("required")),
        extension.get("params"),
    )


def _strings(values: object) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, list | tuple) or not all(isinstance(each, str) for each in values):
        raise TypeError("a list of strings is expected")
    return tuple(values)
