"""The template as data: short forms (`!Ref x`) become long ones (`{"Ref": "x"}`)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


class _CloudFormationLoader(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation's functions."""


def _function(loader: _CloudFormationLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_CloudFormationLoader.add_multi_constructor("!", _function)


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return yaml.load((ROOT / "template.yaml").read_text(), _CloudFormationLoader)


@pytest.fixture(scope="session")
def resources(template: dict[str, Any]) -> dict[str, Any]:
    return template["Resources"]


@pytest.fixture(scope="session")
def of_type(resources: dict[str, Any]):
    """The properties of all resources of a type, by logical id."""

    def find(kind: str) -> dict[str, dict[str, Any]]:
        return {
            name: resource.get("Properties", {}) for name, resource in resources.items() if resource["Type"] == kind
        }

    return find


@pytest.fixture(scope="session")
def functions(of_type) -> dict[str, dict[str, Any]]:
    """The functions' properties by their short names, the settings of Globals merged in as SAM does it."""
    return {
        name.removesuffix("Function").lower(): properties
        for name, properties in of_type("AWS::Serverless::Function").items()
    }


@pytest.fixture(scope="session")
def workflow(resources: dict[str, Any]) -> dict[str, Any]:
    """The state machine as it is deployed, with each substitution replaced by a value of the parameter's type."""
    properties = resources["TaskStateMachine"]["Properties"]
    text = (ROOT / properties["DefinitionUri"]).read_text()
    names = set(re.findall(r"\$\{(\w+)\}", text))
    assert names == set(properties["DefinitionSubstitutions"]), (
        "the template and the workflow name different substitutions"
    )
    for number, name in enumerate(sorted(names), start=1):
        text = text.replace(f"${{{name}}}", str(number) if name.endswith("Seconds") else f"arn:of:{name}")
    return json.loads(text)
