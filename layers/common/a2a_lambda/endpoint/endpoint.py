"""Which binding a request is for, by its path."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..core.errors import Unauthenticated
from .binding import Exchange, echo
from .http import ANONYMOUS, HttpRequest
from .jsonrpc import JsonRpc
from .jsonrpc import error_response as jsonrpc_error
from .rest import Rest
from .rest import error_response as rest_error

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
        path = _below_prefix(request.path)
        if request.owner == ANONYMOUS and not self.anonymous:
            # Authorized, but as nobody: tokens without a subject must not share what all of them own.
            return _unauthenticated(request, path)
        if path == "/" and request.method == "POST":
            exchange = self.jsonrpc.answer(request)
        else:
            exchange = self.rest.answer(request, path)
        used = echo(request, self.extensions) if exchange.error is None else {}
        if not used:
            return exchange
        response = exchange.response
        return replace(exchange, response=replace(response, headers={**response.headers, **used}))


def _unauthenticated(request: HttpRequest, path: str) -> Exchange:
    """With a challenge (RFC 9110, section 15.5.2; RFC 6750, section 3), in the form of the binding."""
    error = Unauthenticated()
    jsonrpc = path == "/" and request.method == "POST"
    response = jsonrpc_error(None, error) if jsonrpc else rest_error(request, error)
    challenge = f'Bearer error="invalid_token", error_description="{error}"'
    headers = {**response.headers, "www-authenticate": challenge}
    return Exchange(replace(response, status=error.http_status, headers=headers), error=error)


def _below_prefix(path: str) -> str:
    for prefix in PREFIXES:
        if path == prefix or path.startswith(f"{prefix}/"):
            return path.removeprefix(prefix) or "/"
    return path
