"""Canonical JSON: what is stored, signed and sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2a_lambda.core.model import dumps, loads

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
