"""The webhook that people copy, against the signatures that the runtime makes; without a network."""

from __future__ import annotations

import importlib
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import URLError

import jwt
import pytest

import webhook as copied
from a2a_lambda.core.records import PushConfig
from a2a_lambda.push.signing import Signatures, jwks, local_key
from a2a_lambda.push.webhook import post
from webhook import Webhook

URL = "https://app.example.com/webhook"
NEW, OLD = (local_key(letter * 64, datetime(2020, 1, day, tzinfo=UTC)) for letter, day in (("n", 2), ("o", 1)))
BODY = json.dumps({"kind": "task", "status": {"state": "working"}})
JWT, SIGNATURE = "x-a2a-notification-jwt", "webhook-signature"

Taken = list[tuple[str, object]]
Push = tuple[dict[str, str], bytes]


class Keys(jwt.PyJWKClient):
    """The agent's keys without a network; ``error`` is what happens to who asks for them."""

    def __init__(self, *keys: Any, error: Exception | None = None) -> None:
        super().__init__("https://agent.example.com/.well-known/jwks.json")
        self.published = jwks(keys or (NEW, OLD))
        self.error = error
        self.fetched = 0

    def fetch_data(self) -> Any:
        self.fetched += 1
        if self.error is not None:
            raise self.error
        return self.published


def push(*keys: object, url: str = URL, token: str | None = None, late: float = 0, identity: str = "t.1.0.c") -> Push:
    config = PushConfig("t", "c", "alice", url, "1.0", "i", token=token)
    sign = Signatures(lambda: keys or (NEW, OLD), "https://agent.example.com")  # type: ignore[arg-type, return-value]
    now = datetime.now(UTC) - timedelta(seconds=late)
    made = post(config, identity, BODY, "1.0", now, sign, None)
    return dict(made.headers), made.body


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def new(taken: Taken | None = None, token: str | None = None, keys: Keys | None = None, **named: Any) -> Webhook:
    taken = [] if taken is None else taken
    return Webhook(keys or Keys(), named.get("url", URL), token, lambda *event: taken.append(event))


def test_what_the_agent_signed_is_taken_with_its_id_and_its_body() -> None:
    taken: Taken = []

    assert new(taken).handle(*push()) == (200, "ok")

    assert taken == [("t.1.0.c", json.loads(BODY))]


def test_a_key_that_is_being_replaced_is_good_too() -> None:
    assert new().handle(*push(OLD)) == (200, "ok")


def test_a_repeated_id_is_acknowledged_and_has_no_second_effect() -> None:
    taken: Taken = []
    webhook = new(taken)

    answers = [webhook.handle(*push(identity=identity)) for identity in ("t.1.0.c", "t.1.0.c", "t.2.0.c")]

    assert answers == [(200, "ok"), (200, "duplicate"), (200, "ok")]
    assert [identity for identity, _ in taken] == ["t.1.0.c", "t.2.0.c"]


def test_what_failed_halfway_is_taken_when_it_comes_again() -> None:
    failures = [OSError("disk full")]

    def take(*_: object) -> None:
        if failures:
            raise failures.pop()

    webhook = Webhook(Keys(), URL, take=take)
    with pytest.raises(OSError, match="disk full"):
        webhook.handle(*push())
    assert webhook.handle(*push()) == (200, "ok")


def test_a_repetition_that_comes_while_the_first_is_worked_on_waits_for_it_and_is_a_duplicate() -> None:
    answers: list[tuple[int, str]] = []

    def take(*_: object) -> None:
        second.start()
        second.join(0.05)
        assert second.is_alive()

    webhook = Webhook(Keys(), URL, take=take)
    second = threading.Thread(target=lambda: answers.append(webhook.handle(*push())), daemon=True)

    assert webhook.handle(*push()) == (200, "ok")
    second.join(10)
    assert answers == [(200, "duplicate")]


def test_the_memory_of_ids_is_bounded() -> None:
    webhook = Webhook(None, URL, take=lambda *_: None)
    for number in range(10_001):
        webhook.handle({"webhook-id": str(number)}, b"{}")

    assert webhook.handle({"webhook-id": "10000"}, b"{}") == (200, "duplicate")
    assert webhook.handle({"webhook-id": "0"}, b"{}") == (200, "ok")


def test_pushes_without_an_id_are_no_duplicates_of_each_other() -> None:
    webhook = Webhook(None, URL, take=lambda *_: None)
    assert [webhook.handle({}, b"{}") for _ in range(2)] == [(200, "ok")] * 2


def refused(taken: Taken, webhook: Webhook, headers: dict[str, str], body: bytes) -> bool:
    status, text = webhook.handle(headers, body)
    return status == 401 and text.startswith("not a push of the agent: ") and taken == []


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "t.2.0.c"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "nan"},
        {SIGNATURE: "v1a,AAAA"},
        {SIGNATURE: "v1a,A"},
        {SIGNATURE: "v1a,ü"},
        {SIGNATURE: "v1,AAAA"},
        {SIGNATURE: "v1a"},
        {JWT: "a.b.c"},
        {JWT: "bm9uZQ.bm9uZQ."},
        {JWT: "eyJhbGciOiJub25lIn0.e30."},
        {JWT: ""},
    ],
)
def test_whatever_is_changed_is_noticed(changed: dict[str, str]) -> None:
    taken: Taken = []
    headers, body = push()

    assert refused(taken, new(taken), lowered(headers) | changed, body)


