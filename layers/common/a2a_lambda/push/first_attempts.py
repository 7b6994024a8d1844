"""Which first attempts a batch makes, in which order, and for how long it waits for each.

While a batch waits for one receiver, all later changes of its shard wait. So who is known to answer promptly goes at
once, and has all of the time. All others share a budget: a small part of the environment's time, for each owner and in
all. What the budget does not cover goes to the queue, which nobody else waits for. Owners take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from ..core.ports import Clock
from ..core.records import Held, PushConfig
from .budget import Share, TimeBudget
from .delivery import Notification
from .outcome import Answer, Lane
from .receivers import Pace, Receivers, host_of

TOTAL_SHARE, OWNER_SHARE = 1 / 200, 1 / 400
"""Of an environment's time, for waiting beyond what is prompt: in all, and for one owner."""

_LEAST = 0.25
"""Seconds that a prompt webhook has while the budget is overdrawn: an answer over a new TLS connection may take that
long, and an attempt that is cut off may have arrived all the same."""


@dataclass(slots=True)
class Delivery:
    """The events of one config in this batch. ``started`` has the moment of each attempt that has its answer. ``held``
    says why there was no attempt, or none for the rest."""

    config: PushConfig
    events: list[Notification]
    answers: list[Answer] = field(default_factory=list)
    started: list[datetime] = field(default_factory=list)
    held: Held | None = None


MakeLane: TypeAlias = Callable[[Delivery, float], Lane]
"""The posts of a delivery, each of which may wait for so many seconds."""


class FirstAttempts:
    """What an environment knows about receivers, kept between batches. ``seconds`` is what a batch has at most;
    ``shun`` is for how long a webhook that was late gets no first attempt."""

    def __init__(self, seconds: float, clock: Clock, shun: timedelta = timedelta(seconds=60)) -> None:
        self._seconds = seconds
        self._clock = clock
        self._least = min(_LEAST, seconds / 4)
        self._pace = Pace(seconds)
        self._receivers = Receivers(shun)
        shares = Share(TOTAL_SHARE, 1.5 * seconds), Share(OWNER_SHARE, seconds)
        self._strangers, self._acquainted = TimeBudget(*shares), TimeBudget(*shares)

    def batch(self, deliveries: Sequence[Delivery], make: MakeLane) -> Batch:
        """The first attempts of one batch of the stream."""
        return Batch(self, deliveries, make)

    def prompt(self, config: PushConfig) -> bool:
        """Whether the webhook is known to answer promptly."""
        return self._receivers.prompt(config)

    def allowance(self, delivery: Delivery) -> float | Held:
        """Seconds for which an attempt may wait, or why none is made."""
        config, now = delivery.config, self._clock()
        budget = self._budget_of(delivery)
        if self._receivers.prompt(config):
            left = budget.left(config.owner, now)
            return self._seconds if left > 0 else min(self._seconds, max(self._least, 2 * self._pace.prompt))
        held = self._receivers.held(config, now)
        if held is not None:
            return held
        allowed = min(self._seconds, budget.allowed(config.owner, now))
        return allowed if allowed > 0 and allowed >= self._receivers.expected(config) else self._turn(delivery)

    def held(self, delivery: Delivery) -> Held:
        """Why the webhook waits: it was late, or its host was, or it has to wait for a share of the time."""
        return self._receivers.held(delivery.config, self._clock()) or self._turn(delivery)

    def _turn(self, delivery: Delivery) -> Held:
        config, now = delivery.config, self._clock()
        return Held("turn", self._budget_of(delivery).when(config.owner, self._receivers.expected(config), now))

    def _budget_of(self, delivery: Delivery) -> TimeBudget:
        """A webhook that has acknowledged events, to whichever environment, has a budget that strangers cannot spend:
        a new environment under an attack gets to know the good ones."""
        return self._acquainted if acquainted(delivery) else self._strangers

    def note(self, config: PushConfig, answer: Answer) -> None:
        """An attempt has its answer."""
        if answer.error is None:
            self._pace.note(answer.seconds)
        self._receivers.note(config, answer, self._pace.prompt, self._clock())

    def spend(self, deliveries: Sequence[Delivery]) -> None:
        """A batch has waited for these: for each owner as long as for its slowest. What is prompt costs nothing."""
        spent: dict[TimeBudget, dict[str, float]] = {}
        for delivery in deliveries:
            late = sum(answer.seconds for answer in delivery.answers if self._late(answer))
            if late > 0:
                owner, seconds = delivery.config.owner, spent.setdefault(self._budget_of(delivery), {})
                seconds[owner] = max(seconds.get(owner, 0.0), late)
        for budget, seconds in spent.items():
            budget.spend(seconds, self._clock())

    def _late(self, answer: Answer) -> bool:
        return answer.seconds > self._pace.prompt or answer.error == "timeout"


