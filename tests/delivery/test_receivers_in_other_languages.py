"""The webhooks to copy in Node and Go, and Python's beside them: each as a program, against what the runtime signs.

Where a tool is missing, its cases are not made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cloud import ROOT
from loopback import WAIT, Answer, agent
from official_clients import NODE

from a2a_lambda.core.records import PushConfig
from a2a_lambda.push.signing import Signatures, jwks, local_key
from a2a_lambda.push.webhook import post

DOCS = (ROOT / "docs" / "delivery.md").read_text(encoding="utf-8")
URL = "https://app.example.com/webhook"
KEY, STRANGE = (local_key(letter * 64, datetime(2020, 1, 1, tzinfo=UTC)) for letter in "ks")
BODY = json.dumps({"kind": "task", "status": {"state": "wörking"}}, ensure_ascii=False)
JWT = "X-A2A-Notification-JWT"

LANGUAGES = ["python"]
if shutil.which("node") and (NODE / "node_modules" / "express").exists():
    LANGUAGES.append("node")
if shutil.which("go"):
    LANGUAGES.append("go")

PYTHON = """
import os, sys
sys.path.insert(0, sys.argv[1])
import receiver
from webhook import Webhook
keys = receiver.keys_of(os.environ["AGENT"])
server = receiver.Receiver(0, lambda arrival: None, token=os.environ["TOKEN"], keys=keys)
server.at = lambda target: (hook, receiver.Misbehaviour(""))
hook = Webhook(keys, os.environ["URL"], os.environ["TOKEN"], lambda *_: None)
print("listening on", server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module", params=LANGUAGES)
def command(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Starts the receiver of a language."""
    place = tmp_path_factory.mktemp(request.param)
    if request.param == "python":
        return [sys.executable, "-c", PYTHON, str(ROOT / "demo")]
    if request.param == "node":
        shutil.copy(ROOT / "demo" / "webhook.mjs", place)
        (place / "node_modules").symlink_to(NODE / "node_modules")
        return ["node", str(place / "webhook.mjs")]
    environment = os.environ | {"GO111MODULE": "off", "GOCACHE": str(place / "cache"), "GOFLAGS": ""}
    source, program = str(ROOT / "demo" / "webhook.go"), str(place / "webhook")
    subprocess.run(["go", "build", "-o", program, source], env=environment, check=True, timeout=300)
    return [program]


class Keys:
    """What the agent publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = (200, json.dumps(jwks([KEY])))
        self.asked = 0

    def __call__(self, method: str, params: Any) -> Answer:
        self.asked += 1
        return self.answer


@contextmanager
def running(command: list[str], agent_url: str) -> Iterator[str]:
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    environment |= {"AGENT": agent_url, "URL": URL, "TOKEN": "secret", "PORT": "0"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said.startswith("listening on"), said
            yield f"http://127.0.0.1:{said.split()[-1]}/webhook"
        finally:
            process.kill()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def receiver(command: list[str], keys: Keys) -> Iterator[str]:
    with agent(keys) as issuer, running(command, issuer) as url:
        yield url


def push(key: Any = KEY, url: str = URL, token: str = "secret", late: float = 0, identity: str = "t.1.0.c") -> Any:
    config = PushConfig("t", "c", "alice", url, "1.0", "i", token=token)
    now = datetime.now(UTC) - timedelta(seconds=late)
    return post(config, identity, BODY, "1.0", now, Signatures(lambda: [key], "https://agent.example.com"), None)


def send(receiver: str, made: Any, body: bytes | None = None, **changed: str | None) -> tuple[int, str]:
    headers = dict(made.headers)
    for name, value in changed.items():
        header = next(known for known in headers if known.lower().replace("-", "_") == name)
        headers.pop(header)
        if value is not None:
            headers[header] = value
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(receiver, data=made.body if body is None else body, headers=headers, timeout=WAIT)
    return answer.status_code, answer.text


def test_what_the_agent_signed_is_taken_once(receiver: str, keys: Keys) -> None:
    assert send(receiver, push()) == (200, "ok")
    assert send(receiver, push()) == (200, "duplicate")
    assert send(receiver, push(identity="t.2.0.c")) == (200, "ok")
    assert keys.asked <= 2


REFUSED = {
    "another token": {"made": lambda: push(token="guess")},
    "no token": {"made": push, "x_a2a_notification_token": None},
    "no JWT": {"made": push, "x_a2a_notification_jwt": None},
    "nonsense for a JWT": {"made": push, "x_a2a_notification_jwt": "a.b.c"},
    "another id": {"made": push, "webhook_id": "t.9.0.c"},
    "another body": {"made": push, "body": b"{}"},
    "for another webhook": {"made": lambda: push(url="https://other.example.com/webhook")},
    "long ago": {"made": lambda: push(late=3600)},
    "from tomorrow": {"made": lambda: push(late=-86_400)},
    "a key of somebody else": {"made": lambda: push(STRANGE)},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_agent_did_not_send_here_lately_is_refused_and_one_line_says_why(receiver: str, case: str) -> None:
    arguments = dict(REFUSED[case])
    made = arguments.pop("made")()

    status, text = send(receiver, made, **arguments)

    assert status == 401, text
    reason = text.removeprefix("not a push of the agent: ")
    assert 5 <= len(reason) <= 80
    assert "\n" not in reason
    assert "guess" not in text
    if case not in ("no token", "nonsense for a JWT"):
        assert f"`{reason}`" in DOCS, "docs/delivery.md does not know this reason"


def test_a_jwt_that_says_it_needs_no_signature_is_refused(receiver: str) -> None:
    import base64

    made = push()
    _, claims, _ = dict(made.headers)[JWT].split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")

    assert send(receiver, made, x_a2a_notification_jwt=f"{head}.{claims}.")[0] == 401


@pytest.mark.parametrize("answer", [(500, "{}"), (200, "no JSON")], ids=["an error", "nonsense"])
def test_while_the_keys_cannot_be_had_the_agent_is_asked_to_try_again(
    receiver: str, keys: Keys, answer: Answer
) -> None:
    keys.answer = answer

    assert send(receiver, push()) == (503, "the agent's keys cannot be had")


def test_the_receivers_can_be_copied() -> None:
    for name, most in (("webhook.py", 70), ("webhook.mjs", 60), ("webhook.go", 145)):
        lines = Path(ROOT / "demo" / name).read_text(encoding="utf-8").splitlines()
        assert len([line for line in lines if line]) <= most, name
