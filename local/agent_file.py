"""What an agent is given on this machine: secrets and settings from a file that git ignores.

{"secrets": {"model-key": "…"}, "settings": {"model": "…"}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from emulator import ROOT, LocalAwsError

FILE = ROOT / ".agent.json"
VARIABLE = "AGENT_FILE"


def parameters(secrets_manager: Any) -> dict[str, str]:
    """The template's parameters for the file, whose secrets are put into Secrets Manager of the emulator.

    The file is `.agent.json`, or the one that AGENT_FILE names. Raises LocalAwsError, which has no value of it.
    """
    named = os.environ.get(VARIABLE, "")
    path = Path(named) if named else FILE
    if not path.exists():
        if named:
            raise LocalAwsError(f"There is no file {named}, which {VARIABLE} names.")
        return {}
    read = _read(path)
    found: dict[str, str] = {}
    if read.get("secrets"):
        found["AgentSecretArns"] = ",".join(
            _kept(secrets_manager, name, value) for name, value in read["secrets"].items()
        )
    if read.get("settings"):
        found["AgentSettings"] = json.dumps(read["settings"])
    return found


def _read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    try:
        read: Any = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise LocalAwsError(f"{path.name} is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise LocalAwsError(f"{path.name}, line {error.lineno}: no JSON.") from None
    if not isinstance(read, dict) or not all(isinstance(each, dict) for each in read.values()):
        raise LocalAwsError(f'{path.name} must be {{"secrets": {{…}}, "settings": {{…}}}}.')
    if unknown := read.keys() - {"secrets", "settings"}:
        raise LocalAwsError(f"{path.name} has {', '.join(sorted(unknown))}; it may have secrets and settings.")
    if wrong := [name for name, value in read.get("secrets", {}).items() if not isinstance(value, str) or not value]:
        raise LocalAwsError(f"{path.name}: the secret {wrong[0]} must be a text.")
    return read


def _kept(secrets_manager: Any, name: str, value: str) -> str:
    """The ARN of the secret, which has this value from now on."""
    try:
        arn: str = secrets_manager.create_secret(Name=name, SecretString=value)["ARN"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceExistsException":
            raise LocalAwsError(f"The secret {name} was refused: {error.response['Error']['Code']}") from None
        arn = secrets_manager.put_secret_value(SecretId=name, SecretString=value)["ARN"]
    return arn
