"""What clients and agents do in the simulation, and the truth that the receivers' records are judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from receivers import Population
from simulated_aws import hash_of
from simulation import TICK, Crash, Simulation

from a2a_lambda.core.errors import A2AError
from a2a_lambda.core.lifecycle import new_task, with_artifact, with_status
from a2a_lambda.core.model import Message, TaskState
from a2a_lambda.core.operations import DeletePushConfig, SetPushConfig
from a2a_lambda.core.ports import Conflict, Unavailable
from a2a_lambda.core.records import PushConfig, TaskRecord
from a2a_lambda.net.webhook_url import WebhookPolicy
from a2a_lambda.push.configs import PushConfigService


@dataclass
class Write:
    """What one generation of a task changed, as the workload meant it. The truth, not what the code under test says."""

    artifacts: int
    status: bool


@dataclass(frozen=True)
class Address:
    """Where a config's events are to go from a moment on. ``announced`` is the generation whose state the client has to
    hear of because of this registration; 0: none."""

    url: str
    token: str
    since: datetime
    announced: int


@dataclass
class Registration:
    """One life (incarnation) of a config. Its client knows of everything up to generation ``known``."""

    task_id: str
    config_id: str
    incarnation: str
    dialect: str
    known: int
    addresses: list[Address] = field(default_factory=list)


@dataclass
class Truth:
    """Everything that happened, by the workload's own records."""

    writes: dict[str, list[Write]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    registrations: dict[str, Registration] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """How many events all tasks had."""
        return sum(write.artifacts + write.status for writes in self.writes.values() for write in writes)


class Workload:
    """``tasks`` tasks within ``period``, each with an inline config and ``configs`` more; some live for days."""

    def __init__(self, simulation: Simulation, population: Population, period: float = 900.0) -> None:
        self._simulation = simulation
        self._random = simulation.random
        self._hosts = list(population.receivers)
        self._period = period
        self._service = PushConfigService(
            simulation.tasks,
            simulation.configs,  # type: ignore[arg-type]
            WebhookPolicy.of(False, ""),
            simulation.clock,
            lambda _: None,
        )
        self.truth = Truth()
        self._urls = 0
        simulation.configs.on_register = self._registered

    def plan(self, tasks: int, configs: int = 3) -> None:
        """Put all that will happen into the simulation's time."""
        for number in range(tasks):
            start = self._random.uniform(0, self._period)
            self._simulation.after(start, lambda number=number: self._begin(number, configs))

    def _begin(self, number: int, configs: int) -> None:
        simulation, random = self._simulation, self._random
        task_id, owner = f"00000000-0000-4000-8000-{number:012x}", f"owner-{number % 7}"
        message: Message = {"messageId": f"m{number}", "role": "ROLE_USER", "parts": [{"text": "go"}]}
        record = TaskRecord(new_task(task_id, f"c{number}", message, simulation.now), owner, 1, "1.0", simulation.now)
        inline = self._service.inline(owner, task_id, self._request(task_id, "inline"), record.created_at)
        simulation.tasks.create(record, [inline])
        self.truth.writes[task_id], self.truth.owners[task_id] = [Write(0, True)], owner
        self._registered(inline, None, record)
        long = random.random() < 0.03
        spacing = random.choice((0.2, 2, 30)) if not long else 86_400.0
        moment = 0.0
        for step in range(6):
            moment += random.uniform(0.1, 2) * spacing
            simulation.after(moment, lambda step=step: self._step(task_id, step))
        for place in range(configs):
            config_id = f"c{place}"
            at = random.choice((0.0, 0.0, random.uniform(0, moment), moment + random.uniform(0, 60)))
            self._retried(at, self._set(owner, task_id, config_id))
            draw = random.random()
            later = at + random.uniform(0.1, 1.2) * moment
            if draw < 0.05:
                self._retried(later, lambda config_id=config_id: self._delete(owner, task_id, config_id))
            elif draw < 0.10:
                self._retried(later, self._set(owner, task_id, config_id))
            elif draw < 0.13:
                self._retried(later, lambda config_id=config_id: self._delete(owner, task_id, config_id))
                self._retried(later + 1, self._set(owner, task_id, config_id))

    def _retried(self, seconds: float, action: Callable[[], object]) -> None:
        """A client's request, repeated until it is answered."""

        def run() -> None:
            try:
                with self._simulation.invocation():
                    action()
            except (Unavailable, Crash, A2AError):
                self._simulation.after(2.0, run)

        self._simulation.after(seconds, run)

    def _step(self, task_id: str, step: int) -> None:
        """The agent's next write: artifacts and a status, a question in the middle of some tasks, and the end."""
        simulation = self._simulation
        record = simulation.tasks.records[task_id]
        if record.terminal:
            return
        task, artifacts = record.task, self._random.choice((0, 1, 1, 2, 3)) if 0 < step < 5 else 0
        for place in range(artifacts):
            task = with_artifact(task, {"artifactId": f"a{step}-{place}", "parts": [{"text": f"part {step}"}]})
        states = {0: TaskState.WORKING, 5: TaskState.COMPLETED}
        asks = step == 3 and self._random.random() < 0.1
        state = states.get(step, TaskState.INPUT_REQUIRED if asks else TaskState.WORKING)
        simulation.now += TICK
        task = with_status(task, state, simulation.now)
        try:
            simulation.tasks.update(record.next(task))
        except Conflict:
            return
        self.truth.writes[task_id].append(Write(artifacts, True))

    def _request(self, task_id: str, config_id: str) -> SetPushConfig:
        self._urls += 1
        return SetPushConfig(
            task_id=task_id,
            config_id=config_id,
            url=f"https://{self._random.choice(self._hosts)}/{task_id}/{config_id}/{self._urls}",
            token=f"token-{self._urls}",
            dialect=("1.0", "1.0", "legacy", "0.3")[hash_of(task_id + config_id) % 4],
        )

    def _set(self, owner: str, task_id: str, config_id: str) -> Callable[[], object]:
        """A request. When it has to be repeated it names another URL, so that a URL has one registration."""
        return lambda: self._service.set(owner, self._request(task_id, config_id))

    def _registered(self, config: PushConfig, existing: PushConfig | None, task: TaskRecord) -> None:
        """Note a registration that took effect."""
        held = self.truth.registrations.setdefault(
            config.incarnation,
            Registration(config.task_id, config.config_id, config.incarnation, config.dialect, config.settled_through),
        )
        announced = task.generation if task.announcement is not None else 0
        held.addresses.append(Address(config.url, config.token or "", self._simulation.now, announced))

    def _delete(self, owner: str, task_id: str, config_id: str) -> None:
        self._service.delete(owner, DeletePushConfig(task_id=task_id, config_id=config_id))
