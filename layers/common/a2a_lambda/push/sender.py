"""The HTTP client of notifier and redelivery: libcurl, one thread, hundreds of POSTs at once.

libcurl because its multi interface has no cost per waiting receiver (a thread each would), a wall clock per transfer
that also covers name resolution, and a callback that sees the address really connected to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil
from time import monotonic

import pycurl  # type: ignore[import-untyped]

from ..net.curl import GuardedHandle
from ..net.webhook_url import WebhookPolicy, sendable
from .outcome import Answer, Failure, Outcome, Post
from .schedule import retry_after_seconds

USER_AGENT = "A2A-on-Lambda/1.0 (webhook)"

MAX_RESPONSE_BODY = 4_096
"""Bytes of an answer's body that are read. Nothing in it is of interest."""
MAX_RESPONSE_HEADERS = 16_384
"""Bytes of an answer's header sections, interim ones included."""

_AT_A_TIME = 16
"""Lanes that are started between two looks at what has come back."""

_TICK_MS = 100
"""The longest wait between two looks. Sockets end it sooner, but select() cannot see descriptors beyond 1,023."""

_FAILURES: dict[int, Failure] = {
    pycurl.E_OK: "reset",  # to libcurl a header section may just end; to us that is no answer
    pycurl.E_UNSUPPORTED_PROTOCOL: "response",  # HTTP/0.9; the scheme was judged before
    pycurl.E_FTP_WEIRD_SERVER_REPLY: "response",  # the same number is "not HTTP"
    pycurl.E_WRITE_ERROR: "response",  # our own header limit
    100: "response",  # CURLE_TOO_LARGE, which pycurl has no name for: a header line beyond libcurl's own limit
    pycurl.E_BAD_CONTENT_ENCODING: "response",
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_COULDNT_RESOLVE_HOST: "dns",
    pycurl.E_COULDNT_CONNECT: "connect",
    pycurl.E_GOT_NOTHING: "reset",
    pycurl.E_PARTIAL_FILE: "reset",
    pycurl.E_RECV_ERROR: "reset",
    pycurl.E_SEND_ERROR: "reset",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "tls",
    pycurl.E_SSL_CIPHER: "tls",
    pycurl.E_SSL_CERTPROBLEM: "tls",
    pycurl.E_SSL_INVALIDCERTSTATUS: "tls",
    pycurl.E_SSL_ISSUER_ERROR: "tls",
}


class Sender:
    """Sends POSTs under one policy. Keep it: connections are used again by later calls. Not for two threads at once.

    ``connect_seconds`` bounds name resolution, connect and TLS handshake of one POST. ``max_in_flight`` is also the
    number of connections kept; with it a function stays far below the 1,024 file descriptors that Lambda gives it.
    ``ca_file`` (PEM) is certifi's unless given; ``clock`` is for a ``Retry-After`` that is a date.
    """

    def __init__(
        self,
        policy: WebhookPolicy,
        *,
        connect_seconds: float = 5.0,
        max_in_flight: int = 400,
        ca_file: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._policy = policy
        self._url_refusal = lru_cache(4_096)(policy.url_refusal)
        self._connect_ms = round(connect_seconds * 1_000)
        self._max_in_flight = max_in_flight
        self._ca_file = ca_file
        self._clock = clock
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_in_flight)
        self._idle: list[_Transfer] = []
        self._active: dict[pycurl.Curl, _Transfer] = {}

    def run(self, lanes: Iterable[Iterable[Post]], seconds: float) -> list[list[Answer]]:
        """Sends all lanes at once and the posts of one lane in order; returns the answers of each lane, in order.

        The next post of a lane is asked for (a lane may be a generator) and sent only when the one before was
        acknowledged with 2xx; a lane ends with its first failure. After ``seconds`` everything ends: a post in flight
        is answered with "timeout", the later ones have no answer.

        Raises nothing for what a receiver, a URL or a header does. What a lane itself raises comes through.
        """
        deadline = monotonic() + seconds
        results: list[list[Answer]] = []
        waiting: deque[tuple[Iterator[Post], list[Answer]]] = deque()
        for lane in lanes:
            results.append([])
            waiting.append((iter(lane), results[-1]))
        try:
            while waiting or self._active:
                # Not all before the first is on its way: making a post may take its time.
                room = min(self._max_in_flight - len(self._active), _AT_A_TIME, len(waiting))
                for _ in range(room):
                    self._start(*waiting.popleft(), deadline)
                self._multi.perform()
                if not self._collect(deadline) and self._active and not room:
                    pause = self._multi.timeout()  # milliseconds to libcurl's own next timer, -1: it has none
                    self._multi.select(min(pause if pause >= 0 else _TICK_MS, _TICK_MS) / 1_000)
        finally:
            for transfer in [*self._active.values()]:
                self._release(transfer)
        return results

    def close(self) -> None:
        """Closes the connections. Waits for name look-ups that are still under way."""
        self._multi.close()
        for transfer in self._idle:
            transfer.curl.close()
        self._idle.clear()

    def _start(self, lane: Iterator[Post], answers: list[Answer], deadline: float) -> None:
        """Puts the lane's next post on its way, if there is one and it may be sent."""
        left = deadline - monotonic()
        if left <= 0 or (post := next(lane, None)) is None:
            return
        refusal = self._refusal(post)
        if refusal is not None:
            answers.append(Answer(error=refusal))
            return
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        transfer.prepare(post, lane, answers, ceil(left * 1_000))
        self._active[transfer.curl] = transfer
        self._multi.add_handle(transfer.curl)

    def _refusal(self, post: Post) -> Failure | None:
        if self._url_refusal(post.url) is not None:  # again: the operator may have closed what was open
            return "refused url"
        if not sendable(post.headers):
            return "header"
        return None

    def _collect(self, deadline: float) -> bool:
        """Takes in what has ended and lets those lanes go on; whether there was anything."""
        _, succeeded, failed = self._multi.info_read()
        for curl, code in [(curl, pycurl.E_OK) for curl in succeeded] + [(curl, code) for curl, code, _ in failed]:
            transfer = self._active[curl]
            lane, answers = transfer.lane, transfer.answers
            answers.append(answer := transfer.answer(code, self._clock))
            self._release(transfer)
            if answer.outcome is Outcome.DELIVERED:
                self._start(lane, answers, deadline)
        return bool(succeeded or failed)

    def _release(self, transfer: _Transfer) -> None:
        del self._active[transfer.curl]
        self._multi.remove_handle(transfer.curl)
        self._idle.append(transfer)

    def _new_transfer(self) -> _Transfer:
        transfer = _Transfer(self._policy, self._ca_file)
        transfer.curl.setopt(pycurl.CONNECTTIMEOUT_MS, self._connect_ms)
        return transfer


