"""What agents fetch: the guard at the socket, redirects, limits. Over loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from a2a_lambda.agent import Agent
from a2a_lambda.net.web import FetchError, FetchRequest, Web
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.testing import run_agent

OPEN_POLICY = WebhookPolicy.of(True, "127.0.0.1/32")
OPEN = Web(OPEN_POLICY)


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to/"):
            self._answer(302, b"", {"Location": self.path.removeprefix("/to/")})
        elif self.path == "/a/../path":
            self._answer(200, self.path.encode())
        elif self.path == "/headers":
            self._answer(200, json.dumps({name.lower(): value for name, value in self.headers.items()}).encode())
        elif self.path == "/missing":
            self._answer(404, b"no")
        elif self.path == "/large":
            self._answer(200, b"x" * 5_000)
        elif self.path == "/slow":
            self.server.released.wait()  # type: ignore[attr-defined]
        else:
            self._answer(200, "grüße".encode(), {"Content-Type": "Text/HTML; charset=utf-8"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        shown = {name.lower(): value for name, value in self.headers.items()}
        self._answer(201, json.dumps({"headers": shown, "body": json.loads(body)}).encode())

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.released.set()  # type: ignore[attr-defined]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_page_comes_with_its_status_type_and_text(site):
    page = OPEN(FetchRequest(f"{site}/"))

    assert (page.status, page.ok, page.content_type, page.text) == (200, True, "text/html", "grüße")
    assert OPEN(FetchRequest(f"{site}/missing")).status == 404


def test_by_default_nothing_inside_is_reached(site):
    with pytest.raises(FetchError, match="https"):
        Web(WebhookPolicy())(FetchRequest(f"{site}/"))
    with pytest.raises(FetchError, match="loopback"):
        Web(WebhookPolicy(allow_insecure=True))(FetchRequest(f"{site}/"))


def test_a_name_is_judged_by_the_address_behind_it(site):
    port = site.rpartition(":")[2]
    only_v6 = Web(WebhookPolicy.of(True, "::1/128"))
    with pytest.raises(FetchError, match=r"not a public one|no connection"):
        only_v6(FetchRequest(f"http://localhost:{port}/"))


def test_a_redirect_is_followed_and_judged_like_the_first_url(site):
    assert OPEN(FetchRequest(f"{site}/to/{site}/")).text == "grüße"
    with pytest.raises(FetchError, match="metadata"):
        OPEN(FetchRequest(f"{site}/to/http://169.254.169.254/latest/meta-data/"))
    with pytest.raises(FetchError, match="scheme"):
        OPEN(FetchRequest(f"{site}/to/file:///etc/passwd"))
    with pytest.raises(FetchError, match="too many"):
        OPEN(FetchRequest(f"{site}/to/{site}/to/{site}/to/{site}/to/{site}/to/{site}/"))


def test_an_answer_that_is_too_large_or_too_slow_is_none(site):
    with pytest.raises(FetchError, match="too large"):
        OPEN(FetchRequest(f"{site}/large", max_bytes=1_000))
    with pytest.raises(FetchError, match="timeout"):
        OPEN(FetchRequest(f"{site}/slow", seconds=0.05))


def test_the_time_limit_is_one_for_all_redirects_together(site):
    over = Web(OPEN_POLICY, clock=iter([0.0, 0.0, 10.0]).__next__)
    with pytest.raises(FetchError, match="timeout"):
        over(FetchRequest(f"{site}/to/{site}/"))

    nearly_over = Web(OPEN_POLICY, clock=iter([0.0, 0.0, 9.95]).__next__)
    with pytest.raises(FetchError, match="timeout"):
        nearly_over(FetchRequest(f"{site}/to/{site}/slow"))


def test_the_path_is_sent_as_it_was_judged(site):
    assert OPEN(FetchRequest(f"{site}/a/../path")).text == "/a/../path"


def test_a_proxy_of_the_environment_is_not_asked(site, monkeypatch):
    for name in ("http_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    assert OPEN(FetchRequest(f"{site}/")).status == 200


def test_a_header_cannot_carry_another(site):
    with pytest.raises(FetchError, match="header"):
        OPEN(FetchRequest(f"{site}/", headers={"X-A": "1\r\nX-B: 2"}))


def test_a_post_says_which_run_of_a_step_it_belongs_to(site):
    agent = Agent(name="Poster", version="1", description="d")

    @agent.step
    def post(task):
        answer = task.fetch(f"{site}/", json={"n": 1}, headers={"X-Mine": "yes"})
        task.artifact("answer", data=answer.json())

    answer = run_agent(agent, "go", fetch=OPEN).data("answer")
    assert answer["body"] == {"n": 1}
    assert answer["headers"]["x-mine"] == "yes"
    assert answer["headers"]["content-type"] == "application/json"
    assert answer["headers"]["idempotency-key"].endswith(".1")


def test_headers_stay_with_the_host_that_they_were_meant_for(site):
    headers = {"Authorization": "Bearer secret"}
    elsewhere = site.replace("127.0.0.1", "localhost")

    same = OPEN(FetchRequest(f"{site}/to/{site}/headers", headers=headers)).json()
    other = OPEN(FetchRequest(f"{site}/to/{elsewhere}/headers", headers=headers)).json()

    assert same["authorization"] == "Bearer secret"
    assert "authorization" not in other
