"""Checks that a push comes from the agent: Standard Webhooks signature (v1a) and A2A JWT. Copy it with `receiver.py`.

Needs `cryptography`. The keys are the agent's, at `/.well-known/jwks.json`: two may be live, while one is replaced.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
import urllib.request
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE = 300  # seconds that a timestamp may be off: older pushes may be replays by a stranger
MAX_AGE = 300  # seconds for which keys are used without asking again


class AgentKeys:
    """The agent's public keys by their ids, fetched when needed and again when they are old."""

    def __init__(self, agent_url: str) -> None:
        self.url = agent_url.rstrip("/") + "/.well-known/jwks.json"
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._fetched = float("-inf")

    def __call__(self) -> Mapping[str, Ed25519PublicKey]:
        """Raises OSError or ValueError if the keys cannot be had; old ones stay in use."""
        if time.monotonic() - self._fetched > MAX_AGE:
            try:
                direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with direct.open(self.url, timeout=5) as response:
                    found = json.load(response)["keys"]
                self._keys = {key["kid"]: Ed25519PublicKey.from_public_bytes(decoded(key["x"])) for key in found}
                self._fetched = time.monotonic()
            except (OSError, ValueError, KeyError):
                if not self._keys:
                    raise
        return self._keys


def genuine(
    headers: Mapping[str, str], body: bytes, keys: Mapping[str, Ed25519PublicKey], now: float | None = None
) -> bool:
    """Whether one of the keys signed this push, lately. Names of ``headers`` in lower case, ``body`` as it came."""
    now = time.time() if now is None else now
    signature, token = headers.get("webhook-signature"), headers.get("x-a2a-notification-jwt")
    checks = []
    if signature is not None:
        checks.append(signed(headers, signature, body, keys, now))
    if token is not None:
        checks.append(vouched(headers, token, body, keys, now))
    return bool(checks) and all(checks)


def signed(
    headers: Mapping[str, str], signatures: str, body: bytes, keys: Mapping[str, Ed25519PublicKey], now: float
) -> bool:
    """Standard Webhooks: Ed25519 over id, timestamp and body; one good signature of several is enough."""
    sent = headers.get("webhook-timestamp", "")
    if not (sent.isascii() and sent.isdecimal() and len(sent) < 12 and abs(now - int(sent)) <= TOLERANCE):
        return False
    content = f"{headers.get('webhook-id', '')}.{sent}.".encode() + body
    encoded = [entry.removeprefix("v1a,") for entry in signatures.split(" ") if entry.startswith("v1a,")]
    return any(verifies(key, entry, content) for key in keys.values() for entry in encoded)


def vouched(
    headers: Mapping[str, str], token: str, body: bytes, keys: Mapping[str, Ed25519PublicKey], now: float
) -> bool:
    """A2A's JWT: of this body, this event, and not expired. Compare ``aud`` with your URL if others share your keys."""
    head, _, signature = token.rpartition(".")
    try:
        header, claims = (json.loads(decoded(part)) for part in head.split("."))
        key = keys[header["kid"]]
        return (
            header["alg"] == "EdDSA"
            and verifies(key, signature, head.encode())
            and claims["jti"] == headers.get("webhook-id")
            and claims["request_body_sha256"] == hashlib.sha256(body).hexdigest()
            and claims["iat"] - TOLERANCE <= now < claims["exp"]
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def verifies(key: Ed25519PublicKey, signature: str, content: bytes) -> bool:
    try:
        key.verify(decoded(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def decoded(text: str) -> Any:
    """Base64, of either alphabet, with padding or without."""
    return base64.b64decode(text.replace("-", "+").replace("_", "/").rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