@pytest.mark.parametrize("missing", [JWT, "webhook-id", "webhook-timestamp"])
def test_whatever_is_missing_is_noticed(missing: str) -> None:
    taken: Taken = []
    headers, body = push()
    kept = lowered(headers)
    del kept[missing]

    assert refused(taken, new(taken), kept, body)


def test_another_body_is_noticed_with_either_proof() -> None:
    taken: Taken = []
    headers, body = push()
    without = {name: value for name, value in lowered(headers).items() if name != SIGNATURE}

    assert refused(taken, new(taken), headers, body + b" ")
    assert refused(taken, new(taken), without, body + b" ")
    assert new(taken).handle(without, body) == (200, "ok")


def test_a_push_that_was_meant_for_another_webhook_of_the_agent_is_refused() -> None:
    """Who owns that webhook could send it on; the keys are the same, so only the audience tells."""
    taken: Taken = []

    assert refused(taken, new(taken), *push(url="https://other.example.com/webhook"))


def test_a_webhook_may_have_several_urls() -> None:
    webhook = new(url=["https://old.example.com/webhook", URL])

    assert webhook.handle(*push()) == (200, "ok")


def test_a_strangers_key_proves_nothing() -> None:
    taken: Taken = []

    assert refused(taken, new(taken), *push(local_key("s" * 64, datetime(2020, 1, 1, tzinfo=UTC))))


def test_strangers_cannot_make_it_fetch_the_keys_each_time() -> None:
    keys = Keys()
    webhook = new(keys=keys)
    for _ in range(5):
        webhook.handle(*push(local_key("s" * 64, datetime(2020, 1, 1, tzinfo=UTC))))

    assert keys.fetched <= 2


@pytest.mark.parametrize("late", [400, -400])
def test_what_is_old_or_of_the_future_may_be_a_replay(late: float) -> None:
    taken: Taken = []

    assert refused(taken, new(taken), *push(late=late))


@pytest.mark.parametrize("late", [200, -30])
def test_clocks_that_differ_a_little_do_no_harm(late: float) -> None:
    assert new().handle(*push(late=late)) == (200, "ok")


@pytest.mark.parametrize("sent", [None, "wrong", "sécret"])
def test_a_push_without_the_token_is_refused(sent: str | None) -> None:
    taken: Taken = []

    assert refused(taken, new(taken, "secret"), *push(token=sent))
    assert new(taken, "secret").handle(*push(token="secret")) == (200, "ok")


@pytest.mark.parametrize(
    "error", [jwt.PyJWKClientConnectionError("refused"), URLError("refused"), ConnectionResetError(), TimeoutError()]
)
def test_while_the_keys_cannot_be_had_the_agent_is_asked_to_come_again(error: Exception) -> None:
    keys = Keys(error=error)
    webhook = new(keys=keys)

    assert webhook.handle(*push()) == (503, "the agent's keys cannot be had")
    keys.error = None
    assert webhook.handle(*push()) == (200, "ok")


def test_an_agent_that_publishes_no_keys_proves_nothing() -> None:
    taken: Taken = []
    keys = Keys()
    keys.published = {"keys": []}

    assert refused(taken, new(taken, keys=keys), *push())


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(body: bytes) -> None:
    assert Webhook(None, URL).handle({}, body)[0] == 401


def test_it_can_be_copied_in_some_seventy_lines() -> None:
    lines = Path(copied.__file__).read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if line]) <= 70


# The views that the documentation shows

PAGE = (Path(__file__).parents[3] / "docs" / "delivery.md").read_text(encoding="utf-8")
Client = Callable[[Push], tuple[int, str]]


def shown(framework: str, folder: Path, patch: pytest.MonkeyPatch) -> Any:
    """The application of the documentation's code block for this framework, with keys that need no network."""
    (source,) = (block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if f"from {framework}" in block)
    (folder / f"{framework}_application.py").write_text(source, encoding="utf-8")
    patch.syspath_prepend(folder)
    patch.setattr(jwt, "PyJWKClient", lambda *_, **__: Keys())
    return importlib.import_module(f"{framework}_application").app


@pytest.fixture(params=["flask", "fastapi"])
def client(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    app = shown(request.param, tmp_path, monkeypatch)
    if request.param == "flask":
        browser = app.test_client()

        def to_flask(sent: Push) -> tuple[int, str]:
            answer = browser.post("/webhook", headers=sent[0], data=sent[1])
            return answer.status_code, answer.text

        return to_flask

    def to_fastapi(sent: Push) -> tuple[int, str]:
        import asyncio

        import httpx

        async def send() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as connected:
                return await connected.post("/webhook", headers=sent[0], content=sent[1])

        answer = asyncio.run(send())
        return answer.status_code, answer.text

    return to_fastapi


def test_the_view_in_the_documentation_takes_what_is_genuine_and_nothing_else(client: Client) -> None:
    headers, body = push(token="secret")

    assert client((headers, body)) == (200, "ok")
    assert client((headers, body)) == (200, "duplicate")
    assert client((headers, body + b" ")) == (401, "not a push of the agent: not the body that was signed")
    assert client(push()) == (401, "not a push of the agent: not the token that was registered")
