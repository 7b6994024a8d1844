"""The HTTP client of notifier and redelivery: libcurl, one thread, hundreds of POSTs at once.

libcurl because its multi interface has no cost per waiting receiver (a thread each would), a wall clock per transfer
that also covers name resolution, and a callback that sees the address really connected to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from math import ceil
from time import monotonic

import pycurl  # type: ignore[import-untyped]

from ..net.curl import GuardedHandle
from ..net.webhook_url import WebhookPolicy, sendable
from .outcome import Answer, Failure, Lane, Outcome, Post
from .schedule import retry_after_seconds

USER_AGENT = "A2A-on-Lambda/1.0 (webhook)"

MAX_RESPONSE_BODY = 4_096
"""Bytes of an answer's body that are read. Nothing in it is of interest."""

_AT_A_TIME = 16
"""Lanes that are started between two looks at what has come back."""

_TICK_MS = 100
"""The longest wait between two looks. Sockets end it sooner, but select() cannot see descriptors beyond 1,023."""

_FAILURES: dict[int, Failure] = {
    pycurl.E_OK: "reset",  # to libcurl a head may just end; to us that is no answer
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

    def run(self, lanes: Iterable[Lane | None], seconds: float) -> None:
        """Sends the posts of one lane in order, and those of different lanes at once.

        A lane is a generator: it yields a post, is sent the answer, and yields the next one. It is closed after its
        first failure. ``lanes`` is asked for the next lane whenever there is room for one; it gives None where none may
        begin before another one has ended. After ``seconds`` everything ends: a post in flight is answered with
        "timeout", no other is sent, and the lanes that are left are not asked for.

        Raises nothing for what a receiver, a URL or a header does. What a lane itself raises comes through.
        """
        deadline = monotonic() + seconds
        source = iter(lanes)
        try:
            more = seconds > 0
            while more or self._active:
                started = 0
                # Not all before the first is on its way: making a post may take its time.
                while more and started < min(_AT_A_TIME, self._max_in_flight - len(self._active)):
                    try:
                        lane = next(source)
                    except StopIteration:
                        more = False
                        break
                    if lane is None:
                        more = bool(self._active)  # the source waits for one of them
                        break
                    self._send(next(lane, None), lane, deadline)
                    started += 1
                more = more and monotonic() < deadline
                self._multi.perform()
                if not self._collect(deadline) and self._active and not started:
                    pause = self._multi.timeout()  # milliseconds to libcurl's own next timer, -1: it has none
                    self._multi.select(min(pause if pause >= 0 else _TICK_MS, _TICK_MS) / 1_000)
        finally:
            for transfer in [*self._active.values()]:
                self._release(transfer)

    def close(self) -> None:
        """Closes the connections. Waits for name look-ups that are still under way."""
        self._multi.close()
        for transfer in self._idle:
            transfer.curl.close()
        self._idle.clear()

    def _send(self, post: Post | None, lane: Lane, deadline: float) -> None:
        """Puts the lane's post on its way, if there is one and there is time."""
        left = deadline - monotonic()
        if post is None or left <= 0:
            lane.close()
            return
        refusal = self._refusal(post)
        if refusal is not None:
            _answered(lane, Answer(error=refusal))
            lane.close()
            return
        transfer = self._idle.pop() if self._idle else self._new_transfer()
        transfer.prepare(post, lane, ceil(min(left, post.seconds) * 1_000))
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
            lane, answer = transfer.lane, transfer.answer(code, self._clock)
            self._release(transfer)
            self._send(_answered(lane, answer), lane, deadline)
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
        self.lane: Lane = _no_lane()
        self._body_bytes = 0
        for option, value in (
            (pycurl.POST, 1),
            (pycurl.USERAGENT, USER_AGENT),
            (pycurl.MAXAGE_CONN, 60),
            (pycurl.MAXLIFETIME_CONN, 600),  # a busy connection, too, follows a change of DNS in the end
            (pycurl.BUFFERSIZE, MAX_RESPONSE_BODY),
            # HTTP/1.1: one receiver per connection and one answer at a time, with nothing to multiplex or compress.
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.WRITEFUNCTION, self._on_body),
        ):
            self.curl.setopt(option, value)

    def prepare(self, post: Post, lane: Lane, milliseconds: int) -> None:
        self.lane = lane
        self.forget()
        self._body_bytes = 0
        # To libcurl "name:" removes a header and "name;" sends an empty one; an empty Expect keeps it from waiting for
        # a "100 Continue" before it sends a longer body.
        headers = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in post.headers]
        curl = self.curl
        curl.setopt(pycurl.URL, post.url)
        curl.setopt(pycurl.HTTPHEADER, [*headers, "Expect:"])
        curl.setopt(pycurl.POSTFIELDS, post.body)
        curl.setopt(pycurl.TIMEOUT_MS, milliseconds)

    def answer(self, code: int, clock: Callable[[], datetime]) -> Answer:
        curl, head = self.curl, self.head
        address = curl.getinfo(pycurl.PRIMARY_IP) or self.refused
        seconds = curl.getinfo(pycurl.TOTAL_TIME)
        if head.status is None:
            return Answer(None, self._failure(code), None, address, seconds)
        asked = (retry_after_seconds(value, clock()) for value in head.values("retry-after"))
        retry_after = max((one for one in asked if one is not None), default=None)
        return Answer(head.status, None, retry_after, address, seconds)

    def _failure(self, code: int) -> Failure:
        if self.only_refused:
            return "refused address"
        return "response" if self.head.malformed else _FAILURES.get(code, "other")

    def _on_body(self, chunk: bytes) -> int | None:
        self._body_bytes += len(chunk)
        return None if self._body_bytes <= MAX_RESPONSE_BODY else 0


def _answered(lane: Lane, answer: Answer) -> Post | None:
    """The lane's next post after this answer. A failure ends the lane."""
    try:
        post = lane.send(answer)
    except StopIteration:
        return None
    return post if answer.outcome is Outcome.DELIVERED else None


def _no_lane() -> Lane:
    return
    yield
