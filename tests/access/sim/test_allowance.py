"""What an account allows: the whole wash-trade table, shares held for orders, shorts, and money."""

from decimal import Decimal
from typing import Any

import pytest

from tests.access.sim.floor import Floor, quoted
from trader.access.sim.venue_orders import OrderRequest, Refusal, VenueOrder
from trader.model.orders import Side

# One order of each kind that stays open at a market of 99.99 to 100.01, as seller of shares held and as buyer.
SELLS: dict[str, dict[str, Any]] = {
    "stop": {"type": "stop", "stop_price": "95"},
    "limit": {"type": "limit", "limit_price": "105"},
    "stop_limit": {"type": "stop_limit", "stop_price": "95", "limit_price": "94"},
    "trailing_stop": {"type": "trailing_stop", "trail_price": "5"},
}
BUYS: dict[str, dict[str, Any]] = {
    "stop": {"type": "stop", "stop_price": "105"},
    "limit": {"type": "limit", "limit_price": "95"},
    "stop_limit": {"type": "stop_limit", "stop_price": "105", "limit_price": "106"},
    "trailing_stop": {"type": "trailing_stop", "trail_price": "5"},
}
AT_MARKET, AT_LIMIT = "opposite side market/stop order exists", "opposite side limit order exists"

# (open order, new order): why the new one is refused, None if it is not. The prices are those above, so a limit buy at
# 95 meets sells limited at 105 (apart) and 94 (crossing), and a stop-limit buy limited at 106 crosses both.
NEW_BUYS = {
    ("stop", "market"): AT_MARKET, ("stop", "stop"): AT_MARKET,
    ("stop", "limit"): AT_MARKET, ("stop", "stop_limit"): AT_MARKET, ("stop", "trailing_stop"): None,
    ("limit", "market"): AT_LIMIT, ("limit", "stop"): AT_LIMIT,
    ("limit", "limit"): None, ("limit", "stop_limit"): AT_LIMIT, ("limit", "trailing_stop"): None,
    ("stop_limit", "market"): AT_LIMIT, ("stop_limit", "stop"): AT_LIMIT,
    ("stop_limit", "limit"): AT_LIMIT, ("stop_limit", "stop_limit"): AT_LIMIT, ("stop_limit", "trailing_stop"): None,
    ("trailing_stop", "market"): None, ("trailing_stop", "stop"): None,
    ("trailing_stop", "limit"): None, ("trailing_stop", "stop_limit"): None, ("trailing_stop", "trailing_stop"): None,
}  # fmt: skip
NEW_SELLS = {
    **NEW_BUYS,
    ("limit", "stop_limit"): AT_LIMIT,  # bought at 95, sold from 94
    ("stop_limit", "limit"): AT_LIMIT,  # bought at up to 106, sold from 105
}


def holding(qty: str = "100", **rules: Any) -> Floor:
    floor = quoted(**rules)
    floor.order(qty=qty)
    return floor


@pytest.mark.parametrize(("resting", "new"), NEW_BUYS)
def test_a_new_buy_against_an_open_sell(resting: str, new: str) -> None:
    floor = holding()
    existing = floor.order(side="sell", **SELLS[resting])
    check_wash(floor.ask(side="buy", **BUYS.get(new, {})), existing, NEW_BUYS[resting, new])


@pytest.mark.parametrize(("resting", "new"), NEW_SELLS)
def test_a_new_sell_against_an_open_buy(resting: str, new: str) -> None:
    floor = holding()
    existing = floor.order(side="buy", **BUYS[resting])
    check_wash(floor.ask(side="sell", **SELLS.get(new, {})), existing, NEW_SELLS[resting, new])


def test_an_open_market_order_meets_no_opposite_order_whatever_its_price() -> None:
    floor = holding()
    floor.venue.set_halted("SPY", is_halted=True)
    existing = floor.order(side="sell")
    for kind in ("market", "stop", "limit", "stop_limit"):
        check_wash(floor.ask(side="buy", **BUYS.get(kind, {})), existing, AT_MARKET)


@pytest.mark.parametrize(("buy", "is_refused"), [("104.99", False), ("105", True), ("105.01", True)])
def test_limits_cross_when_the_buy_is_at_or_above_the_sell(buy: str, is_refused: bool) -> None:
    floor = holding()
    floor.order(side="sell", **SELLS["limit"])
    assert isinstance(floor.ask(type="limit", limit_price=buy), Refusal) == is_refused


