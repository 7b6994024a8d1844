"""Takes what an A2A agent pushes. Copy this file into your application; it needs `pip install 'pyjwt[crypto]'`."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

import jwt

Take = Callable[[str, object], object]


class Refused(ValueError):
    """This is not a push of the agent; the text says why."""


class Webhook:
    """A webhook that is registered as ``url`` (or one of several), perhaps with ``token``. ``keys`` are the agent's, at
    its `/.well-known/jwks.json`; without them anybody may push. ``take`` gets each event once: its id and its body."""

    def __init__(
        self, keys: jwt.PyJWKClient | None, url: str | list[str], token: str | None = None, take: Take = print
    ) -> None:
        self._keys, self._url, self._token, self._take = keys, url, token, take
        self._seen: OrderedDict[str, None] = OrderedDict()  # with several processes: a table of your database
        self._lock = threading.Lock()

    def handle(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        """The HTTP status and the text to answer with. ``body`` is what came, byte for byte."""
        headers = {name.lower(): value for name, value in headers.items()}
        try:
            self._verify(headers, body)
            event = json.loads(body)
        except (jwt.PyJWKClientConnectionError, OSError):
            return 503, "the agent's keys cannot be had"  # the agent tries again later
        except (jwt.PyJWTError, LookupError, ValueError, TypeError, RecursionError) as error:
            # The name of a library's error and not its text, which may quote what a stranger wrote.
            why = str(error) if isinstance(error, Refused) else type(error).__name__
            return 401, f"not a push of the agent: {why}"
        with self._lock:
            if (identity := headers.get("webhook-id", "")) in self._seen:
                return 200, "duplicate"  # delivery is at least once, and the id the same on every attempt
            self._take(identity, event)
            if identity:  # remembered after the work: what fails halfway is taken when it comes again
                self._seen[identity] = None
            if len(self._seen) > 10_000:
                self._seen.popitem(last=False)
        return 200, "ok"

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises unless the agent sent this body under this id to this webhook, and lately."""
        shown = headers.get("x-a2a-notification-token", "")
        if self._token is not None and not hmac.compare_digest(shown.encode(), self._token.encode()):
            raise Refused("not the token that was registered")
        if self._keys is None:
            return
        proof, identity = headers.get("x-a2a-notification-jwt"), headers.get("webhook-id")
        if not proof or not identity:
            raise Refused("no x-a2a-notification-jwt, or no webhook-id")
        try:
            key = self._keys.get_signing_key_from_jwt(proof)
        except ValueError as error:  # what came is no key set
            raise jwt.PyJWKClientConnectionError from error
        claims = jwt.decode(proof, key, ["EdDSA"], {"require": ["exp", "iat"]}, audience=self._url, leeway=60)
        if claims["jti"] != identity:
            raise Refused("the JWT of another push")
        if claims["request_body_sha256"] != hashlib.sha256(body).hexdigest():
            raise Refused("not the body that was signed")
        if signatures := headers.get("webhook-signature"):  # Standard Webhooks: one good one of several is enough
            content = b"%s.%s.%s" % (identity.encode(), headers["webhook-timestamp"].encode(), body)
            signed = [base64.b64decode(entry[4:]) for entry in signatures.split() if entry.startswith("v1a,")]
            keys = self._keys.get_signing_keys()
            good = any(known.Algorithm.verify(content, known.key, one) for known in keys for one in signed)
            if not good or abs(time.time() - int(headers["webhook-timestamp"])) > 300:
                raise Refused("signed by somebody else, or long ago")
