"""How orders meet the market: what they get from quotes, trades and bars, and when stops are elected."""

from decimal import Decimal
from typing import Any

import pytest

from tests.access.sim.floor import Floor, quoted
from tests.build import T0, bar
from trader.model.ticks import Quote, Trade
from trader.model.time import MINUTE

STOP = {"type": "stop", "stop_price": "105"}


def test_a_market_order_gets_the_far_side_of_the_standing_quote_at_once() -> None:
    floor = quoted()
    floor.order()
    floor.order(side="sell", qty="4")
    assert floor.fills() == [(Decimal(10), Decimal("100.01")), (Decimal(4), Decimal("99.99"))]


def test_slippage_worsens_what_takes_any_price_and_leaves_limits_alone() -> None:
    floor = quoted(slippage_bps=Decimal(10))
    floor.order()
    floor.order(type="limit", limit_price="100.05")
    assert [price for _, price in floor.fills()] == [Decimal("100.1101"), Decimal("100.01")]


def test_a_limit_order_waits_until_the_far_side_comes_to_it() -> None:
    floor = quoted()
    floor.order(type="limit", limit_price="99.50")
    floor.quote(99.40, 99.51)
    assert not floor.fills()
    floor.quote(99.30, 99.45)
    assert floor.fills() == [(Decimal(10), Decimal("99.45"))]


def test_a_quote_without_a_side_fills_nobody_there() -> None:
    floor = quoted()
    floor.quote(99.99, 0.0)
    floor.order()
    assert not floor.fills()
    floor.quote(99.99, 100.02)
    assert floor.fills() == [(Decimal(10), Decimal("100.02"))]


def test_a_seller_is_valued_where_only_buyers_are_missing() -> None:
    floor = Floor()
    floor.quote(0.0, 100.0)
    floor.order(side="sell", type="limit", limit_price="101")
    assert floor.account.reserved() == 10 * Decimal("103.0000")


def test_a_symbol_with_trades_alone_fills_at_the_trade() -> None:
    floor = Floor()
    floor.trade(50.0)
    floor.order()
    floor.trade(51.0)
    floor.order(type="limit", limit_price="50.5")
    floor.trade(50.5)
    assert [price for _, price in floor.fills()] == [Decimal("50.0"), Decimal("50.5")]


def test_bars_fill_nobody_once_there_are_quotes() -> None:
    floor = quoted()
    floor.order(type="limit", limit_price="90")
    floor.show(bar(minute=5, open=85, close=85))
    assert not floor.fills()


def test_a_stop_is_elected_by_a_trade_and_not_by_the_quote_where_there_are_trades() -> None:
    floor = quoted()
    floor.trade(100.0)
    order = floor.order(**STOP)
    floor.quote(105.0, 106.0)
    assert not floor.fills()
    floor.trade(105.0)
    assert floor[order].filled_avg_price == Decimal("106.0")


def test_a_stop_is_elected_by_the_far_side_where_there_are_no_trades() -> None:
    floor = quoted()
    floor.order(**STOP)
    floor.quote(104.9, 104.99)
    assert not floor.fills()
    floor.quote(104.9, 105.0)
    assert floor.fills() == [(Decimal(10), Decimal("105.0"))]


def test_an_elected_buy_stop_pays_no_more_than_its_collar() -> None:
    floor = quoted()
    order = floor.order(**STOP)
    floor.quote(107.0, 107.63)  # 105 × 1.025 = 107.625, cut to the cent: 107.62
    assert not floor.fills()
    assert floor[order].type == "stop"
    floor.quote(107.0, 107.62)
    assert floor.fills() == [(Decimal(10), Decimal("107.62"))]


def test_a_penny_stock_has_a_finer_collar() -> None:
    floor = Floor()
    floor.quote(0.1, 0.11)
    floor.order(type="stop", stop_price="0.1234", qty="100")
    floor.quote(0.1, 0.1284)  # 0.1234 × 1.04 = 0.128336, cut to a hundredth of a cent: 0.1283
    assert not floor.fills()
    floor.quote(0.1, 0.1283)
    assert floor.fills() == [(Decimal(100), Decimal("0.1283"))]


def test_a_bar_that_comes_after_newer_trades_elects_no_stop() -> None:
    floor = quoted()
    floor.trade(100.0)
    order = floor.order(**STOP)
    floor.show(bar(minute=1, close=106))
    floor.quote(99.99, 100.01)
    assert not floor.fills()
    assert floor[order].status == "new"


