"""Records of TasksTable's stream (NEW_AND_OLD_IMAGES)."""

from __future__ import annotations

from typing import Any

from ..core.ports import Poison
from ..core.records import TaskImage
from ..push.notifier import StreamRecord
from .items import task_image


class PoisonRecord(Poison):
    """A stream record that is no write of ours. ``sequence`` is its number."""

    def __init__(self, sequence: str) -> None:
        super().__init__(sequence)
        self.sequence = sequence


def stream_record(record: dict[str, Any]) -> StreamRecord:
    """Raises :class:`PoisonRecord`."""
    change = record["dynamodb"]
    sequence = str(change["SequenceNumber"])
    try:
        return StreamRecord(
            sequence=sequence,
            task_id=change["Keys"]["taskId"]["S"],
            old=_image(change.get("OldImage")),
            new=_image(change.get("NewImage")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise PoisonRecord(sequence) from error


def _image(image: dict[str, Any] | None) -> TaskImage | None:
    return task_image(image) if image else None
