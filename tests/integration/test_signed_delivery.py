"""Signed pushes, their status, and functions that die under a task."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

import pytest
import requests
from local_workers import kill_workers

import stack as stacks
from emulator import Emulator
from push_client import A2AClient
from push_webhook import Receiver
from receiver import keys_of
from stack import Stack
from webhook import Webhook

Push = tuple[dict[str, str], bytes]


@pytest.fixture
def webhook() -> Iterator[tuple[str, SimpleQueue[Push]]]:
    """A webhook's URL, and what comes in there: headers with names in lower case, and the raw body."""
    pushes: SimpleQueue[Push] = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            pushes.put(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", pushes
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def no_parameters(_: Emulator) -> dict[str, str]:
    return {}


def parameter_store(emulator: Emulator) -> dict[str, str]:
    ssm = stacks.client(emulator, "ssm")
    ssm.put_parameter(Name="/a2a/signing", Value="p" * 64, Type="SecureString", Overwrite=True)
    return {"WebhookSigning": "SSM", "SigningKey": "/a2a/signing"}


def kms(emulator: Emulator) -> dict[str, str]:
    keys = stacks.client(emulator, "kms")
    made = keys.create_key(KeySpec="ECC_NIST_EDWARDS25519", KeyUsage="SIGN_VERIFY")
    return {"WebhookSigning": "KMS", "SigningKey": made["KeyMetadata"]["KeyId"]}


@pytest.mark.parametrize("kept", [no_parameters, parameter_store, kms])
def test_every_push_verifies_with_the_keys_that_the_card_names(
    emulator: Emulator,
    stack_with: Callable[..., Stack],
    webhook: tuple[str, SimpleQueue[Push]],
    kept: Callable[[Emulator], dict[str, str]],
) -> None:
    stack = stack_with(**kept(emulator))
    url, pushes = webhook
    with A2AClient(stack.endpoint) as client:
        client.set_push_config(client.send("run")["id"], url)
    keys = keys_of(stack.endpoint)
    copied = Webhook(keys, url, take=lambda *_: None)

    first = pushes.get(timeout=60)

    assert {"webhook-signature", "x-a2a-notification-jwt"} <= set(first[0])
    assert copied.handle(*first) == (200, "ok")
    assert copied.handle(first[0], first[1] + b" ")[0] == 401
    card = requests.get(f"{stack.endpoint}/.well-known/agent-card.json", timeout=30).json()
    assert keys.uri in [extension.get("params", {}).get("jwksUri") for extension in card["capabilities"]["extensions"]]


def test_a_stack_without_a_key_sends_unsigned_and_its_card_names_no_keys(
    stack_with: Callable[..., Stack], webhook: tuple[str, SimpleQueue[Push]]
) -> None:
    stack = stack_with(WebhookSigning="NONE")
    url, pushes = webhook
    with A2AClient(stack.endpoint) as client:
        client.set_push_config(client.send("run")["id"], url)

    headers, _ = pushes.get(timeout=60)

    assert not {"webhook-signature", "x-a2a-notification-jwt"} & set(headers)
    card = requests.get(f"{stack.endpoint}/.well-known/agent-card.json", timeout=30).json()
    assert "jwksUri" not in str(card)
    assert requests.get(f"{stack.endpoint}/.well-known/jwks.json", timeout=30).json() == {"keys": []}


def test_a_client_that_asks_for_it_sees_how_its_delivery_goes(stack: Stack, client: A2AClient) -> None:
    card = requests.get(f"{stack.endpoint}/.well-known/agent-card.json", timeout=30).json()
    (extension,) = [e["uri"] for e in card["capabilities"]["extensions"] if "delivery-status" in e["uri"]]
    task = client.send("run")
    client.set_push_config(task["id"], "http://127.0.0.1:19999/nobody-listens")

    for _ in range(600):
        status = get_config(stack, task["id"], {"A2A-Extensions": extension})["deliveryStatus"]
        if status["attempts"]:
            break

    assert (status["state"], status["lastError"]) == ("retrying", "connect")
    assert {"failingSince", "lastAttempt", "nextAttempt"} <= set(status)
    assert "deliveryStatus" not in get_config(stack, task["id"], {})


def get_config(stack: Stack, task_id: str, headers: dict[str, str]) -> dict[str, Any]:
    call = {"jsonrpc": "2.0", "id": 1, "method": "tasks/pushNotification/get", "params": {"id": task_id}}
    answer: dict[str, Any] = requests.post(stack.endpoint, json=call, headers=headers, timeout=30).json()["result"]
    return answer


def test_a_task_ends_with_all_pushes_although_its_functions_are_killed_in_the_middle(
    stack: Stack, client: A2AClient, receiver: Receiver
) -> None:
    task = client.send("run")
    client.set_push_config(task["id"], receiver.url)
    texts: list[str] = []
    killed = 0
    while not texts or texts[-1] != "All 3 steps complete":
        push = receiver.next(120)
        assert push is not None, f"nothing after {texts}"
        if push.text not in texts:  # a killed function may have sent before it died
            texts.append(push.text)
        if push.text == "Step 1/3 complete":
            killed += kill_workers(stack.emulator)

    assert killed > 0
    assert texts[-4:] == ["Step 1/3 complete", "Step 2/3 complete", "Step 3/3 complete", "All 3 steps complete"]
