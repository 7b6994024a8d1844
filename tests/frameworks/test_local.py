"""A Strands agent as `make new-agent` writes it, on the local AWS: its package in the layer, its pushes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "Makefile",
    "template.yaml",
    "demo",
    "functions",
    "layers",
    "local",
    "requirements",
    "tools",
)


def make(checkout: Path, *words: str) -> str:
    done = subprocess.run(
        ["make", *words], cwd=checkout, env={**os.environ}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return done.stdout


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_strands_agent_answers_on_the_local_aws_and_every_change_is_pushed(tmp_path):
    for name in COPIED:  # with their times: what is installed stays valid
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy(source, tmp_path / name)
    (tmp_path / ".venvs").symlink_to(ROOT / ".venvs")

    make(tmp_path, "new-agent", "NAME=sunny_agent", "FROM=strands")
    assert "strands" in (tmp_path / "layers" / "agents" / "requirements.in").read_text()
    make(tmp_path, "lock-agent")
    said = make(tmp_path, "demo", "AGENT=sunny_agent", f"WEBHOOK_PORT={free_port()}", "DEMO=--message Lisbon?")

    assert "completed, 1 artifact" in said
    assert "All checks passed" in said
