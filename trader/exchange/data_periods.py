"""Bars of any length out of minute bars: what lengths there are, where each begins, and what it is made of.

Bars of minutes and hours are counted from the day's midnight, longer ones follow the calendar: days, weeks from Monday,
months from the year's first. Midnight is New York's for stocks and UTC's for coins.
Source: Alpaca market data API 1.1 for the lengths, recorded answers for the stamps of days. UNVERIFIED: from where bars
of several minutes or hours are counted, and that weeks and months begin as said.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trader.access.sim.synthetic_bars import DayBars, Floats
from trader.exchange.data_messages import PRINTS
from trader.model.instruments import AssetClass
from trader.model.time import HOUR, MINUTE, NEW_YORK, ts_of, utc

_UNITS: Final = {
    "Min": ("Min", range(1, 60)),
    "T": ("Min", range(1, 60)),
    "Hour": ("Hour", range(1, 24)),
    "H": ("Hour", range(1, 24)),
    "Day": ("Day", (1,)),
    "D": ("Day", (1,)),
    "Week": ("Week", (1,)),
    "W": ("Week", (1,)),
    "Month": ("Month", (1, 2, 3, 4, 6, 12)),
    "M": ("Month", (1, 2, 3, 4, 6, 12)),
}
_LOWER: Final = {name.lower(): name for name in ("Min", "Hour", "Day", "Week", "Month")}  # "1min" was seen to work
_TEXT: Final = re.compile(r"(\d{1,2})([A-Za-z]+)", re.ASCII)
_WEEK: Final = 7


class Timeframe(NamedTuple):
    """A bar's length: so many of ``Min``, ``Hour``, ``Day``, ``Week`` or ``Month``."""

    length: int
    unit: str

    @property
    def bucket(self) -> int:
        """Return the length in nanoseconds of a bar within a day, 0 for a longer one."""
        return self.length * {"Min": MINUTE, "Hour": HOUR}.get(self.unit, 0)


DAILY: Final = Timeframe(1, "Day")
MINUTELY: Final = Timeframe(1, "Min")


class BarRow(NamedTuple):
    """One bar of any length; ``start`` is ns UTC, ``trades`` how many prints it has."""

    start: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    trades: int
    vwap: float


def timeframe_of(text: str) -> Timeframe | None:
    """Read ``5Min``, ``1Hour``, ``1Day``, ``1Week``, ``3Month`` or their short forms; None when it is none."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    name = found[2]
    unit, lengths = _UNITS.get(_LOWER.get(name.lower(), name), ("", ()))
    length = int(found[1])
    return Timeframe(length, unit) if length in lengths else None


def zone_of(asset_class: AssetClass) -> tzinfo:
    """Return where the days of an asset class begin."""
    return NEW_YORK if asset_class == "stock" else UTC


@lru_cache(maxsize=10_000)
def midnight(day: date, zone: tzinfo) -> int:
    """Return when a day begins, ns UTC."""
    return ts_of(datetime(day.year, day.month, day.day, tzinfo=zone))


def spans(
    frame: Timeframe, zone: tzinfo, start: int, end: int, *, is_descending: bool = False
) -> Iterator[tuple[int, int]]:
    """Yield begin and end of the periods that touch ``start`` to ``end``; for bars within a day they are days."""
    step = DAILY if frame.bucket else frame
    first = _floor(utc(start).astimezone(zone).date(), step)
    last = _floor(utc(end).astimezone(zone).date(), step)
    day = last if is_descending else first
    while first <= day <= last:
        yield midnight(day, zone), midnight(_shift(day, step, 1), zone)
        day = _shift(day, step, -1 if is_descending else 1)


def minute_rows(bars: DayBars) -> list[BarRow]:
    """Return minute bars as rows."""
    count = np.where(bars.volume > 0, PRINTS, 0)
    columns = (bars.end - MINUTE, *bars[1:], count, _vwap(bars))
    return list(map(BarRow._make, zip(*(values.tolist() for values in columns), strict=True)))


def merged_rows(bars: DayBars, starts: NDArray[np.int64]) -> list[BarRow]:
    """Make one row of the minute bars that share a value of ``starts``, which never falls; shape as ``bars``."""
    if not len(starts):
        return []
    first = np.flatnonzero(np.diff(starts, prepend=starts[0] - 1))
    last = np.append(first[1:], len(starts)) - 1
    volume = np.add.reduceat(bars.volume, first)
    weight = np.where(volume > 0, volume, 1.0)
    columns = (
        starts[first],
        bars.open[first],
        np.maximum.reduceat(bars.high, first),
        np.minimum.reduceat(bars.low, first),
        bars.close[last],
        np.round(volume, _VOLUME_DECIMALS),
        np.add.reduceat(np.where(bars.volume > 0, PRINTS, 0), first),
        np.add.reduceat(_vwap(bars) * bars.volume, first) / weight,
    )
    return list(map(BarRow._make, zip(*(values.tolist() for values in columns), strict=True)))


_VOLUME_DECIMALS: Final = 9  # sums of decimals would show the noise of their binary forms


def _vwap(bars: DayBars) -> Floats:
    """Return what :func:`~trader.exchange.tick_details.vwap` says of each minute bar."""
    return np.asarray(np.clip((bars.open + bars.high + bars.low + bars.close) / PRINTS, bars.low, bars.high))


def _floor(day: date, step: Timeframe) -> date:
    if step.unit == "Week":
        return day - timedelta(days=day.weekday())
    if step.unit == "Month":
        return date(day.year, (day.month - 1) // step.length * step.length + 1, 1)
    return day


def _shift(day: date, step: Timeframe, count: int) -> date:
    if step.unit == "Month":
        months = day.year * 12 + day.month - 1 + count * step.length
        return date(months // 12, months % 12 + 1, 1)
    return day + timedelta(days=count * (_WEEK if step.unit == "Week" else 1))
