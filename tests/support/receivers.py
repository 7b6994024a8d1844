"""Webhook receivers of the simulation: how they behave, and their own records of what came."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import urlsplit

from simulation import Invocation, Simulation

from a2a_lambda.push.outcome import Answer, Outcome, Post

KINDS = {
    "healthy": 58,
    "flaky": 14,
    "slow": 5,
    "dripping": 2,
    "hanging": 2,
    "dead": 4,
    "dead for a while": 5,
    "throttling": 3,
    "gone": 2,
    "redirecting": 2,
    "forgetful": 2,
    "picky": 1,
}
"""How receivers are spread, in weights."""


@dataclass(frozen=True)
class Arrival:
    """One POST as its receiver saw it. ``taken`` says whether the receiver worked on it, ``acknowledged`` whether the
    sender got to know; ``number`` counts all attempts of the world."""

    number: int
    moment: datetime
    webhook_id: str
    arrived: bool
    taken: bool
    acknowledged: bool
    answer: Answer
    invocation: Invocation
    token: str
    task_id: str


@dataclass
class Receiver:
    """One host. ``log`` is by the path of the URL: each registration has its own."""

    kind: str
    random: Random
    log: dict[str, list[Arrival]] = field(default_factory=dict)
    share: float = 0.0
    down: tuple[datetime, datetime] | None = None
    quota: datetime | None = None
    mode: str = "works"

    def answer(self, path: str, moment: datetime, webhook_id: str) -> tuple[Answer, float, bool]:
        """What it answers, after how many seconds, and whether it took the event."""
        draw = self.random.random()
        behave: Callable[[], tuple[Answer, float, bool]] = {
            "healthy": lambda: (Answer(status=200), 0.02, True),
            "flaky": lambda: self._flaky(draw),
            "slow": lambda: (Answer(status=204), 1 + 7 * draw, True),
            "dripping": lambda: (Answer(status=200), 1e9, True),
            "hanging": lambda: (Answer(status=200), 1e9, False),
            "dead": lambda: (Answer(error="connect"), 0.01, False),
            "dead for a while": lambda: self._down(moment),
            "throttling": lambda: self._throttling(moment, draw),
            "gone": lambda: self._gone(path),
            "redirecting": lambda: (Answer(status=302), 0.02, False),
            "forgetful": lambda: (
                (Answer(error="reset"), 0.02, True) if draw < 0.3 else (Answer(status=200), 0.02, True)
            ),
            "switched": self._switched,
            "picky": lambda: (
                (Answer(status=413), 0.02, False)
                if webhook_id.split(".")[1] == "4"
                else (Answer(status=200), 0.02, True)
            ),
        }[self.kind]
        return behave()

    def _switched(self) -> tuple[Answer, float, bool]:
        return {
            "works": (Answer(status=200), 0.02, True),
            "fails": (Answer(status=500), 0.02, False),
            "is away": (Answer(error="connect"), 0.01, False),
            "hangs": (Answer(status=200), 1e9, True),
            "forgets to answer": (Answer(error="reset"), 0.02, True),
            "refuses the size": (Answer(status=413), 0.02, False),
        }[self.mode]  # type: ignore[return-value]

    def _flaky(self, draw: float) -> tuple[Answer, float, bool]:
        if draw >= self.share:
            return Answer(status=200), 0.02 + 0.2 * draw, True
        failures: list[Answer] = [
            Answer(status=500),
            Answer(status=503, retry_after=20),
            Answer(status=401),
            Answer(error="connect"),
            Answer(error="dns"),
            Answer(error="tls"),
        ]
        return self.random.choice(failures), 0.05, False

    def _down(self, moment: datetime) -> tuple[Answer, float, bool]:
        assert self.down is not None
        if self.down[0] <= moment < self.down[1]:
            return Answer(error="connect"), 0.01, False
        return Answer(status=200), 0.02, True

    def _throttling(self, moment: datetime, draw: float) -> tuple[Answer, float, bool]:
        if self.quota is not None and moment < self.quota:
            left = (self.quota - moment).total_seconds()
            return Answer(status=429, retry_after=left), 0.02, False
        if draw < 0.2:
            self.quota = moment + timedelta(seconds=self.random.choice((2, 60, 1800)))
        return Answer(status=200), 0.02, True

    def _gone(self, path: str) -> tuple[Answer, float, bool]:
        taken = sum(arrival.taken for arrival in self.log.get(path, ()))
        return (Answer(status=410), 0.02, False) if taken >= 3 else (Answer(status=200), 0.02, True)


class Population:
    """All receivers, by host name."""

    def __init__(self, simulation: Simulation, size: int, kinds: dict[str, int] | None = None) -> None:
        self._simulation = simulation
        weights = kinds or KINDS
        random = simulation.random
        drawn = random.choices(list(weights), list(weights.values()), k=size)
        self.receivers = {f"r{place}.example": Receiver(kind, random) for place, kind in enumerate(drawn)}
        for receiver in self.receivers.values():
            receiver.share = random.uniform(0.01, 0.5)
            start = simulation.now + timedelta(seconds=random.uniform(0, 900))
            receiver.down = (start, start + timedelta(seconds=random.uniform(60, 2.5 * 86_400)))
        self._numbers = 0
        simulation.post = self.take

    def take(self, post: Post, moment: datetime, left: float) -> Answer:
        """One POST; ``left`` is for how many seconds its sender waits."""
        url = urlsplit(post.url)
        receiver = self.receivers[url.netloc]
        headers = dict(post.headers)
        answer, seconds, taken = receiver.answer(url.path, moment, headers["webhook-id"])
        arrived = answer.error not in ("connect", "dns", "tls")
        if seconds > left:
            answer, seconds = Answer(error="timeout"), left
        self._numbers += 1
        arrival = Arrival(
            self._numbers,
            moment,
            headers["webhook-id"],
            arrived,
            taken,
            answer.outcome is Outcome.DELIVERED,
            answer,
            self._simulation.invocations[-1],
            headers.get("X-A2A-Notification-Token", ""),
            task_of(json.loads(post.body)) if arrived else "",
        )
        receiver.log.setdefault(url.path, []).append(arrival)
        return Answer(answer.status, answer.error, answer.retry_after, None, seconds)

    @property
    def logs(self) -> dict[str, list[Arrival]]:
        """The attempts at each URL, in order."""
        return {
            f"https://{host}{path}": log
            for host, receiver in self.receivers.items()
            for path, log in receiver.log.items()
        }


def task_of(body: Any) -> str:
    """The task that a webhook body is about, in any dialect."""
    if body.get("kind") == "task":
        return str(body["id"])
    inner = body.get("statusUpdate") or body.get("artifactUpdate") or body
    return str(inner["taskId"])
