"""Locks what agents need: layers/agents/requirements.in becomes requirements.txt, with hashes, for every runtime.

    python tools/lock_agent.py [--upgrade]     (or: make lock-agent)

What the common layer has is taken in its version, and left out: the two layers end up in one directory. What is locked
already stays as it is unless --upgrade is given. Where it can be, versions are those that the tests use.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
UV = ROOT / ".venvs" / "tools" / "bin" / "uv"
PYTHON = "3.11"

sys.path.insert(0, str(ROOT / "layers"))

import locked  # noqa: E402


class Done(NamedTuple):
    """What uv did: the lock, or why there is none."""

    text: str
    refusal: str


def lock(root: Path = ROOT, uv: Path = UV, *, upgrade: bool = False) -> str:
    """One line on what was written. Raises LockError with one line on what cannot be had."""
    agents, common = root / "layers" / "agents", root / "layers" / "common" / "requirements.txt"
    source, target = agents / "requirements.in", agents / "requirements.txt"
    if not locked.named(source):
        if target.exists():
            target.unlink()
            (root / ".venvs" / "dev" / ".lock").unlink(missing_ok=True)  # its packages are still installed there
        return "layers/agents/requirements.in names no packages: the layer of the agents has only their code"
    if not uv.is_file():
        raise locked.LockError("uv is needed to lock packages, and is not to be had here")
    shared = [package.name for package in locked.read(common, "layers/common")]
    tested = root / "requirements" / "dev.txt"
    # A preference, no constraint: with that, an old framework is taken rather than another version of what it needs.
    preferred = {package.name: package.version for package in locked.read(tested, "requirements")}
    preferred |= {package.name: package.version for package in _locked(target)}
    done = _compiled(uv, source, common, shared, {} if upgrade else preferred)
    if done.refusal:
        raise locked.LockError(_in_one_line(done.refusal))
    target.write_text(done.text)
    packages = locked.check(agents, common.parent)
    return "\n".join([f"wrote layers/agents/requirements.txt: {len(packages)} packages", *_notes(packages, tested)])


def _locked(target: Path) -> list[locked.Package]:
    """What is locked already, as far as it can be read."""
    try:
        return locked.read(target)
    except locked.LockError:
        return []


def _compiled(uv: Path, source: Path, common: Path, shared: Sequence[str], preferred: Mapping[str, str]) -> Done:
    command: list[str | Path] = [uv, "pip", "compile", "--universal", "--python-version", PYTHON, "--generate-hashes"]
    command += ["--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--constraint", common]
    for name in shared:
        command += ["--no-emit-package", name]
    with tempfile.TemporaryDirectory() as directory:
        # uv prefers the versions that its output has already.
        output = Path(directory) / "requirements.txt"
        output.write_text("".join(f"{name}=={version}\n" for name, version in preferred.items()))
        done = subprocess.run(
            [*command, "--output-file", output, source],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        if done.returncode != 0:
            return Done("", done.stderr)
        lines = [line for line in output.read_text().splitlines(keepends=True) if not line.startswith("#")]
    return Done("".join(lines).strip("\n") + "\n", "")


def _in_one_line(refusal: str) -> str:
    """uv draws a tree of reasons; what it comes to is one sentence."""
    lines = [line for line in refusal.splitlines() if not line.startswith("warning:")]
    text = re.sub(r"[×├╰─▶│]", " ", " ".join(lines))
    text = re.sub(r"\s+", " ", text).strip().removeprefix("error: ")
    return f"layers/agents/requirements.in cannot be locked beside the common layer: {text}"


def _notes(packages: Sequence[locked.Package], tested: Path) -> list[str]:
    """Which packages the tests have in another version by themselves."""
    versions = {package.name: package.version for package in locked.read(tested, "requirements")}
    other = [
        f"{package.name} {package.version} (not {versions[package.name]})"
        for package in packages
        if versions.get(package.name, package.version) != package.version
    ]
    return [f"note: the development environment gets these in the agents' version: {', '.join(other)}"] if other else []


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Locks the packages of the agents.")
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    try:
        print(lock(upgrade=parser.parse_args(arguments).upgrade))
    except locked.LockError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
