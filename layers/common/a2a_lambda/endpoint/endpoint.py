"""Which binding a request is for, by its path."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .binding import Exchange, echo
from .http import ANONYMOUS, HttpRequest, json_response
from .jsonrpc import JsonRpc
from .rest import Rest

PREFIXES = ("/a2a/v1", "/v1")
"""Everything is under these paths as well as at the root: the strict 1.0 card names ``/v1``, and a2a-testbed posts to
the other."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Both bindings at one URL. ``extensions`` are the URIs of those that the agent supports; ``anonymous`` says
    whether callers may be nobody."""

    jsonrpc: JsonRpc
    rest: Rest
    extensions: frozenset[str] = frozenset()
    anonymous: bool = True

    def answer(self, request: HttpRequest) -> Exchange:
        """JSON-RPC at the root and HTTP+JSON below it; whatever else is asked for is not found."""
        if request.owner == ANONYMOUS and not self.anonymous:
            # Authorized, but as nobody: tokens without a subject must not share what all of them own.
            return Exchange(json_response({"error": "The credentials name nobody: a JWT needs sub"}, 401))
        path = _below_prefix(request.path)
        if path == "/" and request.method == "POST":
            exchange = self.jsonrpc.answer(request)
        else:
            exchange = self.rest.answer(request, path)
        used = echo(request, self.extensions) if exchange.error is None else {}
        if not used:
            return exchange
        response = exchange.response
        return replace(exchange, response=replace(response, headers={**response.headers, **used}))


def _below_prefix(path: str) -> str:
    for prefix in PREFIXES:
        if path == prefix or path.startswith(f"{prefix}/"):
            return path.removeprefix(prefix) or "/"
    return path
