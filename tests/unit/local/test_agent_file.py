"""The file with an agent's secrets and settings on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

import agent_file
from emulator import LocalAwsError

ROOT = Path(__file__).resolve().parents[3]


class SecretsManager:
    """Remembers what is put into it."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def create_secret(self, *, Name: str, SecretString: str) -> dict[str, str]:  # noqa: N803
        if Name in self.values:
            raise ClientError({"Error": {"Code": "ResourceExistsException"}}, "CreateSecret")
        return self.put_secret_value(SecretId=Name, SecretString=SecretString)

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> dict[str, str]:  # noqa: N803
        self.values[SecretId] = SecretString
        return {"ARN": f"arn:{SecretId}"}


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def write(content: Any) -> Path:
        path = tmp_path / "given.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        monkeypatch.setenv("AGENT_FILE", str(path))
        return path

    return write


def test_its_secrets_are_kept_and_its_settings_handed_on(given: Any) -> None:
    manager = SecretsManager()
    given({"secrets": {"a": "1", "b/c": "2"}, "settings": {"model": "m"}})
    expected = {"AgentSecretArns": "arn:a,arn:b/c", "AgentSettings": '{"model": "m"}'}
    assert agent_file.parameters(manager) == expected
    given({"secrets": {"a": "3"}})
    assert agent_file.parameters(manager) == {"AgentSecretArns": "arn:a"}
    assert manager.values == {"a": "3", "b/c": "2"}


def test_without_a_file_nothing_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENT_FILE", raising=False)
    monkeypatch.setattr(agent_file, "FILE", tmp_path / "none.json")
    assert agent_file.parameters(SecretsManager()) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"secrets": {"a": "swordfish"', "no JSON"),
        ([], "must be"),
        ({"secrets": "swordfish"}, "must be"),
        ({"secrets": {"a": 5}}, "the secret a must be a text"),
        ({"secrets": {"a": ""}}, "the secret a must be a text"),
        ({"secret": {"a": "swordfish"}}, "has secret; it may have"),
    ],
)
def test_what_is_wrong_with_it_is_said_without_what_is_in_it(given: Any, content: Any, message: str) -> None:
    given(content)
    with pytest.raises(LocalAwsError, match=message) as raised:
        agent_file.parameters(SecretsManager())
    assert "swordfish" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_file_that_is_named_and_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_FILE", "/nowhere/agent.json")
    with pytest.raises(LocalAwsError, match="no file"):
        agent_file.parameters(SecretsManager())


def test_git_ignores_it() -> None:
    assert f"/{agent_file.FILE.name}" in (ROOT / ".gitignore").read_text().splitlines()
