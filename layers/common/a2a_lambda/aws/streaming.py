"""What streams of the endpoint, as the environment wants it. Where it wants nothing, nothing of it is imported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..core.operations import StreamReport
from ..endpoint.http import HttpRequest
from ..endpoint.tasks import TaskService
from ..settings import Environment
from . import http_api

if TYPE_CHECKING:
    from ..endpoint.stream import Streams


@dataclass(frozen=True, slots=True)
class Front:
    """The API before the function: how its events are read, and how answers to them are written."""

    read: Callable[[dict[str, Any]], HttpRequest]
    write: Callable[[Any], Any]
    """Of an ``HttpResponse`` or, where the API streams, an ``EventStream``."""


def front(env: Environment) -> Front:
    """The API that the template makes with this environment. Raises ``SettingsError``."""
    public_url = env.text("PUBLIC_URL", "")
    if not env.flag("STREAMING", False):
        return Front(partial(http_api.read, public_url=public_url), http_api.write)
    from . import rest_api

    tokens = rest_api.Tokens(env.text("JWT_ISSUER", ""), env.texts("JWT_AUDIENCE"))
    read = partial(rest_api.read, public_url=public_url, tokens=tokens)
    if env.text("AGENT_MODULE") == "probe_agent":
        from . import probe

        return Front(*probe.probing(read, rest_api.write))
    return Front(read, rest_api.write)


def streams(env: Environment, tasks: TaskService, on_end: Callable[[StreamReport, float], None]) -> Streams | None:
    """None with ``STREAMING=false``. ``on_end``: see :class:`~..endpoint.stream.Streams`. Raises ``SettingsError``."""
    if not env.flag("STREAMING", False):
        return None
    from ..endpoint.stream import Streams

    return Streams(tasks, env.number("STREAM_SECONDS", 300), int(env.number("STREAM_PADDING", 0)), on_end)