class _Transfer(GuardedHandle):
    """A handle that is used for one post after the other, and what its callbacks saw of the present one."""

    def __init__(self, policy: WebhookPolicy, ca_file: str | None) -> None:
        super().__init__(policy, ca_file)
        self.lane: Iterator[Post] = iter(())
        self.answers: list[Answer] = []
        self._head_complete = False
        self._head_bytes = self._body_bytes = 0
        self._retry_after: bytes | None = None
        for option, value in (
            (pycurl.POST, 1),
            (pycurl.USERAGENT, USER_AGENT),
            (pycurl.MAXAGE_CONN, 60),
            (pycurl.MAXLIFETIME_CONN, 600),  # a busy connection, too, follows a change of DNS in the end
            (pycurl.BUFFERSIZE, MAX_RESPONSE_BODY),
            # HTTP/1.1: one receiver per connection and one answer at a time, with nothing to multiplex or compress.
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.HEADERFUNCTION, self._on_header),
            (pycurl.WRITEFUNCTION, self._on_body),
        ):
            self.curl.setopt(option, value)

    def prepare(self, post: Post, lane: Iterator[Post], answers: list[Answer], milliseconds: int) -> None:
        self.lane, self.answers = lane, answers
        self.forget()
        self._head_complete = False
        self._retry_after = None
        self._head_bytes = self._body_bytes = 0
        # To libcurl "name:" removes a header and "name;" sends an empty one; an empty Expect keeps it from waiting for
        # a "100 Continue" before it sends a longer body.
        headers = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in post.headers]
        curl = self.curl
        curl.setopt(pycurl.URL, post.url)
        curl.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
        curl.setopt(pycurl.POSTFIELDS, post.body)
        curl.setopt(pycurl.TIMEOUT_MS, milliseconds)

    def answer(self, code: int, clock: Callable[[], datetime]) -> Answer:
        curl = self.curl
        status = curl.getinfo(pycurl.RESPONSE_CODE) if self._head_complete else 0
        address = curl.getinfo(pycurl.PRIMARY_IP) or self.refused
        seconds = curl.getinfo(pycurl.TOTAL_TIME)
        if status < 200:
            error: Failure = "refused address" if self.only_refused else _FAILURES.get(code, "other")
            return Answer(None, error, None, address, seconds)
        retry_after = None
        if self._retry_after is not None:
            retry_after = retry_after_seconds(self._retry_after.decode("latin-1"), clock())
        return Answer(status, None, retry_after, address, seconds)

    def _on_header(self, line: bytes) -> int | None:
        self._head_bytes += len(line)
        self._head_complete = line in (b"\r\n", b"\n")
        if line[:12].lower() == b"retry-after:":
            self._retry_after = line[12:]
        return None if self._head_bytes <= MAX_RESPONSE_HEADERS else 0

    def _on_body(self, chunk: bytes) -> int | None:
        self._body_bytes += len(chunk)
        return None if self._body_bytes <= MAX_RESPONSE_BODY else 0
