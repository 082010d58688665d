"""Minute bars by REST, for the warm-up and for whatever the stream did not bring; and daily ones.

Reading may be repeated: after a time-out, a 429 or a 5xx a page is asked for again a few times, each time later. The
same feed that streams is always named, for another one's volumes are another market's.
Source: Alpaca, "Historical bars" for stocks and crypto, read 2026-11: 10,000 bars a page over all symbols together.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import timedelta
from heapq import merge
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

import msgspec
import structlog

from trader.access.alpaca.rest import RestDesk
from trader.access.alpaca.ticks import ticks_of
from trader.access.alpaca.wants import MARKETS, Market, market_of
from trader.access.alpaca.wire_data import BarMessage
from trader.errors import OutcomeUnknown, Unavailable, WireError
from trader.model.calendar import StockCalendar
from trader.model.ticks import Bar
from trader.model.time import DAY, MINUTE, NEW_YORK, SECOND, iso, midnight_after, utc

log = structlog.get_logger()

PAGE: Final = 10_000  # bars; the most that a page may hold
PAGE_WITHIN_S: Final = 20.0  # real time for one page, some 1 MB of JSON
MAX_PAGES: Final = 2_000  # of one question: 20 million bars are a mistake of ours
ATTEMPTS: Final = 5  # for one page: 1 + 2 + 4 + 8 s apart
CHUNK: Final = 100  # symbols in one question: an address of about 600 characters
SESSION: Final = 390  # minutes of a whole core session
WEEKDAYS: Final = 252 / 366  # trading days of all days, a little less than there are
REACHES: Final = 5  # how often a warm-up that found too little looks further back, each time twice as far

_AT_FIRST: Final = 1.15  # a first reach beyond the depth, for minutes without a trade
_by_time = attrgetter("ts")


class History:
    """The bars of one account's feeds."""

    def __init__(
        self,
        data_url: str,
        keys: tuple[str, str],
        *,
        feeds: Mapping[Market, str],
        per_minute: int = 200,
        pace: float = 1.0,
    ) -> None:
        """Connect nothing yet; ``feeds`` names the stocks' feed and the coins' location.

        ``per_minute`` requests are made at most in a minute of the market's time, which goes ``pace`` times as fast.
        """
        self.refused: Counter[str] = Counter()  # bars that no market can have said, by reason
        self._desk = _DataDesk(data_url, *keys, deadline_s=PAGE_WITHIN_S)
        self._feeds = feeds
        self._pace = pace
        self._budget = _Budget(per_minute, round(60 * SECOND / pace))

    async def bars(self, symbols: Sequence[str], *, since: int, until: int) -> dict[str, list[Bar]]:
        """Return the bars that ended from ``since`` to ``until``, both included, of one market, oldest first.

        Raises:
            EdgeError: Alpaca refuses, or cannot be reached after :data:`ATTEMPTS`.
        """
        found: dict[str, list[Bar]] = {symbol: [] for symbol in symbols}
        for bar in await self._read(symbols, "1Min", since - MINUTE, until - MINUTE):
            if since <= bar.ts <= until:
                found.setdefault(bar.symbol, []).append(bar)
        return found

    async def days(self, symbols: Sequence[str], *, until: int, count: int) -> list[Bar]:
        """Return bars of some ``count`` newest trading days up to ``until``, each ending at its midnight.

        The one of the day that runs, if there is one, is what of it was so far.

        Raises:
            EdgeError: as :meth:`bars` does.
        """
        found: list[Bar] = []
        for market in MARKETS:
            wanted = [symbol for symbol in symbols if market_of(symbol) == market]
            since = until - round(count / WEEKDAYS if market == "stock" else count) * DAY
            found += [_whole_day(bar, market) for bar in await self._read(wanted, "1Day", since, until)]
        return found

    async def warmup(
        self, depth: Mapping[str, int], *, until: int, keep: Callable[[Bar], bool], calendar: StockCalendar
    ) -> AsyncIterator[list[Bar]]:
        """Yield the newest bars that ended up to ``until``, at least ``depth`` of each symbol where there are as many.

        A batch holds the bars of one minute, those that ``keep`` accepts.

        Raises:
            EdgeError: as :meth:`bars` does.
        """
        found: dict[str, list[Bar]] = {symbol: [] for symbol in depth}
        for market in MARKETS:
            wanted = {symbol: count for symbol, count in depth.items() if market_of(symbol) == market and count > 0}
            reach, last = max(wanted.values(), default=0) * _AT_FIRST, until
            for _ in range(REACHES):
                lacking = [symbol for symbol, count in wanted.items() if len(found[symbol]) < count]
                if not lacking:
                    break
                since = _back(market, last, reach, calendar)
                for symbol, bars in (await self.bars(lacking, since=since, until=last)).items():
                    found[symbol] = [bar for bar in bars if keep(bar)] + found[symbol]
                last, reach = since - MINUTE, reach * 2
        newest = [found[symbol][-count:] if count > 0 else [] for symbol, count in depth.items()]
        for _, minute in groupby(merge(*newest, key=_by_time), _by_time):
            yield [*minute]

    def close(self) -> None:
        """Let go of threads and connections."""
        self._desk.close()

    async def _read(self, symbols: Sequence[str], timeframe: str, first: int, last: int) -> list[Bar]:
        """Return the bars of one market that began from ``first`` to ``last``; each ends a minute after it began."""
        found: list[Bar] = []
        for begin in range(0, len(symbols), CHUNK):
            params = self._params(symbols[begin : begin + CHUNK], timeframe, first, last)
            async for answer in self._pages(market_of(symbols[0]), params):
                for symbol, rows in (answer.bars or {}).items():
                    found += await asyncio.to_thread(_bars_of, symbol, rows, self.refused)
        return found

    async def _pages(self, market: Market, params: dict[str, str]) -> "AsyncIterator[_Answer]":
        for _ in range(MAX_PAGES):
            answer = await self._page(market, params)
            yield answer
            if not answer.next_page_token:
                return
            params["page_token"] = answer.next_page_token

    def _params(self, symbols: Sequence[str], timeframe: str, first: int, last: int) -> dict[str, str]:
        params = {
            "symbols": ",".join(symbols),
            "timeframe": timeframe,
            "start": iso(first),
            "end": iso(last),
            "limit": str(PAGE),
            "sort": "asc",
        }
        if market_of(symbols[0]) == "crypto":
            return params
        # Bars from before a split in the shares of today, or a warm-up would see the price jump.
        return params | {"feed": self._feeds["stock"], "adjustment": "split"}

    async def _page(self, market: Market, params: Mapping[str, str]) -> "_Answer":
        version, path = (
            ("v2", "/stocks/bars") if market == "stock" else ("v1beta3", f"/crypto/{self._feeds['crypto']}/bars")
        )
        for attempt in range(1, ATTEMPTS + 1):
            await self._budget.turn()
            try:
                return _answer_of(await self._desk.read(path, version, params))
            except (Unavailable, OutcomeUnknown, WireError) as error:
                if attempt == ATTEMPTS:
                    raise
                log.info("history.delayed", market=market, attempt=attempt, why=str(error))
                await asyncio.sleep(2 ** (attempt - 1) / self._pace)
        raise AssertionError("the last attempt returns or raises")


