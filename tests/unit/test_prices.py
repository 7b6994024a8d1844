"""The table of README is what counted calls cost."""

from __future__ import annotations

from collections.abc import Callable

import prices
import pytest
import stream_prices
from cloud_stack import CloudStack


@pytest.fixture
def counted(cloud_stack: Callable[..., CloudStack]) -> prices.Counted:
    return prices.count(cloud_stack())


def test_every_figure_of_the_table_is_within_five_percent_of_what_is_counted(counted: prices.Counted) -> None:
    block = prices.BLOCK.search(prices.README.read_text(encoding="utf-8"))
    assert block is not None
    written, made = prices.figures(block[0]), prices.figures(prices.table(counted))
    assert len(made) == 10
    assert written == pytest.approx(made, rel=prices.TOLERANCE), "the costs have changed: make prices"


def test_one_more_write_or_transition_makes_the_table_false(counted: prices.Counted) -> None:
    before = prices.figures(prices.table(counted))
    counted.index_writes += 4
    assert prices.figures(prices.table(counted)) != pytest.approx(before, rel=prices.TOLERANCE)
    counted.index_writes -= 4
    counted.transitions += 1
    assert prices.figures(prices.table(counted)) != pytest.approx(before, rel=prices.TOLERANCE)


def test_a_notification_costs_one_read_of_its_configs_and_no_write(counted: prices.Counted) -> None:
    assert counted.config_reads == counted.batches
    assert prices.notification(counted) <= 0.0000005


def test_the_price_of_an_open_minute_is_within_five_percent_of_what_is_counted(counted: prices.Counted) -> None:
    block = stream_prices.BLOCK.search(stream_prices.PAGE.read_text(encoding="utf-8"))
    assert block is not None
    written, made = prices.figures(block[0]), prices.figures(stream_prices.table(counted))
    assert len(made) == len(stream_prices.CASES) + 2
    assert written == pytest.approx(made, rel=prices.TOLERANCE), "the costs have changed: make prices"


def test_twice_as_many_looks_cost_more() -> None:
    assert stream_prices.minute(250) > stream_prices.minute(125) > stream_prices.minute(0) > 0
