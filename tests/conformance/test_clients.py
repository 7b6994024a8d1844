"""The official clients as they are on PyPI and npm: card, send, tasks, configs, and webhooks in their own types.

`make test` installs them. The JavaScript SDK needs npm: where there is none, its cases are not made.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parents[1] / ".venvs"
COMPAT = ENVIRONMENTS / "compat" / "bin" / "python"
NODE = ENVIRONMENTS / "js"

PAIRS = [("1.0", "JSONRPC"), ("0.3", "JSONRPC"), ("1.0", "HTTP+JSON")]
CLIENTS = ["python", "javascript"] if shutil.which("node") and (NODE / "node_modules").exists() else ["python"]


def run(*command: str | Path, cwd: Path = HERE / "clients", script: str | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, input=script, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("version", "binding"), PAIRS)
@pytest.mark.parametrize("client", CLIENTS)
def test_the_official_sdk_finds_all_it_needs(endpoint: str, client: str, version: str, binding: str) -> None:
    if client == "python":
        run(sys.executable, "sdk_1.py", endpoint, version, binding)
    else:
        # From standard input: modules are looked for beside the script or, without one, in the working directory.
        script = (HERE / "js" / "client.mjs").read_text()
        run("node", "--input-type=module", "-", endpoint, version, binding, cwd=NODE, script=script)


def test_the_last_python_sdk_of_0_3_finds_all_it_needs(endpoint: str) -> None:
    run(COMPAT, "sdk_0_3.py", endpoint)
