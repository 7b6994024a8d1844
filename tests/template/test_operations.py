"""The operator's guide says what to do about each alarm, and each alarm says where."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ops.arguments import parser
from ops.commands import COMMANDS
from ops.status import NEXT

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


def chapters():
    """The text of each alarm's chapter."""
    found = re.split(r"^#{2,3} (\w+).*$", GUIDE, flags=re.MULTILINE)
    return {name: text for name, text in zip(found[1::2], found[2::2], strict=True) if name.endswith("Alarm")}


def accepted(command: str) -> bool:
    words = shlex.split(command.replace("…", "x"))
    try:
        parser().parse_args(words)
    except SystemExit:
        return False
    return True


def commands_in(text: str) -> list[str]:
    first = {name for name, _ in COMMANDS}
    return [code for code in re.findall(r"`([^`\n]+)`", text) if code.split()[0] in first and " " in code]


def test_each_alarm_has_a_command_to_run_and_status_names_one(resources):
    alarms = {name for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}

    assert alarms <= set(NEXT) == set(chapters())
    for name, text in chapters().items():
        assert commands_in(text) or "`pushes`" in text, name


def test_every_command_that_the_guide_shows_is_one(capsys):
    shown = [*commands_in(GUIDE), *NEXT.values()]

    assert len(shown) > 30
    wrong = [each for each in shown if not accepted(each.replace("[WEBHOOK]", "w"))]
    assert wrong == []


def test_a_command_that_is_none_is_seen(capsys):
    assert not accepted("webhook wake-up ID")
