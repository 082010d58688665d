"""Marks and windows: what the desk knows of each symbol, kept once however many sandboxes listen."""

from __future__ import annotations

import math
from struct import Struct
from typing import TYPE_CHECKING

import numpy as np

from trader.capital.dailies import Dailies
from trader.director.grid import BarBuilder, scaled
from trader.model.ticks import Bar
from trader.model.views import Market

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from trader.engine.sandbox import Slot
    from trader.model.instruments import Instrument
    from trader.model.ticks import Quote

    Floats = NDArray[np.float64]

# A window keeps at least so many bars, so that a strategy may look further back than its warm-up asks for.
WINDOW_BARS = 512
_ROW = Struct("6d")
_ROW_SIZE = _ROW.size
_pack_into = _ROW.pack_into
_END = 5  # a bar's end as a float: exact, because ends are whole minutes


class Window:
    """The newest ``capacity`` bars of one symbol, read as numpy columns without a copy, newest last.

    There is room for twice as many: bars are written one after the other, and only when the end is reached does the
    newer half move to the front. A view is valid until the next bar.
    """

    __slots__ = ("_capacity", "_end", "_rows", "_table")

    def __init__(self, capacity: int) -> None:
        """Begin empty; memory is taken at once: 2 × ``capacity`` × 48 bytes."""
        self._capacity = capacity
        self._rows = bytearray(2 * capacity * _ROW_SIZE)
        readable = memoryview(self._rows).toreadonly()  # nobody who is shown a column can make it writeable
        self._table = np.frombuffer(readable, dtype=np.float64).reshape(-1, _END + 1)
        self._end = 0

    def append(self, bar: Bar) -> None:
        """Take one bar."""
        end = self._end
        if end == 2 * self._capacity:
            half = self._capacity * _ROW_SIZE
            self._rows[:half] = self._rows[half:]
            end = self._capacity
        _pack_into(self._rows, end * _ROW_SIZE, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ts)
        self._end = end + 1

    def since(self, ts: int) -> Floats:
        """Return the bars that ended after ``ts``, shape (bars, 6): open, high, low, close, volume, end."""
        bars = self._table[max(0, self._end - self._capacity) : self._end]
        return bars[np.searchsorted(bars[:, _END], ts, side="right") :]

    def replace(self, bar: Bar) -> bool:
        """Write ``bar`` over the one with the same end; say whether there was one."""
        places = np.flatnonzero(self.column(_END, len(self)) == bar.ts)
        for place in places:
            row = (self._end - len(self) + int(place)) * _ROW_SIZE
            _pack_into(self._rows, row, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.ts)
        return bool(len(places))

    def scale(self, ratio: float, until: int) -> None:
        """Show every bar that ended up to ``until`` as if a share had always been ``ratio`` shares."""
        table = np.frombuffer(self._rows, dtype=np.float64).reshape(-1, _END + 1)
        old = table[:, _END] <= until
        table[old, :4] /= ratio
        table[old, 4] *= ratio

    def column(self, number: int, n: int) -> Floats:
        """Return the newest ``n`` values of column 0 open, 1 high, 2 low, 3 close, 4 volume; fewer if there are."""
        end = self._end
        return self._table[max(0, end - min(n, self._capacity)) : end, number]

    def __len__(self) -> int:
        """Return how many bars can be read."""
        return min(self._end, self._capacity)


