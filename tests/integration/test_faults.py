"""What goes wrong on the way: an agent that raises, a webhook that is down for a while, push switched off."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

import pytest
import requests

from push_client import A2AClient, RpcError
from push_webhook import Receiver
from stack import Stack


def test_an_agent_that_raises_ends_its_task_as_failed_and_pushes_it(
    stack_with: Callable[..., Stack], receiver: Receiver
) -> None:
    stack = stack_with(AgentModule="failing_agent")
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}
    config = {"returnImmediately": True, "taskPushNotificationConfig": {"url": receiver.url}}
    call_v1(stack, "SendMessage", {"message": message, "configuration": config})
    bodies = []
    while not bodies or bodies[-1]["statusUpdate"]["status"]["state"] != "TASK_STATE_FAILED":
        push = receiver.next(30)
        assert push is not None
        bodies.append(push.payload)
    text = bodies[-1]["statusUpdate"]["status"]["message"]["parts"][0]["text"]
    assert text == "Step 'explode' of the agent failed."
    assert "hunter2" not in json.dumps(bodies)


def test_a_webhook_that_comes_back_gets_everything_in_order(client: A2AClient, flaky: Flaky) -> None:
    task = client.send("run")
    client.set_push_config(task["id"], flaky.url)
    states = []
    while not states or not states[-1][1]:
        payload = flaky.accepted.get(timeout=60)
        states.append((payload["status"].get("message", {}).get("parts", [{}])[0].get("text", ""), payload["final"]))
    assert states == [
        ("", False),
        ("Step 1/3 complete", False),
        ("Step 2/3 complete", False),
        ("Step 3/3 complete", False),
        ("All 3 steps complete", True),
    ]
    assert flaky.refused == 1


@pytest.mark.parametrize("method", ["set", "get", "list", "delete"])
def test_with_push_notifications_off_every_config_method_is_refused(
    stack_with: Callable[..., Stack], method: str
) -> None:
    stack = stack_with(PushNotifications="false")
    with A2AClient(stack.endpoint) as client:
        assert client.agent_card()["capabilities"]["pushNotifications"] is False
        with pytest.raises(RpcError) as refused:
            client.call(f"tasks/pushNotification/{method}", {"id": "x", "config": {"webhookUrl": "https://e.example"}})
    assert refused.value.code == -32003


def test_with_push_notifications_off_an_inline_config_is_refused_and_no_task_is_made(
    stack_with: Callable[..., Stack],
) -> None:
    stack = stack_with(PushNotifications="false")
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "go"}]}
    config = {"taskPushNotificationConfig": {"url": "https://e.example"}}
    refused = call_v1(stack, "SendMessage", {"message": message, "configuration": config})
    assert refused["error"]["code"] == -32003
    assert call_v1(stack, "ListTasks", {})["result"]["totalSize"] == 0


def call_v1(stack: Stack, method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The JSON-RPC response to a 1.0 method."""
    call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = requests.post(stack.endpoint + "/", json=call, headers={"A2A-Version": "1.0"}, timeout=40)
    assert answer.status_code == 200
    return dict(answer.json())


class Flaky:
    """A webhook that answers 503 to its first request, and puts what it accepts into a queue."""

    def __init__(self) -> None:
        self.accepted: SimpleQueue[dict] = SimpleQueue()
        self.refused = 0
        attempts = itertools.count()
        flaky = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                down = next(attempts) < 1
                if down:
                    flaky.refused += 1
                else:
                    flaky.accepted.put(json.loads(body))
                self.send_response(503 if down else 204)
                self.send_header("Connection", "close")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"


@pytest.fixture
def flaky() -> Iterator[Flaky]:
    webhook = Flaky()
    thread = threading.Thread(target=webhook.server.serve_forever, args=(0.05,))
    thread.start()
    yield webhook
    webhook.server.shutdown()
    thread.join()
    webhook.server.server_close()
