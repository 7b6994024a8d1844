"""What the command writes: tables for people, JSON for programs, progress and errors beside both."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import CannotRun, one_line

Json = dict[str, Any]

_WIDEST = 60
_PROGRESS_SECONDS = 1.0


@dataclass
class Output:
    """Where and how to write. ``yes``: nothing is asked."""

    json: bool = False
    yes: bool = False
    _shown_at: float = 0.0

    def table(self, rows: Sequence[Json], columns: Sequence[str], nothing: str) -> None:
        """The rows as JSON, or these columns of them."""
        if self.json:
            self.data(list(rows))
        elif not rows:
            self.line(nothing)
        else:
            for line in aligned(rows, columns):
                self.line(line)

    def row(self, row: Json, columns: Sequence[str]) -> None:
        """One of many, as it comes: a line of JSON, or of words."""
        self.line(json.dumps(row) if self.json else "  ".join(filter(None, (_cell(row.get(name)) for name in columns))))

    def data(self, value: Any) -> None:
        """JSON, whole."""
        self.line(json.dumps(value, indent=2, ensure_ascii=False))

    def line(self, text: str) -> None:
        """A line of the result."""
        print(text, flush=True)

    def note(self, text: str) -> None:
        """Something beside the result."""
        if text:
            print(text, file=sys.stderr, flush=True)

    def progress(self, text: str) -> None:
        """What long work is at, now and then."""
        now = time.monotonic()
        if now - self._shown_at >= _PROGRESS_SECONDS:
            self._shown_at = now
            self.note(f"… {text}")

    def confirm(self, question: str) -> None:
        """Ask before what cannot be undone. Raises :class:`CannotRun` without a yes."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise CannotRun(f"{question}: say --yes")
        print(f"{question}. Go on? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CannotRun("nothing was done")


def aligned(rows: Iterable[Json], columns: Sequence[str]) -> list[str]:
    """Lines of a table with its heads. Columns in which nothing is are left out."""
    cells = [[_cell(row.get(name)) for name in columns] for row in rows]
    used = [place for place in range(len(columns)) if any(line[place] for line in cells)]
    lines = [[columns[place].upper() for place in used], *([line[place] for place in used] for line in cells)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(used))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def _cell(value: Any) -> str:
    return "" if value in (None, "", 0) else one_line(str(value), _WIDEST)