def test_an_elected_stop_limit_waits_for_its_limit() -> None:
    floor = quoted()
    floor.order(type="stop_limit", stop_price="105", limit_price="104")
    floor.quote(105.0, 105.1)
    assert not floor.fills()
    floor.quote(103.0, 103.5)
    assert floor.fills() == [(Decimal(10), Decimal("103.5"))]


def test_a_trailing_sell_follows_the_market_up_and_sells_when_it_comes_back() -> None:
    floor = quoted()
    floor.order()
    order = floor.order(side="sell", type="trailing_stop", trail_price="2")
    floor.quote(104.0, 104.1)
    assert (floor[order].hwm, floor[order].stop_price) == (Decimal("104.0"), Decimal("102.0"))
    floor.quote(103.0, 103.1)
    assert floor[order].hwm == Decimal("104.0")
    floor.quote(102.0, 102.1)
    assert floor.fills()[-1] == (Decimal(10), Decimal("102.0"))


def test_a_trailing_buy_follows_the_market_down_by_percent() -> None:
    floor = quoted()
    order = floor.order(type="trailing_stop", trail_percent="10")
    floor.quote(89.9, 90.0)
    assert (floor[order].hwm, floor[order].stop_price) == (Decimal("90.0"), Decimal("99.000"))
    floor.quote(99.0, 99.1)
    assert floor.fills() == [(Decimal(10), Decimal("99.1"))]


def test_a_halted_symbol_fills_nobody_until_it_resumes() -> None:
    floor = quoted()
    floor.venue.set_halted("SPY", is_halted=True)
    floor.order()
    floor.quote(99.0, 99.1)
    assert not floor.fills()
    floor.venue.set_halted("SPY", is_halted=False)
    floor.quote(99.0, 99.2)
    assert floor.fills() == [(Decimal(10), Decimal("99.2"))]


def test_the_size_of_a_quote_is_shared_out_by_price_and_then_time() -> None:
    floor = quoted(has_sizes=True)
    floor.order("ODD", qty="5")
    floor.order("ODD", "sell", qty="5")
    low = floor.order(qty="60", type="limit", limit_price="99.50")
    first = floor.order(qty="60", type="limit", limit_price="99.60")
    second = floor.order(qty="60", type="limit", limit_price="99.60")
    floor.quote(99.0, 99.5, size=100)
    assert [floor[order].filled_qty for order in (first, second, low)] == [60, 40, 0]
    floor.quote(99.0, 99.5, size=100)
    assert [floor[order].status for order in (first, second, low)] == ["filled"] * 3


def test_without_sizes_a_quote_fills_whatever_is_asked() -> None:
    floor = quoted()
    floor.order(qty="500")
    assert floor.fills() == [(Decimal(500), Decimal("100.01"))]


def test_one_order_in_ten_fills_in_two_parts() -> None:
    floor = quoted(has_partial_fills=True)
    for number in range(200):
        floor.order(qty="1.5", client_order_id=f"c{number}")
    split = [update for update in floor.told if update.event == "partial_fill"]
    assert 8 < len(split) < 40
    floor.quote(99.99, 100.01)
    assert all(order.status == "filled" for order in floor.account.orders.values())


