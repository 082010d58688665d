"""Minute bars by REST, from a host on loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.access.alpaca.bars_server import BarsServer, row
from tests.build import T0, bar
from trader.access.alpaca.history import ATTEMPTS, CHUNK, History
from trader.errors import OutcomeUnknown, Refused, WireError
from trader.model.calendar import StockCalendar
from trader.model.ticks import Bar
from trader.model.time import DAY, MINUTE, parse_time

FAST = 1e6


@asynccontextmanager
async def served(**more: Any) -> AsyncIterator[tuple[BarsServer, History]]:
    async with BarsServer() as server:
        feeds = {"stock": "iex", "crypto": "us"}
        history = History(server.url, ("key", "hush"), feeds=feeds, **{"pace": FAST} | more)  # type: ignore[arg-type]
        try:
            yield server, history
        finally:
            history.close()


async def warmed(history: History, until: int = T0, **depth: int) -> list[list[Bar]]:
    wanted = {symbol.replace("_", "/"): count for symbol, count in depth.items()}
    calendar = StockCalendar()
    keep = lambda one: "/" in one.symbol or calendar.phase(one.ts - MINUTE) == "core"  # noqa: E731
    return [minute async for minute in history.warmup(wanted, until=until, keep=keep, calendar=calendar)]


async def test_every_page_is_read_and_the_same_feed_is_named() -> None:
    async with served() as (server, history):
        server.page = 3
        server.put(*(bar(symbol, minute) for symbol in ("SPY", "QQQ") for minute in range(1, 8)))
        found = await history.bars(["SPY", "QQQ", "IWM"], since=T0 + 2 * MINUTE, until=T0 + 6 * MINUTE)
    assert found == {
        "SPY": [bar("SPY", minute) for minute in range(2, 7)],
        "QQQ": [bar("QQQ", minute) for minute in range(2, 7)],
        "IWM": [],
    }
    assert len(server.asked) == 4
    assert {(params["feed"], params["adjustment"]) for _, params in server.asked} == {("iex", "split")}
    assert server.asked[0][1]["limit"] == "10000"


async def test_many_symbols_are_asked_for_in_chunks_and_none_not_at_all() -> None:
    async with served() as (server, history):
        symbols = [f"S{number}" for number in range(CHUNK + 1)]
        assert len(await history.bars(symbols, since=T0, until=T0)) == CHUNK + 1
        assert await history.bars([], since=T0, until=T0) == {}
    assert len(server.asked) == 2


async def test_rows_that_cannot_be_bars_are_counted_and_cost_only_themselves() -> None:
    async with served() as (server, history):
        server.put(*(bar(minute=minute) for minute in (1, 2, 3)))
        server.rows["SPY"][bar(minute=1).ts] = row(bar(minute=1)) | {"c": None}
        server.rows["SPY"][bar(minute=2).ts] = row(bar(minute=2)) | {"h": 1.0}
        found = await history.bars(["SPY"], since=T0, until=T0 + 5 * MINUTE)
    assert found == {"SPY": [bar(minute=3)]}
    assert history.refused == {"unreadable": 1, "high_below_low": 1}


@pytest.mark.parametrize("trouble", [429, 500, 503, 504, 0])
async def test_trouble_is_waited_for(trouble: int) -> None:
    async with served() as (server, history):
        server.troubles = [trouble] * (ATTEMPTS - 1)
        server.put(bar())
        assert (await history.bars(["SPY"], since=T0, until=T0 + MINUTE))["SPY"] == [bar()]


async def test_trouble_without_end_is_told() -> None:
    async with served() as (server, history):
        server.is_down = True
        with pytest.raises(OutcomeUnknown):
            await history.bars(["SPY"], since=T0, until=T0)
    assert len(server.asked) == ATTEMPTS


async def test_a_refusal_is_told_at_once() -> None:
    async with served() as (server, history):
        server.troubles = [403]
        with pytest.raises(Refused, match="as the test wants it"):
            await history.bars(["SPY"], since=T0, until=T0)
    assert len(server.asked) == 1


async def test_an_answer_that_holds_no_bars_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BarsServer, "_answer", lambda *_: (200, {"bars": [1]}))
    async with served() as (_, history):
        with pytest.raises(WireError, match="holds no bars"):
            await history.bars(["SPY"], since=T0, until=T0)


async def test_no_more_requests_are_made_in_a_minute_than_the_plan_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def sleep(delay_s: float) -> None:
        waits.append(delay_s)

    monkeypatch.setattr("trader.access.alpaca.history.asyncio.sleep", sleep)
    async with served(per_minute=2, pace=1.0) as (_, history):
        for _ in range(3):
            await history.bars(["SPY"], since=T0, until=T0)
    assert len(waits) == 1
    assert 50 < waits[0] <= 60


async def test_warm_up_reaches_over_nights_and_weekends_to_the_newest_bars_minute_by_minute() -> None:
    friday = parse_time("2026-01-02T20:58:00+00:00")
    async with served() as (server, history):
        server.put(*(Bar("SPY", friday + number * MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0) for number in range(10)))
        server.put(*(bar("SPY", number) for number in (1, 2, 3)), *(bar("QQQ", number) for number in (1, 3)))
        minutes = await warmed(history, T0 + 2 * MINUTE, SPY=4, QQQ=3)
    assert [[(one.symbol, one.ts) for one in minute] for minute in minutes] == [
        [("SPY", friday + MINUTE)],
        [("SPY", friday + 2 * MINUTE)],  # 16:00 in New York; what came after is no minute of a session
        [("SPY", T0 + MINUTE), ("QQQ", T0 + MINUTE)],
        [("SPY", T0 + 2 * MINUTE)],
    ]


async def test_a_thin_symbol_is_looked_for_further_back() -> None:
    async with served() as (server, history):
        server.put(
            *(Bar("SPY", T0 - number * DAY + 5 * MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0) for number in (4, 5, 6, 7, 10))
        )
        minutes = await warmed(history, SPY=4)
    assert len(minutes) == 4
    assert len(server.asked) > 1


async def test_coins_have_no_nights() -> None:
    async with served() as (server, history):
        server.put(*(bar("BTC/USD", -number) for number in range(30)))
        minutes = await warmed(history, BTC_USD=20)
        assert await warmed(history, BTC_USD=0) == []
    assert len(minutes) == 20
    assert minutes[-1][0].ts == T0
    assert [(path, "feed" in params) for path, params in server.asked] == [("/v1beta3/crypto/us/bars", False)]


async def test_days_end_at_their_midnights_and_the_one_that_runs_is_among_them() -> None:
    stamps = {"SPY": ["2025-11-01T04:00", "2025-11-03T05:00", "2026-01-05T05:00"], "BTC/USD": ["2026-01-05T00:00"]}
    async with served() as (server, history):
        for symbol, starts in stamps.items():
            server.put(*(Bar(symbol, parse_time(start) + MINUTE, 1.0, 3.0, 0.5, 2.0, 7.0) for start in starts))
        found = await history.days(["BTC/USD", "SPY"], until=T0, count=500)
    assert [(one.symbol, one.ts) for one in found] == [
        ("SPY", parse_time("2025-11-02T04:00")),  # the clocks are changed that night
        ("SPY", parse_time("2025-11-04T05:00")),
        ("SPY", parse_time("2026-01-06T05:00")),
        ("BTC/USD", parse_time("2026-01-06T00:00")),
    ]
    assert found[0] == Bar("SPY", found[0].ts, 1.0, 3.0, 0.5, 2.0, 7.0)
    assert [params["timeframe"] for _, params in server.asked] == ["1Day", "1Day"]
    assert server.asked[0][1]["adjustment"] == "split"


async def test_some_more_than_the_days_that_are_wanted_are_asked_for() -> None:
    async with served() as (server, history):
        begin = parse_time("2024-01-01T05:00")
        days = [begin + number * DAY for number in range(735) if number % 7 < 5]
        server.put(*(Bar("SPY", day + MINUTE, 1.0, 1.0, 1.0, 1.0, 1.0) for day in days))
        found = await history.days(["SPY"], until=T0, count=500)
    assert 500 <= len(found) <= 525
