"""`sam build && sam deploy` as the README prints it: from a fresh clone, with nobody there to answer a question."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

import stack as stacks
from emulator import ROOT, Emulator
from stack import environment

NOT_OF_A_CLONE = (".git", ".venvs", ".local", ".aws-sam", "__pycache__", ".*_cache", ".hypothesis")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT, tmp_path / "clone", ignore=shutil.ignore_patterns(*NOT_OF_A_CLONE)))


def run(emulator: Emulator, clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the SAM CLI in the clone, for the processor of Lambda. Its layer needs some Python that has pip."""
    pip = ROOT / ".venvs" / "tools" / "bin" / "python"
    return subprocess.run(
        [str(stacks.SAM), *arguments],
        cwd=clone,
        env=environment(emulator) | {"PIP_PYTHON": str(pip)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_two_commands_deploy_a_fresh_clone_and_ask_nothing(emulator: Emulator, clone: Path) -> None:
    built = run(emulator, clone, "build")
    assert built.returncode == 0, built.stderr
    bytecode = list((clone / ".aws-sam" / "build" / "CommonLayer").rglob("*.pyc"))
    assert ("CommonLayer: no bytecode, because this machine has no python3.13" in built.stderr) == (not bytecode)
    template = clone / ".aws-sam" / "build" / "template.yaml"
    template.write_text(json.dumps(stacks.for_the_emulator(yaml.safe_load(template.read_text()))))

    deployed = run(emulator, clone, "deploy")

    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    cloudformation = stacks.client(emulator, "cloudformation")
    (made,) = cloudformation.describe_stacks(StackName="a2a-agent")["Stacks"]
    assert made["StackStatus"] == "CREATE_COMPLETE"
    functions = stacks.client(emulator, "lambda").list_functions()["Functions"]
    ours = [function for function in functions if function["FunctionName"].startswith("a2a-agent-")]
    assert {function["Runtime"] for function in ours} == {"python3.13"}
    cloudformation.delete_stack(StackName="a2a-agent")


def test_a_build_for_another_runtime_than_is_deployed_is_refused_with_what_to_do(
    emulator: Emulator, clone: Path
) -> None:
    config = clone / "samconfig.toml"
    config.write_text(
        config.read_text().replace(
            "[default.deploy.parameters]",
            '[default.deploy.parameters]\nparameter_overrides = "Runtime=\\"python3.12\\" Architecture=\\"arm64\\""',
        )
    )

    refused = run(emulator, clone, "build")

    assert refused.returncode != 0
    assert "Set it in [default.global.parameters] only." in refused.stderr + refused.stdout
