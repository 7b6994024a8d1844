"""Serving the agent card: paths, caching, conditional requests (specification sections 8.2 and 8.6)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import formatdate

from ..agent.agent import Agent
from ..push.signing import JWKS_PATH, Key, jwks
from .card import Card, Stack, dual_card, legacy_card, v1_card
from .http import HttpRequest, HttpResponse, json_response

MAX_AGE = 300
"""Seconds for which a card may be used without asking again."""

_BUILDERS: dict[str, tuple[Callable[[Agent, Stack, str], Card], str]] = {
    "/.well-known/agent-card.json": (dual_card, ""),
    "/.well-known/agent.json": (dual_card, ""),
    "/v1/.well-known/agent-card.json": (v1_card, "/v1"),
    "/agentCard": (legacy_card, ""),
}
"""Path to the card's shape, and to the path below the base URL under which its interfaces are."""

PATHS = frozenset(_BUILDERS) | {JWKS_PATH}


class Discovery:
    """``modified`` is when the agent was last changed, in epoch seconds; ``keys`` are those that sign notifications."""

    def __init__(
        self, agent: Agent, stack: Stack, modified: float, keys: Callable[[], Sequence[Key]] | None = None
    ) -> None:
        self._agent = agent
        self._stack = stack
        self._keys = keys
        self._modified = formatdate(modified, usegmt=True)

    def answer(self, request: HttpRequest) -> HttpResponse:
        """The card or key set at ``request.path``, one of ``PATHS``; 304 if the client has it already. To ``HEAD`` the
        same without the body."""
        if request.path == JWKS_PATH:
            card = json_response(jwks(self._keys() if self._keys else ()))
        else:
            builder, below = _BUILDERS[request.path]
            stack = replace(self._stack, jwks_uri=request.base_url + JWKS_PATH) if self._keys else self._stack
            card = json_response(builder(self._agent, stack, request.base_url + below))
        etag = f'"{hashlib.sha256(card.body.encode()).hexdigest()[:32]}"'
        caching = {"etag": etag, "cache-control": f"public, max-age={MAX_AGE}", "last-modified": self._modified}
        asked = request.headers.get("if-none-match")
        known = {tag.strip().removeprefix("W/") for tag in asked.split(",")} if asked else set()
        if known & {etag, "*"}:
            return HttpResponse(304, "", caching)
        body = "" if request.method == "HEAD" else card.body
        return HttpResponse(200, body, {**card.headers, **caching})