class Series:
    """The closed bars of one symbol in one bar size, with the slots that listen to them in config order."""

    __slots__ = ("bar", "builder", "closed", "cold", "count", "minutes", "warm", "window")

    bar: Bar  # the newest closed bar; absent until the first

    def __init__(self, minutes: int, capacity: int) -> None:
        """Begin without bars; a series longer than a minute builds its own."""
        self.minutes = minutes
        self.builder = BarBuilder(minutes) if minutes > 1 else None
        self.window = Window(capacity)
        self.count = 0
        self.closed = 0  # end of the newest closed bar
        self.cold: list[Slot] = []
        self.warm: list[Slot] = []

    def close(self, bar: Bar) -> None:
        """Take a closed bar into the window."""
        self.bar = bar
        self.closed = bar.ts
        self.count += 1
        self.window.append(bar)

    def revise(self, minute: Bar) -> bool:
        """Replace a minute's bar, or the longer bar it is part of; say whether it was found."""
        bar = minute if self.builder is None else self.builder.revise(minute)
        if bar is None or not self.window.replace(bar):
            return False
        if self.closed == bar.ts:
            self.bar = bar
        return True

    def scale(self, ratio: float, until: int) -> None:
        """Show what ended up to ``until`` as if every share had always been ``ratio`` shares."""
        self.window.scale(ratio, until)
        rebuilt = None if self.builder is None else self.builder.scale(ratio, until)
        if rebuilt is not None and rebuilt.ts > until:  # it spans the split
            self.window.replace(rebuilt)
            self.bar = rebuilt
        elif self.count and self.bar.ts <= until:
            self.bar = scaled(self.bar, ratio)

    def chill(self, slots: Iterable[Slot]) -> None:
        """Let slots that were warm warm up anew, on bars still to come."""
        for slot in slots:
            slot.warm_at = self.count + slot.sandbox.spec.warm_at
            slot.is_warm = slot.sandbox.is_warm = False
        self.cold = sorted({*self.cold, *slots}, key=lambda slot: slot.rank)
        self.warm = [slot for slot in self.warm if slot.is_warm]

    def promote(self) -> list[Slot]:
        """Move the slots whose warm-up the newest bar completes to the warm ones and return them."""
        ready = [slot for slot in self.cold if self.count >= slot.warm_at]
        if ready:
            self.cold = [slot for slot in self.cold if self.count < slot.warm_at]
            self.warm = sorted([*self.warm, *ready], key=lambda slot: slot.rank)
        return ready


class Listing:
    """One symbol on the desk: its mark, its series, and which slots its stops, orders and waits belong to."""

    __slots__ = (
        "before", "close", "dailies", "guards", "instrument", "mark", "newest", "quote", "quoted", "series", "slots",
        "waiting", "working",
    )  # fmt: skip

    def __init__(self, instrument: Instrument) -> None:
        """Begin without a mark."""
        self.instrument = instrument
        self.mark = math.nan
        self.close = math.nan  # of the newest minute bar
        self.before = math.nan  # of the one before it
        self.newest = 0  # end of the newest minute bar
        self.quote: Quote | None = None  # the newest
        self.quoted = 0  # time of the newest quote or trade
        self.dailies = Dailies(instrument.asset_class)
        self.series: list[Series] = []
        self.slots: list[Slot] = []
        self.guards: dict[Slot, None] = {}  # a set that keeps its order; likewise the next
        self.working: dict[Slot, None] = {}  # have an order on its way
        # Ask again as soon as one of those has ended; whether it is an exit that nothing but those keeps waiting.
        self.waiting: dict[Slot, bool] = {}

    def market(self) -> Market:
        """Return what is known of its market now."""
        quote, dailies = self.quote, self.dailies
        told = dailies.broadcast()
        return Market(
            self.mark,
            max(self.newest, self.quoted),
            *(_NO_QUOTE if quote is None else (quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.ts)),
            self.before,
            *(_NO_DAYS if told is None else (told.sigma_day, told.vol_ratio)),
            dailies.volume_day,
        )

    def end_days(self, ts: int) -> None:
        """Take the minutes that no day has yet into their days, and let those be seen that have ended at ``ts``."""
        finest = min(self.series, key=lambda series: series.minutes)
        self.dailies.learn(finest.window.since(self.dailies.until), ts)

    def split(self, ratio: float, until: int) -> None:
        """Show prices from up to ``until`` as if every share had always been ``ratio`` shares."""
        if max(self.newest, self.quoted) <= until:
            self.mark /= ratio
        if self.newest <= until:
            self.close /= ratio
            self.before /= ratio
        if self.quote is not None and self.quote.ts <= until:
            self.quote = None
        self.dailies.scale(ratio, until)
        for series in self.series:
            series.scale(ratio, until)


_NO_QUOTE = (math.nan, math.nan, math.nan, math.nan, 0)
_NO_DAYS = (math.nan, math.nan)
