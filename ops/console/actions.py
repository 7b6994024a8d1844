"""What the console can do: each is a command line, run as the command runs it."""

from __future__ import annotations

import io
import json
import shlex
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from typing import Any

from .. import agent
from ..arguments import parser
from ..commands import COMMANDS
from ..errors import CannotRun
from ..output import Output
from ..stack import Stack

Json = dict[str, Any]

_SHAPES: dict[str, tuple[str, ...]] = {
    "retry-now": ("webhook", "retry-now"),
    "pause": ("webhook", "pause"),
    "resume": ("webhook", "resume"),
    "delete": ("webhook", "delete"),
    "redrive": ("dead", "redrive"),
    "end": ("task", "end"),
    "replay": ("replay",),
}

_NAMED = ("task", "webhook", "host")
_LONGEST = 2_048


@dataclass
class _Captured(Output):
    """Keeps what would be written."""

    lines: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        """A line of the result."""
        self.lines.append(text)

    def note(self, text: str) -> None:
        """Something beside it."""
        if text:
            self.notes.append(text)


def words(name: str, given: Json) -> list[str]:
    """The words of the command line after `python -m ops --stack NAME`. Raises :class:`CannotRun`."""
    if name not in _SHAPES:
        raise CannotRun("there is no such action")
    values = {key: given.get(key) or "" for key in (*_NAMED, "until")}
    if not all(isinstance(value, str) and len(value) <= _LONGEST for value in values.values()):
        raise CannotRun("that is no task, webhook or host")
    line = [*_SHAPES[name]]
    if name == "pause":
        line.append(f"--until={values['until']}")
    if line[0] == "dead":
        return line + [f"--{key}={values[key]}" for key in _NAMED if values[key]]
    if values["host"]:
        line.append(f"--host={values['host']}")
    return line + [value for value in (values["task"], values["webhook"]) if value]


def run(stack: Stack, name: str, given: Json) -> Json:
    """Do it: the command line that does the same, its exit code, and what came out."""
    if name == "send":
        text = given.get("text")
        if not isinstance(text, str) or not text.strip():
            raise CannotRun("a test task needs a text")
        return {"task": agent.send(stack, text), "command": "", "code": 0, "outcomes": [], "notes": []}
    line = words(name, given)
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            options = parser().parse_args(["--stack", stack.name, "--json", "--yes", *line])
    except SystemExit:
        raise CannotRun("the command takes no such value") from None
    out = _Captured(json=True, yes=True)
    code = COMMANDS[options.command, getattr(options, "action", "")](stack, options, out)
    outcomes = [json.loads(each) for each in out.lines]
    return {"command": command_line(stack, line), "code": code, "outcomes": outcomes, "notes": out.notes}


def command_line(stack: Stack, line: list[str]) -> str:
    """As an operator types it."""
    return shlex.join(["python", "-m", "ops", "--stack", stack.name, *line])
