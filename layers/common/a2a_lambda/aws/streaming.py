"""What streams of the endpoint, as the environment wants it. Where it wants nothing, nothing of it is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..core.operations import StreamReport
from ..endpoint.http import HttpRequest
from ..endpoint.tasks import TaskService
from ..settings import Environment
from . import http_api

if TYPE_CHECKING:
    from ..endpoint.stream import Streams


class Front(Protocol):
    """The shape of events and answers of the API before the function: module ``http_api`` or ``rest_api``."""

    def read(self, event: dict[str, Any], public_url: str = "") -> HttpRequest: ...

    def write(self, response: Any) -> Any:
        """The function's answer, of an ``HttpResponse`` or, where the API streams, an ``EventStream``."""


def front(env: Environment) -> Front:
    """That of the API which the template makes with this ``STREAMING``. Raises ``SettingsError``."""
    if not env.flag("STREAMING", False):
        return http_api
    from . import rest_api

    return rest_api


def streams(env: Environment, tasks: TaskService, on_end: Callable[[StreamReport, float], None]) -> Streams | None:
    """None with ``STREAMING=false``. ``on_end``: see :class:`~..endpoint.stream.Streams`. Raises ``SettingsError``."""
    if not env.flag("STREAMING", False):
        return None
    from ..endpoint.stream import Streams

    return Streams(tasks, env.number("STREAM_SECONDS", 300), int(env.number("STREAM_PADDING", 0)), on_end)
