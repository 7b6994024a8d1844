"""When the next attempt is made."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2a_lambda.push.schedule import DELAYS, HORIZON, LONGEST, LOOK, RECEIVES, delay, patience, retry_after_seconds

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def middle() -> float:
    return 0.5


@pytest.mark.parametrize(("failures", "seconds"), list(enumerate([5, 30, 300, 1_800, 7_200, 18_000, 36_000], start=1)))
def test_the_delays_are_those_of_the_design(failures: int, seconds: int) -> None:
    # 10 h plus 20 % would be beyond what a queue can hide a message for, so its middle moves a little
    assert delay(failures, random=middle) == pytest.approx(seconds, rel=0.01)


def test_after_the_last_delay_it_repeats() -> None:
    assert delay(8, random=middle) == delay(9, random=middle) == delay(1_000, random=middle)
    assert 0.8 * 43_200 <= delay(8, random=middle) <= LONGEST


@pytest.mark.parametrize("failures", [0, -1])
def test_a_count_below_one_is_taken_for_one(failures: int) -> None:
    assert delay(failures, random=middle) == 5


@given(st.integers(1, 40), st.floats(0, 1, exclude_max=True))
def test_jitter_spreads_by_a_fifth_and_never_beyond_what_a_queue_can_hide(failures: int, share: float) -> None:
    base = DELAYS[min(failures, len(DELAYS)) - 1]
    assert round(0.8 * base) <= delay(failures, random=lambda: share) <= min(round(1.2 * base), LONGEST)


@given(st.integers(1, 40), st.floats(0, 1e12))
def test_retry_after_puts_off_but_never_brings_forward(failures: int, retry_after: float) -> None:
    plain, asked = delay(failures, random=middle), delay(failures, retry_after, random=middle)
    assert asked == max(plain, min(round(retry_after), LONGEST))


def test_the_longest_delay_leaves_time_for_the_attempt_in_the_twelve_hours_of_a_queue() -> None:
    assert LONGEST + 60 <= 12 * 3_600


def test_the_queue_hands_a_message_out_for_longer_than_an_event_may_wait() -> None:
    assert sum(map(patience, range(1, RECEIVES + 1))) > 2 * (HORIZON + LONGEST)


def test_patience_is_short_in_the_first_minutes_and_never_longer_than_a_look() -> None:
    assert [patience(receives) for receives in (1, 2, 10, 60)] == [1, 3, 19, 119]
    assert patience(RECEIVES) == LOOK


@pytest.mark.parametrize("hours", [0.1, 1, 5, 24])
def test_after_an_outage_a_message_goes_on_within_a_twentieth_of_it_or_a_minute(hours: float) -> None:
    looks = list(accumulate(map(patience, range(1, RECEIVES + 1))))
    assert next(look for look in looks if look >= hours * 3_600) - hours * 3_600 <= max(60, hours * 3_600 / 20)


def test_a_config_gets_about_a_dozen_attempts_within_the_horizon() -> None:
    elapsed, attempts = 0, 0
    while elapsed < HORIZON:
        attempts += 1
        elapsed += delay(attempts, random=middle)
    assert 10 <= attempts <= 14


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("9" * 5_000, 999_999_999.0),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120.0),
        ("Sun, 01 Mar 2026 12:02:00 -0000", 120.0),
        ("Sun, 01 Mar 2026 13:02:00 +0100", 120.0),
        ("Sunday, 01-Mar-26 12:02:00 GMT", 120.0),
        ("Sun Mar  1 12:02:00 2026", 120.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\u0661\u0662", None),
        ("Sun, 99 Mar 2026 12:02:00 GMT", None),
        ("Sun, 01 Mar 99999999999 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@given(st.text(max_size=40) | st.text("SunMarGT0123456789:+-, ", max_size=80))
def test_no_retry_after_makes_the_reader_raise(value: str) -> None:
    retry_after_seconds(value, NOW)
