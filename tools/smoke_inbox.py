"""The webhook inside the stack, as `make smoke` uses it: makes boxes, reads them, checks what the agent signed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import requests

from push_client import DemoError, Sign, printable
from push_webhook import Push, as_push
from webhook import Webhook

PAUSE = 0.5
"""Seconds between two looks into a box."""

Judge = Callable[[dict[str, str], bytes], tuple[int, str]]


class Arrival(NamedTuple):
    """One push that came: in which place (from 1), when, and what the box answered. ``sent`` is the agent's time of the
    attempt, in whole seconds: a box that starts while an attempt runs may write it down late."""

    number: int
    moment: datetime
    sent: int
    status: int
    webhook_id: str
    body: bytes


class Inbox:
    """The inbox at `url`, called by whoever `sign` says. Every call raises DemoError."""

    def __init__(self, url: str, sign: Sign | None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False  # neither a proxy nor an entry of .netrc may come between
        self._session.auth = sign

    def call(self, verb: str, path: str, body: object = None) -> dict[str, Any]:
        """The answer's JSON object."""
        try:
            answer = self._session.request(verb, self.url + path, json=body, timeout=30)
            document = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise DemoError(
                f"The inbox at {self.url} does not answer ({printable(error)}): look into its log."
            ) from error
        if answer.status_code in (401, 403):
            raise DemoError(f"The inbox refuses this caller (HTTP {answer.status_code}): check your credentials.")
        if answer.status_code >= 400 or not isinstance(document, dict):
            raise DemoError(
                f"The inbox answered {answer.status_code} to {verb} {path.split('/')[1]}: look into its log."
            )
        return document


class Box:
    """A webhook of its own, with what arrived there. `failures`: the first so many pushes are refused with 503.

    `keys` are the agent's; None: the stack does not sign. `refused` says which pushes do not verify, and why.
    """

    def __init__(self, inbox: Inbox, keys: Any = None, failures: int = 0) -> None:
        made = inbox.call("POST", "/boxes", {"failures": failures})
        self.url = f"{inbox.url}{made['path']}"
        self.arrivals: list[Arrival] = []
        self.refused: list[str] = []
        self._inbox, self._name, self._shown = inbox, made["box"], 0
        self._judge: Judge = Webhook(keys, self.url, take=lambda *_: None).handle

    @property
    def taken(self) -> list[Arrival]:
        """What the box answered with 200, in order of arrival."""
        return [arrival for arrival in self.arrivals if arrival.status == 200]

    def poll(self) -> None:
        """Read what has come since, and check it: a signature is good for some minutes only."""
        while True:
            after = self.arrivals[-1].number if self.arrivals else 0
            found = self._inbox.call("GET", f"/boxes/{self._name}?after={after}")["pushes"]
            if not found:
                return
            for push in found:
                headers, body = push["headers"], push["body"].encode()
                identity = headers.get("webhook-id", "")
                moment = datetime.fromisoformat(push["receivedAt"])
                stamp = headers.get("webhook-timestamp", "")
                sent = int(stamp) if stamp.isdecimal() else int(moment.timestamp())
                self.arrivals.append(Arrival(push["number"], moment, sent, push["status"], identity, body))
                status, text = self._judge(headers, body)
                if status != 200:
                    self.refused.append(f"{identity or 'no webhook-id'}: {text}")

    def next(self, timeout: float) -> Push | None:
        """The next push that was taken, waiting for it as long as `timeout` seconds; None if none came."""
        until = time.monotonic() + timeout
        while True:
            self.poll()
            if self._shown < len(self.taken):
                arrival = self.taken[self._shown]
                self._shown += 1
                push = as_push(arrival.body, arrival.webhook_id)
                return dataclasses.replace(push, arrived=arrival.moment.timestamp())
            if time.monotonic() >= until:
                return None
            time.sleep(PAUSE)

    def delete(self) -> None:
        """Remove it, with all that is in it."""
        self._inbox.call("DELETE", f"/boxes/{self._name}")
