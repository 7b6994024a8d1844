"""The tests of the adapter once more, with executors of the last SDK of A2A 0.3 in an environment of its own."""

from __future__ import annotations

import re
import subprocess

from emulator import ROOT

COMPAT = ROOT / ".venvs" / "compat" / "bin" / "python"


def test_the_adapter_keeps_its_promises_with_the_sdk_of_0_3():
    version = subprocess.run(
        [str(COMPAT), "-c", "import importlib.metadata as m; print(m.version('a2a-sdk'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert version.startswith("0.3.")

    done = subprocess.run(
        [str(COMPAT), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/adapters"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-4_000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 40
    assert "skipped" not in done.stdout
