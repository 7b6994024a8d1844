"""The receiver that shows people what comes in: what it answers, and how it misbehaves on request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from lanes import answers_to
from loopback import WAIT, agent, announce, post, served

import receiver as people
from a2a_lambda.core.records import PushConfig
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.outcome import Post
from a2a_lambda.push.sender import Sender
from a2a_lambda.push.signing import Signatures, jwks, local_key
from a2a_lambda.push.webhook import post as to_webhook


@pytest.fixture
def shown() -> list[people.Arrival]:
    return []


@pytest.fixture
def sender() -> Iterator[Sender]:
    sender = Sender(WebhookPolicy.of(True, "127.0.0.1/32"))
    yield sender
    sender.close()


def test_it_answers_and_shows_what_the_webhook_says(shown: list[people.Arrival]) -> None:
    with served(people.Receiver(0, shown.append, token="secret")) as url:
        accepted = {"webhook_id": "people.1.0", "X_A2A_Notification_Token": "secret"}
        assert [post(url, b"{}", **accepted) for _ in range(2)] == [200, 200]
        assert post(url) == 401
        assert post(url, b"{", **accepted) == 401
        for size in ("1000001", "-1", "x", None):
            assert announce(int(url.rpartition(":")[2]), size) == 413
    assert [(arrival.taken, arrival.status, arrival.text) for arrival in shown] == [
        (True, 200, "ok"),
        (True, 200, "duplicate"),
        (False, 401, "not a push of the agent: not the token that was registered"),
        (False, 401, "not a push of the agent: JSONDecodeError"),
    ]


def test_it_takes_what_an_agent_signed_for_its_url_and_nothing_else(shown: list[people.Arrival]) -> None:
    key = local_key("k" * 64, datetime(2020, 1, 1, tzinfo=UTC))
    with (
        agent(lambda *_: (200, json.dumps(jwks([key])))) as issuer,
        served(people.Receiver(0, shown.append, keys=people.keys_of(issuer), public_url="https://t.example/")) as url,
    ):
        sign = Signatures(lambda: [key], issuer)
        local = f"http://localhost:{url.rpartition(':')[2]}"
        for registered in (url, local, "https://t.example", "https://elsewhere.example"):
            config = PushConfig("t", "c", "alice", f"{registered}/webhook?a=b", "1.0", "i")
            made = to_webhook(config, f"{registered}.1.0", "{}", "1.0", datetime.now(UTC), sign, None)
            post(f"{url}/webhook?a=b", made.body, **dict(made.headers))
    assert [arrival.status for arrival in shown] == [200, 200, 200, 401]


def test_without_the_switch_a_query_asks_for_nothing(shown: list[people.Arrival]) -> None:
    with served(people.Receiver(0, shown.append)) as url:
        assert post(f"{url}/webhook?status=503&sttus=1") == 200


def test_what_it_does_not_understand_is_refused_and_shown_with_the_reason(shown: list[people.Arrival]) -> None:
    with served(people.Receiver(0, shown.append, misbehave=True)) as url:
        assert post(f"{url}/webhook?sttus=503") == 400
        assert post(f"{url}/webhook?status=503") == 503
    assert "'sttus' is unknown" in people.line(shown[0])


@pytest.mark.parametrize(
    ("query", "error", "taken"),
    [
        ("hang", "timeout", False),
        ("drip=0.01", "timeout", True),
        ("reset", "reset", False),
        ("forget", "reset", True),
    ],
)
def test_who_asks_for_no_answer_gets_none(
    shown: list[people.Arrival], sender: Sender, query: str, error: str, taken: bool
) -> None:
    with served(people.Receiver(0, shown.append, misbehave=True)) as url:
        asked = Post(f"{url}/webhook?{query}&times=1", [("webhook-id", "t.1.0.c")], b"{}")
        [[first]] = answers_to(sender, [[asked]], 0.5 if error == "timeout" else WAIT)
        [[second]] = answers_to(sender, [[asked]], WAIT)
    assert (first.error, second.status) == (error, 200)
    assert [(arrival.taken, arrival.status) for arrival in shown] == [(taken, 0), (True, 200)]
    assert shown[1].text == ("duplicate" if taken else "ok")


@pytest.mark.parametrize(
    ("query", "status", "retry_after"),
    [
        ("status=410", 410, None),
        ("status=204", 204, None),
        ("retry-after=7", 503, 7.0),
        ("retry-after=7&status=429", 429, 7.0),
        ("redirect=http://localhost:9/", 302, None),
        ("delay=0.01", 200, None),
    ],
)
def test_who_asks_for_an_answer_gets_it(
    shown: list[people.Arrival], sender: Sender, query: str, status: int, retry_after: float | None
) -> None:
    with served(people.Receiver(0, shown.append, misbehave=True)) as url:
        [[got]] = answers_to(sender, [[Post(f"{url}/webhook?{query}", [("webhook-id", "t.1.0.c")], b"{}")]], WAIT)
    assert (got.status, got.retry_after) == (status, retry_after)


def test_each_url_has_its_own_misfortunes(shown: list[people.Arrival]) -> None:
    with served(people.Receiver(0, shown.append, misbehave=True)) as url:
        answers = [post(f"{url}/{name}?status=503&times=1") for name in ("a", "b", "a", "b")]
    assert answers == [503, 503, 200, 200]


def test_a_port_in_use_and_an_impossible_agent_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with people.Receiver(0, print) as other:
        for arguments, hint in (
            (["--port", str(other.server_port)], "choose another --port"),
            (["--port", "0", "--agent", "ftp://h"], "--agent is no http(s) URL"),
        ):
            monkeypatch.setattr("sys.argv", ["receiver.py", *arguments])
            assert people.main() == 2
            told = capsys.readouterr().err
            assert hint in told
            assert told.count("\n") == 1
