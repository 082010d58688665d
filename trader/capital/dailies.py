"""Daily bars of each symbol: given from outside, then made of its minutes as its days end.

A day is New York's for a stock and UTC's for a coin. A stock's open, high, low and close are those of its core session,
9:30 to 16:00, where there is a bar of it, and its volume is the whole day's, as exchanges report it; on days that close
early the hours until 16:00 count as core. The first day that is seen is none if it was not seen from its beginning.

*Why* minutes are looked at only once in hours: windows keep them anyhow, revised and split, and nobody may see a day
before it is over. So a minute costs a comparison, and a day of a symbol some 50 µs.
"""

from __future__ import annotations

from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING, Final

import numpy as np

from trader.capital.volatility import ANNUALISER, Volatility, forecast
from trader.model.time import DAY, HOUR, MINUTE, NEW_YORK, midnight_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from trader.model.instruments import AssetClass
    from trader.model.ticks import Bar

    Floats = NDArray[np.float64]

MOST_DAYS: Final = 2_600  # ten years of weekdays, the longest that anybody looks back
VOLUME_DAYS: Final = 20  # of the average daily volume: four weeks
FOLD_AFTER: Final = 8 * HOUR  # a window surely keeps so many minutes
BEGINNING: Final = 30 * MINUTE  # of a day; some of it has to be seen
LONGEST_REST: Final = 15 * DAY  # what is known from before a longer one is of another time
FRESH: Final[dict[AssetClass, int]] = {"stock": 5 * DAY, "crypto": 2 * DAY}  # the longest weekend; a day

_OPEN, _HIGH, _LOW, _CLOSE, _VOLUME, _END = range(6)
_CORE: Final = (14 * HOUR + 30 * MINUTE, 8 * HOUR)  # before New York's midnight; clocks are changed on Sundays


