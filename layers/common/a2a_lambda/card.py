"""The agent card in the shapes of the three dialects (specification section 8; 0.3 section 5; the legacy draft).

Everything on it comes from the agent and from what the stack really does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .agent import Agent, Skill

Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stack:
    """What the deployed stack can do. ``auth_mode`` is IAM, JWT or NONE."""

    push_notifications: bool
    auth_mode: str = "NONE"
    jwt_issuer: str = ""


def v1_card(agent: Agent, stack: Stack, url: str) -> Card:
    """A strict 1.0 card. ``url`` is the interface's."""
    card: Card = {
        "name": agent.name,
        "description": agent.description,
        "version": agent.version,
        "supportedInterfaces": [{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {
            "streaming": False,
            "pushNotifications": stack.push_notifications,
            "extendedAgentCard": False,
        },
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
        card["securitySchemes"] = schemes
        card["securityRequirements"] = [{"schemes": {name: {"list": []}}} for name in schemes]
    return card


def legacy_card(agent: Agent, stack: Stack, url: str) -> Card:
    """The card of the first drafts, at ``/agentCard``."""
    return {
        "name": agent.name,
        "description": agent.description,
        "version": agent.version,
        "capabilities": {
            "streaming": False,
            "pushNotifications": stack.push_notifications,
            "extendedAgentCard": False,
        },
        "skills": [{"name": skill.name, "description": skill.description} for skill in agent.skills],
        "interfaces": [{"type": "json-rpc", "url": url, "version": "1.0"}],
    }


def _skill(skill: Skill) -> Card:
    card: Card = {"id": skill.id, "name": skill.name, "description": skill.description, "tags": list(skill.tags)}
    if skill.examples:
        card["examples"] = list(skill.examples)
    return card


def _security(stack: Stack) -> Card:
    if stack.auth_mode == "JWT":
        return {
            "jwt": {
                "openIdConnectSecurityScheme": {
                    "openIdConnectUrl": f"{stack.jwt_issuer.rstrip('/')}/.well-known/openid-configuration"
                }
            }
        }
    if stack.auth_mode == "IAM":
        return {
            "sigv4": {
                "httpAuthSecurityScheme": {
                    "scheme": "AWS4-HMAC-SHA256",
                    "description": "Requests are signed with AWS Signature Version 4 for the service execute-api.",
                }
            }
        }
    return {}
