"""The agents that `make new-agent FROM=…` writes on a framework pass the tests that it writes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import new_agent

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("source", ["strands", "pydantic-ai", "langgraph"])
def test_the_new_agent_passes_its_own_test_and_its_module_imports_no_framework(tmp_path, source):
    (tmp_path / "layers" / "agents").mkdir(parents=True)
    assert new_agent.main(["agent_of_this_test", "--from", source], root=tmp_path) == 0
    paths = [tmp_path / "layers" / "agents", ROOT / "layers" / "common"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}

    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

    code = "import agent_of_this_test, sys; print(*{name.split('.')[0] for name in sys.modules})"
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert not {"strands", "pydantic_ai", "langgraph", "langchain_core", "pydantic", "boto3"} & {*told.stdout.split()}
