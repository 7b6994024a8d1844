"""The agents of layers/agents on the local AWS: their steps, questions and waits in the real template."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from push_client import A2AClient
from push_demo import run_demo
from push_webhook import Push, Receiver
from stack import Stack

PAGE = b"<p>Step Functions costs 25 dollars per million transitions. Cats sleep.</p>"


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def page() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def client_of(stack_with: Callable[..., Stack]) -> Iterator[Callable[[str], A2AClient]]:
    clients: list[A2AClient] = []

    def client(agent: str) -> A2AClient:
        clients.append(A2AClient(stack_with(AgentModule=agent).endpoint))
        return clients[-1]

    yield client
    for one in clients:
        one.__exit__(None, None, None)


def texts(client: A2AClient, task_id: str) -> dict[str, Any]:
    return {artifact["name"]: artifact["parts"] for artifact in client.get_task(task_id)["artifacts"]}


def test_the_approval_agent_asks_waits_and_goes_on(client_of, receiver):
    client = client_of("approval_agent")

    report = run_demo(client, receiver, message="3 laptops", answers=["perhaps", "yes"])

    assert report.passed, str(report)
    assert [push.state for push in report.pushes].count("input_required") == 2
    assert texts(client, report.task_id)["offer"][0]["data"]["status"] == "placed"


def test_the_research_agent_reads_pages_through_the_guarded_client(client_of, receiver, page):
    client = client_of("research_agent")

    report = run_demo(client, receiver, message=f"What does Step Functions cost? {page} {page}again")

    assert report.passed, str(report)
    findings = "".join(part["text"] for part in texts(client, report.task_id)["findings"])
    assert findings.count("Step Functions costs 25 dollars per million transitions.") == 2


def test_a_task_that_waits_for_its_client_can_be_canceled_and_that_is_its_last_push(client_of, receiver: Receiver):
    client = client_of("approval_agent")
    task_id = client.send("3 laptops")["id"]
    client.set_push_config(task_id, receiver.url)
    pushes = [next_push(receiver)]
    while pushes[-1].state != "input_required":
        pushes.append(next_push(receiver))

    client.call("tasks/cancel", {"id": task_id})

    pushes.append(next_push(receiver))
    assert (pushes[-1].state, pushes[-1].final) == ("canceled", True)
    assert client.get_task(task_id)["status"]["state"] == "canceled"


def next_push(receiver: Receiver) -> Push:
    push = receiver.next(30)
    assert push is not None
    return push


def test_a_result_too_large_for_the_table_comes_as_a_link_that_anybody_can_follow(client_of, receiver):
    client = client_of("large_agent")

    report = run_demo(client, receiver)

    assert report.passed, str(report)
    (part,) = texts(client, report.task_id)["report"]
    assert set(part) == {"url", "mediaType"}
    assert requests.get(part["url"], timeout=10).text == "0123456789" * 50_000