# Within bars. SPY was last at 100; the bar of the second minute comes, in which the order was there from the start.
BARS: dict[str, tuple[dict[str, Any], tuple[float, float, float, float], str | None]] = {
    "a market order gets the open": ({}, (101, 103, 99, 102), "101"),
    "a limit buy gets a better open": ({"type": "limit", "limit_price": "102"}, (101, 103, 99, 102), "101"),
    "a limit buy that the low reached gets its limit": (
        {"type": "limit", "limit_price": "99"}, (101, 103, 99, 102), "99",
    ),
    "a limit buy that the low did not reach waits": ({"type": "limit", "limit_price": "98"}, (101, 103, 99, 102), None),
    "a limit sell that the high reached gets its limit": (
        {"side": "sell", "type": "limit", "limit_price": "103"}, (101, 103, 99, 102), "103",
    ),
    "a stop buy that the open passed gets the open": (STOP, (106, 107, 99, 102), "106"),
    "a stop buy that the high reached gets its stop": (STOP, (101, 105, 99, 102), "105"),
    "a stop buy that the high did not reach waits": (STOP, (101, 104, 99, 102), None),
    "a stop buy that opened beyond its collar gets it when the bar came back": (STOP, (109, 110, 100, 102), "107.62"),
    "a stop buy that never came back within its collar waits": (STOP, (109, 110, 108, 109), None),
    "a stop sell that the open passed gets the open": (
        {"side": "sell", "type": "stop", "stop_price": "95"}, (94, 99, 93, 96), "94",
    ),
    "a stop sell that the low reached gets its stop": (
        {"side": "sell", "type": "stop", "stop_price": "95"}, (99, 101, 94, 96), "95",
    ),
    "a stop limit that fits gets the worst it allowed": (
        {"type": "stop_limit", "stop_price": "105", "limit_price": "106"}, (101, 105.5, 99, 102), "105.5",
    ),
    "a stop limit that fits gets no worse than its limit": (
        {"type": "stop_limit", "stop_price": "105", "limit_price": "106"}, (101, 109, 99, 102), "106",
    ),
    "a stop-limit sell that fits gets the worst it allowed": (
        {"side": "sell", "type": "stop_limit", "stop_price": "95", "limit_price": "93"}, (99, 99, 94, 96), "94",
    ),
    "a stop and a limit beyond it, both touched, is elected and waits": (
        {"type": "stop_limit", "stop_price": "105", "limit_price": "100"}, (101, 106, 99, 102), None,
    ),
    "a stop limit elected at the open may get its limit later in the bar": (
        {"type": "stop_limit", "stop_price": "105", "limit_price": "100"}, (106, 107, 99, 102), "100",
    ),
    "a trailing sell is sold at the low below its stop": (
        {"side": "sell", "type": "trailing_stop", "trail_price": "3"}, (100, 101, 96, 100), "97",
    ),
    "a trailing sell's stop is not raised by a high before its low is held against it": (
        {"side": "sell", "type": "trailing_stop", "trail_price": "3"}, (100, 104, 98, 103), None,
    ),
    "a trailing sell is sold when the close is below the stop that the high raised": (
        {"side": "sell", "type": "trailing_stop", "trail_price": "3"}, (100, 104, 98, 100), "101",
    ),
    "an immediate order takes the open": (
        {"type": "limit", "limit_price": "101", "time_in_force": "ioc"}, (101, 103, 99, 102), "101",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BARS)
def test_in_a_bar(case: str) -> None:
    fields, (first, high, low, last), price = BARS[case]
    floor = Floor()
    floor.show(bar(minute=1, close=100))
    order = floor.order(**fields)
    floor.show(bar(minute=2, open=first, high=high, low=low, close=last))
    assert floor[order].filled_avg_price == (None if price is None else Decimal(price))


def test_a_stop_limit_elected_in_one_bar_is_filled_in_a_later_one() -> None:
    floor = Floor()
    floor.show(bar(minute=1, close=100))
    floor.order(type="stop_limit", stop_price="105", limit_price="100")
    floor.show(bar(minute=2, open=101, high=106, low=99, close=102))
    floor.show(bar(minute=3, open=101, high=102, low=100, close=102))
    assert floor.fills() == [(Decimal(10), Decimal(100))]


def test_a_bar_that_had_begun_when_the_order_came_does_not_fill_it() -> None:
    floor = Floor()
    floor.show(bar(minute=1, close=100))
    floor.now = T0 + 90 * 1_000_000_000
    floor.order()
    floor.show(bar(minute=2, close=101))
    assert not floor.fills()
    floor.show(bar(minute=3, close=102))
    assert floor.fills() == [(Decimal(10), Decimal(102))]
    assert floor.told[-1].ts == T0 + 3 * MINUTE


def test_an_immediate_order_that_the_open_does_not_fill_ends_whatever_came_later_in_the_bar() -> None:
    floor = Floor()
    floor.show(bar(minute=1, close=100))
    order = floor.order(type="limit", limit_price="99", time_in_force="ioc")
    floor.show(bar(minute=2, open=101, low=98, close=99))
    assert floor[order].status == "canceled"


def test_ticks_of_symbols_that_are_not_listed_are_ignored() -> None:
    floor = quoted()
    floor.show(Quote("ZZZ", floor.now, 1, 1, 2, 1), Trade("ZZZ", floor.now, 1, 1), bar("ZZZ"))
    assert not floor.told
