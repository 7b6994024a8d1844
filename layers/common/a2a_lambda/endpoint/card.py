"""The agent card in the shapes of the dialects (specification section 8; 0.3 section 5; the legacy draft).

Everything on it comes from the agent and from what the stack really does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..agent.agent import Agent, Extension, Skill
from ..push.delivery_status import DELIVERY_STATUS
from ..push.signing import JWT_HEADER

Card = dict[str, Any]

SIGNED = "https://a2a-lambda.example/extensions/signed-notifications/v1"
"""The extension that tells receivers how to verify what they get."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What the deployed stack can do. ``auth_mode`` is IAM, JWT or NONE; ``jwks_uri`` is where the keys are with which
    it signs notifications, "" if it does not."""

    push_notifications: bool
    auth_mode: str = "NONE"
    jwt_issuer: str = ""
    jwks_uri: str = ""
    streaming: bool = False


def v1_card(agent: Agent, stack: Stack, base_url: str) -> Card:
    """A strict 1.0 card: nothing on it that 1.0 does not know. ``base_url`` has no slash at its end.

    Clients take the first JSON-RPC interface that they can speak, so the order counts.
    """
    card: Card = {
        "name": agent.name,
        "description": agent.description,
        "version": agent.version,
        "supportedInterfaces": [
            {"url": f"{base_url}/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": base_url, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
        ],
        "capabilities": _capabilities(agent, stack),
        "defaultInputModes": list(agent.input_modes),
        "defaultOutputModes": list(agent.output_modes),
        "skills": [_skill(skill) for skill in agent.skills],
    }
    if agent.provider is not None:
        card["provider"] = dict(agent.provider)
    if agent.documentation_url is not None:
        card["documentationUrl"] = agent.documentation_url
    schemes = _security(stack)
    if schemes:
        card["securitySchemes"] = {name: {kind: scheme} for name, (kind, _, scheme) in schemes.items()}
        card["securityRequirements"] = [{"schemes": {name: {"list": []}}} for name in schemes]
    return card


def dual_card(agent: Agent, stack: Stack, base_url: str) -> Card:
    """A card for clients of 1.0 and of 0.3 (its section 5.5): each finds its fields, and ignores those of the other."""
    url = f"{base_url}/"
    card = v1_card(agent, stack, base_url)
    card["supportedInterfaces"].append({"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"})
    card |= {
        "protocolVersion": "0.3.0",
        "url": url,
        "preferredTransport": "JSONRPC",
        "additionalInterfaces": [{"url": url, "transport": "JSONRPC"}],
        "supportsAuthenticatedExtendedCard": False,
    }
    schemes = _security(stack)
    if schemes:
        card["security"] = [{name: []} for name in schemes]
        for name, (_, kind, scheme) in schemes.items():
            card["securitySchemes"][name] |= {"type": kind, **scheme}
    return card


def legacy_card(agent: Agent, stack: Stack, base_url: str) -> Card:
    """The card of the first drafts, at ``/agentCard``."""
    return {
        "name": agent.name,
        "description": agent.description,
        "version": agent.version,
        "capabilities": _capabilities(agent, stack),
        "skills": [{"name": skill.name, "description": skill.description} for skill in agent.skills],
        "interfaces": [{"type": "json-rpc", "url": f"{base_url}/", "version": "1.0"}],
    }


def _capabilities(agent: Agent, stack: Stack) -> Card:
    capabilities: Card = {
        "streaming": stack.streaming,
        "pushNotifications": stack.push_notifications,
        "extendedAgentCard": False,
    }
    extensions = [*_of_stack(stack), *agent.extensions]
    if extensions:
        capabilities["extensions"] = [_extension(extension) for extension in extensions]
    return capabilities


def _of_stack(stack: Stack) -> list[Extension]:
    """What the runtime adds to push notifications, whatever the agent."""
    if not stack.push_notifications:
        return []
    extensions = [
        Extension(
            DELIVERY_STATUS,
            "Asked for with the extensions header, push notification configs come with deliveryStatus.",
        )
    ]
    if stack.jwks_uri:
        params = {"jwksUri": stack.jwks_uri, "webhookSignature": "v1a", "jwtHeader": JWT_HEADER}
        extensions.append(Extension(SIGNED, "Push notifications are signed: Standard Webhooks and JWT.", params=params))
    return extensions


def _extension(extension: Extension) -> Card:
    card: Card = {"uri": extension.uri, "required": extension.required}
    if extension.description:
        card["description"] = extension.description
    if extension.params is not None:
        card["params"] = dict(extension.params)
    return card


def _skill(skill: Skill) -> Card:
    card: Card = {"id": skill.id, "name": skill.name, "description": skill.description, "tags": list(skill.tags)}
    if skill.examples:
        card["examples"] = list(skill.examples)
    return card


def _security(stack: Stack) -> dict[str, tuple[str, str, Card]]:
    """How callers prove who they are: for each scheme its kind as 1.0 names it, as 0.3 does, and what both say."""
    if stack.auth_mode == "JWT":
        url = f"{stack.jwt_issuer.rstrip('/')}/.well-known/openid-configuration"
        return {"jwt": ("openIdConnectSecurityScheme", "openIdConnect", {"openIdConnectUrl": url})}
    if stack.auth_mode == "IAM":
        text = "Requests are signed with AWS Signature Version 4 for the service execute-api."
        return {"sigv4": ("httpAuthSecurityScheme", "http", {"scheme": "AWS4-HMAC-SHA256", "description": text})}
    return {}
