"""Bounded reading of a table: a look at a large one says how far it went, and never reads all of it unasked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .stack import dynamodb

BOUND = 20_000
"""Items that one look reads unless it is told --all: some megabytes, and a few seconds."""

_PAGE = 1_000

Progress = Callable[[str], None]


def silent(_: str) -> None:
    """Progress that nobody watches."""


@dataclass
class Scan:
    """One look at a table or an index, page by page. ``read`` counts the items, ``whole`` says whether that was all."""

    table: str
    bound: int | None = BOUND
    index: str = ""
    progress: Progress = silent
    read: int = 0
    whole: bool = True

    def items(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        """The items that pass the filter, if ``arguments`` have one; none after ``bound`` items were read."""
        request = {"TableName": self.table, "Limit": _PAGE, **arguments}
        if self.index:
            request["IndexName"] = self.index
        while True:
            if self.bound is not None:
                request["Limit"] = max(1, min(_PAGE, self.bound - self.read))
            page = dynamodb().scan(**request)
            self.read += page.get("ScannedCount", len(page["Items"]))
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            if self.bound is not None and self.read >= self.bound:
                self.whole = False
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]
            self.progress(f"{self.read} items read")

    @property
    def note(self) -> str:
        """What was left out; "" if nothing was."""
        if self.whole:
            return ""
        total = dynamodb().describe_table(TableName=self.table)["Table"].get("ItemCount") or "more"
        return f"read {self.read} of about {total} items: --all reads every one"
