"""Test pages: their order, that they show no future, and that others get their turn while one is collected."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import T0
from tests.exchange.data_calls import ARCHIVE
from trader.access.alpaca.wire_time import ns_of
from trader.exchange.archive import SyntheticArchive
from trader.exchange.data_pages import DataPages, class_of
from trader.exchange.data_periods import DAILY, MINUTELY, Timeframe
from trader.exchange.data_queries import Kind, Query
from trader.model.ticks import Quote, Trade
from trader.model.time import DAY, HOUR, MINUTE

PAGES = DataPages(ARCHIVE)
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")


def query(kind: Kind = "bars", frame: Timeframe = MINUTELY, **settings: Any) -> Query:
    given = {"symbols": SYMBOLS, "start": T0 - HOUR, "end": T0 + HOUR, "limit": 10_000, **settings}
    return Query(kind, class_of(given["symbols"][0]), frame=frame, **given)


def rows_at(now: int, wanted: Query) -> dict[str, list[Any]]:
    return asyncio.run(PAGES.page(wanted, now)).rows


class TestPages:
    @settings(max_examples=25)
    @given(
        st.sampled_from(["bars", "trades", "quotes"]),
        st.sampled_from([1, 7, 60]),
        st.integers(-70, 70),
        st.integers(0, MINUTE - 1),
    )
    def test_an_earlier_look_is_the_beginning_of_a_later_one(
        self, kind: Kind, length: int, minute: int, ns: int
    ) -> None:
        wanted = query(kind, Timeframe(length, "Min"))
        now = T0 + minute * MINUTE + ns
        early, late = rows_at(now, wanted), rows_at(T0 + DAY, wanted)
        for symbol in SYMBOLS:
            seen = early.get(symbol, [])
            assert seen == late[symbol][: len(seen)]
            assert len(seen) < len(late[symbol]) or minute >= 60

    @settings(max_examples=25)
    @given(st.sampled_from(["bars", "trades"]), st.booleans(), st.integers(1, 400))
    def test_pages_of_any_size_are_the_whole(self, kind: Kind, is_descending: bool, limit: int) -> None:
        async def through(size: int) -> list[tuple[str, Any]]:
            found: list[tuple[str, Any]] = []
            cursor = None
            while True:
                wanted = query(kind, is_descending=is_descending, limit=size, cursor=cursor)
                page = await PAGES.page(wanted, T0 + DAY)
                found += [(symbol, row) for symbol, rows in page.rows.items() for row in rows]
                if page.next_page_token is None:
                    return found
                cursor = found[-1][0], ns_of(found[-1][1]["t"])

        assert asyncio.run(through(limit)) == asyncio.run(through(10_000))

    async def test_others_get_their_turn_while_years_are_drawn(self) -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count())
        years = query(frame=DAILY, symbols=("SPY",), start=T0 - 300 * DAY, end=T0)
        page = await DataPages(SyntheticArchive(seed=2)).page(years, T0)
        other.cancel()
        assert len(page.rows["SPY"]) > 200
        assert turns > 200

    async def test_a_day_that_is_over_is_not_drawn_again(self) -> None:
        drawn: list[int] = []

        class Counted(SyntheticArchive):
            def columns(self, symbol: str, start: int, end: int) -> Any:
                drawn.append(start)
                return super().columns(symbol, start, end)

        pages = DataPages(Counted(seed=1))
        days = query(frame=DAILY, symbols=("SPY",), start=T0 - 20 * DAY, end=T0 + HOUR)
        first = await pages.page(days, T0 + HOUR)
        drawn.clear()
        assert await pages.page(days, T0 + HOUR) == first
        assert len(drawn) == 1  # today's

    async def test_the_newest_is_looked_for_no_further_than_a_month_back(self) -> None:
        assert await PAGES.newest("bars", "SPY", T0 + HOUR)
        assert await PAGES.newest("bars", "NOPE", T0 + HOUR) == []
        assert await PAGES.snapshot("NOPE", T0 + HOUR) is None

    async def test_without_quotes_a_snapshot_has_bars_only(self) -> None:
        shot = await DataPages(_BarsOnly(("SPY",), seed=1, is_small=True)).snapshot("SPY", T0 + HOUR)
        assert shot is not None
        assert list(shot) == ["minuteBar", "dailyBar", "prevDailyBar"]


class _BarsOnly(SyntheticArchive):
    def trades(self, symbol: str, start: int, end: int) -> list[Trade]:
        return []

    def quotes(self, symbol: str, start: int, end: int) -> list[Quote]:
        return []
