"""Assets, the clock and the calendar over REST."""

from typing import Any

import msgspec
import pytest

from tests.exchange.desks import ASSETS, Floor
from trader.exchange.shapes import asset_id
from trader.model.time import parse_time


async def symbols(floor: Floor, **query: Any) -> list[str]:
    return [asset["symbol"] for asset in await floor.get("/v2/assets", **query)]


async def test_assets_are_listed_by_class_stocks_first() -> None:
    floor = Floor()
    assert await symbols(floor) == ["SPY", "AAPL", "GME"]
    assert await symbols(floor, asset_class="crypto") == ["BTC/USD"]
    assert await symbols(floor, asset_class="us_option") == []
    assert await symbols(floor, attributes="fractional_eh_enabled,ipo") == ["SPY", "AAPL"]
    assert await symbols(floor, exchange="NYSE") == []
    assert await symbols(floor, status="inactive") == []
    assert (await floor.call("GET", "/v2/assets", asset_class="bonds")).status == 422


async def test_who_lends_an_asset_is_told_in_the_old_way_and_the_new() -> None:
    floor = Floor()
    spy, gme = await floor.get("/v2/assets/SPY"), await floor.get("/v2/assets/GME")
    assert (spy["easy_to_borrow"], spy["borrow_status"], spy["fractionable"]) == (True, "easy_to_borrow", True)
    assert (gme["easy_to_borrow"], gme["borrow_status"], gme["fractionable"]) == (False, "hard_to_borrow", False)


@pytest.mark.parametrize("name", ["BTC/USD", "BTCUSD", asset_id("BTC/USD")])
async def test_a_coin_is_found_by_each_of_its_names(name: str) -> None:
    coin = await Floor().get(f"/v2/assets/{name}")
    assert (coin["symbol"], coin["exchange"], coin["marginable"]) == ("BTC/USD", "CRYPTO", False)
    assert (coin["min_order_size"], coin["min_trade_increment"]) == ("0.00001", "0.000000001")


async def test_an_asset_that_is_not_listed_is_404() -> None:
    answer = await Floor().call("GET", "/v2/assets/NONE")
    assert (answer.status, answer.body["code"]) == (404, 40410000)


async def test_an_asset_is_shown_as_it_is_now() -> None:
    floor = Floor()
    floor.venue.set_asset(msgspec.structs.replace(ASSETS["SPY"], is_tradable=False, is_shortable=False))
    spy = await floor.get("/v2/assets/SPY")
    assert (spy["tradable"], spy["shortable"], spy["borrow_status"]) == (False, False, "hard_to_borrow")


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (
            "2026-01-05T14:30:00.000000001",
            ("2026-01-05T09:30:00.000000001-05:00", True, "2026-01-06T09:30:00-05:00", "2026-01-05T16:00:00-05:00"),
        ),
        (
            "2026-07-02T22:00:00.5",
            ("2026-07-02T18:00:00.5-04:00", False, "2026-07-06T09:30:00-04:00", "2026-07-06T16:00:00-04:00"),
        ),
        (
            "2026-11-27T17:00:00",
            ("2026-11-27T12:00:00-05:00", True, "2026-11-30T09:30:00-05:00", "2026-11-27T13:00:00-05:00"),
        ),
    ],
)
async def test_the_clock_shows_new_york_s_time_to_the_nanosecond(now: str, expected: tuple[object, ...]) -> None:
    fraction = 1 if now.endswith("000000001") else 0
    clock = await Floor(now=parse_time(now[:26]) + fraction).get("/v2/clock")
    assert tuple(clock[key] for key in ("timestamp", "is_open", "next_open", "next_close")) == expected


async def test_the_calendar_has_holidays_early_closes_and_settlement() -> None:
    days = await Floor().get("/v2/calendar", start="2026-11-25", end="2026-11-30")
    assert [(day["date"], day["close"], day["session_close"], day["settlement_date"]) for day in days] == [
        ("2026-11-25", "16:00", "2000", "2026-11-27"),
        ("2026-11-27", "13:00", "1700", "2026-11-30"),
        ("2026-11-30", "16:00", "2000", "2026-12-01"),
    ]
    assert days[0]["open"] == "09:30"
    assert days[0]["session_open"] == "0400"
    settled = await Floor().get("/v2/calendar", start="2026-11-27", end="2026-11-27", date_type="SETTLEMENT")
    assert [day["date"] for day in settled] == ["2026-11-25"]


async def test_the_calendar_begins_in_1970_and_ends_with_2029() -> None:
    days = await Floor().get("/v2/calendar")
    assert (days[0]["date"], days[-1]["date"]) == ("1970-01-02", "2029-12-31")


@pytest.mark.parametrize("query", [{"start": "soon"}, {"start": "2026-02-01", "end": "2026-01-01"}])
async def test_days_that_there_cannot_be_are_refused(query: dict[str, str]) -> None:
    assert (await Floor().call("GET", "/v2/calendar", **query)).status == 422
