"""A new agent with its test, ready to run: `python tools/new_agent.py NAME` (or `make new-agent NAME=…`)."""

from __future__ import annotations

import argparse
import importlib.util
import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = Path(__file__).resolve().parent / "agent_template"
LAYERS = (ROOT / "layers" / "agents", ROOT / "layers" / "common")


class NewAgentError(Exception):
    """The name cannot be taken; the text says why."""


def files(name: str, root: Path = ROOT) -> dict[Path, str]:
    """The texts of the new files by their paths. Raises NewAgentError."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or keyword.iskeyword(name):
        raise NewAgentError(f"{name!r} cannot be a module: take small letters, digits and single underscores")
    title = "".join(word.capitalize() for word in name.split("_"))
    places = {
        root / "layers" / "agents" / f"{name}.py": TEMPLATE / "my_agent.py",
        root / "tests" / "unit" / f"test_{name}.py": TEMPLATE / "test_my_agent.py",
    }
    for place in places:
        if place.exists():
            raise NewAgentError(f"{place.relative_to(root)} exists already")
    if name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None:
        raise NewAgentError(f"{name!r} is a module of Python's or of a package: take another name")
    return {
        place: source.read_text().replace("my_agent", name).replace("MyAgent", title)
        for place, source in places.items()
    }


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Makes an agent and its test from a template.")
    parser.add_argument("name", help="the module's name, for example invoice_agent")
    name: str = parser.parse_args(argv).name
    try:
        new = files(name, root)
    except NewAgentError as error:
        print(f"new_agent: {error}", file=sys.stderr)
        return 2
    for place, text in new.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        print(f"wrote {place.relative_to(root)}")
    print(f"""
Next:
  make test TESTS=tests/unit/test_{name}.py   its test, in memory
  make demo AGENT={name}   the whole stack on this machine, with pushes
  sam build && sam deploy --guided --parameter-overrides AgentModule={name}   on AWS""")
    return 0


if __name__ == "__main__":
    sys.path[:0] = [str(path) for path in LAYERS]
    sys.exit(main())
