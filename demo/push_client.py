"""The legacy JSON-RPC dialect of an A2A agent, as a small client over `requests`."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urlsplit

import requests

Sign = Callable[[requests.PreparedRequest], requests.PreparedRequest]

INVALID_PARAMS = -32602
WHAT_TO_DO = {
    -32001: "the agent does not know this task under your identity; check --bearer or --sigv4.",
    -32003: "deploy the stack with PushNotifications=true.",
    -32601: "the agent does not speak the legacy JSON-RPC methods; check --url.",
    -32004: "deploy the stack with Streaming=true (make demo STREAMING=1).",
    -32603: "look into the log of the stack's rpc function.",
}


class DemoError(Exception):
    """The scenario cannot go on. The text is one line for a person: what is wrong, and what to do about it."""


class RpcError(DemoError):
    """A JSON-RPC error response (JSON-RPC 2.0 section 5.1). `code` is the number in it, 0 if it has none."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        code = error.get("code")
        self.code = code if isinstance(code, int) else 0
        hint = WHAT_TO_DO.get(self.code, "look into the agent's log.")
        if self.code == INVALID_PARAMS and method.endswith("/set"):
            hint = "give a public https URL with --webhook-url (AllowInsecureWebhooks is for local runs only)."
        super().__init__(f"{method} was refused with {code} ({printable(error.get('message', ''))}): {hint}")


def printable(value: object, width: int = 200) -> str:
    """One line of at most `width` characters, safe to print: text from the network must not steer the terminal."""
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return text if len(text) <= width else text[: width - 3] + "..."


