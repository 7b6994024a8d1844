"""The delivery engine in a world that fails: the real handlers over ports in memory, simulated time, seeded faults.

Everything happens on one thread. An *invocation* runs the real handler; at every boundary of its steps (before and
after each call of a port, between two POSTs) the world may kill it, let the call fail before or after it took effect,
or let something else happen first, such as another invocation, a registration, a deletion.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from lanes import run_lanes
from simulated_aws import (
    DeadLetterQueue,
    FailureQueue,
    FaultyConfigs,
    FifoQueue,
    IndexedConfigs,
    Reading,
    StreamedTasks,
    Waiting,
    hash_of,
    item_of,
    load_handler,
)

from a2a_lambda.agent.run import Halt
from a2a_lambda.aws.items import s
from a2a_lambda.core.ports import TaskConfigs, Unavailable
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.push import schedule
from a2a_lambda.push.notifier import Notifier
from a2a_lambda.push.outcome import Answer, Post
from a2a_lambda.push.outcome import Lane as Posts
from a2a_lambda.push.redelivery import Redeliverer
from a2a_lambda.push.webhook import Headers, Signer, unsigned

START = datetime(2026, 1, 1, tzinfo=UTC)
TICK = timedelta(milliseconds=2)
"""Two statuses in one millisecond would be equal, and then there is nothing to tell."""


class Crash(Halt):
    """The process ends here; no ``except Exception`` sees it."""


@dataclass(frozen=True)
class Faults:
    """Probabilities, each per occasion. ``crash`` is per boundary, ``error`` per call of a port."""

    crash: float = 0.0
    error: float = 0.0
    repeat: float = 0.0
    """That a batch or a message comes again although it was done."""
    zombie: float = 0.0
    """That an invocation is taken for dead at a boundary, repeated, and then goes on."""
    interleave: float = 0.0
    """That others go on at a boundary."""
    outages: int = 0
    """How often a table or a queue is away for minutes; a quarter as often the signing key is, for hours."""


@dataclass
class Invocation:
    """One run of a handler. ``fate`` says how it ended, for the causes of duplicates."""

    started: datetime
    fate: str = "ended well"


@dataclass
class Lane:
    """A part of the stream that is worked on in order: a shard, or one of its parallel halves."""

    number: int
    records: deque[dict[str, Any]] = field(default_factory=deque)
    polling: bool = False
    notifier: Notifier | None = None
    size: int = 100


class Simulation:
    """The world. ``now`` is simulated. ``post`` is the receivers' side: from post, moment and seconds left to an answer
    with its duration in ``seconds``. ``crash_in`` and ``error_in`` count boundaries and calls down to one that goes
    wrong, beside those of ``faults``."""

    def __init__(self, seed: int, faults: Faults, *, lanes: int = 8, sign: Signer = unsigned) -> None:
        self.random = Random(seed)
        self.faults = faults
        self.now = START
        self._sign = sign
        self.post: Callable[[Post, datetime, float], Answer] = lambda post, moment, left: Answer(status=200)
        self.invocations: list[Invocation] = []
        self.crash_in = self.error_in = 0
        self.counts: Counter[str] = Counter()
        self.outages: dict[str, list[tuple[datetime, datetime]]] = {"table": [], "queue": [], "key": []}
        self._heap: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._depth = 0
        self.tasks: StreamedTasks = StreamedTasks(self)
        self.configs: FaultyConfigs = FaultyConfigs(self, IndexedConfigs(self.tasks))
        self.queue = FifoQueue(self)
        self.dead = DeadLetterQueue(self)
        self.lanes = [Lane(number) for number in range(lanes)]
        self.aside = FailureQueue(self)
        self.handlers = {name: load_handler(name) for name in ("notifier", "redelivery")}
        self._redeliverers: list[Redeliverer | None] = [None] * 3

    def clock(self) -> datetime:
        """The present moment."""
        return self.now

    # ------------------------------------------------------------------------------------------------ time and faults

    def at(self, moment: datetime, action: Callable[[], object]) -> None:
        """Do this then."""
        heapq.heappush(self._heap, (moment, next(self._order), action))

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do this in so many seconds."""
        self.at(self.now + timedelta(seconds=seconds), action)

    def run(self, until: datetime | None = None) -> None:
        """Go on until nothing is left to do, or until a moment."""
        while self._heap and (until is None or self._heap[0][0] <= until):
            moment, _, action = heapq.heappop(self._heap)
            self.now = max(self.now, moment)
            action()

    def pass_time(self, seconds: float) -> None:
        """Go on for so long, whether there is something to do or not."""
        end = self.now + timedelta(seconds=seconds)
        self.run(end)
        self.now = max(self.now, end)

    def boundary(self) -> None:
        """Between two steps of an invocation: it may be killed here, and others may go on first."""
        self.now += timedelta(milliseconds=self.random.uniform(1, 5))
        if not self.invocations:
            return
        self.crash_in -= 1
        if self.crash_in == 0 or self.random.random() < self.faults.crash:
            self.invocations[-1].fate = "killed"
            raise Crash
        if self._depth < 3 and self.random.random() < self.faults.interleave:
            self._depth += 1
            try:
                self.run(self.now + timedelta(seconds=self.random.choice((0, 0.1, 2, 20))))
            finally:
                self._depth -= 1

    def _away(self, resource: str) -> bool:
        return any(start <= self.now < end for start, end in self.outages[resource])

    def sign(self, config: PushConfig, identity: str, now: datetime, body: bytes) -> Headers:
        """The signer of the functions, while the key is to be had."""
        if self._away("key"):
            self._failed("no key")
        return self._sign(config, identity, now, body)

    @contextmanager
    def port(self, resource: str) -> Iterator[None]:
        """A call of a port: it may fail before it has taken effect, or after."""
        self.boundary()
        failing = self.random.random() if self.invocations else 1.0
        self.error_in -= bool(self.invocations)
        if self._away(resource) or failing < self.faults.error / 2 or self.error_in == 0:
            self._failed("throttled")
        yield
        self.boundary()
        self.error_in -= bool(self.invocations)
        if failing < self.faults.error or self.error_in == 0:
            self._failed("answer of AWS lost")

    def _failed(self, fate: str) -> None:
        self.counts[fate] += 1
        if self.invocations:
            self.invocations[-1].fate = fate
        raise Unavailable(fate)

    @contextmanager
    def invocation(self, fate: str = "ended well") -> Iterator[Invocation]:
        """What happens within belongs to one run of a function."""
        self.invocations.append(Invocation(self.now, fate))
        self.counts["invocations"] += 1
        try:
            yield self.invocations[-1]
        finally:
            self.invocations.pop()

    # ------------------------------------------------------------------------------------------------------- the stream

    def emit(self, old: TaskRecord | None, new: TaskRecord | None) -> None:
        """A write of TasksTable: the record comes down the stream some time later."""
        of = new or old
        assert of is not None
        lane = self.lanes[hash_of(of.task_id) % len(self.lanes)]
        change: dict[str, Any] = {"Keys": {"taskId": s(of.task_id)}, "SequenceNumber": str(next(self._order))}
        for name, image in (("OldImage", old), ("NewImage", new)):
            if image is not None:
                change[name] = item_of(image)
        lane.records.append({"eventID": change["SequenceNumber"], "dynamodb": change})
        self._poll(lane, 0.2)

    def poison(self) -> None:
        """A record that is no write of ours, in the middle of a shard."""
        lane = self.random.choice(self.lanes)
        number = str(next(self._order))
        change = {"Keys": {"taskId": s("none")}, "SequenceNumber": number, "NewImage": {"taskId": s("none")}}
        lane.records.append({"eventID": number, "dynamodb": change})
        self.counts["poison"] += 1
        self._poll(lane, 0.2)

    def _poll(self, lane: Lane, seconds: float) -> None:
        if not lane.polling and lane.records:
            lane.polling = True
            self.after(seconds, lambda: self._take_batch(lane))

    def _take_batch(self, lane: Lane) -> None:
        batch = list(itertools.islice(lane.records, min(lane.size, self.random.randint(1, 100))))
        done = self._notify(lane, batch)
        for _ in range(done):
            lane.records.popleft()
        lane.size = 100 if done == len(batch) else max(1, len(batch) // 2)
        lane.polling = False
        self._poll(lane, 0.2 if done == len(batch) else self.random.choice((1, 5, 60)))

    def _notify(self, lane: Lane, batch: Sequence[dict[str, Any]], fate: str = "ended well") -> int:
        """How many of the records are done."""
        lane.notifier = lane.notifier or self._new_notifier()
        module: Any = self.handlers["notifier"]
        failures: list[Any] = []
        with self.invocation(fate) as invocation:
            module.notifier, module.failures = lambda: lane.notifier, lambda: self.aside
            try:
                if self.random.random() < self.faults.zombie:
                    self._zombie(lane, batch)
                    module.notifier = lambda: lane.notifier
                answer = module.handler.__wrapped__({"Records": list(batch)}, None)
                failures = [int(entry["itemIdentifier"]) for entry in answer["batchItemFailures"]]
            except Crash:
                lane.notifier = None
                self.counts["killed"] += 1
                return 0
            if not failures and self.random.random() < self.faults.repeat:
                self.counts["batches repeated"] += 1
                invocation.fate = "batch came again"
                if self.random.random() < 0.5:
                    lane.notifier = None  # to another execution environment
                return 0
            if failures and invocation.fate == "ended well":
                invocation.fate = "another record of the batch failed"
        lowest = min(failures, default=None)
        return sum(1 for record in batch if lowest is None or int(record["dynamodb"]["SequenceNumber"]) < lowest)

    def _zombie(self, lane: Lane, batch: Sequence[dict[str, Any]]) -> None:
        """The event source takes the invocation for dead just after it has read the configs, and repeats the batch."""
        self.counts["zombies"] += 1
        notifier = lane.notifier = self._new_notifier()
        read = self.configs.of_task
        first = True

        def of_task(task_id: str) -> TaskConfigs:
            nonlocal first
            found = read(task_id)
            if first:
                first = False
                other = Lane(lane.number, notifier=self._new_notifier())
                self._notify(other, batch, "beside one taken for dead")
                self.run(self.now + timedelta(seconds=30))
                self.invocations[-1].fate = "taken for dead"
            return found

        notifier._configs = Reading(self.configs, of_task)

    def _new_notifier(self) -> Notifier:
        return Notifier(self.configs, self.queue, Client(self), self.clock, sign=self.sign, delay=self._delay)

    # -------------------------------------------------------------------------------------------------------- the queue

    def redeliver(self, waiting: Waiting, message_group: str) -> bool:
        """Run redelivery on a message; whether it is done."""
        module: Any = self.handlers["redelivery"]
        place = self.random.randrange(len(self._redeliverers))
        record = {
            "messageId": waiting.message_id,
            "receiptHandle": message_group,
            "body": waiting.body,
            "attributes": {"MessageGroupId": message_group, "ApproximateReceiveCount": str(waiting.receives)},
        }
        with self.invocation() as invocation:
            redeliverer = self._redeliverers[place] = self._redeliverers[place] or self._new_redeliverer()
            module.redeliverer, module.queue, module.dead_letters = (
                lambda: redeliverer,
                lambda: self.queue,
                lambda: self.dead,
            )
            try:
                answer = module.handler.__wrapped__({"Records": [record]}, None)
            except Crash:
                self._redeliverers[place] = None
                self.counts["killed"] += 1
                return False
            done = not answer["batchItemFailures"]
            if done and self.random.random() < self.faults.repeat:
                self.counts["messages repeated"] += 1
                invocation.fate = "message came again"
                return False
            return done

    def _new_redeliverer(self) -> Redeliverer:
        return Redeliverer(self.configs, self.dead, Client(self), self.clock, self.sign, delay=self._delay)

    def _delay(self, failures: int, retry_after: float | None) -> int:
        return schedule.delay(failures, retry_after, random=self.random.random)

    # ------------------------------------------------------------------------------------------------- the HTTP client

    def send(self, lanes: Iterable[Posts | None], seconds: float) -> None:
        """All lanes at once; a process may be killed before each post."""
        run_lanes(lanes, seconds, lambda: self.now, self._move_to, self._post)
        self.boundary()

    def _move_to(self, moment: datetime) -> None:
        self.now = moment

    def _post(self, post: Post, seconds: float) -> Answer:
        if self.random.random() < self.faults.crash:
            self.invocations[-1].fate = "killed"
            raise Crash
        return self.post(post, self.now, seconds)


class Client:
    """The HTTP client of the functions."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def run(self, lanes: Iterable[Posts | None], seconds: float) -> None:
        """See :class:`a2a_lambda.push.notifier.Lanes`."""
        self._simulation.send(lanes, seconds)
