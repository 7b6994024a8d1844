"""The largest legal load of the notifier stays under half of its function's memory, whatever it is made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from largest_batch import KINDS
from tests.delivery.misbehaving import listening

from a2a_lambda.push.configs import MAX_CONFIGS

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300
"""Seconds that a process may take before its test fails; no passing test needs them."""


def memory_size() -> int:
    """MB that the notifier's function has."""

    class Loader(yaml.SafeLoader):
        """Reads intrinsic functions as nothing."""

    Loader.add_multi_constructor("!", lambda *_: None)
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    size: int = template["Resources"]["NotifierFunction"]["Properties"]["MemorySize"]
    return size


@pytest.mark.parametrize("answer", ["ok", "unavailable"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_largest_batch_with_twenty_configs_each_takes_less_than_half_of_the_memory(kind: str, answer: str) -> None:
    with listening() as receiver:
        done = subprocess.run(
            [sys.executable, ROOT / "tests/support/largest_batch.py", kind, receiver.url(f"/{answer}")],
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'layers/common'}:{ROOT / 'tests/support'}"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert receiver.requests
    # What the budget of first attempts does not cover goes to the queue, and is made ready for it here as well.
    assert found["tried"] + found["queued"] >= found["tasks"] * MAX_CONFIGS, "what was not made was not measured"
    assert found["peak"] < memory_size() / 2