class A2AClient:
    """An agent that speaks the legacy dialect. Every call raises DemoError (RpcError for an error response).

    `url` is the endpoint that takes POST /. `bearer` is a token for the Authorization header; `sign` completes a
    request in any other way (see `sigv4`). `timeout`: seconds that a call may take to connect, and again to answer.
    """

    def __init__(self, url: str, *, bearer: str | None = None, sign: Sign | None = None, timeout: float = 30.0) -> None:
        host = host_of(url)
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._session = requests.Session()
        # A proxy named in the environment cannot reach this machine's own loopback.
        self._session.trust_env = re.fullmatch(r"(.+\.)?localhost|127\.[\d.]+|::1", host) is None
        # As `auth`, not as a header: an entry in .netrc would replace the header.
        self._session.auth = sign or (bearer_token(bearer) if bearer else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def agent_card(self) -> dict[str, Any]:
        """The legacy agent card, GET /agentCard."""
        return self._request("GET", "/agentCard")

    def call(self, method: str, params: dict[str, Any]) -> Any:
        """The `result` of one JSON-RPC request; None if it is null."""
        body = {"jsonrpc": "2.0", "id": uuid.uuid4().hex, "method": method, "params": params}
        document = self._request("POST", "/", body)
        if isinstance(error := document.get("error"), dict):
            raise RpcError(method, error)
        return document.get("result")

    def send(self, text: str, task_id: str | None = None) -> dict[str, Any]:
        """tasks/send with one text message, to a new task or to the one given: the Task as it was then (`id` is a
        string, the rest as the agent says)."""
        message = self.message(text) | ({"taskId": task_id} if task_id is not None else {})
        task = self.call("tasks/send", {"message": message})
        if not isinstance(task, dict) or not isinstance(task.get("id"), str):
            raise DemoError(f"tasks/send at {self.url} returned no task: check that --url is an A2A agent.")
        return task

    def message(self, text: str) -> dict[str, Any]:
        """A new message of the user's."""
        return {"messageId": str(uuid.uuid4()), "role": "user", "parts": [{"text": text}]}

    def stream(self, method: str, params: dict[str, Any]) -> Iterator[bytes]:
        """The pieces of a streamed response, as they come."""
        body = {"jsonrpc": "2.0", "id": uuid.uuid4().hex, "method": method, "params": params}
        try:
            with self._session.post(self.url + "/", json=body, stream=True, timeout=(self._timeout, 60)) as answer:
                if "text/event-stream" not in answer.headers.get("content-type", ""):
                    raise RpcError(method, answer.json().get("error", {}))
                yield from answer.iter_content(None)
        except (requests.RequestException, ValueError, AttributeError) as error:
            raise DemoError(
                f"{method} at {self.url} broke off ({type(error).__name__}): see the agent's log."
            ) from error

    def get_task(self, task_id: str) -> dict[str, Any]:
        """The Task by tasks/get; empty if the answer is none."""
        task = self.call("tasks/get", {"id": task_id})
        return task if isinstance(task, dict) else {}

    def set_push_config(self, task_id: str, webhook_url: str) -> Any:
        """Registers the webhook for one task; the agent's {id, pushNotificationConfig}."""
        config = {"webhookUrl": webhook_url}
        return self.call("tasks/pushNotification/set", {"id": task_id, "pushNotificationConfig": config})

    def get_push_config(self, task_id: str) -> dict[str, Any] | None:
        """The task's {id, pushNotificationConfig}, or None if it has none."""
        config = self.call("tasks/pushNotification/get", {"id": task_id})
        return config if isinstance(config, dict) else None

    def list_push_configs(self) -> list[dict[str, Any]]:
        """All configs of this caller, of whichever task."""
        configs = self.call("tasks/pushNotification/list", {})
        return [config for config in configs if isinstance(config, dict)] if isinstance(configs, list) else []

    def delete_push_config(self, task_id: str) -> None:
        """Removes the task's config; removing what is gone is no error."""
        self.call("tasks/pushNotification/delete", {"id": task_id})

    def _request(self, verb: str, path: str, body: object = None) -> dict[str, Any]:
        where = self.url + path
        try:
            answer = self._session.request(verb, where, json=body, timeout=self._timeout, allow_redirects=False)
        except requests.Timeout as error:
            raise DemoError(f"{where} did not answer within {self._timeout:g} s: look into the agent's log.") from error
        except requests.ConnectionError as error:
            raise DemoError(
                f"No agent answers at {self.url}: start one with `make up`, or give your stack's endpoint with --url."
            ) from error
        except requests.RequestException as error:
            raise DemoError(f"{where} cannot be called ({printable(error)}): check --url.") from error
        status = answer.status_code
        if status in (401, 403):
            raise DemoError(f"{where} refuses this caller (HTTP {status}): authorize with --bearer TOKEN or --sigv4.")
        try:
            document = answer.json() if status == 200 else None
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise DemoError(
                f"{where} does not answer like an A2A agent (HTTP {status}): check --url, then the agent's log."
            )
        return document


def host_of(url: str) -> str:
    """The host of an http(s) URL. Raises DemoError for anything else."""
    try:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return parts.hostname
    except ValueError:
        pass
    raise DemoError(f"{printable(url)!r} is no URL: give --url your stack's endpoint, as http(s)://HOST/...")


def bearer_token(token: str) -> Sign:
    """Authorization with a bearer token (RFC 6750), for stacks with AuthMode=JWT."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {token}"
        return request

    return sign


def sigv4(url: str) -> Sign:
    """AWS Signature Version 4, for stacks with AuthMode=IAM, with the credentials that the AWS CLI would take.

    The region is read off the endpoint's host, else taken from the AWS configuration. Raises DemoError if botocore is
    not installed, or knows no credentials or region.
    """
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ImportError as error:
        raise DemoError("--sigv4 needs botocore: install it with `pip install botocore`, or use --bearer.") from error
    named = re.search(r"\.execute-api\.([a-z0-9-]+)\.amazonaws\.com", host_of(url))
    try:
        session = Session()
        region = named[1] if named else session.get_config_variable("region")
        credentials = session.get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
    except BotoCoreError as error:
        raise DemoError(f"--sigv4 got no AWS credentials ({printable(error)}): log in, or set AWS_PROFILE.") from error
    if frozen is None or not region:
        raise DemoError("--sigv4 found no AWS credentials or no region: log in, or set AWS_PROFILE and AWS_REGION.")
    signer = SigV4Auth(frozen, "execute-api", region)

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        # Only what cannot change on the way is signed; a proxy may rewrite the other headers.
        kept = {name: value for name, value in request.headers.items() if name.lower() == "content-type"}
        signed = AWSRequest(method=request.method, url=request.url, data=request.body or b"", headers=kept)
        signer.add_auth(signed)
        request.headers.update(dict(signed.headers.items()))
        return request

    return sign
