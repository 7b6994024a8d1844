"""A new agent with its test, ready to run: `python tools/new_agent.py NAME` (or `make new-agent NAME=…`).

`--from strands` (or `FROM=strands`) writes one on a framework, with a stand-in for the model, and names its package in
layers/agents/requirements.in.
"""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = Path(__file__).resolve().parent / "agent_template"
SOURCES = ("steps", "a2a-sdk", "strands", "pydantic-ai", "langgraph")
LAYERS = (ROOT / "layers" / "agents", ROOT / "layers" / "common")


class NewAgentError(Exception):
    """The name cannot be taken; the text says why."""


def files(name: str, root: Path = ROOT, source: str = "steps") -> dict[Path, str]:
    """The texts of the new files by their paths. Raises NewAgentError."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise NewAgentError(f"{name!r} cannot be a module: take small letters, digits and single underscores")
    if source not in SOURCES:
        raise NewAgentError(f"there is no template {source!r}: take one of {', '.join(SOURCES)}")
    title = "".join(word.capitalize() for word in name.split("_"))
    places = {}
    for template in sorted((TEMPLATES / source).glob("*.py")):
        file = template.name.replace("my_agent", name)
        folder = root / "tests" / "unit" if file.startswith("test_") else root / "layers" / "agents"
        places[folder / file] = template
    for place in places:
        if place.exists():
            raise NewAgentError(f"{place.relative_to(root)} exists already")
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise NewAgentError(f"{name!r} is a module of Python's or of a package: take another name")
    return {
        place: template.read_text().replace("my_agent", name).replace("MyAgent", title)
        for place, template in places.items()
    }


def requirements(source: str, root: Path = ROOT) -> list[str]:
    """The packages of a template that layers/agents/requirements.in does not name yet, as lines for it."""
    needed, present = TEMPLATES / source / "requirements.in", root / "layers" / "agents" / "requirements.in"
    lines = needed.read_text().splitlines() if needed.is_file() else []
    known = set(map(_package, present.read_text().splitlines())) if present.is_file() else set()
    return [line for line in lines if _package(line) not in known]


def _package(line: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", line.strip(), maxsplit=1)[0].lower()


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes an agent and its test from a template.")
    parser.add_argument("name", help="the module's name, for example invoice_agent")
    parser.add_argument("--from", dest="source", default="steps", help=f"one of {', '.join(SOURCES)}")
    given = parser.parse_args(argv)
    name: str = given.name
    try:
        new = files(name, root, given.source)
    except NewAgentError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for place, text in new.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        print(f"wrote {place.relative_to(root)}")
    packages = requirements(given.source, root)
    if packages:
        with (root / "layers" / "agents" / "requirements.in").open("a") as file:
            file.writelines(f"{line}\n" for line in packages)
        print(f"named {', '.join(packages)} in layers/agents/requirements.in")
    lock = "\n  make lock-agent   its packages, once and whenever requirements.in changes" if packages else ""
    print(f"""
Next:{lock}
  make test TESTS=tests/unit/test_{name}.py   its test, in memory
  make demo AGENT={name}   the whole stack on this machine, with pushes
  sam build && sam deploy   on AWS, with "AgentModule={name}" in samconfig.toml""")
    return 0


if __name__ == "__main__":
    sys.path[:0] = [str(path) for path in LAYERS]
    sys.exit(main())
