"""The conformance kit a2a-testbed, in both of its versions. It needs Python 3.12: see conftest.py."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

TESTBED = Path(__file__).parents[2] / ".venvs" / "testbed" / "bin" / "a2a-testbed"


@pytest.mark.parametrize("stack", ["endpoint", "streaming_endpoint"])
@pytest.mark.parametrize("version", ["1.0", "0.3"])
def test_the_testbed_finds_no_fault(request: pytest.FixtureRequest, stack: str, version: str) -> None:
    endpoint = request.getfixturevalue(stack)
    command = [TESTBED, "conformance", endpoint, "--protocol-version", version, "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)
