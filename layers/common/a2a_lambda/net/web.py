"""HTTP for agents: GET and POST to addresses that may come from a client's message, under the policy of webhooks.

A URL in a message is chosen by a stranger and fetched from inside the operator's account, just as a webhook's is: see
``webhook_url`` for what that means and why the address is judged at the socket.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from .webhook_url import WebhookPolicy, header_refusal

MAX_REDIRECTS = 3


class FetchError(Exception):
    """No answer: refused by the policy, no connection, too slow, or too large. Says which, and no more."""


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """``seconds`` bounds the whole exchange, ``max_bytes`` the body of the answer."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    seconds: float = 10.0
    max_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, whatever its status. ``content_type`` is in lower case, without parameters."""

    status: int
    body: bytes = b""
    content_type: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status <= 299

    @property
    def text(self) -> str:
        """The body as UTF-8; what is none is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises ``ValueError``."""
        return json.loads(self.body)


Fetch: TypeAlias = Callable[[FetchRequest], Fetched]
"""Raises :class:`FetchError`."""


class Web:
    """:data:`Fetch` over libcurl. Redirects of a GET are followed, each judged like the first URL.

    ``clock`` counts the seconds of an exchange, redirects and all.
    """

    def __init__(self, policy: WebhookPolicy, clock: Callable[[], float] = monotonic) -> None:
        self._policy = policy
        self._clock = clock

    def __call__(self, request: FetchRequest) -> Fetched:
        """The answer. Raises :class:`FetchError`."""
        url, deadline = request.url, self._clock() + request.seconds
        for _ in range(MAX_REDIRECTS + 1):
            refusal = self._policy.url_refusal(url)
            if refusal is not None:
                raise FetchError(f"refused: {refusal}")
            left = deadline - self._clock()
            if left <= 0:
                raise FetchError("timeout")
            answer, redirect = self._exchange(url, request, left)
            if redirect is None or request.method != "GET":
                return answer
            if _origin(redirect) != _origin(
                url
            ):  # a header meant for the one host, a token perhaps, is not the other's
                request = replace(request, headers={})
            url = redirect
        raise FetchError("too many redirects")

    def _exchange(self, url: str, request: FetchRequest, seconds: float) -> tuple[Fetched, str | None]:
        import pycurl  # type: ignore[import-untyped]

        from .curl import GuardedHandle

        body = bytearray()

        def take(chunk: bytes) -> int | None:
            body.extend(chunk)
            return None if len(body) <= request.max_bytes else 0

        handle = GuardedHandle(self._policy)
        curl = handle.curl
        try:
            for option, value in (
                (pycurl.URL, url),
                (pycurl.CUSTOMREQUEST, request.method),
                (pycurl.HTTPHEADER, _headers(request)),
                (pycurl.TIMEOUT_MS, max(round(seconds * 1_000), 1)),
                (pycurl.WRITEFUNCTION, take),
            ):
                curl.setopt(option, value)
            if request.body is not None:
                curl.setopt(pycurl.POSTFIELDS, request.body)
            try:
                curl.perform()
            except pycurl.error as error:
                too_large = len(body) > request.max_bytes
                raise FetchError(_reason(error.args[0], handle.only_refused, too_large)) from None
            if handle.head.status is None:
                raise FetchError("no whole answer")
            content_type = (curl.getinfo(pycurl.CONTENT_TYPE) or "").partition(";")[0].strip().lower()
            answer = Fetched(handle.head.status, bytes(body), content_type)
            return answer, curl.getinfo(pycurl.REDIRECT_URL)
        finally:
            curl.close()


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _headers(request: FetchRequest) -> list[str]:
    headers = {"User-Agent": "A2A-on-Lambda/1.0 (agent)", **request.headers}
    for name, value in headers.items():
        refusal = header_refusal(name, value)
        if refusal is not None:
            raise FetchError(f"refused: {refusal}")
    return [*(f"{name}: {value}" for name, value in headers.items()), "Expect:"]


def _reason(code: int, refused: bool, too_large: bool) -> str:
    if too_large:
        return "the answer is too large"
    if refused:
        return "refused: the address is not a public one"
    return {28: "timeout", 6: "the host has no address", 7: "no connection"}.get(code, f"failed (libcurl {code})")
