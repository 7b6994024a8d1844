"""The README's calls, as printed: every line of its shell session is run against a stack that is up."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stack import Stack, environment

ROOT = Path(__file__).parents[2]
README = (Path(__file__).parents[2] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def answers(stack: Stack) -> list[dict[str, Any]]:
    """What the calls "by hand" print, one JSON value a line."""
    (session,) = (block for block in blocks("bash") if block.startswith("URL="))
    script = re.sub(r"^URL=.*$", f"URL='{stack.endpoint}'", session, count=1, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line]


def test_the_card_is_printed_first(answers: list[dict[str, Any]]) -> None:
    assert answers[0]["capabilities"]["pushNotifications"] is True


def test_every_call_by_hand_is_answered_with_a_result(answers: list[dict[str, Any]]) -> None:
    assert [answer.get("error") for answer in answers[1:]] == [None] * len(answers[1:])
    assert [answer["id"] for answer in answers[1:]] == [2, 3, 4, 5, 6]


def test_the_webhook_that_was_set_is_listed(answers: list[dict[str, Any]]) -> None:
    task_id = answers[1]["result"]["id"]
    assert task_id in [entry["id"] for entry in answers[3]["result"]]


def test_the_agent_in_the_readme_is_an_agent() -> None:
    (source,) = (block for block in blocks("python") if "layers/agents/" in block)
    module: dict[str, Any] = {}
    exec(compile(source, "greeter.py", "exec"), module)
    assert [step.name for step in module["agent"].steps] == ["think", "greet"]


@pytest.mark.parametrize("how", ["--sigv4", "--bearer TOKEN"])
def test_the_client_calls_a_deployed_stack_by_the_command_as_printed(
    stack_with: Callable[..., Stack], how: str
) -> None:
    """With the stack's own URL, and its webhook on this machine in the place of a tunnel."""
    stack = stack_with(AuthMode="IAM" if how == "--sigv4" else "NONE")
    (printed,) = (block for block in blocks("bash") if block.startswith("make client URL="))
    command = re.sub(r"URL=\S+", f"URL='{stack.endpoint}'", printed, count=1)
    command = re.sub(r"--webhook-url \S+", "--listen 127.0.0.1:0", command).replace("--sigv4", how)

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT,
        env=environment(stack.emulator),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "All checks passed."
