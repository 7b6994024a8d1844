"""Who calls the endpoint, as API Gateway tells it to the function: ``requestContext.authorizer``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from a2a_lambda.aws.http_api import owner_of


@dataclass(frozen=True)
class Caller:
    """A principal. ``authorizer`` is empty on a stack without authorization."""

    name: str
    authorizer: dict[str, Any] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        return owner_of(self.authorizer)


def iam_role(role: str, session: str) -> dict[str, Any]:
    """The authorizer of a SigV4 request made with a role's temporary credentials."""
    return {
        "iam": {
            "accessKey": "ASIAEXAMPLE",
            "accountId": "111122223333",
            "callerId": f"AROAEXAMPLE:{session}",
            "cognitoIdentity": None,
            "principalOrgId": "o-example",
            "userArn": f"arn:aws:sts::111122223333:assumed-role/{role}/{session}",
            "userId": f"AROAEXAMPLE:{session}",
        }
    }


def iam_user(name: str) -> dict[str, Any]:
    """The authorizer of a SigV4 request made with a user's keys."""
    return {
        "iam": {
            "accessKey": "AKIAEXAMPLE",
            "accountId": "111122223333",
            "callerId": "AIDAEXAMPLE",
            "cognitoIdentity": None,
            "principalOrgId": "o-example",
            "userArn": f"arn:aws:iam::111122223333:user/{name}",
            "userId": "AIDAEXAMPLE",
        }
    }


def jwt(subject: str, **claims: str) -> dict[str, Any]:
    """The authorizer of a request with a bearer token."""
    return {"jwt": {"claims": {"sub": subject, "iss": "https://issuer.example.com", **claims}, "scopes": None}}


NOBODY = Caller("nobody")
ALICE = Caller("alice", iam_role("alice", "session-1"))
BOB = Caller("bob", iam_role("bob", "session-1"))
CAROL = Caller("carol", jwt("carol"))
DAVE = Caller("dave", jwt("dave"))