class _DataDesk(RestDesk):
    """Alpaca's data host: paths of more than one version."""

    async def read(self, path: str, version: str, params: Mapping[str, str]) -> object:
        return await self._do(f"GET {path}", lambda client: client.get(path, dict(params), api_version=version))


class _Row(msgspec.Struct, gc=False):
    t: str
    o: float
    h: float
    l: float  # noqa: E741 - the wire's name
    c: float
    v: float


class _Answer(msgspec.Struct):
    bars: dict[str, list[Any]] | None = None
    next_page_token: str | None = None


class _Budget:
    """So many turns in any span of time (ns, real)."""

    def __init__(self, turns: int, span: int) -> None:
        self._span = span
        self._taken: deque[int] = deque(maxlen=turns)
        self._one_by_one = asyncio.Lock()

    async def turn(self) -> None:
        async with self._one_by_one:
            if len(self._taken) == self._taken.maxlen:
                await asyncio.sleep(max(0, self._taken[0] + self._span - time.monotonic_ns()) / SECOND)
            self._taken.append(time.monotonic_ns())


def _answer_of(body: object) -> _Answer:
    try:
        return msgspec.convert(body, _Answer)
    except msgspec.ValidationError as error:
        raise WireError(f"an answer that holds no bars: {error}") from error


def _bars_of(symbol: str, rows: list[Any], refused: Counter[str]) -> list[Bar]:
    try:
        known = msgspec.convert(rows, list[_Row])
    except msgspec.ValidationError:
        known = [row for one in rows for row in _row_of(one, refused)]
    messages = [BarMessage(symbol, row.o, row.h, row.l, row.c, row.v, row.t) for row in known]
    return [bar for bar in ticks_of(messages, refused) if isinstance(bar, Bar)]


def _whole_day(bar: Bar, market: Market) -> Bar:
    """Let a day's bar, which was taken for one of a minute, end with its day."""
    end = midnight_after(bar.ts - MINUTE, NEW_YORK if market == "stock" else None)
    return Bar(bar.symbol, end, bar.open, bar.high, bar.low, bar.close, bar.volume)


def _row_of(row: object, refused: Counter[str]) -> list[_Row]:
    try:
        return [msgspec.convert(row, _Row)]
    except msgspec.ValidationError:
        refused["unreadable"] += 1
        return []


def _back(market: Market, until: int, minutes: float, calendar: StockCalendar) -> int:
    """Return the end of the first minute of a span that holds so many minutes of trading before ``until``."""
    if market == "crypto":
        return until - round(minutes) * MINUTE
    sessions = int(minutes // SESSION) + 2
    today = utc(until).date()
    days = calendar.sessions(today - timedelta(days=sessions * 2 + 10), today)
    begun = [session for session in days if session.open < until]
    return begun[-min(sessions, len(begun))].pre_open + MINUTE
