"""Whether JSON is what A2A 1.0 says: the messages of its proto file as proto-JSON, see tests/data/a2a_v1.json."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_DATA = json.loads((Path(__file__).resolve().parents[1] / "data" / "a2a_v1.json").read_text())
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _is_base64(value: Any) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, TypeError, ValueError):
        return False
    return True


_SCALARS: dict[str, Callable[[Any], bool]] = {
    "any": lambda value: True,
    "bool": lambda value: isinstance(value, bool),
    "bytes": _is_base64,
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
    "timestamp": lambda value: isinstance(value, str) and _TIMESTAMP.fullmatch(value) is not None,
}


def faults(value: Any, kind: str, path: str = "$") -> Iterator[str]:
    """What is wrong with ``value`` as a ``kind``: a message, an enum, a scalar, ``[x]`` or ``{x}``."""
    kind = kind.removesuffix("!")
    filled, kind = kind.endswith("+"), kind.removesuffix("+")
    if kind.startswith(("[", "{")):
        shape, named = (list, "list") if kind.startswith("[") else (dict, "map")
        if not isinstance(value, shape) or (filled and not value):
            yield f"{path} must be a {named}" + (" with an element" if filled else "")
            return
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from faults(entry, kind[1:-1], f"{path}[{key}]")
    elif kind in _SCALARS:
        if not _SCALARS[kind](value):
            yield f"{path} must be of type {kind}"
    elif kind in _DATA["enums"]:
        if value not in _DATA["enums"][kind]:
            yield f"{path} must be a {kind}"
    else:
        yield from _message_faults(value, kind, path)


def _message_faults(value: Any, kind: str, path: str) -> Iterator[str]:
    fields = _DATA["messages"][kind]
    if not isinstance(value, dict):
        yield f"{path} must be a {kind}"
        return
    for name in value.keys() - fields.keys():
        yield f"{path}.{name} is no field of {kind}"
    for name, field in fields.items():
        if name in value:
            yield from faults(value[name], field, f"{path}.{name}")
        elif field.endswith("!"):
            yield f"{path}.{name} is missing"
    choice = _DATA["oneofs"].get(kind)
    if choice is not None and len(value.keys() & set(choice)) != 1:
        yield f"{path} must have exactly one of {', '.join(choice)}"


def answer_faults(method: str, result: Any) -> list[str]:
    """What is wrong with the result of a method of 1.0; nothing for a method of another dialect."""
    kind = _DATA["answers"].get(method)
    return list(faults(result, kind)) if kind is not None else []
