"""API Gateway HTTP API events, payload format 2.0."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..endpoint.http import ANONYMOUS, HttpRequest, HttpResponse


def read(event: dict[str, Any], public_url: str = "") -> HttpRequest:
    """The request of an event. ``public_url`` overrides the endpoint's own name; ``{apiId}`` in it is replaced."""
    context = event["requestContext"]
    headers = {str(name).lower(): str(value) for name, value in (event.get("headers") or {}).items()}
    base_url = named_url(public_url, context) if public_url else f"https://{context.get('domainName', '')}"
    return HttpRequest(
        method=context["http"]["method"],
        path=below(base_url, event.get("rawPath") or "/"),
        owner=owner_of(context.get("authorizer") or {}),
        base_url=base_url,
        headers=headers,
        query=dict(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True)),
        body=body_of(event),
    )


def named_url(public_url: str, context: dict[str, Any]) -> str:
    """The operator's URL of the endpoint, without a trailing slash."""
    return public_url.replace("{apiId}", str(context.get("apiId", ""))).rstrip("/")


def below(base_url: str, path: str) -> str:
    """The path below the endpoint's URL: behind a custom domain, an API keeps the mapping's path in front."""
    base = urlsplit(base_url).path
    return path[len(base) :] or "/" if base and f"{path}/".startswith(f"{base}/") else path


def body_of(event: dict[str, Any]) -> bytes:
    """The body as it was sent; empty if it is said to be base64 and is not."""
    body = event.get("body") or ""
    try:
        return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode("utf-8", "surrogatepass")
    except ValueError:
        return b""


def owner_of(authorizer: dict[str, Any]) -> str:
    """Who called: the JWT's subject (or the client it was issued to, where a token is nobody's), or the IAM principal.

    An assumed role is the same owner in each of its sessions: a client behind an auto-scaled role has many. Not so the
    role of a Cognito identity pool, which all its users assume: there the identity is the owner.
    """
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    for name, scheme in (("sub", "jwt"), ("client_id", "jwt-client"), ("azp", "jwt-client")):
        if claims.get(name):
            return f"{scheme}:{claims[name]}"
    iam = authorizer.get("iam") or {}
    identity = (iam.get("cognitoIdentity") or {}).get("identityId")
    if identity:
        return f"cognito:{identity}"
    arn = str(iam.get("userArn") or "")
    if ":assumed-role/" in arn:
        arn = arn.rpartition("/")[0]
    if arn:
        return f"iam:{arn}"
    return ANONYMOUS


def write(response: HttpResponse) -> dict[str, Any]:
    """The event's answer."""
    return {"statusCode": response.status, "headers": dict(response.headers), "body": response.body}
