"""Signatures by which a receiver knows that a notification is from this agent, and unchanged.

Two kinds in one request, because receivers follow one of two practices: Standard Webhooks (``webhook-signature``,
version ``v1a``: Ed25519 over id, timestamp and body) and A2A's JWT with a hash of the body. Both verify with the keys
at ``/.well-known/jwks.json``. Two keys may be live, so that one can be replaced without a receiver noticing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache

from ..core.model import dumps
from ..core.records import PushConfig
from .webhook import Headers

JWKS_PATH = "/.well-known/jwks.json"
JWT_HEADER = "X-A2A-Notification-JWT"

_LIFE = 300
"""Seconds for which a JWT is good. Each attempt carries a new one."""

SETTLING = timedelta(minutes=15)
"""How long a new key is published before a JWT is signed with it: longer than anyone caches the old key set. A JWT has
one signature; ``webhook-signature`` has one by each live key, so there it does not matter."""

_INFO = b"a2a-lambda webhook signing: Ed25519 seed"


@dataclass(frozen=True, slots=True)
class Key:
    """One live key. ``public`` are the 32 bytes of RFC 8032, ``since`` is when it became one.

    ``sign`` may raise ``Unavailable``; ``longest`` is the most bytes that it takes, None: any number.
    """

    public: bytes
    since: datetime
    sign: Callable[[bytes], bytes]
    longest: int | None = None

    @property
    def kid(self) -> str:
        """The key's thumbprint (RFC 7638), so that nobody has to make up names."""
        return _thumbprint(self.public)


def seed_of(secret: str) -> bytes:
    """The Ed25519 seed (32 bytes) of a stored secret: the key itself if it is a Standard Webhooks private key
    (``whsk_`` and base64), else derived from the text (HKDF-SHA256), which has to be random.

    CloudFormation can make a random text, but no key. Raises ``ValueError`` for a text that cannot be random enough.
    """
    if secret.startswith("whsk_"):
        seed = base64.b64decode(secret.removeprefix("whsk_"), validate=True)[:32]
        if len(seed) < 32:
            raise ValueError("a whsk_ key has at least 32 bytes")
        return seed
    if len(secret) < 32:
        raise ValueError("the signing secret needs at least 32 characters")
    extracted = hmac.digest(b"\0" * 32, secret.encode(), "sha256")
    return hmac.digest(extracted, _INFO + b"\1", "sha256")


def local_key(secret: str, since: datetime) -> Key:
    """The key of a stored secret. Raises ``ValueError``."""
    from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_seed_keypair

    public, private = crypto_sign_seed_keypair(seed_of(secret))
    # libsodium puts the signature before the content.
    return Key(public, since, lambda content: crypto_sign(content, private)[:crypto_sign_BYTES])


def jwks(keys: Sequence[Key]) -> dict[str, object]:
    """The public keys as a JWK Set (RFC 7517, RFC 8037)."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "x": base64url(key.public), "kid": key.kid, "use": "sig", "alg": "EdDSA"}
            for key in keys
        ]
    }


@dataclass(frozen=True, slots=True)
class Signatures:
    """A :data:`~.webhook.Signer`. ``keys`` gives the live ones, the newest first; ``issuer`` is the agent's URL."""

    keys: Callable[[], Sequence[Key]]
    issuer: str

    def __call__(self, config: PushConfig, webhook_id: str, now: datetime, body: bytes) -> Headers:
        """The headers that prove where the request comes from."""
        keys = self.keys()
        seconds = int(now.timestamp())
        headers: Headers = []
        content = f"{webhook_id}.{seconds}.".encode() + body
        able = [key for key in keys if key.longest is None or len(content) <= key.longest]
        if able:
            signatures = [f"v1a,{base64.b64encode(key.sign(content)).decode()}" for key in able]
            headers.append(("webhook-signature", " ".join(signatures)))
        token = self._jwt(_for_jwt(keys, now), config, webhook_id, seconds, body)
        headers.append((JWT_HEADER, token))
        info = config.authentication
        if info and info.get("scheme", "").lower() == "bearer" and not info.get("credentials"):
            headers.append(("Authorization", f"Bearer {token}"))
        return headers

    def _jwt(self, key: Key, config: PushConfig, webhook_id: str, seconds: int, body: bytes) -> str:
        claims = {
            "iss": self.issuer,
            "aud": config.url,
            "iat": seconds,
            "exp": seconds + _LIFE,
            "jti": webhook_id,
            "taskId": config.task_id,
            "request_body_sha256": hashlib.sha256(body).hexdigest(),
        }
        signed = f"{_header(key.public)}.{_segment(claims)}"
        return f"{signed}.{base64url(key.sign(signed.encode()))}"


def _for_jwt(keys: Sequence[Key], now: datetime) -> Key:
    """The newest key that every receiver has had time to learn of."""
    return next((key for key in keys if now - key.since >= SETTLING), keys[-1])


@cache
def _thumbprint(public: bytes) -> str:
    members = {"crv": "Ed25519", "kty": "OKP", "x": base64url(public)}
    return base64url(hashlib.sha256(dumps(members).encode()).digest())


@cache
def _header(public: bytes) -> str:
    return _segment({"alg": "EdDSA", "typ": "JWT", "kid": _thumbprint(public)})


def _segment(value: object) -> str:
    return base64url(dumps(value).encode("utf-8", "replace"))


def base64url(data: bytes) -> str:
    """Base64 as JOSE writes it (RFC 7515, section 2): for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
