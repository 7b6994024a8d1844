"""A request that is refused leaves nothing behind: no task, no memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import refused_requests
from refused_requests import KINDS

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 300
"""Seconds that the process may take before the test fails; no passing test needs them."""


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    path = os.pathsep.join(str(ROOT / each) for each in ("layers/common", "layers/agents"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", refused_requests.__file__, "5000"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return last


def test_five_thousand_of_twelve_kinds_grow_a_function_by_less_than_20_megabytes(found: dict[str, Any]) -> None:
    assert len(KINDS) == 12
    assert found["growth"] < 20


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("no JSON", [200, -32700]),
        ("nested too deeply", [200, -32700]),
        ("no such method", [200, -32601]),
        ("no such version", [200, -32009]),
        ("a media type that is none", [200, -32005]),
        ("a body of REST that is none", [400, 400]),
    ],
)
def test_each_kind_is_refused_for_what_is_wrong_with_it(found: dict[str, Any], kind: str, answer: list[int]) -> None:
    assert found["answers"][kind] == [answer]


def test_all_others_are_refused_for_their_parameters(found: dict[str, Any]) -> None:
    for kind in KINDS.keys() - {"no JSON", "nested too deeply", "no such method", "no such version"}:
        if kind not in {"a media type that is none", "a body of REST that is none"}:
            assert found["answers"][kind] == [[200, -32602]], kind