def test_other_symbols_other_accounts_and_the_same_side_are_no_wash_trade() -> None:
    floor = holding()
    floor.order(side="sell", **SELLS["limit"])
    floor.order(side="sell", **SELLS["stop"])
    floor.order("ODD")
    floor.venue.open_account("b", Decimal(10_000))
    request = OrderRequest("SPY", Side.BUY, qty=Decimal(1))
    assert isinstance(floor.venue.submit("b", request, now=floor.now), VenueOrder)


def test_coins_are_guarded_too() -> None:
    floor = quoted()
    floor.order("BTC/USD", qty="0.1", time_in_force="gtc")
    floor.order("BTC/USD", "sell", qty="0.1", time_in_force="gtc", type="limit", limit_price="70000")
    assert "wash trade" in floor.refused("BTC/USD", qty="0.1", time_in_force="gtc").message


def test_shares_held_for_a_stop_are_not_sold_twice() -> None:
    floor = holding("10")
    stop = floor.order(side="sell", qty="7", **SELLS["stop"])
    refusal = floor.refused(side="sell", qty="4")
    assert (refusal.status, refusal.code) == (403, 40310000)
    assert refusal.message == "insufficient qty available for order (requested: 4, available: 3)"
    assert refusal.extra == {
        "available": "3", "existing_qty": "10", "held_for_orders": "7", "symbol": "SPY", "related_orders": [stop],
    }  # fmt: skip
    floor.order(side="sell", qty="3")


def test_no_order_goes_through_zero() -> None:
    floor = holding("10")
    assert "(requested: 11, available: 10)" in floor.refused(side="sell", qty="11").message
    floor.order(side="sell", qty="10")
    floor.order(side="sell", qty="10")
    assert "(requested: 11, available: 10)" in floor.refused(qty="11").message
    floor.order(qty="10")
    assert not floor.account.positions


def test_a_sale_in_dollars_wants_the_whole_position_to_itself() -> None:
    floor = holding("10")
    floor.venue.set_halted("SPY", is_halted=True)
    floor.order(side="sell", qty="1", **SELLS["limit"])
    assert "insufficient qty available" in floor.refused(side="sell", notional="100").message
    floor.cancel(floor.told[-1].order.id)
    floor.order(side="sell", notional="100")
    assert "available: 0" in floor.refused(side="sell", qty="1").message


def test_a_sale_of_more_dollars_than_the_position_is_worth_is_refused() -> None:
    assert "insufficient qty" in holding("1").refused(side="sell", notional="100").message


def test_a_coin_is_never_sold_short() -> None:
    floor = quoted()
    refusal = floor.refused("BTC/USD", "sell", qty="0.5", time_in_force="gtc")
    assert (refusal.status, refusal.code) == (403, 40310000)
    assert refusal.message == "insufficient balance for BTC (requested: 0.5, available: 0)"
    assert refusal.extra == {"available": "0", "balance": "0", "symbol": "BTC"}


def test_selling_the_gross_quantity_of_a_coin_fails_by_the_fee() -> None:
    floor = quoted(has_fees=True)
    bought = floor.order("BTC/USD", qty="0.1", time_in_force="gtc")
    assert floor[bought].filled_qty == Decimal("0.1")
    refusal = floor.refused("BTC/USD", "sell", qty="0.1", time_in_force="gtc")
    assert refusal.message == "insufficient balance for BTC (requested: 0.1, available: 0.09975)"
    floor.order("BTC/USD", "sell", qty="0.09975", time_in_force="gtc")
    assert not floor.account.positions


def test_a_coin_is_bought_with_cash_alone() -> None:
    floor = quoted()
    refusal = floor.refused("BTC/USD", notional="100000.01", time_in_force="gtc")
    assert refusal.message == "insufficient balance for USD (requested: 100000.01, available: 100000)"
    assert refusal.extra == {"available": "100000", "balance": "100000", "symbol": "USD"}
    floor.order("BTC/USD", notional="100000", time_in_force="gtc")


SHORTS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, int], str]] = {
    "a fraction": ({}, {"qty": "1.5"}, (422, 42210000), "fractional orders cannot be sold short"),
    "dollars": ({}, {"notional": "100"}, (422, 42210000), "fractional orders cannot be sold short"),
    "what nobody lends": ({}, {"symbol": "ODD"}, (422, 42210000), 'asset "ODD" cannot be sold short'),
    "where shorts are switched off": (
        {"is_shorting_allowed": False}, {}, (403, 40310000), "account is not allowed to short",
    ),
    "with less than $2,000": ({"cash": Decimal("1999.99")}, {}, (403, 40310000), "account is not allowed to short"),
}  # fmt: skip


