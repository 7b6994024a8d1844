"""The campaign's expectations on the local AWS: each breach is found in what receivers and tables recorded."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from campaign_report import CampaignReport
from expected_notifications import ExpectedNotifications, writes_of
from workload import Address, Write

from a2a_lambda.core.ports import QueuedNotification
from receiver import Arrival

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROOT = "http://localhost:1"
WRITES = {"t": [Write(0, True), Write(1, True)]}
PUSHES = ("1.0", "2.0", "2.1")
"""Generation and place of all that a config of 1.0 is to hear of `WRITES`."""


def push(place: str, seconds: float, **changed: Any) -> Arrival:
    headers = {"webhook-id": f"t.{place}.a", "x-a2a-notification-token": "token"}
    body = json.dumps({"statusUpdate": {"taskId": "t"}}).encode()
    made = Arrival(START + timedelta(seconds=seconds), "/t/a", headers, body, True, 200, "ok")
    return replace(made, **changed)


def received(*arrivals: Arrival, known: int = 0, announced: int = 0) -> ExpectedNotifications:
    made = ExpectedNotifications()
    made.register("t", "a", "1.0", Address(f"{ROOT}/t/a", "token", START, announced), known)
    for arrival in arrivals:
        made.note(ROOT, arrival)
    return made


def evaluated(of: ExpectedNotifications, **changed: Any) -> CampaignReport:
    given: dict[str, Any] = {"writes": WRITES, "dead": [], "removed": {}, "stuck": []}
    return of.evaluate(**{**given, **changed})


def broken(report: CampaignReport) -> set[str]:
    return {kind for kind, found in report.breaches.items() if found}


def whole() -> list[Arrival]:
    return [push(place, number) for number, place in enumerate(PUSHES, start=1)]


def test_all_that_was_written_and_arrived_in_order_is_clean() -> None:
    report = evaluated(received(*whole()))

    assert report.clean, report.breaches
    assert (report.expected, report.posts, report.duplicates.total()) == (3, 3, 0)


def test_a_repetition_is_counted_and_no_breach() -> None:
    report = evaluated(received(*whole(), push("1.0", 9, text="duplicate")))

    assert report.clean, report.breaches
    assert report.duplicates.total() == 1


def test_an_event_that_never_came_or_was_never_taken_is_lost() -> None:
    assert broken(evaluated(received(*whole()[:2]))) == {"lost"}
    refused = push("2.1", 3, taken=False, status=503, text="on request")
    assert broken(evaluated(received(*whole()[:2], refused))) == {"lost"}


def test_an_event_that_was_taken_and_not_answered_has_to_come_again() -> None:
    forgotten = push("2.1", 3, status=0, text="on request")
    assert broken(evaluated(received(*whole()[:2], forgotten))) == {"lost"}
    assert evaluated(received(*whole()[:2], forgotten, push("2.1", 9, text="duplicate"))).clean


def test_what_the_client_knew_when_it_registered_is_not_owed() -> None:
    assert evaluated(received(*whole()[1:], known=1)).clean


def test_the_state_that_a_late_client_asked_for_is_owed() -> None:
    assert broken(evaluated(received(known=2, announced=2))) == {"lost"}
    headers = {"webhook-id": "t.2.0.a.nonce", "x-a2a-notification-token": "token"}
    assert evaluated(received(push("2.0", 1, headers=headers), known=2, announced=2)).clean


def test_arrivals_in_another_order_are_a_breach() -> None:
    first, second, third = whole()
    late = replace(second, moment=third.moment + timedelta(seconds=1))
    assert broken(evaluated(received(first, late, third))) == {"out of order"}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"headers": {"webhook-id": "t.2.1.a", "x-a2a-notification-token": "another's"}}, "t/a t.2.1.a"),
        ({"body": b'{"kind": "task", "id": "other"}'}, "t/a t.2.1.a"),
        ({"text": "not a push of the agent"}, "t.2.1.a: not a push of the agent"),
    ],
)
def test_what_is_for_another_or_not_signed_is_foreign(changed: dict[str, Any], text: str) -> None:
    report = evaluated(received(*whole(), push("2.1", 9, **changed)))
    assert broken(report) == {"foreign"}
    assert report.breaches["foreign"] == [text]


def test_a_push_to_a_url_that_nobody_registered_is_foreign() -> None:
    """As it would be if a redirect were followed."""
    assert broken(evaluated(received(*whole(), push("1.0", 9, target="/redirected")))) == {"foreign"}


def deleted(of: ExpectedNotifications) -> ExpectedNotifications:
    of.delete("t", "a")
    return of


GONE = {"t/a": START + timedelta(seconds=2.5)}


def test_after_it_was_deleted_a_config_is_owed_nothing_and_may_get_only_what_was_under_way() -> None:
    assert evaluated(deleted(received(*whole()[:2])), removed=GONE).clean
    assert evaluated(deleted(received(*whole()[:2], push("2.1", 7))), removed=GONE).clean
    assert broken(evaluated(deleted(received(*whole()[:2], push("2.1", 8))), removed=GONE)) == {"leaked"}


def test_a_config_that_its_receiver_ended_is_owed_nothing() -> None:
    gone = push("2.1", 2.4, taken=False, status=410, text="on request")
    assert evaluated(received(*whole()[:2], gone), removed=GONE).clean


def test_a_config_that_went_although_nobody_asked_for_it_is_lost() -> None:
    assert broken(evaluated(received(*whole()), removed=GONE)) == {"lost"}


def test_after_a_config_was_moved_the_old_url_gets_nothing() -> None:
    def moved(*arrivals: Arrival) -> ExpectedNotifications:
        made = received(*arrivals)
        made.register("t", "a", "1.0", Address(f"{ROOT}/moved", "token", START + timedelta(seconds=1.5), 0), 1)
        return made

    first, *others = whole()
    there = [replace(arrival, target="/moved") for arrival in others]
    assert evaluated(moved(first, *there)).clean
    assert evaluated(moved(first, push("2.0", 1.6, taken=False, status=503, text="on request"), *there)).clean
    assert broken(evaluated(moved(first, *there, push("2.1", 9)))) == {"leaked"}


def test_a_dead_letter_within_minutes_is_wrongly_dead() -> None:
    letter = QueuedNotification("t", "a", "incarnation", 2, 1, "{}", True, "1.0", "2026-05-01T12:00:00.000Z")
    dead = [(letter, "given up", START + timedelta(seconds=9))]
    assert broken(evaluated(received(*whole()[:2]), dead=dead)) == {"wrongly dead"}


def test_what_still_waits_is_stuck() -> None:
    assert broken(evaluated(received(*whole()), stuck=["RedeliveryQueueUrl: 1 messages"])) == {"stuck"}


# What the table says


Image = dict[str, Any]


def image(generation: int, state: str, *artifacts: str) -> Image:
    doc = {"status": {"state": state}, "artifacts": [{"artifactId": name} for name in artifacts]}
    return {"taskId": {"S": "t"}, "generation": {"N": str(generation)}, "doc": {"S": json.dumps(doc)}}


def record(old: Image | None, new: Image | None) -> dict[str, Any]:
    images = {"OldImage": old, "NewImage": new}
    return {"dynamodb": {name: found for name, found in images.items() if found is not None}}


def test_the_writes_of_a_task_are_read_off_the_stream() -> None:
    images = [
        image(1, "submitted"),
        image(2, "working", "one"),
        image(3, "working", "one"),
        image(4, "done", "one", "2"),
    ]
    records = [record(None, images[0]), *(record(*pair) for pair in itertools.pairwise(images))]

    assert writes_of(records) == {"t": [Write(0, True), Write(1, True), Write(0, False), Write(1, True)]}


@pytest.mark.parametrize("beside", [lambda: record(image(1, "x"), image(1, "x")), lambda: record(image(1, "x"), None)])
def test_an_announcement_and_a_removal_are_no_writes(beside: Callable[[], dict[str, Any]]) -> None:
    assert writes_of([record(None, image(1, "x")), beside()]) == {"t": [Write(0, True)]}


@pytest.mark.parametrize("generation", [1, 3])
def test_a_generation_that_is_missing_or_used_twice_is_an_error(generation: int) -> None:
    with pytest.raises(ValueError, match=f"generation {generation} after 1"):
        writes_of([record(None, image(1, "x")), record(image(9, "x"), image(generation, "y"))])
