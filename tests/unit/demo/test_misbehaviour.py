"""What the query of a receiver's URL asks for: what is understood, what is refused, and when it is due."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import misbehaviour
from misbehaviour import Misbehaviour

ROOT = Path(__file__).parents[3]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def due(query: str, requests: int) -> list[bool]:
    asked = Misbehaviour(query, Clock())
    return [asked.due() for _ in range(requests)]


def test_without_a_query_all_goes_well() -> None:
    assert due("", 3) == [False] * 3


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=503", [True, True, True, True, True]),
        ("status=503&times=2", [True, True, False, False, False]),
        ("status=410&after=2", [False, False, True, True, True]),
        ("status=410&after=1&times=2", [False, True, True, False, False]),
        ("hang&times=0", [False] * 5),
        ("hang&probability=0", [False] * 5),
        ("hang&probability=1", [True] * 5),
    ],
)
def test_it_misbehaves_as_often_as_it_is_asked_to(query: str, expected: list[bool]) -> None:
    assert due(query, 5) == expected


def test_the_dice_are_the_same_in_every_run_of_a_seed_and_others_with_another() -> None:
    runs = [due(f"reset&probability=0.5&seed={seed}", 50) for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]
    assert 10 < sum(runs[0]) < 40


def test_times_counts_what_went_wrong_not_what_came() -> None:
    assert sum(due("reset&probability=0.5&seed=1&times=3", 50)) == 3


def test_for_a_while_begins_with_the_first_request() -> None:
    clock = Clock()
    asked = Misbehaviour("reset&for=10", clock)
    seen = []
    for clock.now in (100, 109.9, 110, 200):
        seen.append(asked.due())
    assert seen == [True, True, False, False]


@pytest.mark.parametrize(
    ("query", "status", "headers", "spoils"),
    [
        ("status=410", 410, {}, False),
        ("retry-after=5", 503, {"Retry-After": "5"}, False),
        ("retry-after=5&status=429", 429, {"Retry-After": "5"}, False),
        ("redirect=http%3A%2F%2Flocalhost%3A9%2Fx%3Fa%3D1", 302, {"Location": "http://localhost:9/x?a=1"}, False),
        ("redirect=http://localhost:9/&status=308", 308, {"Location": "http://localhost:9/"}, False),
        ("delay=2", None, {}, False),
        ("hang", 0, {}, True),
        ("reset", 0, {}, True),
        ("forget", None, {}, True),
        ("drip=0.5&delay=1", None, {}, True),
    ],
)
def test_what_is_done(query: str, status: int | None, headers: dict[str, str], spoils: bool) -> None:
    asked = Misbehaviour(query)
    assert (asked.status, asked.headers, asked.spoils) == (status, headers, spoils)


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ("sttus=503", "'sttus' is unknown; there are: status, retry-after"),
        ("status=abc", "'status' takes a whole number from 200 to 599, not 'abc'"),
        ("status=", "not ''"),
        ("status", "not ''"),
        ("status=99", "from 200 to 599"),
        ("status=٤٠٤", "whole number"),
        ("status=503&status=500", "'status' is there twice"),
        ("delay=61", "from 0 to 60"),
        ("delay=nan", "a number"),
        ("delay=-1", "a number"),
        ("delay=1e9", "a number"),
        ("drip=x", "a number"),
        ("probability=1.1&hang", "from 0 to 1"),
        ("retry-after=soon", "whole number"),
        ("hang=yes", "'hang' takes no value, not 'yes'"),
        ("redirect=ftp://h/", "an http\\(s\\) URL"),
        ("redirect=http://h/%0d%0aX: y", "an http\\(s\\) URL"),
        ("times=3", "when, but not what"),
        ("hang&reset", "hang and reset do not go together"),
        ("hang&status=503", "do not go together"),
        ("forget&retry-after=5", "do not go together"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_a_reason(query: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Misbehaviour(query)


def test_every_name_is_in_the_help_and_in_the_docs_with_an_example_that_is_understood() -> None:
    shown = misbehaviour.describe()
    page = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
    for name, option in misbehaviour.OPTIONS.items():
        example = f"{name}={option.example}".rstrip("=")
        assert f"  {example} " in shown
        assert re.search(rf"`{re.escape(example)}`", page), example
        Misbehaviour(example if name in misbehaviour.WHAT else f"hang&{example}")
