"""The endpoint's streams as the environment wants them. Where it wants none, nothing of them is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.operations import StreamReport
from ..endpoint.tasks import TaskService
from ..settings import Environment

if TYPE_CHECKING:
    from ..endpoint.stream import Streams


def streams(env: Environment, tasks: TaskService, on_end: Callable[[StreamReport, float], None]) -> Streams | None:
    """None with ``STREAMING=false``. ``on_end``: see :class:`~..endpoint.stream.Streams`. Raises ``SettingsError``."""
    if not env.flag("STREAMING", False):
        return None
    from ..endpoint.stream import Streams

    return Streams(tasks, env.number("STREAM_SECONDS", 300), int(env.number("STREAM_PADDING", 0)), on_end)
