"""Canonical JSON: what is stored, signed and sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2a_lambda.core.model import dumps, loads, moment, same_json, timestamp

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
HALVES = st.text(st.characters(categories=["L", "Cs"]), min_size=1)


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    assert loads(dumps(value)) == value


@given(VALUES)
def test_any_reader_reads_the_same(value: Any) -> None:
    assert json.loads(dumps(value)) == value


@given(st.lists(HALVES))
def test_half_a_surrogate_pair_spoils_nothing_though_it_has_no_encoding(texts: list[str]) -> None:
    assert loads(dumps(texts)) == texts


def test_the_text_is_compact_and_escapes_no_more_than_it_must() -> None:
    assert dumps({"a": [1, "\u00e9\U0001f600/"], "b": None}) == '{"a":[1,"\u00e9\U0001f600/"],"b":null}'


def test_a_number_of_any_length_stays_exact() -> None:
    assert loads(dumps(10**400 + 1)) == 10**400 + 1


@pytest.mark.parametrize("text", ["", "{", "nul", "[1,]", "\ud800", '{"a":1}x'])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        loads(text)


# ----------------------------------------------------------------------------------------------------------- equality


def reordered(value: Any) -> Any:
    """The same JSON with all keys the other way round."""
    if isinstance(value, dict):
        return {key: reordered(inner) for key, inner in reversed(value.items())}
    return [reordered(inner) for inner in value] if isinstance(value, list) else value


def swapped(value: Any) -> Any:
    """The value with booleans and the numbers that Python takes for them exchanged."""
    if isinstance(value, dict):
        return {key: swapped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [swapped(inner) for inner in value]
    if isinstance(value, bool):
        return int(value)
    return bool(value) if isinstance(value, int | float) and value in (0, 1) else value


@given(VALUES)
def test_a_value_is_the_same_as_its_copy_in_any_order_of_keys(value: Any) -> None:
    assert same_json(value, reordered(json.loads(json.dumps(value))))


@given(VALUES)
def test_a_boolean_is_never_a_number(value: Any) -> None:
    other = swapped(value)
    assert same_json(value, other) == (json.dumps(value) == json.dumps(other))


@given(VALUES, VALUES)
def test_what_is_the_same_has_the_same_text(one: Any, other: Any) -> None:
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert same_json(one, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (0, False, False),
        (1, True, False),
        (1.0, True, False),
        (1, 1.0, True),
        (0.0, -0.0, True),
        ("1", 1, False),
        (None, False, False),
        ([], {}, False),
        ({"a": [{"b": 0}]}, {"a": [{"b": False}]}, False),
        ({"a": None}, {}, False),
        (["\ud800", 1], ["\ud800", True], False),
        (["\ud800", 1], ["\ud800", 1], True),
        (2**70, 2**70, True),
    ],
)
def test_values_are_compared_as_json(one: Any, other: Any, same: bool) -> None:
    assert same_json(one, other) is same
    assert same_json(other, one) is same


# ---------------------------------------------------------------------------------------------------------- timestamps


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2026-08-01T00:00:00Z", "2026-08-01T00:00:00.000Z"),
        ("2026-08-01T00:00:00z", "2026-08-01T00:00:00.000Z"),
        ("2026-08-01t00:00:00.5z", "2026-08-01T00:00:00.500Z"),
        ("2026-08-01T00:00:00.123456789Z", "2026-08-01T00:00:00.123Z"),
        ("2026-08-01T01:00:00+01:00", "2026-08-01T00:00:00.000Z"),
        ("2026-08-01T00:00:00-00:00", "2026-08-01T00:00:00.000Z"),
        ("1000-01-01T00:00:00Z", "1000-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_timestamp_of_rfc_3339_is_read(text: str, written: str) -> None:
    assert timestamp(moment(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-08-01",
        "2026-08-01T00:00:00",
        "2026-08-01T00:00Z",
        "2026-08-01 00:00:00Z",
        "20260801T000000Z",
        "2026-W31-6T00:00:00Z",
        "2026-08-01T00:00:00+0100",
        "2026-08-01T00:00:00+01",
        "2026-08-01T00:00:00+24:00",
        "2026-08-01T00:00:00+01:60",
        "2026-08-01T24:00:00Z",
        "2026-08-01T00:00:60Z",
        "2026-08-01T00:00:00,5Z",
        "2026-02-30T00:00:00Z",
        "2026-08-01T00:00:00Z ",
        "\u0662026-08-01T00:00:00Z",
        "0999-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1000-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z",
    ],
)
def test_any_other_text_is_no_timestamp(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment(text)
