"""Which pages in browsers may call the endpoint (https://fetch.spec.whatwg.org/#http-cors-protocol).

Here and not in the API's settings: those are for all paths alike, and any page may read the card and the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from .http import EventStream, HttpRequest, HttpResponse

ANY = "*"

MAX_AGE = 7200
"""Seconds for which a browser need not ask again: the most that any of them takes."""

_METHODS = "GET, HEAD, POST, DELETE"
_HEADERS = (
    "Accept, A2A-Extensions, A2A-Version, Authorization, Cache-Control, Content-Type, If-None-Match, Last-Event-ID, "
    "X-A2A-Extensions, X-Amz-Content-Sha256, X-Amz-Date, X-Amz-Security-Token"
)
_EXPOSED = "A2A-Extensions, ETag, X-A2A-Extensions, WWW-Authenticate"


class Cors:
    """``origins`` are those whose pages may call, or ``*``; the paths in ``public`` are open to all pages.

    Credentials come in headers that a page sets itself, never as cookies, so none are allowed to browsers.
    """

    def __init__(self, origins: Collection[str], public: Collection[str]) -> None:
        self._origins = origins
        self._public = public

    def answer(
        self, request: HttpRequest, respond: Callable[[HttpRequest], HttpResponse | EventStream]
    ) -> HttpResponse | EventStream:
        """The response with what a browser needs to hand it to the page, or the answer to its preflight."""
        allowed = self._allowed(request)
        if allowed and request.method == "OPTIONS" and "access-control-request-method" in request.headers:
            permission = {
                "access-control-allow-methods": _METHODS,
                "access-control-allow-headers": _HEADERS,
                "access-control-max-age": str(MAX_AGE),
            }
            return HttpResponse(204, "", {**allowed, **permission})
        response = respond(request)
        if not allowed:
            return response
        headers = {**response.headers, **allowed, "access-control-expose-headers": _EXPOSED}
        vary = [headers["vary"] for headers in (response.headers, allowed) if "vary" in headers]
        return replace(response, headers={**headers, "vary": ", ".join(vary)} if vary else headers)

    def _allowed(self, request: HttpRequest) -> dict[str, str]:
        """The headers that let the page of the request read the answer; empty if it may not."""
        if request.path in self._public or ANY in self._origins:
            return {"access-control-allow-origin": ANY}
        origin = request.headers.get("origin", "")
        if origin in self._origins:
            return {"access-control-allow-origin": origin, "vary": "Origin"}
        return {}
