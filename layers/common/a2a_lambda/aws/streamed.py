"""What a handler returns whose HTTP response is sent as it is made: the seam between handlers and what runs them.

:mod:`~.runtime` sends it. AWS's own runtime for Python cannot stream yet; once it can, that module is deleted and this
class becomes what AWS's runtime takes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Streamed:
    """An HTTP response: ``status``, ``headers`` by name, and the pieces of its ``body``, each sent at once.

    ``pause`` are the seconds between the headers and the first piece. A body that has ``close`` is closed at its end,
    however it ends.
    """

    __slots__ = ("body", "headers", "pause", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: Iterable[bytes], pause: float = 0.0) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.pause = pause
