"""Whether what `sam build` builds is what `sam deploy` deploys: `python tools/check_samconfig.py samconfig.toml`.

`sam deploy --guided` writes its answers into the section of `deploy`, which `sam build` does not read. layers/Makefile
asks before it builds: a layer for another Python or processor would show only when the functions start.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BUILT_FOR = ("Runtime", "Architecture")


def overrides(sections: dict[str, Any], command: str) -> dict[str, str]:
    """What a command takes for BUILT_FOR: from its own section, else from that of all commands."""
    for section in (command, "global"):
        given = sections.get(section, {}).get("parameters", {}).get("parameter_overrides")
        if given is not None:
            return {name: value for name, value in _pairs(given) if name in BUILT_FOR}
    return {}


def _pairs(given: Any) -> list[tuple[str, str]]:
    """The parameters in any of the forms that SAM reads: a table, a list of texts, one text with or without quotes."""
    if isinstance(given, dict):
        return [(str(name), str(value)) for name, value in given.items()]
    text = " ".join(map(str, given)) if isinstance(given, list) else str(given)
    return re.findall(r"(\w+)=[\"']?([\w.]+)", text)


def problems(config: dict[str, Any]) -> list[str]:
    """One line for each parameter that the two commands would take differently."""
    found: list[str] = []
    for environment, sections in config.items():
        if isinstance(sections, dict):
            built, deployed = overrides(sections, "build"), overrides(sections, "deploy")
            found += [
                f"samconfig.toml, environment {environment}: sam build takes {_named(built, name)}, sam deploy "
                f"{_named(deployed, name)}. Set it in [{environment}.global.parameters] only."
                for name in BUILT_FOR
                if built.get(name) != deployed.get(name)
            ]
    return found


def _named(overrides: dict[str, str], name: str) -> str:
    return f"{name}={overrides.get(name, '(the default)')}"


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    try:
        import tomllib
    except ImportError:  # a Python below 3.11, which is enough to build
        return 0
    try:
        found = problems(tomllib.loads(Path(arguments[0]).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # SAM says better what is wrong with the file
        return 0
    for line in found:
        print(f"error: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
