"""One notification as an HTTP request (specification section 4.3.3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

from ..core.blobs import Link, in_text, unlinked
from ..core.records import PushConfig
from ..dialects.webhooks import BY_NAME
from .outcome import Post

RESERVED_HEADERS = frozenset(
    {"content-type", "user-agent", "a2a-version", "traceparent"}
    | {"webhook-id", "webhook-timestamp", "webhook-signature", "x-a2a-notification-token", "x-a2a-notification-jwt"}
)
"""Names in lower case that a client cannot choose for its credentials, because they are set here."""

Headers = list[tuple[str, str]]
Signer = Callable[[PushConfig, str, datetime, bytes], Headers]
"""From config, webhook-id, time and body to the headers that prove where they come from. May raise ``Unavailable``."""


def unsigned(_config: PushConfig, _id: str, _now: datetime, _body: bytes) -> Headers:
    """The signer of a stack without a key."""
    return []


def webhook_id(config: PushConfig, generation: int, n: int, nonce: str = "") -> str:
    """The event's id with the config's: the same on every attempt, so that a receiver can tell a duplicate.

    An announcement (one with a ``nonce``) has ids of its own: its client asked to hear the state, be it once more.
    """
    identity = f"{config.task_id}.{generation}.{n}.{_quoted(config.config_id)}"
    return f"{identity}.{nonce}" if nonce else identity


@lru_cache(maxsize=4_096)
def _quoted(config_id: str) -> str:
    # Dots divide the id, and in what is signed the id from time and body: none of them is the client's.
    return quote(config_id, safe="").replace(".", "%2E")


def post(
    config: PushConfig,
    identity: str,
    body: str,
    dialect: str,
    now: datetime,
    sign: Signer,
    trace: str | None,
    link: Link = unlinked,
) -> Post:
    """The request that tells ``config`` of an event. ``identity`` is its webhook-id, ``trace`` a W3C ``traceparent``,
    ``link`` leads to large contents: a fresh one at each attempt, because links expire.

    A lone surrogate in a text becomes "?": it has no UTF-8, and the rest of the event is worth having.
    """
    raw = in_text(body, config.task_id, link).encode("utf-8", "replace")
    spoken = BY_NAME[dialect]
    headers: Headers = [
        ("Content-Type", spoken.CONTENT_TYPE),
        ("webhook-id", identity),
        ("webhook-timestamp", str(int(now.timestamp()))),
        *sign(config, identity, now, raw),
        *_credentials(config),
    ]
    if spoken.VERSION:
        headers.append(("A2A-Version", spoken.VERSION))
    if trace:
        headers.append(("traceparent", trace))
    return Post(config.url, headers, raw)


def _credentials(config: PushConfig) -> Headers:
    """What the client registered. The legacy dialect may name the header, and has schemes without a prefix."""
    headers: Headers = []
    if config.token:
        headers.append(("X-A2A-Notification-Token", config.token))
    info = config.authentication
    if info and (credentials := info.get("credentials")):
        scheme = info.get("scheme", "")
        bare = config.dialect == "legacy" and scheme.lower() not in ("bearer", "basic", "token")
        # Scheme names are case-insensitive, but many receivers compare: write the two common ones as RFCs do.
        shown = scheme.capitalize() if scheme.lower() in ("bearer", "basic", "token") else scheme
        headers.append((info.get("headerName", "Authorization"), credentials if bare else f"{shown} {credentials}"))
    return headers
