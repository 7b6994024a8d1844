"""The address guard on its vectors, and the rules that are not vectors."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2a_lambda.net.webhook_url import WebhookPolicy, header_refusal, sendable

DATA = json.loads((Path(__file__).parents[2] / "data" / "ssrf_vectors.json").read_text(encoding="utf-8"))
POLICIES = {name: WebhookPolicy.of(**setting) for name, setting in DATA["policies"].items()}
VECTORS: list[dict[str, Any]] = DATA["vectors"]
CLOSED = POLICIES["closed"]


def url_of(vector: dict[str, Any]) -> str:
    address = vector.get("address", "")
    return str(vector["url"]) if "url" in vector else f"https://{f'[{address}]' if ':' in address else address}/"


def name_of(vector: dict[str, Any]) -> str:
    text = str(vector.get("url", vector.get("address")))
    return f"{vector['policy']} {text[:60]!a} {vector['why']}"


def verdict(refusal: str | None) -> str:
    return "accept" if refusal is None else "refuse"


def test_there_are_vectors_of_every_kind() -> None:
    assert len(VECTORS) >= 300
    assert len({(v["policy"], v.get("url"), v.get("address")) for v in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_the_verdict_at_registration_is_the_vectors(vector: dict[str, Any]) -> None:
    assert verdict(POLICIES[vector["policy"]].url_refusal(url_of(vector))) == vector["registration"]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["socket"]], ids=name_of)
def test_the_verdict_at_the_socket_is_the_vectors(vector: dict[str, Any]) -> None:
    addresses = [vector["address"]] if "address" in vector else vector["connects"]
    verdicts = {verdict(POLICIES[vector["policy"]].address_refusal(address)) for address in addresses}
    assert verdicts == {vector["socket"]}


@pytest.mark.parametrize("vector", VECTORS, ids=name_of)
def test_a_reason_is_short_printable_and_never_repeats_the_input(vector: dict[str, Any]) -> None:
    reason = POLICIES[vector["policy"]].url_refusal(url_of(vector))
    if reason is not None:
        assert len(reason) < 120
        assert reason.isprintable()
        assert not url_of(vector) or url_of(vector) not in reason


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "the scheme must be https"),
        ("ftp://example.com/", "the URL must be absolute and its scheme https"),
        ("https://u:p@example.com/", "the URL must not hold a user name or password"),
        ("https://example.com/#x", "the URL must not have a fragment"),
        ("https://example.com\\x", "the URL must not contain a backslash"),
        ("https://example.com:22/", "the port is not allowed"),
        ("https://example.com:x/", "the host or port is malformed"),
        ("https://[fe80::1%25a]/", "the host must not be percent-encoded nor have a zone"),
        ("https://example.com./", "the host is not a valid name (and must not end with a dot)"),
        ("https://127.1/", "an IPv4 address must be written as four decimal numbers"),
        ("https://10.0.0.1/", "the host is a private address"),
        ("https://localhost/", "the host is a loopback address"),
        ("https://x.internal/", "the host is a name of a private network"),
        ("https://metadata.google.internal/", "the host is a cloud metadata service"),
        ("https://example.com/{x}", "the path or query holds a character that must be percent-encoded"),
        ("x" * 5_000, "the URL must have 1 to 2,048 characters"),
    ],
)
def test_the_client_is_told_what_is_wrong(url: str, reason: str) -> None:
    assert CLOSED.url_refusal(url) == reason


@pytest.mark.parametrize("port", [0, 1, 22, 25, 53, 79, 81, 442, 444, 1023, 65536, 99999])
def test_no_switch_opens_a_low_port_or_a_number_that_is_no_port(port: int) -> None:
    assert POLICIES["open"].url_refusal(f"http://192.0.2.1:{port}/") is not None


@pytest.mark.parametrize("text", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.0/8;11.0.0.0/8"])
def test_a_setting_that_is_not_a_list_of_networks_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        WebhookPolicy.of(False, text)


def test_a_setting_may_have_spaces_and_empty_places() -> None:
    policy = WebhookPolicy.of(True, " 10.0.0.0/8 ,, ::1/128,")
    assert policy == WebhookPolicy(True, (ip_network("10.0.0.0/8"), ip_network("::1/128")))


def test_without_a_setting_all_is_closed() -> None:
    assert WebhookPolicy() == WebhookPolicy.of(False, "") == CLOSED


@given(st.text(max_size=60))
def test_no_text_makes_the_judges_raise(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"https://example.com{text}"):
        CLOSED.url_refusal(url)
    CLOSED.address_refusal(text)


@given(st.ip_addresses(v=4))
def test_every_form_of_an_ipv4_address_gets_the_verdict_of_the_address(address: Any) -> None:
    assert CLOSED.address_refusal(f"::ffff:{address}") == CLOSED.address_refusal(str(address))
    assert CLOSED.address_refusal(f"64:ff9b::{address}") == CLOSED.address_refusal(str(address))
    assert CLOSED.address_refusal(f"::{address}") is not None
    assert CLOSED.url_refusal(f"https://{int(address)}/") is not None


@given(st.ip_addresses())
def test_what_python_calls_neither_global_nor_known_is_never_accepted(address: Any) -> None:
    if CLOSED.address_refusal(str(address)) is None and address.version == 4:
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize("value", ["a\r\nHost: x", "a\nb", "a\rb", "a\0b", "\x7f", "caf\u00e9", "\u2028", "x" * 8_193])
def test_a_header_value_that_could_end_its_line_is_refused(value: str) -> None:
    assert header_refusal("Authorization", value) is not None


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "\u00e4", "Host", "content-length", "Transfer-Encoding"])
def test_a_header_name_that_is_none_or_frames_the_message_is_refused(name: str) -> None:
    assert header_refusal(name, "x") is not None


@pytest.mark.parametrize("value", ["", "Bearer abc", "tab\tis fine", "!~", "x" * 8_192])
def test_an_ordinary_header_may_be_sent(value: str) -> None:
    assert header_refusal("X-A2A-Notification-Token", value) is None


@given(st.lists(st.tuples(st.sampled_from(["X-Token", "Host", "a b"]), st.text(st.characters(max_codepoint=0x100)))))
def test_headers_may_be_sent_together_if_each_of_them_may(headers: list[tuple[str, str]]) -> None:
    assert sendable(headers) == all(header_refusal(name, value) is None for name, value in headers)


@pytest.mark.parametrize(("length", "may"), [(8_192, True), (8_193, False)])
def test_the_bound_is_for_each_header_and_not_for_all(length: int, may: bool) -> None:
    assert sendable([("A", "x" * 8_192), ("B", "x" * length)]) is may
