"""List prices, and the tables of pages that are made from them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOLERANCE = 0.05
"""A dollar figure of a page may be off by so much of what is counted."""

AS_OF = "2026-11"
PRICES = {
    "request of the HTTP API": 1.00e-6,
    "request of the REST API": 3.50e-6,
    "request of Lambda": 0.20e-6,
    "GB-second of Lambda (arm64)": 13.3334e-6,
    "state transition": 25.0e-6,
    "write unit": 0.625e-6,
    "read unit": 0.125e-6,
}
"""List prices of us-east-1 in US dollars, without the free tier."""

SECONDS = {"rpc": 0.020, "executor": 0.2, "notifier": 0.015, "caretaker": 0.015}
MEMORY = {"rpc": 1.0, "executor": 0.5, "notifier": 0.5, "caretaker": 0.25}

_BLOCK = re.compile(r"(<!-- make prices -->\n).*?(\n<!-- end -->)", re.DOTALL)


def figures(text: str) -> list[float]:
    """The dollars of each line of a table."""
    return [float(found) for found in re.findall(r"\| ([0-9.]+) \|$", text, re.MULTILINE)]


def written(page: Path) -> str:
    """The table in a page. Raises ValueError if it has no place for one."""
    return _table(page)[0]


def write(page: Path, table: str) -> None:
    """Put a table into its place in a page. Raises ValueError if there is none."""
    _, text = _table(page)
    page.write_text(_BLOCK.sub(lambda found: found[1] + table + found[2], text), encoding="utf-8")


def _table(page: Path) -> tuple[str, str]:
    text = page.read_text(encoding="utf-8")
    if (found := _BLOCK.search(text)) is None:
        raise ValueError(f"{page.name} has no block '<!-- make prices -->' … '<!-- end -->'")
    return found[0], text
