"""What an answer means, byte for byte: the head counts, whatever comes before and after it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from lanes import answers_to
from tests.delivery.misbehaving import PATIENCE
from tests.delivery.raw import answering

from a2a_lambda.net.web import FetchError, FetchRequest, Web
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.outcome import Post
from a2a_lambda.push.sender import Sender

OPEN = WebhookPolicy.of(True, "127.0.0.1/32")
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
SHORT = 0.3


class Raw(NamedTuple):
    """The bytes of an answer, and what it means: a status or the kind of a failure, and for how long to wait."""

    says: str
    answer: bytes
    means: int | str
    wait: float | None = None
    then: str = "close"


def head(status: int, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status} Some Words", *fields, "", ""]).encode()


def chunked(status: int, *trailer: str, fields: tuple[str, ...] = (), chunks: bytes = b"2\r\nok\r\n") -> bytes:
    body = chunks + b"0\r\n" + "".join(f"{line}\r\n" for line in trailer).encode() + b"\r\n"
    return head(status, "Transfer-Encoding: chunked", *fields) + body


EMPTY = "Content-Length: 0"
EARLY = head(103, "Link: </a>; rel=preload")

ANSWERS = [
    # plain
    Raw("200 without a body", head(200, EMPTY), 200),
    Raw("200 with a body", head(200, "Content-Length: 2") + b"ok", 200),
    Raw("204 without fields", head(204), 204),
    Raw("202 that is kept open", head(202, EMPTY), 202, then="wait"),
    Raw("410 with a body", head(410, "Content-Length: 4") + b"gone", 410),
    Raw("413 with a body that is not sent", head(413, "Content-Length: 4"), 413),
    Raw("500 without a length", head(500) + b"oh dear", 500),
    Raw("302", head(302, "Location: http://127.0.0.1:1/", EMPTY), 302),
    Raw("304", head(304), 304),
    Raw("an unknown status of the class 2xx", head(299, EMPTY), 299),
    Raw("an unknown status of the class 6xx", head(600, EMPTY), 600),
    Raw("no words", b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200),
    Raw("a blank and no words", b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 200),
    Raw("words that look like a status", b"HTTP/1.1 500 200 OK\r\nContent-Length: 0\r\n\r\n", 500),
    Raw("words in Latin-1", b"HTTP/1.1 200 Gr\xfc\xdfe\r\nContent-Length: 0\r\n\r\n", 200),
    Raw("lines that end in LF alone", b"HTTP/1.1 200 OK\nContent-Length: 0\n\n", 200),
    Raw("fields in capitals", b"HTTP/1.1 503 X\r\nRETRY-AFTER: 9\r\nCONTENT-LENGTH: 0\r\n\r\n", 503, 9),
    # HTTP/1.0
    Raw("HTTP/1.0", b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
    Raw("HTTP/1.0, the end of the body is that of the connection", b"HTTP/1.0 200 OK\r\n\r\nok", 200),
    Raw("HTTP/1.0 without fields or body", b"HTTP/1.0 410 Gone\r\n\r\n", 410),
    Raw("HTTP/1.0 kept alive", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", 200),
    # trailer fields
    Raw("a chunked 200", chunked(200), 200),
    Raw("a chunked 200 with a trailer field", chunked(200, "X-Checksum: 1"), 200),
    Raw("a chunked 200 with three trailer fields", chunked(200, "X-A: 1", "X-B: 2", "X-C: 3"), 200),
    Raw("a chunked 200 that announces its trailer field", chunked(200, "X-A: 1", fields=("Trailer: X-A",)), 200),
    Raw("a chunked 410 with a trailer field", chunked(410, "X-Checksum: 1"), 410),
    Raw("a chunked 413 with a trailer field", chunked(413, "X-Checksum: 1"), 413),
    Raw("a chunked 503 with Retry-After in the trailer", chunked(503, "Retry-After: 99"), 503),
    Raw(
        "Retry-After in the head, and another in the trailer",
        chunked(503, "Retry-After: 99", fields=("Retry-After: 7",)),
        503,
        7,
    ),
    Raw("a trailer field that looks like a head", chunked(200, "HTTP/1.1 410 Gone"), 200),
    Raw("a chunk with an extension", chunked(200, "X-A: 1", chunks=b"2;name=value\r\nok\r\n"), 200),
    Raw("a trailer field without an end", head(200, "Transfer-Encoding: chunked") + b"0\r\nX-A: 1", 200),
    Raw("a chunked answer without chunks", head(200, "Transfer-Encoding: chunked"), 200),
    Raw("chunks that are none", head(200, "Transfer-Encoding: chunked") + b"zz\r\n\r\n", 200),
    Raw("trailer fields beyond the bound", chunked(200, *(f"X-{n}: {'x' * 1000}" for n in range(30))), 200),
    # interim heads
    Raw("100 and 200", head(100) + head(200, EMPTY), 200),
    Raw("103 and 410", EARLY + head(410, EMPTY), 410),
    Raw("five interim heads", EARLY * 5 + head(204), 204),
    Raw("102 with fields", head(102, "X-A: 1") + head(200, EMPTY), 200),
    Raw("Retry-After in an interim head", head(103, "Retry-After: 99") + head(503, EMPTY), 503),
    Raw("Retry-After in both", head(103, "Retry-After: 99") + head(503, "Retry-After: 7", EMPTY), 503, 7),
    Raw("interim, and chunked with a trailer", EARLY + chunked(200, "X-A: 1"), 200),
    Raw("an interim head alone", EARLY, "reset"),
    Raw("an interim head and silence", EARLY, "timeout", then="wait"),
    Raw("an interim head, and a final one that is cut", EARLY + b"HTTP/1.1 200 OK\r\nX-A", "reset"),
    Raw("switching protocols, which nobody asked for", head(101, "Upgrade: x", "Connection: upgrade"), "reset"),
    # Retry-After
    Raw("in seconds", head(429, "Retry-After: 120", EMPTY), 429, 120),
    Raw("as a date", head(503, "Retry-After: Sun, 01 Mar 2026 12:01:00 GMT", EMPTY), 503, 60),
    Raw("as a date that is over", head(503, "Retry-After: Sun, 01 Mar 2026 11:00:00 GMT", EMPTY), 503, 0),
    Raw("as neither", head(503, "Retry-After: soon", EMPTY), 503),
    Raw("empty", head(503, "Retry-After:", EMPTY), 503),
    Raw("negative", head(503, "Retry-After: -5", EMPTY), 503),
    Raw("with blanks around", head(503, "Retry-After: \t 5 \t", EMPTY), 503, 5),
    Raw("with a blank before the colon", head(503, "Retry-After : 5", EMPTY), 503, 5),
    Raw("repeated: the later one", head(503, "Retry-After: 5", "Retry-After: 60", EMPTY), 503, 60),
    Raw("repeated, one is neither", head(503, "Retry-After: 5", "Retry-After: soon", EMPTY), 503, 5),
    Raw("folded", head(503, "Retry-After:", " 5", EMPTY), 503, 5),
    Raw("the next field is folded", head(503, "Retry-After: 5", "X-A: a", "\tRetry-After: 99", EMPTY), 503, 5),
    Raw("of another name", head(503, "X-Retry-After: 5", EMPTY), 503),
    # bodies
    Raw("a body that is cut", head(200, "Content-Length: 100") + b"x", 200),
    Raw("a body that is reset", head(200, "Content-Length: 100") + b"x", 200, then="reset"),
    Raw("a body that does not come", head(200, "Content-Length: 100"), 200, then="wait"),
    Raw("a body without an end", head(200) + b"x" * 100, 200, then="wait"),
    Raw("a body of a megabyte", head(200, "Content-Length: 1000000") + b"x" * 1_000_000, 200),
    Raw("a body in gzip", head(200, "Content-Encoding: gzip", "Content-Length: 22") + gzip.compress(b"ok")[:22], 200),
    Raw("a body that is said to be gzip", head(200, "Content-Encoding: gzip", "Content-Length: 2") + b"no", 200),
    Raw("a body that looks like a head", head(200, "Content-Length: 25") + b"HTTP/1.1 410 Gone\r\nA: b\r\n", 200),
    Raw("a second answer", head(200, EMPTY) + head(410, EMPTY), 200),
    Raw("a 204 with a body", head(204) + b"none", 204),
    # no answer
    Raw("nothing", b"", "reset"),
    Raw("nothing, and a reset", b"", "reset", then="reset"),
    Raw("nothing, and silence", b"", "timeout", then="wait"),
    Raw("a blank line", b"\r\n", "response"),
    Raw("a status line without an end", b"HTTP/1.1 200 OK", "reset"),
    Raw("a status line alone", b"HTTP/1.1 200 OK\r\n", "reset"),
    Raw("a head without its blank line", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", "reset"),
    Raw("half a head, and silence", b"HTTP/1.1 200 OK\r\nX-A: 1\r\n", "timeout", then="wait"),
    Raw("a status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("a status of two digits", b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("a status of letters", b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("a status below 100", b"HTTP/1.1 020 OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("a sign before the status", b"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("letters behind the status", b"HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("another version", b"HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("no version", b"HTTP 200 OK\r\nContent-Length: 0\r\n\r\n", "response"),
    Raw("another protocol", b"220 mail.example ESMTP\r\n", "response"),
    Raw("a length that is none", head(200, "Content-Length: many"), "response"),
    Raw("a negative length", head(200, "Content-Length: -1"), "response"),
    Raw("a head beyond the bound", head(200, *(f"X-{n}: {'x' * 1000}" for n in range(30)), EMPTY), "response"),
    Raw("interim heads beyond the bound", EARLY * 600 + head(200, EMPTY), "response"),
]


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    one = Sender(OPEN, clock=lambda: NOW)
    yield one
    one.close()


@pytest.mark.parametrize("raw", ANSWERS, ids=[raw.says for raw in ANSWERS])
def test_an_answer_means_what_http_says(sender: Sender, raw: Raw) -> None:
    with answering(raw.answer, then=raw.then) as url:
        [[got]] = answers_to(sender, [[Post(url, (), b"{}")]], SHORT if raw.then == "wait" else PATIENCE)
    assert (got.status if got.error is None else got.error, got.retry_after) == (raw.means, raw.wait)


def test_an_agent_that_fetches_gets_no_half_answer() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/pl") as url, pytest.raises(FetchError, match="no whole"):
        Web(OPEN)(FetchRequest(url, "POST", body=b"{}"))


def test_an_agent_that_fetches_gets_an_answer_with_trailer_fields() -> None:
    with answering(EARLY + chunked(200, "X-A: 1")) as url:
        got = Web(OPEN)(FetchRequest(url, "POST", body=b"{}"))
    assert (got.status, got.text) == (200, "ok")
