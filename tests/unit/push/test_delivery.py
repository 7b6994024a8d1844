"""Pure decisions about the events of one config."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from a2a_lambda.core.changes import Change, status_update
from a2a_lambda.core.lifecycle import new_task, with_artifact
from a2a_lambda.core.model import Message
from a2a_lambda.core.records import PushConfig
from a2a_lambda.dialects.webhooks import BY_NAME
from a2a_lambda.push.delivery import (
    HORIZON,
    Acknowledged,
    Notification,
    exhausted,
    failed,
    gone,
    notifications,
    queued,
    undelivered,
)
from a2a_lambda.push.outcome import Answer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE: Message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
TASK = new_task("task", "context", MESSAGE, NOW)
ARTIFACT = {"artifactUpdate": {"taskId": "task", "contextId": "context", "artifact": {"artifactId": "a", "parts": []}}}


def config(dialect: str = "1.0", **fields: object) -> PushConfig:
    return PushConfig("task", "config", "owner", "https://example.com/", dialect, "i", "r", **fields)  # type: ignore[arg-type]


def change(generation: int, *events: dict[str, object]) -> Change:
    return Change(generation, events or (status_update(TASK),), TASK)


def heard_of(config: PushConfig, *told: Change) -> list[Notification]:
    dialect = BY_NAME[config.dialect]
    return [event for each in told for event in notifications(config, each, dialect.notifications(each))]


def test_a_config_hears_of_every_generation_after_the_one_that_is_settled() -> None:
    heard = heard_of(config(settled_through=3), *(change(number) for number in range(1, 7)))
    assert [item.generation for item in heard] == [4, 5, 6]


def test_the_events_of_a_generation_keep_their_places_and_the_last_one_is_marked() -> None:
    heard = heard_of(config(), change(1, ARTIFACT, ARTIFACT, status_update(TASK)))
    assert [(item.n, item.last) for item in heard] == [(0, False), (1, False), (2, True)]


def test_the_legacy_dialect_hears_of_statuses_only_and_in_their_places() -> None:
    heard = heard_of(config("legacy"), change(1, ARTIFACT, status_update(TASK)), change(2, ARTIFACT))
    assert [(item.generation, item.n, item.last) for item in heard] == [(1, 1, True)]


def test_a_change_without_events_is_not_told() -> None:
    assert heard_of(config(), Change(1, (), with_artifact(TASK, {"artifactId": "a", "parts": []}))) == []


@pytest.mark.parametrize(
    ("answers", "left"),
    [([], 3), ([200], 2), ([200, 204], 1), ([200, 200, 299], 0), ([500], 3), ([200, 500], 2), ([200, "timeout"], 2)],
)
def test_what_is_left_is_everything_from_the_first_event_that_was_not_acknowledged(
    answers: list[int | str], left: int
) -> None:
    sent = heard_of(config(), *(change(number) for number in (1, 2, 3)))
    given = [Answer(status=a) if isinstance(a, int) else Answer(error=a) for a in answers]  # type: ignore[arg-type]
    assert undelivered(sent, given) == sent[len(sent) - left :]


@pytest.mark.parametrize(
    ("answers", "says"), [([], False), ([200], False), ([410], True), ([200, 410], True), ([404], False)]
)
def test_only_410_says_that_the_receiver_is_gone(answers: list[int], says: bool) -> None:
    assert gone([Answer(status=status) for status in answers]) is says


def test_a_queued_message_names_the_config_by_its_incarnation_and_carries_nothing_secret() -> None:
    secretive = config(token="secret", authentication={"scheme": "Bearer", "credentials": "secret"})
    (message,) = queued(secretive, heard_of(secretive, change(4)))
    assert (message.task_id, message.config_id, message.incarnation) == ("task", "config", "i")
    assert (message.generation, message.n, message.last, message.dialect) == (4, 0, True, "1.0")
    assert "secret" not in repr(message)


def test_a_failure_counts_on_and_remembers_since_when() -> None:
    once = failed(config(), Answer(status=503), NOW, lambda failures, _: failures * 10)
    twice = failed(once, Answer(error="dns"), NOW + timedelta(hours=1), lambda failures, _: failures * 10)
    assert (once.attempts, once.failing_since, once.last_error) == (1, NOW, "status 503")
    assert (twice.attempts, twice.failing_since, twice.last_error) == (2, NOW, "dns")
    assert twice.next_attempt_at == NOW + timedelta(hours=1, seconds=20)


@pytest.mark.parametrize(
    ("after", "over"), [(timedelta(0), False), (HORIZON - timedelta(seconds=1), False), (HORIZON, True)]
)
def test_a_webhook_has_failed_for_too_long_when_its_latest_attempt_is_a_horizon_after_its_first(
    after: timedelta, over: bool
) -> None:
    assert exhausted(config(failing_since=NOW, last_attempt_at=NOW + after)) is over


def test_a_webhook_that_does_not_fail_has_not_failed_for_too_long() -> None:
    assert not exhausted(config(last_attempt_at=NOW))


def test_an_environment_remembers_a_limited_number_of_acknowledgements_the_latest_ones() -> None:
    memory = Acknowledged(size=2)
    for name in ("a", "b", "c"):
        memory.add(config(), name)
    assert [memory.has(config(), name) for name in ("a", "b", "c")] == [False, True, True]


def test_an_acknowledgement_of_the_old_webhook_is_none_of_the_new_one() -> None:
    memory = Acknowledged()
    memory.add(config(), "a")
    assert not memory.has(PushConfig("task", "config", "owner", "https://example.com/", "1.0", "i", "r-2"), "a")
