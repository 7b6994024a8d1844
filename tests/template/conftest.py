"""The template as data: short forms (`!Ref x`) become long ones (`{"Ref": "x"}`).

As it is deployed with each WorkflowType, with and without Streaming: what their conditions decide is decided, others
stay.
"""

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


NO_VALUE = {"Ref": "AWS::NoValue"}


def _deployed(node: Any, holds: dict[str, bool]) -> Any:
    """Without what the conditions in ``holds`` leave out."""
    if isinstance(node, list):
        return [each for each in (_deployed(each, holds) for each in node) if each != NO_VALUE or NO_VALUE in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"Fn::If": [condition, then, otherwise]} if condition in holds:
            return _deployed(then if holds[condition] else otherwise, holds)
    kept = {key: _deployed(value, holds) for key, value in node.items() if holds.get(_condition_of(value), True)}
    return {key: value for key, value in kept.items() if value != NO_VALUE or node[key] == NO_VALUE}


def _condition_of(node: Any) -> str:
    return node["Condition"] if isinstance(node, dict) and isinstance(node.get("Condition"), str) else ""


@pytest.fixture(scope="session", params=["STANDARD", "EXPRESS"])
def workflow_type(request: pytest.FixtureRequest) -> str:
    """The parameter WorkflowType: what is said of the template holds for both."""
    return request.param


@pytest.fixture(scope="session", params=[False, True], ids=["whole", "streaming"])
def streaming(request: pytest.FixtureRequest) -> bool:
    """The parameter Streaming."""
    return request.param


@pytest.fixture(scope="session")
def template(workflow_type: str, streaming: bool) -> dict[str, Any]:
    """Without the inbox of `make smoke`, which has tests of its own: a stack without it is as if there were none."""
    return deployed(workflow_type, streaming, smoke_inbox=False)


def deployed(workflow_type: str, streaming: bool, *, smoke_inbox: bool) -> dict[str, Any]:
    written = yaml.load((ROOT / "template.yaml").read_text(), _CloudFormationLoader)
    holds = {f"Runs{kind.capitalize()}": kind == workflow_type for kind in ("STANDARD", "EXPRESS")}
    holds["HasSmokeInbox"] = smoke_inbox
    if not smoke_inbox:
        holds["HasSmokeInboxWithJwt"] = False
    # Of the conditions made of one of these and another, those are decided that do not hold whatever the other is.
    for name, condition in written["Conditions"].items():
        if {"Condition": "Buffers" if streaming else "Streams"} in condition.get("Fn::And", []):
            holds[name] = False
    holds |= {"Streams": streaming, "Buffers": not streaming}
    return _deployed(written, holds)


@pytest.fixture(scope="session")
def with_inbox(workflow_type: str, streaming: bool) -> dict[str, Any]:
    """The same with SmokeInbox=true."""
    return deployed(workflow_type, streaming, smoke_inbox=True)


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
def machine(of_type) -> str:
    """The logical id of the state machine: there is one, whatever its type."""
    (name,) = of_type("AWS::Serverless::StateMachine")
    return name


@pytest.fixture(scope="session")
def workflow(resources: dict[str, Any], machine: str) -> dict[str, Any]:
    """The state machine as it is deployed, with each substitution replaced by a value of the parameter's type."""
    properties = resources[machine]["Properties"]
    text = (ROOT / properties["DefinitionUri"]).read_text()
    names = set(re.findall(r"\$\{(\w+)\}", text))
    assert names == set(properties["DefinitionSubstitutions"]), (
        "the template and the workflow name different substitutions"
    )
    for number, name in enumerate(sorted(names), start=1):
        value = {"Partition": "aws-cn", "InputTimeoutSeconds": str(number), "LooksPerExecution": "1500"}
        text = text.replace(f"${{{name}}}", value.get(name, f"arn:of:{name}"))
    return json.loads(text)
