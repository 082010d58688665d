"""Share splits while the exchange runs: positions are restated by the venue, later prices here.

What the archive knows stays as it is; what happens after a split is told at that part of its price and that multiple of
its size. A bar counts as after the split if it ends after it.
"""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

import numpy as np
from msgspec.structs import replace

from trader.access.sim.synthetic_bars import DayBars
from trader.exchange.archive import Archive
from trader.model.ticks import Bar, Quote, Tick, Trade

_DECIMALS = 4  # of a price after a split: prints between cents are usual
_OHLC = ("open", "high", "low", "close")
_PRICES: dict[type, tuple[str, ...]] = {Bar: _OHLC, Trade: ("price",), Quote: ("bid", "ask")}
_SIZES: dict[type, tuple[str, ...]] = {Bar: ("volume",), Trade: ("size",), Quote: ("bid_size", "ask_size")}

_Any = TypeVar("_Any", bound=Tick)


class SplitArchive:
    """An :class:`~trader.exchange.archive.Archive` whose stocks may be split."""

    def __init__(self, archive: Archive) -> None:
        """Show ``archive`` as it is."""
        self._archive = archive
        self.symbols, self.first, self.last = archive.symbols, archive.first, archive.last
        self.describe, self.assets, self.next_time = archive.describe, archive.assets, archive.next_time
        self.feed = archive.feed  # as it was made: whoever runs it restates each tick when it is due
        self._splits: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)

    def split(self, symbol: str, ratio: Decimal, ts: int) -> None:
        """Let what happens after ``ts`` happen to ``ratio`` new shares per old one."""
        self._splits[symbol].append((ts, float(ratio)))

    def columns(self, symbol: str, start: int, end: int) -> DayBars:
        """Return minute bars as arrays, any number of days."""
        columns = self._archive.columns(symbol, start, end)
        for ts, ratio in self._splits.get(symbol, ()):
            is_later = columns.end > ts
            divided = {
                name: np.where(is_later, _price(getattr(columns, name), ratio), getattr(columns, name))
                for name in _OHLC
            }
            columns = columns._replace(**divided, volume=np.where(is_later, columns.volume * ratio, columns.volume))
        return columns

    def bars(self, symbol: str, start: int, end: int) -> list[Bar]:
        """Return the minute bars that start within ``start`` and ``end``, oldest first."""
        return list(self.restated(self._archive.bars(symbol, start, end)))

    def trades(self, symbol: str, start: int, end: int) -> list[Trade]:
        """Return the prints within ``start`` and ``end``, oldest first."""
        return list(self.restated(self._archive.trades(symbol, start, end)))

    def quotes(self, symbol: str, start: int, end: int) -> list[Quote]:
        """Return the quotes within ``start`` and ``end``, oldest first."""
        return list(self.restated(self._archive.quotes(symbol, start, end)))

    def restated(self, ticks: Sequence[_Any]) -> Sequence[_Any]:
        """Return ticks at the prices and of the sizes they have after the splits before them."""
        return [self._restated(tick) for tick in ticks] if self._splits else ticks

    def _restated(self, tick: _Any) -> _Any:
        for ts, ratio in self._splits.get(tick.symbol, ()):
            if tick.ts > ts:
                prices = {name: float(_price(getattr(tick, name), ratio)) for name in _PRICES[type(tick)]}
                tick = replace(tick, **prices, **{name: getattr(tick, name) * ratio for name in _SIZES[type(tick)]})
        return tick


def _price(values: Any, ratio: float) -> Any:  # noqa: ANN401 -- one price or an array of them
    return np.round(values / ratio, _DECIMALS)
