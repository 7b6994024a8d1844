"""Parameters, outputs and the order of the sections: what a person reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_every_parameter_says_what_it_is(template):
    for name, parameter in template["Parameters"].items():
        assert parameter["Description"].endswith("."), name


def test_every_parameter_has_a_default_so_that_a_deployment_needs_none(template):
    for name, parameter in template["Parameters"].items():
        assert "Default" in parameter, name


def test_every_parameter_is_constrained(template):
    for name, parameter in template["Parameters"].items():
        limits = {"AllowedValues", "AllowedPattern", "MinValue"} & set(parameter)
        assert limits or parameter["Type"] == "CommaDelimitedList", name
        if "MinValue" in parameter:
            assert parameter["MinValue"] <= parameter["Default"] <= parameter["MaxValue"], name
        if "AllowedPattern" in parameter:
            assert parameter["ConstraintDescription"], name
            assert re.fullmatch(parameter["AllowedPattern"], parameter["Default"]), name


def test_the_defaults_are_closed(template):
    defaults = {name: parameter["Default"] for name, parameter in template["Parameters"].items()}

    assert defaults["AuthMode"] == "IAM"
    assert defaults["AllowInsecureWebhooks"] == "false"
    assert defaults["AllowedWebhookCidrs"] == ""
    assert defaults["AllowedFetchCidrs"] == ""


ARN = "arn:aws:secretsmanager:us-east-1:111122223333:secret:model-key-AbC123"


@pytest.mark.parametrize(
    ("arns", "allowed"),
    [
        ("", True),
        (ARN, True),
        (f"{ARN},{ARN.replace('model-key', 'prod/other')}", True),
        ("arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:a-AbC123", True),
        ("*", False),
        (ARN.replace("-AbC123", ""), False),
        (ARN.replace("model-key-AbC123", "*"), False),
        (f"{ARN}, {ARN}", False),
        (f"{ARN},", False),
        (ARN.replace("secretsmanager", "ssm"), False),
    ],
)
def test_the_agents_secrets_are_named_by_their_whole_arns(template, arns, allowed):
    pattern = template["Parameters"]["AgentSecretArns"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, arns)) == allowed


def test_every_parameter_is_used(template):
    text = (ROOT / "template.yaml").read_text()
    for name in template["Parameters"]:
        assert re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text), name


def test_the_sections_follow_the_data():
    banners = re.findall(r"^ *# ={20,} (.+)$", (ROOT / "template.yaml").read_text(), re.MULTILINE)

    assert banners == [
        "Parameters",
        "API",
        "rpc",
        "Tables",
        "Workflow and executor",
        "Caretaker",
        "Notifier",
        "Queues",
        "Redelivery",
        "Signing",
        "Layers",
        "Alarms",
        "Dashboard",
        "Smoke inbox",
        "Outputs",
    ]


def test_the_outputs_are_what_a_person_needs_next(template):
    outputs = template["Outputs"]

    assert {"Endpoint", "AgentCardUrl", "TasksTableName", "PushConfigsTableName", "DeadLetterQueueUrl"} <= set(outputs)
    for name, output in outputs.items():
        assert output["Description"].endswith("."), name
