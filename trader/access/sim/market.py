"""A market that is made up: seeded, endless, without a network. Equal seed, equal run, whatever else is subscribed.

Stocks trade in New York's regular sessions, coins always; both follow a market factor. *Why* nothing is simulated step
by step: every price is a function of the seed, the symbol and the minute (``synthetic_paths``), so history needs no
past to be run through, and adding a ticker changes nobody else's prices.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from itertools import count, repeat

from trader.access.sim.synthetic_bars import PRINTS, DayBars, Factors, SyntheticSymbol
from trader.errors import ConfigError, Problem
from trader.model.inputs import Ticks
from trader.model.ticks import Bar, Quote, Tick, Trade
from trader.model.time import DAY, iso, parse_time

# Sessions of New York are known from the one on; nanoseconds in 64 bits end soon after the other.
_EARLIEST, _LATEST = parse_time("1970-01-02"), parse_time("2200-01-01")


class SyntheticMarket:
    """A :class:`~trader.access.ports.SimulatedFeed` of made-up prices; ticks never end, and each call begins anew.

    With ``quotes`` every minute's bar comes after four batches of quotes and prints that make it.
    """

    def __init__(self, symbols: Sequence[str], *, seed: int, start: int, quotes: bool = False) -> None:
        """List the symbols.

        Raises:
            ConfigError: there is no symbol, or ``start`` is out of this market's time.
        """
        if not symbols:
            raise ConfigError([Problem("symbols", "is empty; name at least one, such as SPY or BTC/USD")])
        if not _EARLIEST <= start < _LATEST:
            message = f"{iso(start)} is out of this market's time, {iso(_EARLIEST)} to {iso(_LATEST)}"
            raise ConfigError([Problem("start", message)])
        factors = Factors(seed)
        self._symbols = [SyntheticSymbol(seed, symbol, factors) for symbol in sorted(set(symbols))]
        self._seed = seed
        self._start = start
        self._has_quotes = quotes

    @property
    def start(self) -> int:
        """Return the market time (ns UTC) from which :meth:`ticks` delivers."""
        return self._start

    @property
    def skipped(self) -> Mapping[str, int]:
        """Return an empty mapping: this market makes no bad rows."""
        return {}

    @property
    def missing(self) -> Sequence[str]:
        """Return nothing: any symbol has a price here."""
        return ()

    def describe(self) -> str:
        """Return the seed and the start."""
        return f"synthetic market, seed {self._seed}, from {iso(self._start)}"

    def history(self, depth: Mapping[str, int]) -> Iterator[Sequence[Bar]]:
        """Yield exactly the newest ``depth`` bars of each symbol up to :attr:`start`, one minute a batch."""
        last_day = self._start // DAY
        since = {symbol: self._since(symbol, depth.get(symbol.listing.symbol, 0)) for symbol in self._symbols}
        since = {symbol: ts for symbol, ts in since.items() if ts <= self._start}
        if not since:
            return
        for day in range((min(since.values()) - 1) // DAY, last_day + 1):
            for ts, bars in _by_minute([(symbol, symbol.day(day), since[symbol]) for symbol in since]):
                if ts <= self._start:
                    yield bars

    def days(self, count: int) -> list[Bar]:
        """Return bars of the newest ``count`` days of each symbol that were over at :attr:`start`."""
        found: list[Bar] = []
        for symbol in self._symbols:
            columns = (values.tolist() for values in symbol.days(count, until=self._start))
            found += map(Bar, repeat(symbol.listing.symbol), *columns)
        return found

    def ticks(self) -> Generator[Ticks, None, None]:
        """Yield every minute's bars after :attr:`start`, for ever, with quotes and prints before them if wanted."""
        for day in count(self._start // DAY):
            inside = self._inside(day) if self._has_quotes else {}
            for ts, bars in _by_minute([(symbol, symbol.day(day), self._start + 1) for symbol in self._symbols]):
                yield from self._quarters(inside, ts)
                yield Ticks(ts, bars)

    def _since(self, symbol: SyntheticSymbol, bars: int) -> int:
        """Return the end of the oldest of so many newest bars up to the start; later than the start for none."""
        since = self._start + 1
        for day in range(self._start // DAY, -1, -1):
            if bars <= 0:
                break
            ends = symbol.day(day).end
            ends = ends[ends <= self._start][-bars:]
            if len(ends):
                since = int(ends[0])
                bars -= len(ends)
        return since

    def _quarters(self, inside: Mapping[tuple[int, int], list[Tick]], end: int) -> Iterator[Ticks]:
        for quarter in range(PRINTS):
            ticks = [tick for tick in inside.get((end, quarter), ()) if tick.ts > self._start]
            if ticks:
                ticks.sort(key=_ts)
                yield Ticks(ticks[-1].ts, ticks)

    def _inside(self, day: int) -> dict[tuple[int, int], list[Tick]]:
        """Return a day's quotes and prints by the end of their minute and its quarter."""
        found: dict[tuple[int, int], list[Tick]] = {}
        for symbol in self._symbols:
            name, prints = symbol.listing.symbol, symbol.prints(day)
            rows = zip(symbol.day(day).end.tolist(), *(values.tolist() for values in prints), strict=True)
            for end, *columns in rows:
                for quarter, (ts, price, size, bid, ask, depth) in enumerate(zip(*columns, strict=True)):
                    ticks = found.setdefault((end, quarter), [])
                    ticks.append(Quote(name, ts, bid, depth, ask, depth))
                    ticks.append(Trade(name, ts, price, size))
        return found


def _by_minute(days: Sequence[tuple[SyntheticSymbol, DayBars, int]]) -> Iterator[tuple[int, list[Bar]]]:
    """Yield the symbols' bars from their first wanted end on, minute by minute, in the order the symbols are given."""
    minutes: dict[int, list[Bar]] = {}
    for symbol, day, since in days:
        wanted = day.end.searchsorted(since)
        columns = [values[wanted:].tolist() for values in day]
        for bar in map(Bar, repeat(symbol.listing.symbol), *columns):
            batch = minutes.get(bar.ts)
            if batch is None:
                minutes[bar.ts] = [bar]
            else:
                batch.append(bar)
    for ts in sorted(minutes):
        yield ts, minutes[ts]


def _ts(tick: Tick) -> int:
    return tick.ts
