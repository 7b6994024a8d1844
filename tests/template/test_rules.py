"""The rules of the template, evaluated as CloudFormation does it: which combinations are refused."""

from __future__ import annotations

from typing import Any

import pytest


def evaluate(node: Any, values: dict[str, Any]) -> Any:
    """A rule's intrinsic functions (AWS CloudFormation, "Rule-specific intrinsic functions") on parameters."""
    match node:
        case {"Ref": name}:
            return values[name]
        case {"Fn::Equals": [one, other]}:
            return evaluate(one, values) == evaluate(other, values)
        case {"Fn::EachMemberEquals": [members, value]}:
            return all(member == value for member in evaluate(members, values))
        case {"Fn::Contains": [members, value]}:
            return evaluate(value, values) in members
        case {"Fn::Not": [condition]}:
            return not evaluate(condition, values)
        case {"Fn::Or": conditions}:
            return any(evaluate(condition, values) for condition in conditions)
        case {"Fn::And": conditions}:
            return all(evaluate(condition, values) for condition in conditions)
    assert not isinstance(node, dict), f"unknown function {node}"
    return node


def refusals(template: dict[str, Any], **given: str) -> list[str]:
    """What CloudFormation says to these parameters; the others have their defaults."""
    values = {
        name: str(given.get(name, parameter["Default"])).split(",")
        if parameter["Type"] == "CommaDelimitedList"
        else str(given.get(name, parameter["Default"]))
        for name, parameter in template["Parameters"].items()
    }
    return [
        assertion["AssertDescription"]
        for rule in template["Rules"].values()
        if evaluate(rule.get("RuleCondition", True), values)
        for assertion in rule["Assertions"]
        if not evaluate(assertion["Assert"], values)
    ]


def test_the_defaults_are_allowed(template):
    assert refusals(template) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"VpcSubnetIds": "subnet-1"}, "VpcSubnetIds need VpcSecurityGroupIds"),
        ({"VpcSubnetIds": "subnet-1,subnet-2"}, "VpcSubnetIds need VpcSecurityGroupIds"),
        ({"AuthMode": "JWT", "JwtIssuer": "https://login.example.com"}, "AuthMode JWT needs JwtAudience"),
        ({"AuthMode": "JWT", "JwtAudience": "agent"}, "AuthMode JWT needs JwtIssuer"),
        ({"WebhookSigning": "KMS"}, "WebhookSigning SSM and KMS need SigningKey"),
    ],
)
def test_what_is_incomplete_is_refused_and_the_text_says_what_is_missing(template, given, said):
    assert refusals(template, **given) == [said]


@pytest.mark.parametrize(
    "given",
    [
        {"VpcSubnetIds": "subnet-1,subnet-2", "VpcSecurityGroupIds": "sg-1"},
        {"AuthMode": "JWT", "JwtIssuer": "https://login.example.com", "JwtAudience": "agent"},
        {"WebhookSigning": "SSM", "SigningKey": "/a2a/key"},
    ],
)
def test_what_is_complete_is_allowed(template, given):
    assert refusals(template, **given) == []
