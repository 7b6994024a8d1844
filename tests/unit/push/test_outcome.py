"""What the end of an attempt means."""

from __future__ import annotations

from typing import get_args

import pytest

from a2a_lambda.push.outcome import Answer, Failure, Outcome, classify

DELIVERED, RETRY, GIVE_UP, GONE = Outcome.DELIVERED, Outcome.RETRY, Outcome.GIVE_UP, Outcome.GONE


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        ([200, 201, 202, 204, 206, 226, 299], DELIVERED),
        ([300, 301, 302, 303, 304, 307, 308], RETRY),
        ([400, 401, 402, 403, 404, 405, 406, 407, 409, 411, 412, 415, 422, 451, 499], RETRY),
        ([408, 421, 425, 429], RETRY),
        ([410], GONE),
        ([413], GIVE_UP),
        ([500, 501, 502, 503, 504, 505, 507, 511, 520, 599], RETRY),
        ([100, 101, 103, 199, 600, 999], RETRY),
    ],
)
def test_a_status_has_its_outcome(statuses: list[int], outcome: Outcome) -> None:
    assert {classify(status, None) for status in statuses} == {outcome}


@pytest.mark.parametrize("error", get_args(Failure))
def test_whatever_kept_a_status_from_coming_may_be_repaired_and_is_retried(error: Failure) -> None:
    assert classify(None, error) is RETRY


def test_an_error_outweighs_a_status() -> None:
    assert classify(200, "reset") is RETRY


def test_nothing_at_all_is_retried() -> None:
    assert classify(None, None) is RETRY


def test_an_answer_knows_its_outcome() -> None:
    assert Answer(204).outcome is DELIVERED
    assert Answer(error="timeout").outcome is RETRY
