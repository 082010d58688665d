"""Share splits while the exchange runs: positions are restated by the venue, later prices here.

What the archive knows stays as it is; what happens after a split is told at that part of its price and that multiple of
its size. A bar counts as after the split if it ends after it.
"""

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import numpy as np
from msgspec.structs import replace

from trader.access.ports import SimulatedFeed
from trader.access.sim.synthetic_bars import DayBars
from trader.access.sim.venue import Venue
from trader.access.sim.venue_orders import VenueAsset
from trader.exchange.archive import Archive
from trader.model.inputs import Ticks
from trader.model.ticks import Bar, Quote, Tick, Trade

_CENTS, _SUB_CENTS = 2, 4  # decimals of a price from a dollar on, and below
_PRICES = frozenset({"open", "high", "low", "close", "price", "bid", "ask"})
_SIZES = frozenset({"volume", "size", "bid_size", "ask_size"})

_Any = TypeVar("_Any", Bar, Quote, Trade)


class SplitArchive:
    """An :class:`~trader.exchange.archive.Archive` whose stocks may be split."""

    def __init__(self, archive: Archive) -> None:
        """Show ``archive`` as it is."""
        self._archive = archive
        self._splits: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)

    def split(self, symbol: str, ratio: Decimal, ts: int) -> None:
        """Let what happens after ``ts`` happen to ``ratio`` new shares per old one."""
        self._splits[symbol].append((ts, float(ratio)))

    @property
    def symbols(self) -> Sequence[str]:
        """Return all symbols, sorted."""
        return self._archive.symbols

    @property
    def first(self) -> int:
        """Return a time before which there is nothing."""
        return self._archive.first

    @property
    def last(self) -> int:
        """Return a time after which there is nothing."""
        return self._archive.last

    def describe(self) -> str:
        """Return one line for people: what this market is."""
        return self._archive.describe()

    def assets(self) -> dict[str, VenueAsset]:
        """Return what a venue on this market lists, by symbol."""
        return self._archive.assets()

    def columns(self, symbol: str, start: int, end: int) -> DayBars:
        """Return minute bars as arrays, any number of days."""
        columns = self._archive.columns(symbol, start, end)
        for ts, ratio in self._splits.get(symbol, ()):
            is_later = columns.end > ts
            parts = {
                name: np.where(is_later, np.round(getattr(columns, name) / ratio, _CENTS), getattr(columns, name))
                for name in ("open", "high", "low", "close")
            }
            columns = columns._replace(**parts, volume=np.where(is_later, columns.volume * ratio, columns.volume))
        return columns

    def bars(self, symbol: str, start: int, end: int) -> list[Bar]:
        """Return the minute bars that start within ``start`` and ``end``, oldest first."""
        return self._restated(self._archive.bars(symbol, start, end))

    def trades(self, symbol: str, start: int, end: int) -> list[Trade]:
        """Return the prints within ``start`` and ``end``, oldest first."""
        return self._restated(self._archive.trades(symbol, start, end))

    def quotes(self, symbol: str, start: int, end: int) -> list[Quote]:
        """Return the quotes within ``start`` and ``end``, oldest first."""
        return self._restated(self._archive.quotes(symbol, start, end))

    def feed(self, start: int) -> SimulatedFeed:
        """Return the market as it runs from ``start`` on, splits on the way included."""
        return _SplitFeed(self._archive.feed(start), self)

    def restated(self, tick: _Any) -> _Any:
        """Return a tick at the price and of the size it has after the splits before it."""
        for ts, ratio in self._splits.get(tick.symbol, ()):
            if tick.ts > ts:
                tick = _scaled(tick, ratio)
        return tick

    @property
    def has_splits(self) -> bool:
        """Return whether anything was split."""
        return bool(self._splits)

    def _restated(self, ticks: list[_Any]) -> list[_Any]:
        return [self.restated(tick) for tick in ticks] if self._splits else ticks
