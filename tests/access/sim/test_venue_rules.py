"""What the venue refuses in an order by itself: every rule with Alpaca's status, code and words."""

from typing import Any

import pytest

from tests.access.sim.floor import CLOSE, Floor, quoted
from tests.build import T0
from trader.access.sim.venue_orders import VenueOrder
from trader.model.time import DAY, HOUR, MINUTE

BTC = {"symbol": "BTC/USD", "time_in_force": "gtc", "qty": "0.01"}
LIMIT = {"type": "limit", "limit_price": "99"}
BRACKET = {"order_class": "bracket", "profit": "110", "loss": "90"}
INVALID, UNPROCESSABLE, FORBIDDEN = (422, 40010001), (422, 42210000), (403, 40310000)

REFUSALS: dict[str, tuple[dict[str, Any], tuple[int, int], str]] = {
    "no such type": ({"type": "iceberg"}, INVALID, "invalid order type"),
    "no such time in force": ({"time_in_force": "gtd"}, INVALID, "invalid time_in_force"),
    "a long client order id": ({"client_order_id": "x" * 129}, INVALID, "client_order_id must be no more than 128"),
    "an unknown symbol": ({"symbol": "NOPE"}, UNPROCESSABLE, 'asset "NOPE" not found'),
    "an asset that does not trade": ({"symbol": "OLD"}, FORBIDDEN, 'asset "OLD" is not tradable'),
    "neither quantity nor dollars": ({"qty": None}, INVALID, "qty or notional is required"),
    "both": ({"qty": "1", "notional": "5"}, INVALID, "only one of qty or notional"),
    "no quantity": ({"qty": "0"}, INVALID, "qty must be > 0"),
    "a negative quantity": ({"qty": "-1"}, INVALID, "qty must be > 0"),
    "less than nine decimals hold": ({"qty": "0.0000000001"}, INVALID, "qty must be > 0"),
    "no dollars": ({"notional": "0"}, INVALID, "notional must be > 0"),
    "parts of a cent": ({"notional": "10.001"}, UNPROCESSABLE, "limited to 2 decimal places"),
    "dollars with a limit": ({"notional": "10", **LIMIT}, UNPROCESSABLE, "notional orders must be market"),
    "a market order with a limit": ({"limit_price": "9"}, INVALID, "market orders require no stop or limit price"),
    "a market order with a stop": ({"stop_price": "9"}, INVALID, "market orders require no stop or limit price"),
    "a limit order without": ({"type": "limit"}, INVALID, "limit orders require a limit price"),
    "a limit order with a stop": ({**LIMIT, "stop_price": "9"}, INVALID, "require only limit price"),
    "a stop order without": ({"type": "stop"}, INVALID, "stop orders require a stop price"),
    "a stop order with a limit": ({**LIMIT, "type": "stop", "stop_price": "9"}, INVALID, "require only stop price"),
    "a stop limit with one price": ({**LIMIT, "type": "stop_limit"}, INVALID, "both stop and limit price"),
    "a trail of nothing": ({"type": "trailing_stop"}, INVALID, "one of trail_price or trail_percent"),
    "two trails": (
        {"type": "trailing_stop", "trail_price": "1", "trail_percent": "1"}, INVALID, "one of trail_price or",
    ),
    "a trail where none belongs": ({**LIMIT, "trail_price": "1"}, INVALID, "limit orders must not have a trail"),
    "a limit of zero": ({"type": "limit", "limit_price": "0"}, INVALID, "limit_price must be > 0"),
    "a negative stop": ({"type": "stop", "stop_price": "-1"}, INVALID, "stop_price must be > 0"),
    "a trail of zero": ({"type": "trailing_stop", "trail_percent": "0"}, INVALID, "trail_percent must be > 0"),
    "three decimals from a dollar up": (
        {"type": "limit", "limit_price": "290.123"}, UNPROCESSABLE, "invalid limit_price 290.123. sub-penny increment",
    ),
    "five decimals below a dollar": (
        {"type": "limit", "limit_price": "0.12345"}, UNPROCESSABLE, "invalid limit_price 0.12345. sub-penny",
    ),
    "a sub-penny stop": ({"type": "stop", "stop_price": "120.001"}, UNPROCESSABLE, "invalid stop_price 120.001."),
    "a coin's price below its step": (
        {**BTC, "type": "limit", "limit_price": "60000.0000000001"}, UNPROCESSABLE, "invalid limit_price",
    ),
    "a coin's stop": ({**BTC, "type": "stop", "stop_price": "70000"}, INVALID, "invalid order type for crypto order"),
    "a coin for the day": ({**BTC, "time_in_force": "day"}, UNPROCESSABLE, "invalid crypto time_in_force"),
    "a coin's fill or kill": ({**BTC, "time_in_force": "fok"}, UNPROCESSABLE, "invalid crypto time_in_force"),
    "a coin's bracket": (
        {**BTC, "order_class": "bracket"}, UNPROCESSABLE, "crypto orders not allowed for advanced order_class: bracket",
    ),
    "a fractional bracket": (
        {"qty": "1.5", "order_class": "bracket"}, UNPROCESSABLE, "fractional orders must be simple orders",
    ),
    "a class of options": ({"order_class": "mleg"}, INVALID, "invalid order_class"),
    "exits without a class": ({"profit": "110"}, INVALID, "take_profit and stop_loss require an order_class"),
    "a bracket around a stop order": (
        {**BRACKET, "type": "stop", "stop_price": "105"}, INVALID, "bracket orders must be market or limit orders",
    ),
    "an entry at a stop": (
        {"order_class": "oto", "loss": "90", "type": "stop", "stop_price": "105"}, INVALID,
        "oto orders must be market or limit",
    ),
    "one cancels the other at the market": (
        {**BRACKET, "order_class": "oco"}, INVALID, "oco orders must be limit orders",
    ),
    "a bracket at once or never": (
        {**BRACKET, "time_in_force": "ioc"}, UNPROCESSABLE, "complex orders must be DAY or GTC orders",
    ),
    "a bracket in extended hours": (
        {**BRACKET, **LIMIT, "extended_hours": True}, UNPROCESSABLE, "not supported in extended hours",
    ),
    "a bracket without a gain": (
        {"order_class": "bracket", "loss": "90"}, INVALID, "bracket orders require take_profit.limit_price",
    ),
    "a bracket without a loss": (
        {"order_class": "bracket", "profit": "110"}, INVALID, "bracket orders require stop_loss.stop_price",
    ),
    "one triggers two": ({**BRACKET, "order_class": "oto"}, INVALID, "oto orders require either"),
    "one triggers none": ({"order_class": "oto"}, INVALID, "oto orders require either"),
    "a gain below a penny": (
        {**BRACKET, "profit": "110.001"}, UNPROCESSABLE, "invalid take_profit.limit_price 110.001",
    ),
    "a loss of nothing": ({**BRACKET, "loss": "-1"}, INVALID, "stop_loss.stop_price must be > 0"),
    "coins in a bracket": (
        {**BRACKET, "symbol": "BTC/USD", "time_in_force": "gtc"}, UNPROCESSABLE, "orders not allowed for advanced",
    ),
    "more than the most of a coin": (
        {**BTC, "qty": "4"}, FORBIDDEN, "cost basis must be <= maximal amount of order 200000",
    ),
    "a stop that is at once or never": (
        {"type": "stop", "stop_price": "120", "time_in_force": "ioc"}, UNPROCESSABLE, "stop orders must be day or gtc",
    ),
    "part of an indivisible share": ({"symbol": "ODD", "qty": "1.5"}, FORBIDDEN, 'asset "ODD" is not fractionable'),
    "dollars of an indivisible share": ({"symbol": "ODD", "notional": "70"}, FORBIDDEN, "is not fractionable"),
    "a fraction beyond today": (
        {"qty": "1.5", "time_in_force": "gtc"}, UNPROCESSABLE, "fractional orders must be DAY orders",
    ),
    "dollars beyond today": ({"notional": "10", "time_in_force": "gtc"}, UNPROCESSABLE, "must be DAY orders"),
    "a trailing fraction": (
        {"qty": "1.5", "type": "trailing_stop", "trail_price": "1"},
        UNPROCESSABLE,
        "fractional orders must be market, limit, stop, or stop_limit orders",
    ),
    "a market order in extended hours": (
        {"extended_hours": True}, UNPROCESSABLE, "extended hours order must be DAY or GTC limit orders",
    ),
    "an immediate order in extended hours": (
        {**LIMIT, "time_in_force": "ioc", "extended_hours": True}, UNPROCESSABLE, "must be DAY or GTC limit orders",
    ),
    "less than a dollar of a stock": (
        {"qty": "0.009"}, FORBIDDEN, "cost basis must be >= minimal amount of order 1",
    ),
    "less than a dollar in dollars": ({"notional": "0.99"}, FORBIDDEN, "minimal amount of order 1"),
    "less than ten dollars of a coin": (
        {"symbol": "BTC/USD", "time_in_force": "gtc", "notional": "9.99"}, FORBIDDEN, "minimal amount of order 10",
    ),
    "fewer coins than its least order": ({**BTC, "qty": "0.000199"}, FORBIDDEN, "qty must be >= minimal qty of order"),
    "a buy stop that the market has passed": (
        {"type": "stop", "stop_price": "99"}, UNPROCESSABLE, "stop price must be greater than current price",
    ),
    "a sell stop that the market has passed": (
        {"side": "sell", "type": "stop", "stop_price": "101"}, UNPROCESSABLE, "stop price must be less than current",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_the_venue_refuses(case: str) -> None:
    fields, (status, code), words = REFUSALS[case]
    refusal = quoted().refused(**fields)
    assert (refusal.status, refusal.code) == (status, code)
    assert words in refusal.message


TAKEN: dict[str, dict[str, Any]] = {
    "four decimals below a dollar": {"type": "limit", "limit_price": "0.1234"},
    "a fraction for the day": {"qty": "1.5"},
    "a fraction with a limit": {"qty": "1.5", **LIMIT},
    "dollars": {"notional": "10.01"},
    "a client order id of 128 characters": {"client_order_id": "x" * 128},
    "an extended day": {**LIMIT, "extended_hours": True},
    "extended until canceled": {**LIMIT, "extended_hours": True, "time_in_force": "gtc"},
    "a coin until canceled": BTC,
    "a coin at once": {**BTC, "time_in_force": "ioc"},
    "a coin's stop limit": {**BTC, "type": "stop_limit", "stop_price": "61000", "limit_price": "61500.5"},
    "simple by name": {"order_class": "simple"},
    "exactly a dollar": {"notional": "1"},
}


@pytest.mark.parametrize("case", TAKEN)
def test_the_venue_takes(case: str) -> None:
    assert isinstance(quoted().ask(**TAKEN[case]), VenueOrder)


def test_a_quantity_is_cut_to_nine_decimals_without_a_word() -> None:
    answer = quoted().ask(qty="1.1234567899")
    assert isinstance(answer, VenueOrder)
    assert str(answer.qty) == "1.123456789"


def test_a_passed_stop_is_told_the_market_price() -> None:
    refusal = quoted().refused(type="stop", stop_price="99")
    assert refusal.extra == {"market_price": "100", "stop_price": "99"}


def test_a_symbol_without_any_price_takes_no_order_that_needs_one() -> None:
    assert "no market price" in Floor().refused().message
    assert isinstance(Floor().ask(**LIMIT), VenueOrder)


AUCTIONS = {
    "opg just before its last minute": ("opg", T0 - 2 * MINUTE - 1, True),
    "opg from 9:28": ("opg", T0 - 2 * MINUTE, False),
    "opg in the afternoon": ("opg", T0 + 5 * HOUR, False),
    "opg before 19:00": ("opg", CLOSE + 3 * HOUR - 1, False),
    "opg from 19:00": ("opg", CLOSE + 3 * HOUR, True),
    "cls in the morning": ("cls", T0 + HOUR, True),
    "cls just before 15:50": ("cls", CLOSE - 10 * MINUTE - 1, True),
    "cls from 15:50": ("cls", CLOSE - 10 * MINUTE, False),
    "cls in the evening": ("cls", CLOSE + 3 * HOUR, True),
}


@pytest.mark.parametrize("case", AUCTIONS)
def test_auctions_take_orders_until_shortly_before_them(case: str) -> None:
    tif, now, is_taken = AUCTIONS[case]
    floor = Floor()
    floor.now = now
    answer = floor.ask(**LIMIT, time_in_force=tif)
    assert isinstance(answer, VenueOrder) == is_taken, answer
    assert is_taken or (answer.status, answer.code) == UNPROCESSABLE  # type: ignore[union-attr]


def test_the_closing_auction_of_an_early_close_takes_orders_until_ten_minutes_before_it() -> None:
    early = T0 - 9 * HOUR - 30 * MINUTE
    floor = Floor(early)
    floor.now = T0 + 200 * MINUTE - 1
    floor.order(**LIMIT, time_in_force="cls")
    floor.now += 1
    assert "cls orders" in floor.refused(**LIMIT, time_in_force="cls").message
    assert floor.venue.accounts["a"].orders
    assert early + DAY > floor.now
