"""Records of TasksTable's stream (NEW_AND_OLD_IMAGES)."""

from __future__ import annotations

from typing import Any

from ..core.ports import Poison
from ..push.notifier import StreamRecord
from .items import task_image, task_removed
from .reading import key, sequence_of


class PoisonRecord(Poison):
    """A stream record that is no write of ours. ``sequence`` is its number."""

    def __init__(self, sequence: str) -> None:
        super().__init__(sequence)
        self.sequence = sequence


def stream_record(record: dict[str, Any]) -> StreamRecord:
    """Raises :class:`PoisonRecord`. Of a task that was removed nothing is read but when it was created: its configs go
    with it, whatever it held."""
    sequence = sequence_of(record)
    try:
        change = record["dynamodb"]
        task_id = key(change["Keys"]["taskId"]["S"])
        new, old = change.get("NewImage"), change.get("OldImage")
        if not new:
            return StreamRecord(sequence, task_id, task_removed(old) if old else None, None)
        return StreamRecord(sequence, task_id, task_image(old) if old else None, task_image(new))
    except Exception as error:
        raise PoisonRecord(sequence) from error
