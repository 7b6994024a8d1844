"""The loop that runs rpc where it streams, as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cloud import ROOT
from runtime_api import RuntimeApi, runtime_api
from runtime_function import HANDLERS, WRAPPER, Function


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with runtime_api() as served:
        yield served


@pytest.fixture
def start(api: RuntimeApi, tmp_path: Path) -> Iterator[Callable[..., Function]]:
    """Starts the loop with a handler, by the wrapper, as Lambda does."""
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "app.py").write_text(HANDLERS)
    opt = tmp_path / "opt"
    opt.mkdir()
    (opt / "python").symlink_to(ROOT / "layers" / "common")
    (opt / "a2a-runtime").symlink_to(WRAPPER)
    started: list[Function] = []

    def begin(handler: str, pass_fds: tuple[int, ...] = (), **variables: str) -> Function:
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "LAMBDA_TASK_ROOT": str(tmp_path / "task"),
            "_HANDLER": handler,
            **variables,
        }
        command = [str(opt / "a2a-runtime"), sys.executable, "/var/runtime/bootstrap.py"]
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            pass_fds=pass_fds,
        )
        started.append(Function(process))
        return started[-1]

    yield begin
    for function in started:
        function.process.kill()
        function.process.communicate()