class Batch:
    """The lanes of one batch. The next one is of the owner who has the fewest under way, so that nobody's webhooks take
    the sender's places from anybody else's. Of a receiver that is not known, one webhook is tried, and the others
    wait for its answer."""

    def __init__(self, known: FirstAttempts, deliveries: Sequence[Delivery], make: MakeLane) -> None:
        self._known = known
        self._deliveries = deliveries
        self._make = make
        self._waiting: dict[str, deque[Delivery]] = {}
        self._under_way: dict[str, int] = {}
        self._behind: dict[tuple[str, str], list[Delivery]] = {}
        for delivery in deliveries:
            self._waiting.setdefault(delivery.config.owner, deque()).append(delivery)
            self._under_way[delivery.config.owner] = 0

    def lanes(self) -> Iterator[Lane | None]:
        """For the sender: each lane when it may begin, None where one that is under way has to end before."""
        while self._waiting or self._behind:
            if not self._waiting:
                yield None
                continue
            owner = min(self._waiting, key=self._under_way.__getitem__)
            delivery = self._waiting[owner].popleft()
            if not self._waiting[owner]:
                del self._waiting[owner]
            lane = self._lane_for(delivery)
            if lane is not None:
                yield lane

    def answered(self, delivery: Delivery, answer: Answer) -> None:
        """One post of a delivery has its answer."""
        delivery.answers.append(answer)
        self._known.note(delivery.config, answer)
        self._go_on(delivery)

    def finish(self) -> None:
        """The sender is done: settle what the batch waited for, and say why the rest was not tried."""
        self._known.spend(self._deliveries)
        for delivery in self._deliveries:
            if not delivery.answers and delivery.held is None:
                delivery.held = self._known.held(delivery)

    def _lane_for(self, delivery: Delivery) -> Lane | None:
        prompt = self._known.prompt(delivery.config)
        behind = None if prompt else self._behind.get(_receiver(delivery))
        if behind is not None:
            behind.append(delivery)
            return None
        allowed = self._known.allowance(delivery)
        if isinstance(allowed, Held):
            delivery.held = allowed
            return None
        if not prompt:
            self._behind[_receiver(delivery)] = []
        return self._lane(delivery, allowed)

    def _lane(self, delivery: Delivery, seconds: float) -> Lane:
        owner = delivery.config.owner
        self._under_way[owner] += 1
        try:
            yield from self._make(delivery, seconds)
        finally:
            self._under_way[owner] -= 1
            self._go_on(delivery)

    def _go_on(self, delivery: Delivery) -> None:
        """The receiver is known now: what waited for that goes, or is held. A second webhook of a late one is not
        tried: the batch has waited long enough for it."""
        if not self._behind:
            return
        for other in self._behind.pop(_receiver(delivery), ()):
            if self._known.prompt(other.config):
                self._waiting.setdefault(other.config.owner, deque()).append(other)
            else:
                other.held = self._known.held(other)


def acquainted(delivery: Delivery) -> bool:
    """Whether the webhook acknowledged the event before these: redelivery has noted it, or it was never in the queue,
    so that it went out at once."""
    config = delivery.config
    if delivery.events[0].generation > config.settled_through + 1:
        return True
    return 0 < config.settled_through <= config.delivered_through and config.failing_since is None


def _receiver(delivery: Delivery) -> tuple[str, str]:
    return delivery.config.owner, host_of(delivery.config.url)
