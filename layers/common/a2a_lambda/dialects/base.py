"""What a dialect is to the rest of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.changes import Change
from ..core.errors import A2AError
from ..core.model import Json, Message, Task
from ..core.operations import Request


class WebhookDialect(Protocol):
    """What the notifier needs of a dialect; the modules of this package are such."""

    NAME: str
    VERSION: str
    CONTENT_TYPE: str

    def notifications(self, change: Change) -> list[tuple[int, str]]:
        """The webhook bodies of a change: the event's place in the change, and the body's JSON text."""


@dataclass(frozen=True, slots=True)
class StreamForm:
    """How a stream is written. ``first`` takes the task or message that it begins with, ``event`` an event of
    :mod:`..core.changes`. ``numbered``: events have ids, and JSON-RPC responses that of their request."""

    first: Callable[[Task | Message], Any]
    event: Callable[[Json], Any]
    numbered: bool = True


@dataclass(frozen=True, slots=True)
class Method:
    """One line of a dialect's translation table: how its parameters are read and its answer is written.

    ``form`` is there for a method that streams, and takes the name of the dialect in which the task was sent.
    ``streams_errors``: its clients look for an error in the stream, if a stream is what they accept.
    """

    read: Callable[[dict[str, Any]], Request]
    write: Callable[[Any], Any]
    form: Callable[[str], StreamForm] | None = None
    streams_errors: bool = False


@dataclass(frozen=True, slots=True)
class Dialect:
    """A translation table. ``versions`` are the values of ``A2A-Version`` under which the methods may be called; empty
    means that the dialect is older than the header and ignores it."""

    name: str
    versions: frozenset[str]
    methods: Mapping[str, Method]


def streaming(
    read: Callable[[dict[str, Any]], Request], form: Callable[[str], StreamForm], streams_errors: bool = False
) -> Method:
    """A method that streams."""
    return Method(read, nothing, form, streams_errors)


def refused(error: type[A2AError]) -> Method:
    """A method that the dialect has and this agent has not, whatever its parameters."""

    def read(_: dict[str, Any]) -> Request:
        raise error

    return Method(read, nothing)


def nothing(_: object) -> None:
    """Writes the answer of a method that has none: JSON null."""
