"""docs/agents.md as a reader follows it: every block of it is run, in order."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import new_agent

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "agents.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = [line for language, block in BLOCKS if language == "sh" for line in block.splitlines()]


def test_every_block_says_its_language_and_is_run_here():
    assert {language for language, _ in BLOCKS} == {"sh", "python", "json"}
    assert all(json.loads(block).keys() <= {"secrets", "settings"} for language, block in BLOCKS if language == "json")


def test_the_python_blocks_do_what_the_page_says():
    namespace: dict[str, Any] = {"__name__": "docs"}
    for number, (language, block) in enumerate(BLOCKS, start=1):
        if language == "python":
            exec(compile(block, f"docs/agents.md, block {number}", "exec"), namespace)


@pytest.mark.parametrize("line", [line for line in SHELL if line.startswith("make ")])
def test_the_make_commands_are_there(line):
    target = line.split()[1]

    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE), line


def test_the_other_commands_are_sams_with_parameters_of_the_template():
    template = (ROOT / "template.yaml").read_text()
    for line in SHELL:
        if not line.startswith("make "):
            assert line.startswith(("sam build", "sam deploy"))
            assert all(f"\n  {name}:\n" in template for name in re.findall(r"(\w+)=", line))


def test_the_new_agent_of_the_tutorial_can_be_made(tmp_path, capsys):
    (name,) = {match[1] for line in SHELL if (match := re.search(r"NAME=(\w+)", line))}

    assert new_agent.main([name], root=tmp_path) == 0
    assert (tmp_path / "layers" / "agents" / f"{name}.py").is_file()
    assert f"make demo AGENT={name}" in capsys.readouterr().out
    assert f"make demo AGENT={name}" in SHELL
