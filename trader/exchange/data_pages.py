"""Pages of history, and the newest of everything, out of an archive and no newer than a given time.

A page is collected day by day, one of longer bars period by period. Between two of them others get their turn: the
first look at ten years of daily bars draws thousands of days.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from trader.exchange.archive import Archive
from trader.exchange.data_periods import DAILY, MINUTELY, BarRow, Timeframe, merged_rows, minute_rows, spans, zone_of
from trader.exchange.data_queries import Kind, Query, page_token
from trader.exchange.data_rows import RowJson, row_json, snapshot_json
from trader.model.instruments import AssetClass
from trader.model.ticks import Quote, Trade
from trader.model.time import DAY, MINUTE

PERIODS_KEPT: Final = 50_000  # daily and longer bars that are over, some 20 MB: ten years of twenty symbols
LOOK_BACK: Final = 30 * DAY  # for the newest of a symbol; one that rests for longer has none

Row = BarRow | Trade | Quote


class Page(NamedTuple):
    """Rows by symbol, none without any, and where the next page begins, None at the end."""

    rows: dict[str, list[RowJson]]
    next_page_token: str | None


class _Window(NamedTuple):
    """Rows are wanted from ``lo`` to ``hi``, both included, in the period from ``begin`` until before ``following``."""

    begin: int
    following: int
    lo: int
    hi: int
    now: int

    @property
    def first(self) -> int:
        return max(self.lo, self.begin)

    @property
    def last(self) -> int:
        return min(self.hi, self.following - 1)


class DataPages:
    """Reads one archive."""

    def __init__(self, archive: Archive) -> None:
        """Begin with nothing remembered."""
        self._archive = archive
        self._symbols = frozenset(archive.symbols)
        self._whole = lru_cache(maxsize=PERIODS_KEPT)(self._merged)

    async def page(self, query: Query, now: int) -> Page:
        """Collect a page of what is over at ``now``; only bars of a day or longer may be still forming."""
        found, next_page_token = await self._collect(query, now)
        kind = query.asset_class
        return Page({symbol: [row_json(row, kind) for row in rows] for symbol, rows in found.items()}, next_page_token)

    async def newest(
        self, kind: Kind, symbol: str, now: int, *, frame: Timeframe = MINUTELY, count: int = 1
    ) -> list[Row]:
        """Return the newest rows of a symbol that are over at ``now``, the newest first; fewer where there are few."""
        query = Query(kind, class_of(symbol), (symbol,), frame, now - LOOK_BACK, now, count, is_descending=True)
        found, _ = await self._collect(query, now)
        return found.get(symbol, [])

    async def snapshot(self, symbol: str, now: int) -> RowJson | None:
        """Return the newest of everything; None for a symbol that has nothing."""
        trade, quote, minute = [await self.newest(kind, symbol, now) for kind in ("trades", "quotes", "bars")]
        days = await self.newest("bars", symbol, now, frame=DAILY, count=2)
        if not days:
            return None
        newest = (trade, quote, minute, days, days[1:])
        return snapshot_json([row_json(rows[0], class_of(symbol)) if rows else None for rows in newest])

    async def _collect(self, query: Query, now: int) -> tuple[dict[str, list[Row]], str | None]:
        found: dict[str, list[Row]] = {}
        room, last = query.limit, ("", 0)
        for symbol, rows in self._pieces(query, now):
            kept = rows[:room]
            if kept:
                found.setdefault(symbol, []).extend(kept)
                room, last = room - len(kept), (symbol, stamp_of(kept[-1]))
            if len(kept) < len(rows):
                return found, page_token(query, *last)
            await asyncio.sleep(0)
        return found, None

    def _pieces(self, query: Query, now: int) -> Iterator[tuple[str, Sequence[Row]]]:
        """Yield what is wanted, in its order."""
        is_descending, zone = query.is_descending, zone_of(query.asset_class)
        for symbol in query.symbols:
            lo, hi = _bounds(query, symbol)
            start, end = max(lo, self._archive.first), min(hi, now, self._archive.last)
            if symbol not in self._symbols or start > end:
                continue
            for begin, following in spans(query.frame, zone, start, end, is_descending=is_descending):
                rows = self._read(query, symbol, _Window(begin, following, lo, hi, now))
                yield symbol, rows[::-1] if is_descending else rows

    def _read(self, query: Query, symbol: str, window: _Window) -> Sequence[Row]:
        if query.kind == "bars":
            return self._bars(symbol, query.frame, window)
        read: Callable[[str, int, int], Sequence[Trade | Quote]]
        read = self._archive.trades if query.kind == "trades" else self._archive.quotes
        return read(symbol, window.first, min(window.last, window.now))

    def _bars(self, symbol: str, frame: Timeframe, window: _Window) -> Sequence[BarRow]:
        begin, following, lo, hi, now = window
        newest, bucket = now - MINUTE, frame.bucket
        if bucket == MINUTE:
            return minute_rows(self._archive.columns(symbol, window.first, min(window.last, newest)))
        if not bucket:
            read = self._whole if following <= now else self._merged
            return read(symbol, begin, min(following - 1, newest)) if lo <= begin <= hi else ()
        first = window.first - (window.first - begin) % bucket
        minutes = self._archive.columns(symbol, first, min(following - 1, hi + bucket - 1, newest))
        starts = minutes.end - MINUTE
        rows = merged_rows(minutes, starts - (starts - begin) % bucket)
        return [row for row in rows if lo <= row.start <= hi and min(row.start + bucket, following) <= now]

    def _merged(self, symbol: str, begin: int, last: int) -> Sequence[BarRow]:
        minutes = self._archive.columns(symbol, begin, last)
        return merged_rows(minutes, np.full(len(minutes.end), begin))


def class_of(symbol: str) -> AssetClass:
    """Return what a symbol is; pairs have a slash."""
    return "crypto" if "/" in symbol else "stock"


def stamp_of(row: Row) -> int:
    """Return the time that a row is found by."""
    return row.start if isinstance(row, BarRow) else row.ts


def _bounds(query: Query, symbol: str) -> tuple[int, int]:
    """Return the first and last time wanted of a symbol; the first is after the last when the client has it all."""
    if query.cursor is None:
        return query.start, query.end
    name, ts = query.cursor
    if symbol < name:
        return query.end + 1, query.end
    if symbol > name:
        return query.start, query.end
    return (query.start, min(ts - 1, query.end)) if query.is_descending else (max(ts + 1, query.start), query.end)
