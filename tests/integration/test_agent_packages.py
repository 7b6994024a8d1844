"""The layers with packages of an agent, built as `sam build` does it, in one directory as on Lambda."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from emulator import PYTHON, ROOT

TOOLS = ROOT / ".venvs" / "tools" / "bin" / "python"


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    """A copy of the layers, whose agents name one package."""
    copy = shutil.copytree(ROOT / "layers", tmp_path / "layers", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "tools").mkdir()
    for name in ("tools/check_samconfig.py", "samconfig.toml"):  # the build asks whether sam deploys what it builds
        shutil.copy(ROOT / name, tmp_path / name)
    (copy / "agents" / "requirements.in").write_text("pydantic-settings\n")
    return copy


def lock(layers: Path) -> subprocess.CompletedProcess[str]:
    code = "import pathlib, sys, lock_agent; print(lock_agent.lock(pathlib.Path(sys.argv[1])))"
    return subprocess.run(
        [str(TOOLS), "-c", code, str(layers.parent)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def build(layers: Path, layer: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a layer into `opt` beside the layers."""
    return subprocess.run(
        ["make", "-f", str(layers / "Makefile"), f"build-{layer}"],
        cwd=layers / "targets" / "python3.13-arm64",
        env={**os.environ, "ARTIFACTS_DIR": str(layers.parent / "opt"), "PIP_PYTHON": str(TOOLS), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_both_layers_in_one_directory_have_each_package_once_and_can_be_imported(layers):
    locked = lock(layers)
    assert locked.returncode == 0, locked.stderr
    assert not re.search(r"^pydantic==|://", (layers / "agents" / "requirements.txt").read_text(), re.MULTILINE)
    for layer in ("CommonLayer", "AgentsLayer"):
        built = build(layers, layer, LAYER_PYTHON=str(PYTHON))
        assert built.returncode == 0, built.stderr

    opt = layers.parent / "opt" / "python"
    names = [re.sub(r"-[^-]+$", "", path.stem).lower() for path in opt.glob("*.dist-info")]
    assert {"pydantic", "pydantic_settings"} <= set(names)
    assert len(names) == len(set(names))
    # -S: no site-packages
    code = "import pydantic_settings, a2a_lambda.agent.agent, push_agent; print(pydantic_settings.__file__)"
    imported = subprocess.run(
        [str(PYTHON), "-S", "-c", code], env={"PYTHONPATH": str(opt)}, capture_output=True, text=True, check=False
    )
    assert imported.returncode == 0, imported.stderr
    assert imported.stdout.startswith(str(opt))


def test_a_package_that_is_not_locked_stops_the_build_with_one_line(layers):
    (layers / "agents" / "requirements.txt").write_text("humanize\n")

    built = build(layers, "AgentsLayer")

    assert built.returncode != 0
    (line,) = [line for line in built.stderr.splitlines() if not line.startswith("make")]
    assert line.startswith("error: layers/agents/requirements.txt: humanize is not locked with a hash")


def test_the_layer_has_what_its_runtime_needs_not_what_this_python_needs(layers):
    blocks = re.split(r"^(?=\S)", (layers / "common" / "requirements.txt").read_text(), flags=re.MULTILINE)
    certifi = next(block for block in blocks if block.startswith("certifi=="))
    unlike = re.sub(r"^(\S+)", r"\1 ; python_full_version < '3.13'", certifi, count=1)
    (layers / "agents" / "requirements.in").write_text("")
    (layers / "agents" / "requirements.txt").write_text(unlike)

    assert build(layers, "AgentsLayer").returncode == 0
    assert not list((layers.parent / "opt" / "python").glob("certifi*"))


def test_requirements_that_cannot_be_had_beside_the_common_layer_are_refused_in_one_line(layers):
    (layers / "agents" / "requirements.in").write_text("pydantic<2\n")

    refused = lock(layers)

    assert refused.returncode != 0
    reason = refused.stderr.splitlines()[-1]
    assert "cannot be locked beside the common layer" in reason
    assert "pydantic<2" in reason
