"""Where a webhook may be: the rules for its URL, for the address behind it, and for its headers.

A webhook URL is chosen by a client and fetched by us, from inside the operator's account: without rules it is a
hole into the private network and to the credentials of the function (server-side request forgery).

Two judgements, and both are needed:

* ``url_refusal`` at registration, on the text, so that the client learns at once. It resolves no name.
* ``address_refusal`` at the socket, on the address that is really connected to, at every connect. A name that
  changes its answer between the two (DNS rebinding) gains nothing.

The first is only safe if it reads a URL as libcurl does. Parsers disagree about what is unusual, so nothing unusual
is read at all: a URL is accepted only if it matches one small ASCII grammar that every parser reads alike. That is
why there is no canonical form to return; the URL that was judged is, byte for byte, the one that is posted to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

MAX_URL_LENGTH = 2_048

_URL = re.compile(
    r"""(?P<scheme>https?)://
        (?: \[ (?P<v6>[0-9a-f:.]+) \] | (?P<host>[a-z0-9._-]+) )
        (?: : (?P<port>[1-9][0-9]{0,4}) )?
        (?: [/?] (?: [a-z0-9._~!$&'()*+,;=:@/?-] | %[0-9a-f]{2} )* )?""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
# What inet_aton (and so libcurl) takes for one number of an IPv4 address: decimal, octal or hexadecimal.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_DECIMAL_QUAD = re.compile(r"(?:(?:0|[1-9][0-9]{0,2})\.){3}(?:0|[1-9][0-9]{0,2})", re.ASCII)

_TLS_PORTS = frozenset({443, 8443})

# Names that mean the private network, wherever it is: RFC 6761, RFC 6762 appendix G, RFC 8375, and the clouds' own.
_PRIVATE_SUFFIXES = (
    *(".internal", ".local", ".localdomain", ".lan", ".intranet", ".private", ".corp", ".home", ".home.arpa"),
)
_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"})


def _networks(texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts.split())


# No webhook lives here, and credentials do: instance metadata, container credentials, the API of the Lambda runtime
# (169.254/16), the clouds' metadata outside of it. No allowed network opens these, not even 0.0.0.0/0.
_NEVER = _networks(
    "169.254.0.0/16 100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fe80::/10 fd00:ec2::/32 fd20:ce::254/128"
)

# The IANA special-purpose registries, written out: what `ipaddress` calls global differs between patch releases
# of Python. The first match names the reason, so the narrower network stands first.
_SPECIAL = tuple(
    (network, reason)
    for reason, texts in (
        ("an unspecified address", "0.0.0.0/32 ::/128"),
        ("a loopback address", "127.0.0.0/8 ::1/128"),
        ("a private address", "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10"),
        ("a shared (carrier-grade NAT) address", "100.64.0.0/10"),
        ("a multicast address", "224.0.0.0/4 ff00::/8"),
        ("a documentation address", "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20"),
        ("a benchmarking address", "198.18.0.0/15 2001:2::/48"),
        ("an address that embeds another", "192.88.99.0/24 2002::/16 2001::/32 64:ff9b:1::/48 ::/96"),
        ("a reserved address", "0.0.0.0/8 192.0.0.0/24 240.0.0.0/4 2001::/23"),
    )
    for network in _networks(texts)
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class WebhookPolicy:
    """What the operator permits.

    ``allow_insecure`` (parameter AllowInsecureWebhooks, for local runs and test kits): plain http, and the ports 80,
    443 and 1,024 to 65,535. Off: https on port 443 or 8443. A port below 1,024 other than 80 and 443 is refused always:
    ssh, mail and name servers must not be made to read what we send.

    ``allowed_cidrs`` (AllowedWebhookCidrs; for what agents fetch, AllowedFetchCidrs): networks that are permitted
    although they are private.
    """

    allow_insecure: bool = False
    allowed_cidrs: tuple[Network, ...] = ()

    @classmethod
    def of(cls, allow_insecure: bool, allowed_cidrs: str) -> WebhookPolicy:
        """Reads the comma list of a setting, for example ``"127.0.0.0/8, ::1/128"``; ``""`` is none.

        Raises ``ValueError`` for a network with host bits set: it would not mean what its author thinks.
        """
        return cls(allow_insecure, tuple(ip_network(text.strip()) for text in allowed_cidrs.split(",") if text.strip()))

    def address_refusal(self, ip: str) -> str | None:
        """Why no connection to this address may be opened; ``None`` if it may.

        ``ip`` is numeric, as the socket has it. The reason is a noun phrase for people: "a loopback address".
        """
        try:
            address = ip_address(ip)
        except ValueError:
            return "not an IP address"
        if isinstance(address, IPv6Address):
            if address.scope_id is not None:
                return "an address with a zone"
            if address in _MAPPED or address in _NAT64:  # the packets go to the IPv4 address inside, so that is judged
                address = IPv4Address(int(address) & 0xFFFF_FFFF)
        if _within(address, _NEVER):
            return "a link-local or cloud metadata address"
        if _within(address, self.allowed_cidrs):
            return None
        reason = next((reason for network, reason in _SPECIAL if address in network), None)
        if reason is None and address.version == 6 and address not in _GLOBAL_UNICAST:
            return "not a global unicast address"
        return reason

    def url_refusal(self, url: str) -> str | None:
        """Why this URL cannot be registered as a webhook; ``None`` if it can. A sentence for the client.

        Resolves no name and blocks on nothing.
        """
        if not url or len(url) > MAX_URL_LENGTH:
            return f"the URL must have 1 to {MAX_URL_LENGTH:,} characters"
        match = _URL.fullmatch(url)
        if match is None:
            return _syntax_refusal(url)
        scheme, port = match["scheme"].lower(), match["port"]
        if scheme != "https" and not self.allow_insecure:
            return "the scheme must be https"
        if port is not None and not self._port_allowed(int(port)):
            return "the port is not allowed"
        if match["v6"] is not None:
            return self._literal_refusal(match["v6"])
        return self._host_refusal(match["host"].lower())

    def _port_allowed(self, port: int) -> bool:
        if self.allow_insecure:
            return port in (80, 443) or 1_024 <= port <= 65_535
        return port in _TLS_PORTS

    def _literal_refusal(self, ip: str) -> str | None:
        reason = self.address_refusal(ip)
        return reason and f"the host is {reason}"

    def _host_refusal(self, host: str) -> str | None:
        labels = host.split(".")
        if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
            return "the host is not a valid name (and must not end with a dot)"
        if _NUMBER.fullmatch(labels[-1]):
            # 2130706433, 0x7f.1, 0177.0.0.1 and 127.1 are all 127.0.0.1 to some parsers and names to others.
            if not _DECIMAL_QUAD.fullmatch(host):
                return "an IPv4 address must be written as four decimal numbers"
            return self._literal_refusal(host)
        if host in _METADATA_NAMES:
            return "the host is a cloud metadata service"
        if labels[-1] == "localhost":  # libcurl resolves these by itself, to exactly the two loopback addresses
            return self._literal_refusal("127.0.0.1") and self._literal_refusal("::1")
        # Where the operator opened a part of the private network its names are in order: the socket judges them.
        if (len(labels) == 1 or host.endswith(_PRIVATE_SUFFIXES)) and not self.allowed_cidrs:
            return "the host is a name of a private network"
        return None


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _syntax_refusal(url: str) -> str:
    """The most helpful sentence about a URL outside the grammar. Every way through is a refusal."""
    if not all("!" <= character <= "~" for character in url):
        return "the URL must be printable ASCII without spaces (the host in its xn-- form, the rest percent-encoded)"
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in ("http", "https"):
        return "the URL must be absolute and its scheme https"
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    if "@" in authority:
        return "the URL must not hold a user name or password"
    if "#" in url:
        return "the URL must not have a fragment"
    if "\\" in url:
        return "the URL must not contain a backslash"
    if "%" in authority:
        return "the host must not be percent-encoded nor have a zone"
    if not _URL.fullmatch(f"{scheme}://{authority}"):
        return "the host or port is malformed"
    return "the path or query holds a character that must be percent-encoded"


_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}", re.ASCII)
_VALUE = re.compile(r"[\t\x20-\x7e]*", re.ASCII)
# These say where a message ends, who it is for, or what the connection becomes; they belong to libcurl.
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "host", "http2-settings", "keep-alive", "proxy-authorization"}
    | {"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
MAX_HEADER_VALUE = 8_192


@lru_cache(maxsize=1_024)
def _name_allowed(name: str) -> bool:
    return _TOKEN.fullmatch(name) is not None and name.lower() not in _FRAMING


def sendable(headers: Sequence[tuple[str, str]]) -> bool:
    """Whether :func:`header_refusal` has nothing against any of these, found out in the fastest way."""
    values = "".join([value for _, value in headers])
    if len(values) <= MAX_HEADER_VALUE and values.isascii() and values.isprintable():
        return all(map(_name_allowed, [name for name, _ in headers]))
    return all(header_refusal(name, value) is None for name, value in headers)


def header_refusal(name: str, value: str) -> str | None:
    """Why this header cannot be sent with a webhook; ``None`` if it can. A sentence for the client.

    CR, LF and NUL would let a token write headers of its own; names that frame the message or route it
    (``Host``, ``Content-Length`` …) would let it smuggle a second request.
    """
    if not _name_allowed(name):
        return "the header name is not allowed"
    if len(value) > MAX_HEADER_VALUE or not _VALUE.fullmatch(value):
        return f"the header value must be printable ASCII of at most {MAX_HEADER_VALUE:,} characters"
    return None
