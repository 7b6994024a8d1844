"""API Gateway REST API events (payload format 1.0), behind an integration in STREAM mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from ..endpoint.http import EventStream, HttpRequest, HttpResponse
from .http_api import below, body_of, named_url, owner_of
from .streamed import Streamed

PAUSE = 0.025
"""Seconds between the head of a stream and its first event. Where both arrive as one piece, Lambda has been seen to
keep all of the stream until its end."""

NOTHING = b"\n"
"""The body of a response that has none: Lambda does not end a stream properly that has no body."""


class Tokens(NamedTuple):
    """Whose tokens are accepted, and for whom; without an issuer, what the API lets through.

    The API checks them itself, but by the copy of its settings that was deployed last: one that is older than the
    stack's parameters must not open the door to those whom they shut out.
    """

    issuer: str = ""
    audiences: frozenset[str] = frozenset()

    def accept(self, claims: Mapping[str, Any]) -> bool:
        """Whether the claims are those of such a token. Cognito's access tokens have ``client_id`` for ``aud``."""
        named = claims.get("aud") or claims.get("client_id") or []
        meant = set(named) if isinstance(named, list) else {named}
        return not self.issuer or (claims.get("iss") == self.issuer and bool(meant & self.audiences))


ANY_TOKEN = Tokens()


def read(event: dict[str, Any], public_url: str = "", tokens: Tokens = ANY_TOKEN) -> HttpRequest:
    """The request of an event, as :func:`~.http_api.read` has it. The API's stage is part of its URL, not of the path.

    REST APIs hand paths on as they were sent, HTTP APIs decode them: here that is done. An event that is no request
    reads as one that nothing answers.
    """
    context = event.get("requestContext") or {}
    path = event.get("path") or "/"
    base_url = named_url(public_url, context) if public_url else _own_url(context, path)
    path = unquote(path)
    return HttpRequest(
        method=event.get("httpMethod") or "",
        path=below(base_url, path) if public_url else path,
        owner=owner_of(_authorizer(context, tokens)),
        base_url=base_url,
        headers={str(name).lower(): ",".join(values) for name, values in _all(event, "multiValueHeaders", "headers")},
        query={
            name: values[-1] for name, values in _all(event, "multiValueQueryStringParameters", "queryStringParameters")
        },
        body=body_of(event),
    )


def write(response: HttpResponse | EventStream) -> Streamed:
    """The event's answer, whole or frame by frame: the integration takes both as a stream."""
    if isinstance(response, EventStream):
        return Streamed(response.status, response.headers, response.frames, PAUSE)
    body = response.body.encode("utf-8", "surrogatepass") or NOTHING
    return Streamed(response.status, response.headers, [body])


def _own_url(context: Mapping[str, Any], path: str) -> str:
    """The API's own URL: what the request's path has in front of ``path`` is the stage, or, behind a custom domain,
    nothing."""
    requested = str(context.get("path") or "")
    stage = requested.removesuffix(path) if requested.endswith(path) else f"/{context.get('stage', '')}"
    return f"https://{context.get('domainName', '')}{stage}".rstrip("/")


def _authorizer(context: Mapping[str, Any], tokens: Tokens) -> dict[str, Any]:
    """Who called, as payload format 2.0 has it; nobody, if that is by a token that is not accepted."""
    identity = context.get("identity") or {}
    claims = (context.get("authorizer") or {}).get("claims") or {}
    if claims and not tokens.accept(claims):
        return {}
    return {
        "jwt": {"claims": claims},
        "iam": {
            "userArn": identity.get("userArn"),
            "cognitoIdentity": {"identityId": identity.get("cognitoIdentityId")},
        },
    }


def _all(event: Mapping[str, Any], many: str, single: str) -> list[tuple[str, list[str]]]:
    """All values of each name. Tools that make events by hand leave the field of the many out."""
    values = event.get(many)
    if values is None:
        values = {name: [value] for name, value in (event.get(single) or {}).items()}
    return [(name, [str(value) for value in listed]) for name, listed in values.items() if listed]
