"""What is true on the local exchange's market: any span of any symbol's time, and the same thing as a live feed.

Bars are minute bars, found by their *start* as Alpaca finds them, both ends included. An archive knows its market's
future too: whoever shows it to a client cuts at the market's time.
"""

from array import array
from collections.abc import Collection, Generator, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import groupby, repeat
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import numpy as np

from trader.access.sim.feed import ReplayFeed
from trader.access.sim.replay_files import cannot_read, files_of, open_file
from trader.access.sim.replay_store import BarStore
from trader.access.sim.synthetic_bars import DayBars, Factors, SyntheticSymbol
from trader.access.sim.synthetic_listings import known_symbols
from trader.access.sim.venue_orders import VenueAsset
from trader.errors import ConfigError, DataError, Problem
from trader.model.inputs import Ticks
from trader.model.instruments import instrument_of
from trader.model.money import NANO
from trader.model.ticks import Bar, Quote, Tick, Trade
from trader.model.time import DAY, MINUTE, SECOND, iso, parse_time

# Alpaca's own history begins here; the synthetic market would have an earlier one, at the price of drawing every day.
_EARLIEST = parse_time("2016-01-01")
_LATEST = parse_time("2200-01-01")  # nanoseconds in 64 bits end some decades later

MOST_SYMBOLS: Final = 1000  # of recorded ones: the feed looks at each of them every ten minutes

_DAYS_KEPT = 2  # of each symbol's prints: the pages of one request follow each other
_BLOCK = 10 * MINUTE  # of ticks made at once by a live feed: a few milliseconds of work

NO_BARS = DayBars(np.empty(0, np.int64), *repeat(np.empty(0), 5))


class Archive(Protocol):
    """A market's truth, by random access; an unknown symbol has nothing, at any time.

    ``symbols`` are sorted; before ``first`` and after ``last`` (ns UTC) there is nothing.
    """

    symbols: Sequence[str]
    first: int
    last: int

    def next_time(self, ts: int) -> int:
        """Return ``ts``, or a later time until which nothing happens; after :attr:`last` when there is nothing more."""

    def describe(self) -> str:
        """Return one line for people: what this market is."""

    def assets(self) -> dict[str, VenueAsset]:
        """Return what a venue on this market lists, by symbol."""

    def columns(self, symbol: str, start: int, end: int) -> DayBars:
        """Return the minute bars that start within ``start`` and ``end`` as arrays, of any number of days."""

    def bars(self, symbol: str, start: int, end: int) -> list[Bar]:
        """Return the minute bars that start within ``start`` and ``end``, oldest first."""
        return bars_of(symbol, self.columns(symbol, start, end))

    def trades(self, symbol: str, start: int, end: int) -> list[Trade]:
        """Return the prints within ``start`` and ``end``, oldest first; none where bars alone were recorded."""
        return []

    def quotes(self, symbol: str, start: int, end: int) -> list[Quote]:
        """Return the quotes within ``start`` and ``end``, oldest first; none where bars alone were recorded."""
        return []

    def feed(self, start: int) -> "ArchiveFeed":
        """Return the market as it runs from ``start`` on."""


