"""The libcurl handle that may be pointed at addresses which strangers chose: what it never does is said here once.

Notifier and redelivery post with it to webhooks (``sender``), agents fetch with it (``web``).
"""

from __future__ import annotations

import os
import socket

import certifi
import pycurl  # type: ignore[import-untyped]

from .response_head import ResponseHead
from .webhook_url import WebhookPolicy


class GuardedHandle:
    """An easy handle that connects to addresses which the policy permits, and to no other, at every connect.

    It follows no redirect, asks no proxy, reads no credentials of the machine, and trusts the authorities in
    ``ca_file`` (PEM; None: certifi's). ``opened`` and ``refused`` say what it saw: whether there was a permitted
    address, and the last one that was not; ``head`` is that of the answer. ``forget`` before the handle is used again.
    """

    def __init__(self, policy: WebhookPolicy, ca_file: str | None = None) -> None:
        # libcurl resolves in threads of its own, and the system would block each of them for 10 s over a name server
        # that does not answer: a sender's 20 threads are gone after ten such names, and a handle that is closed waits
        # for its own. Read by the C library before its first look-up.
        os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:2")
        self._policy = policy
        self.opened = False
        self.refused: str | None = None
        self.head = ResponseHead()
        self.curl = curl = pycurl.Curl()
        for option, value in (
            (pycurl.NOSIGNAL, 1),
            (pycurl.FOLLOWLOCATION, 0),
            (pycurl.PATH_AS_IS, 1),
            (pycurl.PROTOCOLS, pycurl.PROTO_HTTPS | (pycurl.PROTO_HTTP if policy.allow_insecure else 0)),
            (pycurl.PROXY, ""),  # whatever the environment says: a proxy would connect to addresses that we do not see
            (pycurl.NOPROXY, "*"),
            (pycurl.NETRC, pycurl.NETRC_IGNORED),
            (pycurl.CAINFO, ca_file or certifi.where()),
            (pycurl.SSLVERSION, pycurl.SSLVERSION_TLSv1_2),
            (pycurl.SSL_VERIFYPEER, 1),
            (pycurl.SSL_VERIFYHOST, 2),
            (pycurl.OPENSOCKETFUNCTION, self._on_socket),
            (pycurl.HEADERFUNCTION, self._on_header),
        ):
            curl.setopt(option, value)

    def forget(self) -> None:
        """What it saw so far is void."""
        self.opened, self.refused, self.head = False, None, ResponseHead()

    @property
    def only_refused(self) -> bool:
        """Whether there were addresses, but none that is permitted."""
        return self.refused is not None and not self.opened

    def _on_header(self, line: bytes) -> int | None:
        return None if self.head.read(line) else 0

    def _on_socket(self, _purpose: int, target: tuple[int, int, int, tuple[str, int]]) -> socket.socket | int:
        family, kind, protocol, address = target
        ip = address[0] if family in (socket.AF_INET, socket.AF_INET6) else ""
        if self._policy.address_refusal(ip) is not None:
            self.refused = ip
            return int(pycurl.SOCKET_BAD)
        try:
            opened = _Socket(family, kind, protocol)
        except OSError:  # no IPv6 here, or no descriptor left; libcurl goes on with the next address
            return int(pycurl.SOCKET_BAD)
        self.opened = True
        return opened


class _Socket(socket.socket):
    """A socket that nobody closes: pycurl keeps a duplicate of its descriptor and drops the object at once."""

    def __del__(self) -> None:
        self.close()