@pytest.mark.parametrize("case", SHORTS)
def test_a_short_is_refused(case: str) -> None:
    rules, fields, (status, code), words = SHORTS[case]
    refusal = quoted(**rules).refused(side="sell", **fields)
    assert (refusal.status, refusal.code, refusal.message) == (status, code, words)


def test_opening_both_ways_is_refused_before_it_could_cross_zero() -> None:
    floor = quoted()
    floor.order(side="sell", **SELLS["limit"])
    assert floor.refused(**BUYS["limit"]).message == "cannot open a long buy while a short sell order is open"
    floor = quoted()
    floor.order(**BUYS["limit"])
    refusal = floor.refused(side="sell", **SELLS["limit"])
    assert refusal.message == "cannot open a short sell while a long buy order is open"


# What an order for 10 shares claims while it is open, at a market of 99.99 to 100.01 (ODD: 49.99 to 50.01).
CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "a limit buy its limit": ({"type": "limit", "limit_price": "90"}, "900"),
    "a market buy 2.5 % above the ask": ({}, "1025.1025"),
    "a stop buy its collar": ({"type": "stop", "stop_price": "110"}, "1127.5"),
    "a stop-limit buy its limit": ({"type": "stop_limit", "stop_price": "105", "limit_price": "106"}, "1060"),
    "a trailing buy its collar": ({"type": "trailing_stop", "trail_price": "5"}, "1076.3525"),
    "one in percent likewise": ({"type": "trailing_stop", "trail_percent": "5"}, "1076.357625"),
    "dollars themselves": ({"notional": "500"}, "500"),
    "a short 3 % above the bid": ({"side": "sell"}, "1029.897"),
    "a short its limit if that is more": ({"side": "sell", "type": "limit", "limit_price": "120"}, "1200"),
}


@pytest.mark.parametrize("case", CLAIMS)
def test_an_open_order_claims_buying_power(case: str) -> None:
    fields, claim = CLAIMS[case]
    floor = quoted(multiplier=Decimal(1))
    floor.venue.set_halted("SPY", is_halted=True)
    order = floor.order(**fields)
    assert floor.account.reserved() == Decimal(claim)
    assert floor.account.buying_power() == Decimal(100_000) - Decimal(claim)
    floor.cancel(order)
    assert floor.account.buying_power() == Decimal(100_000)


def test_below_50_dollars_a_market_buy_claims_4_percent_more() -> None:
    floor = Floor()
    floor.quote(48.0, 49.0)
    floor.venue.set_halted("SPY", is_halted=True)
    floor.order()
    assert floor.account.reserved() == Decimal("509.6")


def test_money_that_an_open_order_claims_is_not_spent_twice() -> None:
    floor = quoted(cash=Decimal(1000))
    floor.order(qty="6", type="limit", limit_price="99")
    refusal = floor.refused(qty="5", type="limit", limit_price="98")
    assert (refusal.status, refusal.code, refusal.message) == (403, 40310000, "insufficient buying power")
    assert refusal.extra == {"buying_power": "406", "cost_basis": "490"}
    floor.order(qty="4", type="limit", limit_price="98")


def test_closing_takes_no_money() -> None:
    floor = holding("15", cash=Decimal(1600))
    floor.order(side="sell", qty="15", **SELLS["limit"])
    assert floor.account.reserved() == 0


def check_wash(answer: VenueOrder | Refusal, existing: str, reason: str | None) -> None:
    if reason is None:
        assert isinstance(answer, VenueOrder), answer
        return
    assert isinstance(answer, Refusal)
    assert (answer.status, answer.code) == (403, 40310000)
    assert answer.message == "potential wash trade detected. use complex orders"
    assert answer.extra == {"existing_order_id": existing, "reject_reason": reason}


def test_a_position_above_six_times_the_equity_leaves_only_closing() -> None:
    floor = quoted(cash=Decimal(2100))
    floor.order(qty="40")
    floor.quote(55.99, 56.01)
    assert floor.refused("ODD", qty="1").message == "account is restricted to closing positions"
    floor.order(side="sell", qty="40")
    floor.order("ODD", qty="1")


def test_a_limit_far_from_the_market_is_refused_where_the_rules_say_so() -> None:
    away = {"type": "limit", "limit_price": "70"}
    quoted().order(**away)
    floor = quoted(price_away_frac=Decimal("0.25"))
    refusal = floor.refused(**away)
    assert (refusal.message, refusal.extra) == ("limit price is too far away from the market", {"market_price": "100"})
    floor.order(type="limit", limit_price="75")
