"""Test what is made up of a tick."""

from hypothesis import given
from hypothesis import strategies as st

from trader.exchange.tick_details import taker_side, trade_count, trade_id, vwap
from trader.model.ticks import Bar, Trade
from trader.model.time import MINUTE, SECOND

PRICES = st.floats(1e-9, 1e9)


@given(st.lists(PRICES, min_size=4, max_size=4))
def test_the_average_is_within_the_bar(prices: list[float]) -> None:
    low, first, last, high = sorted(prices)
    assert low <= vwap(Bar("X", MINUTE, first, high, low, last, 1.0)) <= high


def test_a_bar_without_volume_has_no_prints() -> None:
    assert trade_count(Bar("X", MINUTE, 1, 1, 1, 1, 0.0)) == 0
    assert trade_count(Bar("X", MINUTE, 1, 1, 1, 1, 0.5)) == 4


def test_prints_of_different_quarters_have_different_numbers_in_order() -> None:
    numbers = [trade_id(Trade("X", quarter * 15 * SECOND + 7, 1.0, 1.0)) for quarter in range(8)]
    assert numbers == sorted(set(numbers))


def test_a_taker_buys_or_sells() -> None:
    assert {taker_side(Trade("X", ts, 1.0, 1.0)) for ts in range(0, 10_000, 999)} == {"B", "S"}
