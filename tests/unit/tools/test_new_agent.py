"""`make new-agent`: what it writes runs as it is, and what it cannot write it says in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import new_agent

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("source", ["steps", "a2a-sdk"])  # for the others see tests/frameworks
def test_the_new_agent_passes_its_own_test(tmp_path, source):
    (tmp_path / "layers" / "agents").mkdir(parents=True)
    assert new_agent.main(["agent_of_this_test", "--from", source], root=tmp_path) == 0

    paths = [tmp_path / "layers" / "agents", ROOT / "layers" / "common"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / "tests")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("source", new_agent.SOURCES)
def test_the_new_agent_has_its_own_name_everywhere(tmp_path, source):
    for place, text in new_agent.files("agent_of_this_test", tmp_path, source).items():
        assert "agent_of_this_test" in place.name
        assert "my_agent" not in text
        assert "MyAgent" not in text


@pytest.mark.parametrize("name", ["", "Invoice", "1st", "in-voice", "_x", "class", "json", "push_agent", "a2a_lambda"])
def test_a_name_that_cannot_be_is_refused_in_one_line_and_nothing_written(tmp_path, capsys, name):
    assert new_agent.main([name], root=tmp_path) == 2

    assert capsys.readouterr().err.count("\n") == 1
    assert not any(tmp_path.iterdir())


def test_an_agent_that_exists_is_left_alone(tmp_path, capsys):
    new_agent.main(["agent_of_this_test"], root=tmp_path)
    place = tmp_path / "layers" / "agents" / "agent_of_this_test.py"
    place.write_text("mine")

    assert new_agent.main(["agent_of_this_test"], root=tmp_path) == 2
    assert place.read_text() == "mine"
    assert "exists already" in capsys.readouterr().err


def test_every_template_is_one_that_can_be_chosen():
    assert {path.name for path in new_agent.TEMPLATES.iterdir() if path.is_dir()} - {"__pycache__"} == {
        *new_agent.SOURCES
    }


@pytest.mark.parametrize("source", [source for source in new_agent.SOURCES if source != "steps"])
def test_the_package_of_a_template_is_named_once_and_its_user_told_to_lock_it(tmp_path, capsys, source):
    named = tmp_path / "layers" / "agents" / "requirements.in"
    named.parent.mkdir(parents=True)
    named.write_text("# mine\nhumanize\n")

    assert new_agent.main(["agent_of_this_test", "--from", source], root=tmp_path) == 0
    assert "make lock-agent" in capsys.readouterr().out
    assert new_agent.main(["another_of_this_test", "--from", source], root=tmp_path) == 0
    assert "make lock-agent" not in capsys.readouterr().out

    mine, humanize, package = named.read_text().splitlines()
    assert (mine, humanize) == ("# mine", "humanize")
    assert package.startswith(source.split("-")[0])


def test_a_template_that_is_not_there_is_refused_with_those_that_are(tmp_path, capsys):
    assert new_agent.main(["agent_of_this_test", "--from", "crewai"], root=tmp_path) == 2

    told = capsys.readouterr().err
    assert "steps, a2a-sdk, strands, pydantic-ai, langgraph" in told
    assert not any(tmp_path.iterdir())
