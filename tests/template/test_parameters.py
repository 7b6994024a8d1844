"""Parameters, outputs and the order of the sections: what a person reads."""

from __future__ import annotations

import re
from pathlib import Path

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
        "Outputs",
    ]


def test_the_outputs_are_what_a_person_needs_next(template):
    outputs = template["Outputs"]

    assert {"Endpoint", "AgentCardUrl", "TasksTableName", "PushConfigsTableName", "DeadLetterQueueUrl"} <= set(outputs)
    for name, output in outputs.items():
        assert output["Description"].endswith("."), name
