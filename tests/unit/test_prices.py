"""The table of README is what counted calls cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import stream_prices
import task_prices as prices
from cloud_stack import CloudStack
from price_list import TOLERANCE, figures, write, written


@pytest.fixture
def counted(cloud_stack: Callable[..., CloudStack]) -> prices.Counted:
    return prices.count(cloud_stack())


def test_every_figure_of_the_table_is_within_five_percent_of_what_is_counted(counted: prices.Counted) -> None:
    made = figures(prices.table(counted))
    assert len(made) == 10
    assert figures(written(prices.README)) == pytest.approx(made, rel=TOLERANCE), "the costs have changed: make prices"


def test_one_more_write_or_transition_makes_the_table_false(counted: prices.Counted) -> None:
    before = figures(prices.table(counted))
    counted.index_writes += 4
    assert figures(prices.table(counted)) != pytest.approx(before, rel=TOLERANCE)
    counted.index_writes -= 4
    counted.transitions += 1
    assert figures(prices.table(counted)) != pytest.approx(before, rel=TOLERANCE)


def test_a_notification_costs_one_read_of_its_configs_and_no_write(counted: prices.Counted) -> None:
    assert counted.config_reads == counted.batches
    assert prices.notification(counted) <= 0.0000005


def test_the_price_of_an_open_minute_is_within_five_percent_of_what_is_counted(counted: prices.Counted) -> None:
    made = figures(stream_prices.table(counted))
    assert len(made) == len(stream_prices.CASES) + 2
    assert figures(written(stream_prices.PAGE)) == pytest.approx(made, rel=TOLERANCE), (
        "the costs have changed: make prices"
    )


def test_twice_as_many_looks_cost_more() -> None:
    assert stream_prices.minute(250) > stream_prices.minute(125) > stream_prices.minute(0) > 0


def test_a_page_without_a_place_for_the_table_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no block")
    with pytest.raises(ValueError, match=r"page\.md has no block"):
        write(page, "| a | b | 1 |")
    assert page.read_text() == "no block"


def test_a_table_replaces_the_one_before_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- make prices -->\nold\n<!-- end -->\nb")
    write(page, "| a | b | 1 |")
    assert page.read_text() == "a\n<!-- make prices -->\n| a | b | 1 |\n<!-- end -->\nb"
    assert figures(written(page)) == [1.0]
