"""The demo's client and its webhook over loopback: arrivals, and one clear line for each thing that can go wrong."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from loopback import WAIT, Answer, agent, announce, post, served

from push_client import A2AClient, DemoError, RpcError
from push_demo import main
from push_webhook import Receiver


@contextmanager
def nobody() -> Iterator[int]:
    """A port that refuses connections, and that nothing else can get meanwhile."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def result(value: object) -> Answer:
    return 200, json.dumps({"jsonrpc": "2.0", "id": "1", "result": value})


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of the demo's command line with a receiver on a free port."""
    code = main([*arguments] if "--listen" in arguments else [*arguments, "--listen", "127.0.0.1:0"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


class PushingAgent:
    """An agent that does all its work, pushes included, while it registers the webhook."""

    card = json.dumps({"name": "PushAgent", "version": "1.0.0", "capabilities": {"pushNotifications": True}})

    def __init__(self) -> None:
        self.state = "submitted"
        self.configs: dict[str, Any] = {}

    def __call__(self, method: str, params: dict[str, Any]) -> Answer:
        match method.removeprefix("tasks/"):
            case "card":
                return 200, self.card
            case "send" | "get":
                return result({"id": "t", "status": {"state": self.state}})
            case "pushNotification/set":
                self.configs["t"] = params["pushNotificationConfig"]
                self.work(self.configs["t"]["webhookUrl"])
            case "pushNotification/get":
                return result({"id": "t", "pushNotificationConfig": self.configs["t"]})
            case "pushNotification/list":
                return result([{"id": task, "pushNotificationConfig": it} for task, it in self.configs.items()])
            case "pushNotification/delete":
                self.configs.pop("t", None)
        return result(None)

    def work(self, webhook: str) -> None:
        texts = ["", "Step 1/2 complete", "Step 2/2 complete", "done"]
        for generation, text in enumerate(texts, 2):
            self.state = "completed" if text == "done" else "working"
            status = {"state": self.state, "timestamp": "2025-01-01T00:00:00.000Z", "message": text}
            event = {"type": "TaskStatusUpdateEvent", "taskId": "t", "status": status, "final": text == "done"}
            assert post(webhook, json.dumps(event), webhook_id=f"t.{generation}.0.default") == 200


class TestReceiver:
    def test_a_post_is_queued_with_its_id_and_arrival(self) -> None:
        with Receiver(port=0) as receiver:
            assert post(receiver.url, json.dumps({"taskId": "t"}), webhook_id="t.1.0") == 200
            push = receiver.next(0)
        assert push is not None
        assert (push.payload, push.webhook_id) == ({"taskId": "t"}, "t.1.0")
        assert push.arrived > 0
        assert push.clock > 0

    def test_what_has_been_answered_is_in_the_queue_in_that_order(self) -> None:
        """Our choice: the sender goes on when it has the answer, so the push has to be queued by then."""
        with Receiver(port=0) as receiver:
            for number in range(50):
                post(receiver.url, json.dumps({"n": number}))
            pushes = [receiver.next(0) for _ in range(50)]
        assert [push.payload["n"] for push in pushes if push] == list(range(50))

    def test_a_burst_of_senders_loses_nothing(self) -> None:
        with Receiver(port=0) as receiver:
            threads = [threading.Thread(target=post, args=(receiver.url,)) for _ in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT)
            assert all(receiver.next(0) for _ in range(40))
            assert receiver.next(0) is None

    def test_a_connection_does_not_outlive_the_receiver(self) -> None:
        """A sender with a connection pool would otherwise go on to feed a queue that nobody reads."""
        with requests.Session() as session:
            session.trust_env = False
            with Receiver(port=0) as receiver:
                session.post(receiver.url, json={}, timeout=WAIT)
            with pytest.raises(requests.ConnectionError):
                session.post(receiver.url, json={}, timeout=WAIT)

    def test_another_path_and_a_body_of_unknown_or_huge_size_are_refused(self) -> None:
        with Receiver(port=0) as receiver:
            assert post(receiver.url + "/else") == 404
            assert post(receiver.url + "?query=1") == 200
            assert announce(receiver.port, "1000001") == 413
            assert announce(receiver.port, None) == 411
            assert announce(receiver.port, "-1") == 411

    def test_a_sender_that_hangs_up_within_the_body_leaves_no_push(self, capsys: pytest.CaptureFixture[str]) -> None:
        with Receiver(port=0) as receiver:
            with socket.create_connection(("127.0.0.1", receiver.port), WAIT) as sender:
                sender.sendall(b"POST /webhook HTTP/1.1\r\nContent-Length: 10\r\n\r\n{}")
                sender.shutdown(socket.SHUT_WR)
                assert sender.recv(1) == b""
            assert receiver.next(0) is None
        assert capsys.readouterr().err == ""

    def test_a_port_in_use_is_one_line_with_advice(self) -> None:
        with (
            Receiver(port=0) as first,
            pytest.raises(DemoError, match=r"address is in use: .* --listen"),
            Receiver(port=first.port),
        ):
            pass

    def test_its_port_is_free_again_afterwards(self) -> None:
        with Receiver(port=0) as first:
            post(first.url)
        with Receiver(port=first.port) as second:
            assert post(second.url) == 200

    def test_an_impossible_address_is_one_line_with_advice(self) -> None:
        for host, port in (("192.0.2.1", 0), ("127.0.0.1", 70000)):
            with pytest.raises(DemoError, match="choose another address"), Receiver(host, port):
                pass


class TestCommandLine:
    def test_a_complete_run_passes_with_exit_code_0(self, capsys: pytest.CaptureFixture[str]) -> None:
        with agent(PushingAgent()) as url:
            code, out, err = run(capsys, "--url", url + "/")
        assert (code, err) == (0, "")
        assert out.count("  PASS  ") == 6
        assert "Step 1/2 complete" in out
        assert "\x1b" not in out

    def test_a_failed_check_is_exit_code_1(self, capsys: pytest.CaptureFixture[str]) -> None:
        with agent(PushingAgent()) as url:
            code, out, _ = run(capsys, "--url", url, "--agent-steps", "3")
        assert code == 1
        assert "no status says 1/3, 2/3, 3/3" in out

    def test_an_unreachable_agent_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        with nobody() as port:
            code, _, err = run(capsys, "--url", f"http://127.0.0.1:{port}")
        assert code == 2
        assert "No agent answers" in err
        assert "make up" in err
        assert err.count("\n") == 1

    def test_a_port_in_use_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        with Receiver(port=0) as other:
            code, out, err = run(capsys, "--url", "http://agent.invalid", "--listen", f"127.0.0.1:{other.port}")
        assert (code, out) == (2, "")
        assert "--listen" in err
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        ("answer", "advice"),
        [
            ((200, '{"capabilities": {"pushNotifications": false}}'), "PushNotifications=true"),
            ((200, "<html>"), "check --url"),
            ((200, "[]"), "check --url"),
            ((301, ""), "check --url"),
            ((404, "{}"), "check --url"),
            ((500, "{}"), "log"),
            ((401, "{}"), "--bearer"),
            ((403, "{}"), "--sigv4"),
        ],
    )
    def test_a_card_that_stops_the_scenario_is_one_line(
        self, answer: Answer, advice: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with agent(lambda *_: answer) as url:
            code, _, err = run(capsys, "--url", url)
        assert code == 2
        assert advice in err
        assert err.count("\n") == 1

    def test_a_json_rpc_error_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        class Refusing(PushingAgent):
            def __call__(self, method: str, params: dict[str, Any]) -> Answer:
                if method.endswith("/set"):
                    return 200, json.dumps({"error": {"code": -32602, "message": "refused"}})
                return super().__call__(method, params)

        with agent(Refusing()) as url:
            code, _, err = run(capsys, "--url", url)
        assert code == 2
        assert "tasks/pushNotification/set was refused with -32602 (refused)" in err
        assert err.count("\n") == 1


class TestClient:
    def test_a_bearer_token_goes_into_the_authorization_header(self) -> None:
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.headers["Authorization"])
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, format: str, *args: object) -> None:
                """Tests are quiet."""

        with (
            served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url,
            A2AClient(url, bearer="secret", timeout=WAIT) as client,
        ):
            client.agent_card()
        assert seen == ["Bearer secret"]

    def test_an_error_response_keeps_its_code(self) -> None:
        error = json.dumps({"error": {"code": -32001, "message": "Task not found"}})
        with (
            agent(lambda *_: (200, error)) as url,
            A2AClient(url, timeout=WAIT) as client,
            pytest.raises(RpcError) as caught,
        ):
            client.get_task("t")
        assert caught.value.code == -32001
