"""samconfig.toml: two commands that ask nothing, and build for what they deploy."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from check_samconfig import main, overrides, problems

CONFIG = Path(__file__).parents[2] / "samconfig.toml"


@pytest.fixture
def default() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(CONFIG.read_text())["default"]
    return found


def of_deploy(given: Any) -> dict[str, Any]:
    """What is left behind by a person who was asked, beside a section of all commands."""
    ours = {"parameters": {"parameter_overrides": ["Runtime=python3.13", "Architecture=arm64"]}}
    return {"version": 0.1, "default": {"global": ours, "deploy": {"parameters": {"parameter_overrides": given}}}}


def test_sam_deploy_asks_nothing(default: dict[str, Any]) -> None:
    deploy = default["global"]["parameters"] | default["deploy"]["parameters"]
    assert deploy["confirm_changeset"] is False
    assert deploy["stack_name"]
    assert deploy["resolve_s3"] is True
    assert deploy["capabilities"] == "CAPABILITY_IAM"


def test_both_commands_read_the_same_runtime_and_processor(default: dict[str, Any]) -> None:
    assert overrides(default, "build") == overrides(default, "deploy")
    assert set(overrides(default, "build")) == {"Runtime", "Architecture"}
    assert main([str(CONFIG)]) == 0


@pytest.mark.parametrize(
    "given",
    [
        'Runtime="python3.12" Architecture="arm64"',
        "Runtime=python3.12 Architecture=arm64",
        ["Runtime=python3.12", "Architecture=arm64"],
        {"Runtime": "python3.12", "Architecture": "arm64"},
        "ParameterKey=Other,ParameterValue=1 Runtime=python3.12 Architecture=arm64",
    ],
)
def test_another_runtime_in_the_section_of_deploy_is_refused_however_it_is_written(given: Any) -> None:
    (line,) = problems(of_deploy(given))
    assert "Runtime=python3.13" in line
    assert "Runtime=python3.12" in line


def test_a_section_of_deploy_that_forgets_the_runtime_is_refused() -> None:
    assert len(problems(of_deploy("AuthMode=JWT"))) == 2


def test_the_same_answers_in_the_section_of_deploy_are_fine() -> None:
    assert problems(of_deploy('Runtime="python3.13" Architecture="arm64" AuthMode="JWT"')) == []


def test_the_command_says_in_a_line_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text(
        CONFIG.read_text() + '\n[prod.global.parameters]\nparameter_overrides = ["Runtime=python3.12"]\n'
        '[prod.deploy.parameters]\nparameter_overrides = "Runtime=python3.13"\n'
    )
    assert main([str(config)]) == 1
    assert "Set it in [prod.global.parameters] only." in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, "no toml ["])
def test_a_config_that_cannot_be_read_is_left_to_sam(tmp_path: Path, content: str | None) -> None:
    config = tmp_path / "samconfig.toml"
    if content is not None:
        config.write_text(content)
    assert main([str(config)]) == 0
