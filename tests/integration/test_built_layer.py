"""The layer by itself. On the local AWS functions see the emulator's packages too, which would hide a missing one."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

import stack
from emulator import PYTHON, ROOT

# What Lambda's Python runtime brings along.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


@pytest.fixture(scope="module")
def layer() -> Path:
    stack.build()
    return stack.BUILD / "CommonLayer" / "python"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the packages of the runtime and nothing else."""
    directory = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME:
        origin = importlib.util.find_spec(name).origin
        source = Path(origin).parent if Path(origin).name == "__init__.py" else Path(origin)
        (directory / source.name).symlink_to(source)
    return directory


@pytest.mark.parametrize("function", ["rpc", "executor", "notifier", "redelivery"])
def test_a_handler_finds_all_that_it_imports_in_the_layers_and_the_runtime(layer, runtime, function):
    path = [ROOT / "functions" / function, layer, stack.BUILD / "AgentsLayer" / "python", runtime]

    # -S: no site-packages
    imported = subprocess.run(
        [str(PYTHON), "-S", "-c", "import app; app.handler"],
        env={"PYTHONPATH": ":".join(str(directory) for directory in path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert imported.returncode == 0, imported.stderr


def test_every_module_of_the_layer_has_bytecode(layer):
    modules = list((layer / "a2a_lambda").rglob("*.py"))

    assert modules
    for module in modules:
        assert list((module.parent / "__pycache__").glob(f"{module.stem}.*.pyc")), module


def test_the_loop_that_streams_can_be_started_from_the_layer(layer):
    wrapper = layer.parent / "a2a-runtime"

    assert wrapper.stat().st_mode & 0o777 == 0o755
    assert not (layer / "a2a-runtime").exists()


def test_the_loop_that_streams_needs_nothing_but_the_layer_and_the_standard_library(layer):
    # -S: no site-packages
    imported = subprocess.run(
        [str(PYTHON), "-S", "-c", "import a2a_lambda.aws.runtime, sys; print(*sys.modules)"],
        env={"PYTHONPATH": str(layer), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    # The two that would make up half of its start.
    assert not {"ssl", "email", "http.client"} & set(imported.stdout.split())
