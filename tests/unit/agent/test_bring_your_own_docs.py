"""docs/bring-your-own.md: its commands are there, its code can be compiled, and what it names exists."""

from __future__ import annotations

import inspect
import json
import re

import pytest
from cloud import ROOT

import new_agent
from a2a_lambda.adapters.a2a_sdk import agent_from
from a2a_lambda.agent import Agent

TEXT = (ROOT / "docs" / "bring-your-own.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("make ")])
def test_the_make_commands_are_there(line):
    assert re.search(rf"^{line.split()[1]}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_python_blocks_can_be_run_without_any_framework_and_make_agents():
    agents = []
    for language, block in BLOCKS:
        if language == "python":
            names: dict[str, object] = {"__name__": "docs"}
            exec(compile(block, "docs/bring-your-own.md", "exec"), names)
            agents += [value for value in names.values() if isinstance(value, Agent)]
    assert [[step.rerun for step in agent.steps] for agent in agents] == [["restart"], ["restart"]]


def test_the_example_of_secrets_and_settings_is_json():
    (example,) = [json.loads(block) for language, block in BLOCKS if language == "json"]
    assert set(example) == {"secrets", "settings"}


def test_every_template_and_every_argument_is_named():
    assert all(f"`{source}`" in TEXT for source in new_agent.SOURCES)
    table = TEXT.split("| argument | meaning |")[1].split("\n\n")[0]
    named = set(re.findall(r"`(\w+)=?`", " ".join(row.split("|")[1] + row for row in table.splitlines()[2:])))
    assert set(inspect.signature(agent_from).parameters) <= named


def test_the_files_that_new_agent_writes_are_those_of_the_page(tmp_path):
    written = {str(path.relative_to(tmp_path)) for path in new_agent.files("weather_agent", tmp_path, "strands")}
    assert written == set(re.findall(r"^\| `((?:layers|tests)/\S+)` \|", TEXT, re.MULTILINE))


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", TEXT))
def test_no_link_is_dead(target):
    path, _, anchor = target.partition("#")
    page = (ROOT / "docs" / path) if path else ROOT / "docs" / "bring-your-own.md"
    assert page.is_file()
    if anchor:
        titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
