"""A grammar of what stored data may hold that nobody of us wrote: seeded, so that a failure can be repeated."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

DEEP = 20_000
"""Levels that no reader's stack holds."""

JSON_VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    7,
    2**53 + 1,
    2**70,
    -(2**70),
    0.5,
    1e308,
    "",
    "x",
    "a\r\nHost: internal",
    "\x00",
    "\ud800",
    "\u202e\U0001f9e8",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-01-01T00:00:00",
    "http://[",
    "1.0",
    [],
    {},
    [1],
    [[]],
    [None],
    {"S": "x"},
    {"": None},
    ["x"] * 3,
    {"state": "TASK_STATE_DREAMING"},
    "long" * 2_000,
]
"""What may stand at any place of a JSON text."""

TEXTS: list[str] = [
    *(json.dumps(value) for value in JSON_VALUES),
    "",
    " ",
    "{",
    "[}",
    "NaN",
    "-Infinity",
    "1e999",
    "9" * 5_000,
    '"\\ud800"',
    "\ud800",
    "\x00",
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    "[" * 600 + "]" * 600,
    "[" * 130 + "]" * 130,
    '{"id":"x","id":"y"}',
]
"""What may stand in a string attribute."""

ATTRIBUTES: list[Any] = [
    *({"S": text} for text in TEXTS),
    *({"N": text} for text in ("", "0", "-1", "1.5", "1E+30", "9" * 38, "9" * 5_000, "NaN", "\u0663", "x", " 1")),
    {"S": 5},
    {"S": None},
    {"S": ["x"]},
    {"N": 5},
    {"N": None},
    {"N": True},
    {"BOOL": True},
    {"NULL": True},
    {"B": "AA=="},
    {"SS": ["x"]},
    {"NS": ["1"]},
    {"L": []},
    {"L": [{"S": "x"}]},
    {"M": {}},
    {"M": {"S": {"S": "x"}}},
    {"S": "x", "N": "1"},
    {},
    [],
    None,
    "x",
    7,
]
"""What may stand in the place of an attribute, in DynamoDB's JSON and beside it."""


def items(item: dict[str, Any], seed: int, inner: int) -> Iterator[tuple[str, Any]]:
    """Mutants of an item, each with what was done to it: each attribute missing and as every bad value, then so many
    with something wrong inside of one that holds JSON."""
    for name in item:
        yield f"without {name}", {key: value for key, value in item.items() if key != name}
        for place, value in enumerate(ATTRIBUTES):
            yield f"{name} as {place}", {**item, name: copy.deepcopy(value)}
    random = Random(seed)
    documents = {name: value["S"] for name, value in item.items() if value.get("S", "")[:1] in ("{", "[")}
    for number in range(inner if documents else 0):
        name = random.choice(sorted(documents))
        yield f"inside of {name}, {number}", {**item, name: {"S": inside(documents[name], random)}}


def inside(text: str, random: Random) -> str:
    """A JSON text with one to three things wrong inside."""
    value = json.loads(text)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        value = _mutated(value, random)
    return json.dumps(value, ensure_ascii=random.random() < 0.9)


def _mutated(value: Any, random: Random) -> Any:
    if not isinstance(value, dict | list) or not value or random.random() < 0.1:
        return copy.deepcopy(random.choice([*JSON_VALUES, _nested(random)]))
    if isinstance(value, list):
        place = random.randrange(len(value))
        return [*value[:place], _mutated(value[place], random), *value[place + random.choice((0, 1, 1)) :]]
    name = random.choice(sorted(value))
    rest = {key: each for key, each in value.items() if key != name}
    what = random.random()
    if what < 0.15:
        return rest
    if what < 0.25:
        return {**rest, random.choice(("", "x", "\ud800", "text", "data", "state")): value[name]}
    return {**value, name: _mutated(value[name], random)}


def _nested(random: Random) -> Any:
    value: Any = 1
    for _ in range(random.choice((90, 130, 400))):
        value = [value] if random.random() < 0.5 else {"a": value}
    return value
