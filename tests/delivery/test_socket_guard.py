"""The address guard at the socket, over loopback: what is never connected to, sent, followed or trusted."""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pycurl  # type: ignore[import-untyped]
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lanes import answers_to
from tests.delivery.misbehaving import PATIENCE, Receiver, listening

from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.outcome import Answer, Outcome, Post
from a2a_lambda.push.sender import Sender

OPEN = WebhookPolicy.of(True, "127.0.0.1/32")
SHORT = 0.3
"""Seconds after which a batch ends whose receiver never answers."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as one:
        yield one


@pytest.fixture
def sender() -> Iterator[Sender]:
    one = Sender(OPEN)
    yield one
    one.close()


def one(sender: Sender, post: Post, seconds: float = PATIENCE) -> Answer:
    """The answer to a single post."""
    [[got]] = answers_to(sender, [[post]], seconds)
    assert (got.status is None) != (got.error is None)
    return got


class Resolved(Sender):
    """A sender whose name server answers what the test says (libcurl's own resolver cache, filled by hand)."""

    answers: tuple[str, ...] = ()

    def _new_transfer(self) -> Any:
        transfer = super()._new_transfer()
        transfer.curl.setopt(pycurl.RESOLVE, self.answers)
        return transfer


@pytest.mark.parametrize("header", [("X", "a\r\nY: b"), ("X", "a\0"), ("X\r\nY", "b"), ("Host", "x"), ("X", "\u00e9")])
def test_a_header_that_would_break_the_message_is_an_answer_not_an_exception(
    receiver: Receiver, sender: Sender, header: tuple[str, str]
) -> None:
    got = one(sender, receiver.post("/", b"", header))
    assert (got.error, got.outcome) == ("header", Outcome.RETRY)
    assert receiver.paths() == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_inside_is_not_followed(receiver: Receiver, sender: Sender, status: int) -> None:
    with listening() as inside:
        got = one(sender, receiver.post(f"/redirect/{status}", inside.url("/inside").encode()))
        assert (got.status, got.outcome) == (status, Outcome.RETRY)
        assert inside.paths() == []
    assert receiver.paths() == [f"/redirect/{status}"]


def test_the_environment_and_the_home_directory_have_no_say(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login somebody password secret\n", encoding="ascii")
    monkeypatch.setenv("HOME", str(tmp_path))
    with listening() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        sender = Sender(OPEN)
        assert one(sender, receiver.post("/")).status == 200
        sender.close()
        assert proxy.paths() == []
    assert "authorization" not in receiver.requests[0].headers


def test_no_cookie_comes_back_and_no_challenge_is_answered(receiver: Receiver, sender: Sender) -> None:
    assert [
        got.status
        for got in answers_to(sender, [[receiver.post("/cookie"), receiver.post("/unauthorized")]], PATIENCE)[0]
    ]
    assert one(sender, receiver.post("/")).status == 200
    assert receiver.paths() == ["/cookie", "/unauthorized", "/"]
    assert not any({"cookie", "authorization"} & request.headers.keys() for request in receiver.requests)


def test_plain_http_is_refused_without_the_switch(receiver: Receiver) -> None:
    sender = Sender(WebhookPolicy.of(False, "127.0.0.0/8"))
    assert one(sender, receiver.post("/")).error == "refused url"
    sender.close()


def test_a_name_that_changes_its_answer_after_registration_gets_no_connection(receiver: Receiver) -> None:
    url = f"http://rebind.example:{receiver.port}/hook"
    assert OPEN.url_refusal(url) is None
    with listening("127.0.0.2", receiver.port) as inside:
        before, after = Resolved(OPEN), Resolved(OPEN)
        before.answers = (f"rebind.example:{receiver.port}:127.0.0.1",)
        after.answers = (f"rebind.example:{receiver.port}:127.0.0.2",)
        assert one(before, Post(url, (), b"")).status == 200
        got = one(after, Post(url, (), b""))
        assert (got.error, got.address, got.outcome) == ("refused address", "127.0.0.2", Outcome.RETRY)
        assert inside.paths() == []
        before.close()
        after.close()


def test_a_name_that_changes_its_answer_between_two_posts_gets_no_second_connection(receiver: Receiver) -> None:
    sender = Resolved(OPEN)
    name = f"rebind.example:{receiver.port}"
    sender.answers = (f"{name}:127.0.0.1",)
    assert one(sender, Post(f"http://{name}/close", (), b"")).status == 200
    sender._idle.clear()
    sender.answers = (f"-{name}", f"{name}:127.0.0.2")
    with listening("127.0.0.2", receiver.port) as inside:
        assert one(sender, Post(f"http://{name}/close", (), b"")).error == "refused address"
        assert inside.paths() == []
    sender.close()


def test_of_several_addresses_only_the_allowed_ones_are_connected_to(receiver: Receiver) -> None:
    sender = Resolved(OPEN)
    sender.answers = (f"many.example:{receiver.port}:10.0.0.1,169.254.169.254,[::1],127.0.0.1",)
    got = one(sender, Post(f"http://many.example:{receiver.port}/", (), b""))
    assert (got.status, got.address) == (200, "127.0.0.1")
    sender.close()


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for hook.example, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hook.example")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hook.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with listening(tls=context) as one:
        yield one


@pytest.mark.parametrize(
    ("name", "trusted", "expected"),
    [
        ("hook.example", True, Answer(200)),
        ("other.example", True, Answer(error="tls")),
        ("hook.example", False, Answer(error="tls")),
    ],
)
def test_a_certificate_must_be_trusted_and_name_the_host(
    secure: Receiver, certificate: tuple[Path, Path], name: str, trusted: bool, expected: Answer
) -> None:
    sender = Resolved(OPEN, ca_file=str(certificate[0]) if trusted else None)
    sender.answers = (f"{name}:{secure.port}:127.0.0.1",)
    got = one(sender, Post(f"https://{name}:{secure.port}/", (), b"{}"))
    assert (got.status, got.error) == (expected.status, expected.error)
    assert len(secure.requests) == (1 if got.status else 0)
    sender.close()


def test_a_receiver_that_does_not_speak_tls(receiver: Receiver, sender: Sender) -> None:
    assert one(sender, Post(receiver.url("/").replace("http:", "https:"), (), b"")).error == "tls"


def test_a_receiver_that_never_answers_the_handshake(sender: Sender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        assert one(sender, Post(url, (), b""), SHORT).error == "timeout"


# The vectors, asked of libcurl itself

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "ssrf_vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "vector",
    [v for v in VECTORS["vectors"] if v.get("connects")],
    ids=lambda v: f"{v['policy']} {v['url'][:50]!a} {v['why']}",
)
def test_libcurl_connects_to_what_the_vector_says(vector: dict[str, Any]) -> None:
    """The vectors' `connects` is no opinion: no socket is opened, but libcurl is asked which one it would open."""
    seen: list[str] = []

    def refuse(_purpose: int, target: tuple[int, int, int, tuple[str, int]]) -> int:
        seen.append(target[3][0])
        return int(pycurl.SOCKET_BAD)

    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, vector["url"])
    curl.setopt(pycurl.PROXY, "")
    curl.setopt(pycurl.OPENSOCKETFUNCTION, refuse)
    if "resolves" in vector:
        authority = re.split(r"[/?#]", vector["url"].split("://")[1])[0].rpartition("@")[2]
        host, _, port = authority.partition(":")
        ports = [port] if port else ["80", "443"]
        curl.setopt(pycurl.RESOLVE, [f"{host}:{port}:{','.join(vector['resolves'])}" for port in ports])
    with pytest.raises(pycurl.error):
        curl.perform()
    curl.close()
    assert sorted(seen) == sorted(vector["connects"])
