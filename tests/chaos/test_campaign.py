"""A report that finds nothing proves nothing: the campaign finds each of these defects, and none in what we ship."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import simulated_aws
from moto import mock_aws
from simulated_aws import DeadLetterQueue, FaultyConfigs, silence

from a2a_lambda.core.records import PushConfig
from a2a_lambda.push import delivery, redelivery, schedule, settlement
from a2a_lambda.testing.memory import MemoryPushConfigs

SEEDS = (1, 2, 3, 4, 5, 6, 7, 8)
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def quiet(monkeypatch: Patch) -> Iterator[None]:
    monkeypatch.setattr(uuid, "uuid4", uuid.uuid4)  # the campaign puts one with a seed there
    with silence():
        yield


@pytest.fixture(scope="module")
def campaign() -> ModuleType:
    spec = importlib.util.spec_from_file_location("campaign", Path(__file__).with_name("campaign.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def first_attempts_overtake_the_queue(patch: Patch) -> None:
    patch.setattr(PushConfig, "backlogged", False)


def the_cursor_is_not_raised(patch: Patch) -> None:
    patch.setattr(MemoryPushConfigs, "raise_queued", lambda *_: True)


def only_the_first_failed_event_is_queued(patch: Patch) -> None:
    whole = delivery.undelivered
    patch.setattr(settlement, "undelivered", lambda sent, answers: whole(sent, answers)[:1])


def what_is_given_up_is_thrown_away(patch: Patch) -> None:
    patch.setattr(DeadLetterQueue, "send", lambda *_: None)


def a_recovery_goes_unnoticed(patch: Patch) -> None:
    patch.setattr(MemoryPushConfigs, "recover", lambda *_: None)
    patch.setattr("a2a_lambda.testing.memory._recovered", lambda config: config)


def three_days_are_one(patch: Patch) -> None:
    patch.setattr(redelivery, "exhausted", lambda config, _: delivery.exhausted(config, timedelta(days=1)))


def configs_are_kept_in_memory(patch: Patch) -> None:
    known: dict[str, Any] = {}
    read = FaultyConfigs.__getattr__

    def getattr_(self: FaultyConfigs, name: str) -> Any:
        method = read(self, name)
        return (lambda task: known.setdefault(task, method(task))) if name == "of_task" else method

    patch.setattr(FaultyConfigs, "__getattr__", getattr_)


def events_of_a_generation_pass_for_duplicates(patch: Patch) -> None:
    patch.setattr(simulated_aws, "deduplication", lambda message: str(message.generation))


def a_failed_queue_is_not_reported(patch: Patch) -> None:
    send = simulated_aws.FifoQueue.send

    def forgetful(self: simulated_aws.FifoQueue, messages: Any) -> frozenset[tuple[str, str]]:
        send(self, messages)
        return frozenset()

    patch.setattr(simulated_aws.FifoQueue, "send", forgetful)


def what_waits_for_the_key_is_looked_at_every_ten_seconds(patch: Patch) -> None:
    patch.setattr(schedule, "patience", lambda _: 0)


@pytest.mark.parametrize(
    ("defect", "breach"),
    [
        (first_attempts_overtake_the_queue, "out of order"),
        (the_cursor_is_not_raised, "wrongly dead"),
        (only_the_first_failed_event_is_queued, "lost"),
        (what_is_given_up_is_thrown_away, "lost"),
        (a_recovery_goes_unnoticed, "wrongly dead"),
        (three_days_are_one, "wrongly dead"),
        (configs_are_kept_in_memory, "leaked"),
        (events_of_a_generation_pass_for_duplicates, "lost"),
        (a_failed_queue_is_not_reported, "lost"),
        (what_waits_for_the_key_is_looked_at_every_ten_seconds, "lost"),
    ],
)
def test_the_campaign_finds_the_defect_that(
    campaign: ModuleType, monkeypatch: Patch, defect: Callable[[Patch], None], breach: str
) -> None:
    defect(monkeypatch)

    assert any(campaign.campaign(seed, 100, 3)[2].breaches[breach] for seed in SEEDS)


@pytest.mark.parametrize("seed", SEEDS[:3])
def test_the_campaign_finds_nothing_in_the_runtime(campaign: ModuleType, seed: int) -> None:
    _, _, report = campaign.campaign(seed, 100, 3)

    assert report.clean, report.breaches
    assert report.expected > 1_000


def test_a_seed_is_a_run(campaign: ModuleType) -> None:
    first, again = (campaign.campaign(1, 30, 3)[2] for _ in range(2))

    assert first == again


def test_the_campaign_finds_nothing_in_the_adapters_of_the_tables(campaign: ModuleType) -> None:
    with mock_aws():
        _, _, report = campaign.campaign(1, 8, 3, moto=True)

    assert report.clean, report.breaches
    assert report.expected > 50
