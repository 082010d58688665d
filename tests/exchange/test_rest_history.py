"""What an account was worth, from its ledger and the prices of the time."""

from decimal import Decimal

import pytest

from tests.exchange.desks import Floor
from trader.model.time import DAY, MINUTE, iso

PATH = "/v2/account/portfolio/history"


async def test_equity_follows_the_prices_of_each_moment() -> None:
    begin = Floor().now
    floor = Floor(price_at=lambda _symbol, ts: Decimal(450 + (ts - begin) // MINUTE))
    await floor.order("SPY", 10)
    paid = floor.venue.accounts["first"].cash
    floor.now += 3 * MINUTE
    history = await floor.get(PATH, period="1D", timeframe="1Min")
    assert history["timestamp"] == [(begin + step * MINUTE) // 10**9 for step in (1, 2, 3)]
    assert history["equity"] == [float(paid + 10 * price) for price in (451, 452, 453)]
    assert [round(gain, 2) for gain in history["profit_loss"]] == [10.0, 20.0, 30.0]
    assert history["base_value"] == float(paid + 4500)


async def test_without_known_prices_the_account_s_own_trades_value_it() -> None:
    floor = Floor()
    await floor.order("SPY", 10)
    floor.now += MINUTE
    assert (await floor.get(PATH, period="1D"))["equity"] == [100_000.0]


async def test_days_end_with_their_close_and_with_the_present() -> None:
    floor = Floor()
    floor.now += 2 * DAY
    history = await floor.get(PATH)
    assert history["timeframe"] == "1Min"  # the account is younger than the month that was asked for
    history = await floor.get(PATH, timeframe="1D")
    closes = [floor.desk.calendar.next_close(floor.desk.since + day * DAY) for day in (0, 1)]
    assert history["timestamp"] == [ts // 10**9 for ts in (*closes, floor.now)]


@pytest.mark.parametrize(("hours", "count"), [("market_hours", 7), ("extended_hours", 18), ("continuous", 25)])
async def test_steps_stand_within_the_hours_that_are_asked_for(hours: str, count: int) -> None:
    floor = Floor()
    end = iso(floor.now + DAY)
    floor.now += 2 * DAY
    assert len((await floor.get(PATH, timeframe="1H", end=end, intraday_reporting=hours))["equity"]) == count


@pytest.mark.parametrize(
    "query",
    [
        {"period": "long"},
        {"timeframe": "2Min"},
        {"start": "2026-01-06", "end": "2026-01-05"},
        {"timeframe": "1Min", "start": "2026-01-05"},
        {"timeframe": "1H", "period": "2M"},
    ],
)
async def test_a_period_that_there_cannot_be_is_refused(query: dict[str, str]) -> None:
    floor = Floor()
    floor.now += 31 * DAY
    assert (await floor.call("GET", PATH, **query)).status == 422


async def test_the_equity_of_the_last_close_is_told() -> None:
    floor = Floor(price_at=lambda _symbol, _ts: Decimal(500))
    await floor.order("SPY", 10)
    floor.now += DAY
    account = await floor.get("/v2/account")
    assert Decimal(account["last_equity"]) == floor.venue.accounts["first"].cash + 5000
    position = await floor.get("/v2/positions/SPY")
    assert position["lastday_price"] == "500"
    assert Decimal(position["change_today"]) < 0
