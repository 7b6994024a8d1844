"""How the official clients are run: each in its own environment, which `make test` installs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from cloud import ROOT

HERE = ROOT / "tests" / "conformance"
ENVIRONMENTS = ROOT / ".venvs"
COMPAT = ENVIRONMENTS / "compat" / "bin" / "python"
NODE = ENVIRONMENTS / "js"

PAIRS = [("1.0", "JSONRPC"), ("0.3", "JSONRPC"), ("1.0", "HTTP+JSON")]
CLIENTS = ["python", "javascript"] if shutil.which("node") and (NODE / "node_modules").exists() else ["python"]
"""The JavaScript SDK needs npm: where there is none, its cases are not made."""


def run(*command: str | Path, cwd: Path = HERE / "clients", script: str | None = None) -> None:
    """Runs a client to its end, which has to be a success; `script` is its standard input."""
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, input=script, capture_output=True, text=True, timeout=90, check=False
    )
    assert done.returncode == 0, done.stderr