class SyntheticArchive(Archive):
    """The synthetic market's past and future: the stocks and coins it knows, and any further symbol that is named.

    With ``is_small`` those that are named are all there is.
    """

    def __init__(self, symbols: Collection[str] = (), *, seed: int, is_small: bool = False) -> None:
        """List the symbols; nothing is drawn yet."""
        self.symbols = sorted({*symbols} if is_small else {*known_symbols(), *symbols})
        self.first, self.last = _EARLIEST, _LATEST
        self._seed = seed
        factors = Factors(seed)
        self._markets = {symbol: SyntheticSymbol(seed, symbol, factors) for symbol in self.symbols}
        self._prints = lru_cache(maxsize=_DAYS_KEPT * len(self.symbols))(
            lambda symbol, day: self._markets[symbol].prints(day)
        )

    def next_time(self, ts: int) -> int:
        """Return ``ts``: the coins never rest."""
        return max(ts, self.first)

    def describe(self) -> str:
        """Return the seed and how many symbols."""
        return f"synthetic market, seed {self._seed}, {len(self.symbols)} symbols"

    def assets(self) -> dict[str, VenueAsset]:
        """Return what a venue on this market lists, by symbol."""
        return {symbol: asset_of(symbol, market.listing.price) for symbol, market in self._markets.items()}

    def columns(self, symbol: str, start: int, end: int) -> DayBars:
        """Return the minute bars that start within ``start`` and ``end`` as arrays, of any number of days."""
        days = [_cut(self._markets[symbol].day(day), start, end) for day in self._days(symbol, start, end)]
        return DayBars._make(map(np.concatenate, zip(*days, strict=True))) if days else NO_BARS

    def trades(self, symbol: str, start: int, end: int) -> list[Trade]:
        """Return the prints within ``start`` and ``end``, oldest first."""
        inside = self._inside(symbol, start, end)
        return [Trade(symbol, ts, price, size) for ts, price, size, _, _, _ in inside]

    def quotes(self, symbol: str, start: int, end: int) -> list[Quote]:
        """Return the quotes within ``start`` and ``end``, oldest first; each one's print comes at the same time."""
        inside = self._inside(symbol, start, end)
        return [Quote(symbol, ts, bid, size, ask, size) for ts, _, _, bid, ask, size in inside]

    def feed(self, start: int) -> "ArchiveFeed":
        """Return the market as it runs from ``start`` on, with draws of its own: requests do not disturb its caches.

        Raises:
            ConfigError: ``start`` is out of this market's time.
        """
        if not _EARLIEST <= start < _LATEST:
            message = f"{iso(start)} is out of this market's time, {iso(_EARLIEST)} to {iso(_LATEST)}"
            raise ConfigError([Problem("start", message)])
        return ArchiveFeed(SyntheticArchive(self.symbols, seed=self._seed, is_small=True), start)

    def _days(self, symbol: str, start: int, end: int) -> range:
        """Return the days that may hold something within the span; none of an unknown symbol."""
        first, last = max(start, _EARLIEST), min(end, _LATEST)
        return range(first // DAY, last // DAY + 1) if symbol in self._markets else range(0)

    def _inside(self, symbol: str, start: int, end: int) -> Iterator[tuple[int, float, float, float, float, float]]:
        for day in self._days(symbol, start, end):
            columns = [values.ravel() for values in self._prints(symbol, day)]
            low, high = columns[0].searchsorted([start, end + 1])
            yield from zip(*(values[low:high].tolist() for values in columns), strict=True)


class ReplayArchive(Archive):
    """Recorded minute bars, read once and kept in memory, some 50 bytes a bar; there are no prints and no quotes."""

    def __init__(self, paths: Sequence[Path], symbols: Collection[str] = ()) -> None:
        """Read the files' bars of ``symbols``, of all their symbols if none is named.

        Raises:
            DataError: a file is not minute bars, or nothing in them can be replayed.
        """
        feed = ReplayFeed(paths, symbols or _symbols_in(paths))
        read = _read(feed)
        self.symbols = sorted(read)
        self.first = feed.start
        self._bars = read
        self._ends = np.unique(np.concatenate([bars.end for bars in read.values()]))
        self.last = int(self._ends[-1])
        self._description = feed.describe()

    def next_time(self, ts: int) -> int:
        """Return the end of the first bar that ends at ``ts`` or later: between two sessions there may be years."""
        place = int(self._ends.searchsorted(ts))
        return int(self._ends[place]) if place < len(self._ends) else self.last + 1

    def describe(self) -> str:
        """Return the files, how many symbols, and from when."""
        return self._description

    def assets(self) -> dict[str, VenueAsset]:
        """Return what a venue on this market lists, by symbol."""
        return {symbol: asset_of(symbol, float(bars.close[0])) for symbol, bars in self._bars.items()}

    def columns(self, symbol: str, start: int, end: int) -> DayBars:
        """Return the minute bars that start within ``start`` and ``end`` as arrays."""
        return _cut(self._bars.get(symbol, NO_BARS), start, end)

    def feed(self, start: int) -> "ArchiveFeed":
        """Return the market as it runs from ``start`` on, to the end of what was recorded.

        Raises:
            ConfigError: nothing was recorded after ``start``.
        """
        if start >= self.last:
            message = f"{iso(start)} leaves nothing to replay: the last bar ends {iso(self.last)}; start earlier"
            raise ConfigError([Problem("start", message)])
        return ArchiveFeed(self, start)


class ArchiveFeed:
    """A market as it runs, out of an archive; quotes and prints come second by second.

    *Why* not the synthetic market's own feed: that one draws all symbols' ticks of a day at once, and a market of many
    symbols would stand still for seconds at midnight.
    """

    def __init__(self, archive: Archive, start: int) -> None:
        """Begin after ``start``; nothing is read yet."""
        self.start = start
        self._archive = archive

    def ticks(self) -> Generator[Ticks, None, None]:
        """Yield what happens after :attr:`start`; a minute's bars are a batch, a second's quotes and prints another."""
        end = self.start + 1
        while (start := self._archive.next_time(end)) <= self._archive.last:
            end = (start // _BLOCK + 1) * _BLOCK
            for _, group in groupby(self._between(start, end), key=_batch):
                batch = list(group)
                yield Ticks(batch[-1].ts, batch)

    def _between(self, start: int, end: int) -> list[Tick]:
        """Return the ticks from ``start`` until before ``end``: bars before the next minute, quotes before prints."""
        archive, symbols = self._archive, self._archive.symbols
        found: list[Tick] = []
        for symbol in symbols:
            found += archive.bars(symbol, start - MINUTE, end - MINUTE - 1)
        for symbol in symbols:
            found += archive.quotes(symbol, start, end - 1)
            found += archive.trades(symbol, start, end - 1)
        found.sort(key=_ts)
        return found


def asset_of(symbol: str, price: float) -> VenueAsset:
    """List a symbol; of a coin, no less may be ordered than ``price`` makes worth about a dollar, as at Alpaca."""
    instrument = instrument_of(symbol)
    if instrument.asset_class == "stock":
        return VenueAsset(instrument)
    least = max(Decimal(f"{1 / price:.9f}"), NANO)
    return VenueAsset(instrument, is_shortable=False, min_order_size=least)


def bars_of(symbol: str, columns: DayBars) -> list[Bar]:
    """Make the arrays' bars."""
    return list(map(Bar, repeat(symbol), *(values.tolist() for values in columns)))


def _symbols_in(paths: Sequence[Path]) -> list[str]:
    """List the symbols of all files."""
    store = BarStore(["-"])  # it reads nothing, so it matters not what it wants
    try:
        found = {symbol for path in files_of(paths) for symbol in _symbols_of(path, store)}
    finally:
        store.close()
    if len(found) > MOST_SYMBOLS:
        raise DataError(f"the files hold more than {MOST_SYMBOLS} symbols; name those to replay")
    return sorted(found)


def _symbols_of(path: Path, store: BarStore) -> list[str]:
    try:
        file = open_file(path, store.connection)
        return [file.name_symbols[-1]] if file.name_symbols else store.symbols_in(path, limit=MOST_SYMBOLS + 1)
    except duckdb.Error as error:
        raise cannot_read(path, error) from error


def _read(feed: ReplayFeed) -> dict[str, DayBars]:
    """Take all bars of a feed by symbol; arrays of numbers, because a million bars as objects are too many."""
    found: dict[str, list[array[Any]]] = {}
    for ticks in feed.ticks():
        for bar in ticks.ticks:
            assert isinstance(bar, Bar), "bars alone were recorded"
            columns = found.get(bar.symbol)
            if columns is None:
                columns = found[bar.symbol] = [array(code) for code in "qddddd"]
            numbers = (bar.ts, bar.open, bar.high, bar.low, bar.close, bar.volume)
            for column, number in zip(columns, numbers, strict=True):
                column.append(number)
    return {symbol: DayBars._make(map(np.array, columns)) for symbol, columns in found.items()}


def _cut(bars: DayBars, start: int, end: int) -> DayBars:
    low, high = bars.end.searchsorted([start + MINUTE, end + MINUTE + 1])
    return bars if high - low == len(bars.end) else DayBars._make(values[low:high] for values in bars)


def _batch(tick: Tick) -> tuple[int, bool]:
    return tick.ts // SECOND, type(tick) is Bar


_ts = attrgetter("ts")
