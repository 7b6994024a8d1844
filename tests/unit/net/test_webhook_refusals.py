"""Webhooks that are refused at registration: -32602 in every dialect, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from harness import WEBHOOK, Stack
from memory_stack import MemoryStack

URLS = {
    "http": "http://hooks.example.com/",
    "localhost": "https://localhost/",
    "a name below localhost": "https://a.localhost/",
    "loopback": "https://127.0.0.1/",
    "loopback in one number": "https://2130706433/",
    "loopback in hexadecimal": "https://0x7f000001/",
    "loopback in octal": "https://0177.0.0.1/",
    "10/8": "https://10.0.0.1/",
    "172.16/12": "https://172.16.0.1/",
    "192.168/16": "https://192.168.1.1/",
    "carrier-grade NAT": "https://100.64.0.1/",
    "metadata": "https://169.254.169.254/latest/meta-data/",
    "metadata by name": "https://metadata.google.internal/",
    "unspecified": "https://0.0.0.0/",
    "multicast": "https://224.0.0.1/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv6 link-local": "https://[fe80::1]/",
    "IPv6 unique local": "https://[fd00::1]/",
    "IPv6 metadata": "https://[fd00:ec2::254]/",
    "IPv4-mapped": "https://[::ffff:10.0.0.1]/",
    "IPv4-mapped in hexadecimal": "https://[::ffff:a00:1]/",
    "6to4": "https://[2002:a00:1::]/",
    "NAT64": "https://[64:ff9b::a00:1]/",
    "Teredo": "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
    "user-info": "https://user:password@hooks.example.com/",
    "port 22": "https://hooks.example.com:22/",
    "5,000 characters": "https://hooks.example.com/" + "a" * 5_000,
    "another scheme": "ftp://hooks.example.com/",
    "file": "file:///etc/passwd",
    "no scheme": "hooks.example.com",
    "no host": "https:///path",
    "a line break": "https://hooks.example.com/\r\nHost: x",
    "a blank": "https://hooks.example.com/ a",
    "a fragment": "https://hooks.example.com/#f",
    "a backslash": "https://hooks.example.com\\@evil.example/",
}


def registrations(task_id: str, message: dict[str, Any], webhook: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every way to register a 1.0 or legacy config."""
    legacy = {"webhookUrl": webhook["url"]}
    if "authentication" in webhook:
        info = webhook["authentication"]
        legacy["authenticationInfo"] = {"scheme": info["scheme"], "value": info["credentials"]}
    return {
        "CreateTaskPushNotificationConfig": {"taskId": task_id, **webhook},
        "SendMessage": {"message": message, "configuration": {"taskPushNotificationConfig": webhook}},
        "tasks/pushNotification/set": {"id": task_id, "config": legacy},
    }


@pytest.mark.parametrize("method", ["CreateTaskPushNotificationConfig", "SendMessage", "tasks/pushNotification/set"])
@pytest.mark.parametrize("url", URLS.values(), ids=URLS)
def test_a_url_that_may_lead_inside_is_refused_and_nothing_is_written(
    memory: MemoryStack, method: str, url: str
) -> None:
    task_id = memory.send()["id"]
    before = memory.snapshot()
    assert_refused(memory, method, task_id, url)
    assert memory.snapshot() == before


def assert_refused(stack: Stack, method: str, task_id: str, url: str) -> None:
    response = stack.request(method, registrations(task_id, stack.message(), {"url": url})[method])
    assert response["error"]["code"] == -32602
    field = response["error"]["data"][1]["fieldViolations"][0]["field"]
    assert field == ("webhookUrl" if method == "tasks/pushNotification/set" else "url")


def test_no_handler_takes_a_url_that_may_lead_inside(cloud_stack: Callable[..., Stack]) -> None:
    stack = cloud_stack()
    task_id = stack.send()["id"]
    before = stack.snapshot()
    for url in URLS.values():
        for method in ("CreateTaskPushNotificationConfig", "SendMessage", "tasks/pushNotification/set"):
            assert_refused(stack, method, task_id, url)
    assert stack.snapshot() == before


@pytest.mark.parametrize("method", ["CreateTaskPushNotificationConfig", "SendMessage", "tasks/pushNotification/set"])
@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "\u00e9", "x" * 9_000])
def test_credentials_that_are_no_header_value_are_refused_and_nothing_is_written(
    memory: MemoryStack, method: str, value: str
) -> None:
    task_id = memory.send()["id"]
    before = memory.snapshot()
    webhook = {"url": WEBHOOK, "authentication": {"scheme": "Bearer", "credentials": value}}
    response = memory.request(method, registrations(task_id, memory.message(), webhook)[method])
    assert response["error"]["code"] == -32602
    assert value not in json.dumps(response, ensure_ascii=False)
    assert memory.snapshot() == before


@pytest.mark.parametrize("field", ["token", "scheme"])
def test_a_token_or_scheme_with_a_line_break_is_refused(memory: MemoryStack, field: str) -> None:
    task_id = memory.send()["id"]
    webhook: dict[str, Any] = {"taskId": task_id, "url": WEBHOOK}
    if field == "token":
        webhook["token"] = "a\r\nb"
    else:
        webhook["authentication"] = {"scheme": "Bearer\r\nb", "credentials": "c"}
    assert memory.code("CreateTaskPushNotificationConfig", webhook) == -32602
    assert memory.configs.of_task(task_id) == []


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "Connection", "webhook-signature", "Webhook-Id"),
        *("Content-Type", "X-A2A-Notification-Token", "traceparent", "a b", "a:b", "a\r\nb"),
    ],
)
def test_a_legacy_header_name_that_is_not_the_clients_to_choose_is_refused(memory: MemoryStack, name: str) -> None:
    task_id = memory.send()["id"]
    info = {"scheme": "apiKey", "value": "secret", "headerName": name}
    params = {"id": task_id, "config": {"webhookUrl": WEBHOOK, "authenticationInfo": info}}
    assert memory.code("tasks/pushNotification/set", params, version=None) == -32602
    assert memory.configs.of_task(task_id) == []


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://localhost:9293/webhook", {"allow_insecure": True, "allowed_cidrs": "127.0.0.0/8,::1/128"}),
        ("http://hooks.example.com:8080/", {"allow_insecure": True}),
        ("https://10.1.2.3/", {"allowed_cidrs": "10.1.0.0/16"}),
    ],
)
def test_what_the_operator_opens_is_open_and_the_rest_stays_closed(
    new_stack: Callable[..., Stack], url: str, options: dict[str, Any]
) -> None:
    stack = new_stack(**options)
    task_id = stack.send()["id"]
    stack.register(task_id, url)
    for closed in ("https://169.254.169.254/", "https://192.168.0.1/"):
        assert stack.code("CreateTaskPushNotificationConfig", {"taskId": task_id, "url": closed}) == -32602
