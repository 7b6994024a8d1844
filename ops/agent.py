"""Requests to the agent as its AuthMode asks: signed with the AWS credentials, with a bearer token, or plain."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError

from .errors import CannotRun, OpsError, one_line
from .stack import Stack

Json = dict[str, Any]

_SECONDS = 30


def send(stack: Stack, text: str) -> str:
    """Send a task of this text; its id. Raises :class:`OpsError`."""
    message = {"messageId": str(uuid.uuid4()), "role": "ROLE_USER", "parts": [{"text": text}]}
    params = {"message": message, "configuration": {"returnImmediately": True}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    answer = _ask(stack, f"{stack.endpoint}/", json.dumps(body).encode())
    task = (answer.get("result") or {}).get("task") or {}
    if not isinstance(task.get("id"), str):
        why = one_line(str((answer.get("error") or {}).get("message", "it answers without a task")))
        raise OpsError(f"the agent made no task: {why}")
    return str(task["id"])


def card(stack: Stack) -> Json:
    """The agent card, which anybody may read."""
    return _ask(stack, f"{stack.endpoint}/.well-known/agent-card.json", None)


def _ask(stack: Stack, url: str, body: bytes | None) -> Json:
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"} if body is not None else {}
    if body is not None:
        headers |= _proof(stack, url, body, headers)
    try:
        with urlopen(Request(url, body, headers), timeout=_SECONDS) as answer:  # noqa: S310
            value = json.load(answer)
    except HTTPError as error:
        raise OpsError(f"the agent answers {error.code}: see `status --log rpc`") from error
    except (URLError, OSError, ValueError) as error:
        raise OpsError(f"the agent does not answer ({type(error).__name__}): see `status --log rpc`") from error
    return value if isinstance(value, dict) else {}


def _proof(stack: Stack, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    mode = stack.parameters.get("AuthMode", "IAM")
    if mode == "NONE":
        return {}
    if mode == "JWT":
        if not os.environ.get("A2A_BEARER"):
            raise CannotRun("the stack's AuthMode is JWT: set A2A_BEARER to a token")
        return {"Authorization": f"Bearer {os.environ['A2A_BEARER']}"}
    session = boto3.Session()
    request = AWSRequest("POST", url, data=body, headers=dict(headers))
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    SigV4Auth(credentials, "execute-api", session.region_name).add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}
