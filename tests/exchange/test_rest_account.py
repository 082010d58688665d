"""The account over REST: its figures, its set-up, and its ledger page by page."""

from decimal import Decimal
from typing import Any

import pytest

from tests.exchange.desks import Floor
from trader.access.fees import RegulatoryFees
from trader.access.sim.fills import VenueRules
from trader.model.time import DAY, MINUTE, iso

FEES = VenueRules(regulatory=RegulatoryFees(sec_usd_per_million=Decimal("20.6")))


async def ids(floor: Floor, path: str = "", **query: Any) -> list[str]:
    return [row["id"] for row in await floor.get(f"/v2/account/activities{path}", **query)]


async def traded(floor: Floor, count: int) -> None:
    for _ in range(count):
        await floor.order()
        floor.now += MINUTE


async def test_the_figures_of_an_account_agree_with_each_other() -> None:
    floor = Floor()
    await floor.order("SPY", 10)
    await floor.order("BTC/USD", "0.1")
    account, positions = await floor.get("/v2/account"), await floor.get("/v2/positions")
    value = sum((Decimal(position["market_value"]) for position in positions), Decimal(0))
    assert Decimal(account["equity"]) == Decimal(account["cash"]) + value
    assert Decimal(account["long_market_value"]) == value
    assert account["portfolio_value"] == account["equity"]
    assert (account["account_number"], account["status"], account["multiplier"]) == ("first", "ACTIVE", "2")
    assert account["last_equity"] == "100000"


async def test_what_is_not_named_in_a_set_up_stays() -> None:
    floor = Floor()
    path = "/v2/account/configurations"
    await floor.call("PATCH", path, json={"no_shorting": True, "max_margin_multiplier": "1"})
    await floor.call("PATCH", path, json={"suspend_trade": True, "trade_confirm_email": "none"})
    shown = await floor.get(path)
    assert (shown["no_shorting"], shown["max_margin_multiplier"]) == (True, "1")
    assert (shown["suspend_trade"], shown["trade_confirm_email"]) == (True, "none")
    assert (await floor.get("/v2/account"))["trade_suspended_by_user"] is True
    assert (await floor.call("PATCH", path, json={"max_margin_multiplier": "3"})).status == 422
    assert (await floor.order("SPY", 1, side="sell")).status == 403


async def test_pages_follow_each_other_without_gap_or_double() -> None:
    floor = Floor()
    await traded(floor, 5)
    whole = await ids(floor)
    assert whole == sorted(whole, reverse=True)
    for direction, expected in (("desc", whole), ("asc", whole[::-1])):
        found: list[str] = []
        while page := await ids(floor, page_size=2, direction=direction, page_token=found[-1] if found else ""):
            assert len(page) <= 2
            found += page
        assert found == expected


@pytest.mark.parametrize("query", [{"page_size": 101}, {"page_size": 0}, {"page_token": "none"}, {"direction": "up"}])
async def test_a_page_that_there_cannot_be_is_refused(query: dict[str, object]) -> None:
    answer = await Floor().call("GET", "/v2/account/activities", **query)
    assert (answer.status, answer.body["code"]) == (422, 40010001)


async def test_rows_are_chosen_by_type_category_and_order() -> None:
    floor = Floor(rules=FEES)
    await floor.order("SPY", 10)
    sold = (await floor.order("SPY", 10, side="sell")).body["id"]
    await floor.order("BTC/USD", "0.01")
    types = [row["activity_type"] for row in await floor.get("/v2/account/activities", direction="asc")]
    assert types == ["FILL", "FILL", "FEE", "FILL", "CFEE"]
    assert len(await ids(floor, "/FILL")) == 3
    assert len(await ids(floor, activity_types="FEE,CFEE")) == 2
    assert len(await ids(floor, category="non_trade_activity")) == 2
    assert len(await ids(floor, category="trade_activity")) == 3
    assert len(await ids(floor, order_id=sold)) == 2
    both = await floor.call("GET", "/v2/account/activities", category="trade_activity", activity_types="FILL")
    assert both.status == 422


async def test_an_unknown_type_is_refused_in_alpaca_s_words() -> None:
    answer = await Floor().call("GET", "/v2/account/activities/INVALID")
    assert (answer.status, answer.body) == (422, {"code": 40010001, "message": "invalid activity type: INVALID"})


async def test_rows_are_chosen_by_time() -> None:
    floor = Floor()
    begin = floor.now
    await traded(floor, 3)
    newest, middle, oldest = await ids(floor)
    assert await ids(floor, after=iso(begin)) == [newest, middle]
    assert await ids(floor, until=iso(begin + 2 * MINUTE)) == [middle, oldest]
    assert await ids(floor, date="2026-01-05") == [newest, middle, oldest]
    assert await ids(floor, date=iso(begin + DAY)) == []
    assert (await floor.call("GET", "/v2/account/activities", date="2026-01-05", after=iso(begin))).status == 422


async def test_a_fee_in_coins_is_told_with_what_left_the_position() -> None:
    floor = Floor()
    await floor.order("BTC/USD", "0.01")
    (fee,) = await floor.get("/v2/account/activities/CFEE")
    assert (fee["symbol"], fee["qty"], fee["net_amount"]) == ("BTCUSD", "-0.000025", "0")
    assert (fee["date"], fee["status"]) == ("2026-01-05", "executed")


async def test_the_equity_of_the_last_close_is_told() -> None:
    floor = Floor(price_at=lambda _symbol, _ts: Decimal(500))
    await floor.order("SPY", 10)
    floor.now += DAY
    account = await floor.get("/v2/account")
    assert Decimal(account["last_equity"]) == floor.venue.accounts["first"].cash + 5000
    position = await floor.get("/v2/positions/SPY")
    assert position["lastday_price"] == "500"
    assert Decimal(position["change_today"]) < 0


async def test_without_known_prices_the_account_s_own_trades_value_it() -> None:
    floor = Floor()
    await floor.order("SPY", 10)
    floor.now += DAY
    books = floor.venue.accounts["first"]
    (fill,) = books.executions.values()
    assert fill.price is not None
    assert Decimal((await floor.get("/v2/account"))["last_equity"]) == books.cash + 10 * fill.price
