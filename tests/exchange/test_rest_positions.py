"""Positions over REST: shown, and closed whole or in part."""

import asyncio
from decimal import Decimal

import pytest

from tests.exchange.desks import Floor
from tests.waiting import until
from trader.access.sim.fills import VenueRules
from trader.exchange.shapes import asset_id
from trader.model.time import DAY, MINUTE


async def test_a_part_of_whole_shares_is_whole_and_of_fractions_is_not() -> None:
    floor = Floor()
    await floor.order("SPY", 5)
    await floor.order("AAPL", "1.5")
    spy = await floor.call("DELETE", "/v2/positions/SPY", percentage="50")
    apple = await floor.call("DELETE", "/v2/positions/AAPL", percentage="33.3")
    assert (spy.body["qty"], apple.body["qty"]) == ("2", "0.4995")


@pytest.mark.parametrize("query", [{"percentage": 0}, {"percentage": 101}, {"percentage": 5, "qty": 1}, {"qty": "x"}])
async def test_a_part_that_is_none_is_refused(query: dict[str, object]) -> None:
    floor = Floor()
    await floor.order("SPY", 5)
    answer = await floor.call("DELETE", "/v2/positions/SPY", **query)
    assert (answer.status, answer.body["code"]) == (422, 40010001)


async def test_more_than_there_is_cannot_be_closed() -> None:
    floor = Floor()
    await floor.order("SPY", 5)
    answer = await floor.call("DELETE", "/v2/positions/SPY", qty=6)
    assert answer.status == 403
    assert answer.body["available"] == "5"


async def test_a_position_is_found_by_symbol_or_asset_id_and_a_coin_without_its_slash() -> None:
    floor = Floor()
    await floor.order("BTC/USD", "0.01")
    by_name = await floor.get("/v2/positions/BTCUSD")
    assert by_name == await floor.get(f"/v2/positions/{asset_id('BTC/USD')}")
    assert (by_name["symbol"], by_name["exchange"], by_name["qty"]) == ("BTCUSD", "CRYPTO", "0.009975")
    missing = await floor.call("GET", "/v2/positions/SPY")
    assert (missing.status, missing.body) == (404, {"code": 40410000, "message": "position does not exist"})
    assert (await floor.call("DELETE", "/v2/positions/SPY")).status == 404
    assert (await floor.call("GET", "/v2/positions/BTC/USD")).status == 404


async def test_a_short_position_is_bought_back() -> None:
    floor = Floor()
    await floor.order("SPY", 2, side="sell")
    shown = await floor.get("/v2/positions/SPY")
    assert (shown["qty"], shown["side"], shown["qty_available"]) == ("-2", "short", "-2")
    answer = await floor.call("DELETE", "/v2/positions/SPY")
    assert (answer.body["side"], answer.body["qty"]) == ("buy", "2")
    assert await floor.get("/v2/positions") == []


async def test_closing_all_tells_of_each_what_became_of_it() -> None:
    floor = Floor()
    await floor.order("SPY", 2)
    await floor.order("AAPL", 2)
    await floor.order("SPY", 1, side="sell", type="limit", limit_price=500)
    answer = await floor.call("DELETE", "/v2/positions")
    assert answer.status == 207
    held, closed = answer.body
    assert (held["symbol"], held["status"], held["body"]["held_for_orders"]) == ("SPY", 403, "1")
    assert (closed["symbol"], closed["status"], closed["body"]["side"]) == ("AAPL", 200, "sell")
    again = await floor.call("DELETE", "/v2/positions", cancel_orders="True")
    assert [(one["symbol"], one["status"]) for one in again.body] == [("SPY", 200)]


async def test_positions_are_closed_when_the_orders_that_held_them_have_ended() -> None:
    floor = Floor(rules=VenueRules(latency_ns=MINUTE))
    await floor.order("SPY", 2)
    floor.now += MINUTE
    await floor.order("SPY", 2, side="sell", type="limit", limit_price=500)
    floor.now += MINUTE
    closing = asyncio.create_task(floor.call("DELETE", "/v2/positions", cancel_orders="true"))
    await asyncio.wait_for(until(lambda: floor.told and floor.told[-1].event == "pending_cancel"), 30)
    assert not closing.done()
    floor.now += MINUTE
    (closed,) = (await closing).body
    assert (closed["symbol"], closed["status"]) == ("SPY", 200)


async def test_a_gain_of_the_day_counts_from_the_close_or_from_what_was_paid_since() -> None:
    floor = Floor(price_at=lambda _symbol, _ts: Decimal(440))
    await floor.order("SPY", 1)
    floor.quote("SPY", 460)
    fresh = await floor.get("/v2/positions/SPY")
    assert fresh["unrealized_intraday_pl"] == fresh["unrealized_pl"]
    assert fresh["unrealized_intraday_plpc"] == fresh["unrealized_plpc"]
    floor.now += DAY
    floor.quote("SPY", 450)
    await floor.order("SPY", 2)
    floor.quote("SPY", 460)
    both = await floor.get("/v2/positions/SPY")
    paid = floor.venue.accounts["first"].activities[-1].price
    assert paid is not None
    assert Decimal(both["unrealized_intraday_pl"]) == (460 - 440) + 2 * (460 - paid)