class Dailies:
    """The days of one symbol that have ended, newest last; every array is read-only, and empty while nothing is known.

    ``ends`` are when they ended (ns UTC), shape (days,): a symbol may lack days that another has.
    """

    __slots__ = (
        "_all_ends", "_asset_class", "_forecast", "_given_at", "_has_core", "_is_measured", "_is_stale", "_now",
        "_rows", "_torn", "_version", "_volume_day", "ends", "until",
    )  # fmt: skip

    def __init__(self, asset_class: AssetClass) -> None:
        """Know no day yet."""
        self.until = 0  # end of the newest minute that is in a day
        self.ends = np.empty(0, dtype=np.int64)
        self._asset_class: AssetClass = asset_class
        self._all_ends = self.ends  # the day that runs included
        self._rows = np.empty((0, _END))
        self._has_core = False  # the newest day: its prices are of the core session
        self._torn = 0  # end of a first day whose beginning was not seen
        self._given_at = 0  # what ended until then was given in the shares of then
        self._now = 0
        self._version = 0
        self._is_stale = False
        self._is_measured = False
        self._forecast: Volatility | None = None
        self._volume_day = nan

    def highs(self, n: int) -> Floats:
        """Return the newest ``n`` daily highs, shape (≤ n,)."""
        return self._column(_HIGH, n)

    def lows(self, n: int) -> Floats:
        """Return the newest ``n`` daily lows, shape (≤ n,)."""
        return self._column(_LOW, n)

    def closes(self, n: int) -> Floats:
        """Return the newest ``n`` daily closes, shape (≤ n,)."""
        return self._column(_CLOSE, n)

    def volumes(self, n: int) -> Floats:
        """Return the newest ``n`` daily volumes in shares or coins, shape (≤ n,)."""
        return self._column(_VOLUME, n)

    @property
    def sigma_day(self) -> float:
        """Return the standard deviation of daily returns now; NaN while too few days are known."""
        told = self.broadcast()
        return nan if told is None else told.sigma_day

    @property
    def vol_ratio(self) -> float:
        """Return that over its long average; NaN while too few days are known."""
        told = self.broadcast()
        return nan if told is None else told.vol_ratio

    @property
    def volume_day(self) -> float:
        """Return the average daily volume of the newest :data:`VOLUME_DAYS` days, NaN without one."""
        self.broadcast()
        return self._volume_day

    def broadcast(self) -> Volatility | None:
        """Return what everybody is told of its volatility; None while too few days are known."""
        if not self._is_measured:
            self._is_measured = True
            self._forecast = self._measured()
        return self._forecast

    def give(self, bars: Sequence[Bar], ts: int) -> None:
        """Take bars of days, oldest first, in the place of what was known of those days.

        One of a day that has not ended at ``ts`` is what of it was so far; later ones there cannot be.
        """
        today = day_end(ts, self._asset_class)
        bars = [bar for bar in bars if bar.ts <= today]
        if not bars:
            return
        ends = np.array([day_end(bar.ts - 1, self._asset_class) for bar in bars], dtype=np.int64)
        rows = np.array([(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in bars])
        others = ~np.isin(self._all_ends, ends)
        ends, rows = np.concatenate([self._all_ends[others], ends]), np.concatenate([self._rows[others], rows])
        order = np.argsort(ends, kind="stable")
        self._keep(ends[order], rows[order])
        self.until = max(self.until, min(int(ends.max()), ts))
        self._has_core = True
        self._torn = 0
        self._given_at = ts
        self._change()
        self._end_days(ts)

    def learn(self, minutes: Floats, ts: int) -> None:
        """Add minutes, or longer bars, and let every day be seen that has ended at ``ts``, or at a later one of before.

        They are open, high, low, close, volume and end, shape (bars, 6), oldest first. Only those after :attr:`until`
        count: what is before has been counted.
        """
        ends = minutes[:, _END]
        place = int(np.searchsorted(ends, self.until, side="right"))
        while place < len(minutes):
            end = day_end(int(ends[place]) - 1, self._asset_class)
            following = int(np.searchsorted(ends, end, side="right"))
            self._add(end, minutes[place:following])
            self.until = int(ends[following - 1])
            place = following
        self._end_days(ts)

    def scale(self, ratio: float, until: int) -> None:
        """Show every day that ended up to ``until`` as if a share had always been ``ratio`` shares.

        The day that ``until`` is in is taken for old where nothing newer of it is known.
        """
        if until < self._given_at:
            return  # given in the shares of then
        old = self._all_ends <= (until if self.until > until else day_end(until, self._asset_class))
        rows = self._rows.copy()
        rows[old, :_VOLUME] /= ratio
        rows[old, _VOLUME] *= ratio
        self._keep(self._all_ends, rows)
        self._change()

    def _end_days(self, ts: int) -> None:
        self._now = ts = max(ts, self._now)
        known = int(np.searchsorted(self._all_ends, ts, side="right"))
        age = ts - int(self._all_ends[known - 1]) if known else 0
        ends, is_stale = self._all_ends[: known if age <= LONGEST_REST else 0], age > FRESH[self._asset_class]
        is_other = len(ends) != len(self.ends) or (len(ends) > 0 and ends[-1] != self.ends[-1])
        if is_other or is_stale is not self._is_stale:
            self._change()
        self.ends, self._is_stale = ends, is_stale

    def _change(self) -> None:
        self._version += 1
        self._is_measured = False

    def _add(self, end: int, minutes: Floats) -> None:
        """Add minutes of one day, which is the newest known or a newer one."""
        ends, rows = self._all_ends, self._rows
        begun = end - (_CORE[0] if self._asset_class == "stock" else DAY)
        if not self.until and minutes[0, _END] > begun + BEGINNING:
            self._torn = end
        if end == self._torn:
            return
        row, has_core = _merged(end, minutes, self._asset_class)
        if len(ends) and end == ends[-1]:
            row = _joined(rows[-1], row, had_core=self._has_core, has_core=has_core)
            has_core |= self._has_core
            ends, rows = ends[:-1], rows[:-1]
        elif len(ends) and end - ends[-1] > LONGEST_REST:
            ends, rows = ends[:0], rows[:0]
        if end <= self._now:
            self._change()  # a day that was over had minutes still to come
        self._has_core = has_core
        self._keep(np.append(ends, end), np.concatenate([rows, [row]]))

    def _keep(self, ends: NDArray[np.int64], rows: Floats) -> None:
        self._all_ends, self._rows = ends[-MOST_DAYS:], rows[-MOST_DAYS:]
        for array in (self._all_ends, self._rows):
            array.flags.writeable = False  # what was handed out stays as it was

    def _column(self, number: int, n: int) -> Floats:
        known = len(self.ends)
        return self._rows[max(known - n, 0) : known, number]

    def _measured(self) -> Volatility | None:
        closes, volumes = self.closes(MOST_DAYS), self.volumes(VOLUME_DAYS)
        self._volume_day = float(volumes.mean()) if len(volumes) else nan
        found = forecast(closes, self._asset_class)
        if found is None:
            return None
        sigma = max(found.sigma, found.slow) if self._is_stale else found.sigma
        annualiser = ANNUALISER[self._asset_class]
        return Volatility(
            asof=int(self.ends[-1]),
            sigma_day=sigma,
            sigma_annual=annualiser * sigma,
            annualiser=annualiser,
            sigma_price=sigma * float(closes[-1]),
            sigma_fast=found.fast,
            sigma_slow=found.slow,
            vol_ratio=sigma / found.slow if found.slow else nan,
            days=len(closes),
            is_stale=self._is_stale,
            number=self._version,
        )


@lru_cache(maxsize=4 * MOST_DAYS)
def day_end(ts: int, asset_class: AssetClass) -> int:
    """Return the first midnight after ``ts``."""
    return midnight_after(ts, NEW_YORK if asset_class == "stock" else None)


def _merged(end: int, minutes: Floats, asset_class: AssetClass) -> tuple[Floats, bool]:
    """Make one row of minutes of the day that ends at ``end``; say whether its prices are of the core session."""
    priced, has_core = minutes, True
    if asset_class == "stock":
        ends = minutes[:, _END]
        core = minutes[slice(*np.searchsorted(ends, (end - _CORE[0], end - _CORE[1]), side="right"))]
        has_core = bool(len(core))
        priced = core if has_core else minutes
    prices = (priced[0, _OPEN], priced[:, _HIGH].max(), priced[:, _LOW].min(), priced[-1, _CLOSE])
    return np.array([*prices, minutes[:, _VOLUME].sum()]), has_core


def _joined(before: Floats, row: Floats, *, had_core: bool, has_core: bool) -> Floats:
    """Put two parts of a day together; minutes out of the core session have no say where there are some of it."""
    volume = before[_VOLUME] + row[_VOLUME]
    if had_core != has_core:
        return np.array([*(before if had_core else row)[:_VOLUME], volume])
    high, low = max(before[_HIGH], row[_HIGH]), min(before[_LOW], row[_LOW])
    return np.array([before[_OPEN], high, low, row[_CLOSE], volume])
