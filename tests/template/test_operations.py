"""The operator's guide says what to do about each alarm, and each alarm says where."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_each_alarm_names_its_chapter_of_the_guide(resources):
    alarms = {name: each for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}

    assert alarms
    for name, alarm in alarms.items():
        assert f"docs/operations.md, {name}" in alarm["Properties"]["AlarmDescription"], name


def test_the_guide_has_a_chapter_for_each_alarm_and_for_no_other():
    written = (ROOT / "template.yaml").read_text(encoding="utf-8")
    alarms = re.findall(r"^  (\w+):\n    Type: AWS::CloudWatch::Alarm$", written, re.MULTILINE)

    assert re.findall(r"^### (\w+)$", GUIDE, re.MULTILINE) == alarms


METRICS = {"PushLatency", "StepFailed", "TaskGivenUp"}


def test_parameters_outputs_and_resources_that_the_guide_names_are_there():
    written = (ROOT / "template.yaml").read_text(encoding="utf-8")
    named = set(re.findall(r"[`$]((?:[A-Z][a-z]+){2,})\b", GUIDE))

    assert named > METRICS
    for name in named - METRICS:
        assert re.search(rf"^  {name}:$", written, re.MULTILINE), name


@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_the_links_of_the_guide_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")

    for target in re.findall(r"\]\((?!https?:)([^)#]*)(?:#[^)]*)?\)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target
