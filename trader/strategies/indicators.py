"""Indicators fed one number at a time: ``update(value)`` returns NaN until the indicator exists, then its value.

They are TA-Lib's stateful handles behind our names: to the bit what TA-Lib's batch functions give on the same numbers,
in constant time and memory. Once a handle is open ``update`` *is* its C method, with no Python in between. A handle
lives as long as its process: it cannot be pickled. Numbers must be finite, which feeds guarantee.

What is equal? Prices are decimal, arithmetic is binary, and on real minute bars equality is common: the averages of 10
and 30 closes are the same on one bar in two hundred, a z-score is exactly one half on one in three hundred. Left to
rounding noise such bars are decided by the order of an addition. So strategies compare with :data:`TIE`, and decide as
exact decimal arithmetic does.
"""

from collections import deque
from collections.abc import Callable
from math import isnan, nan, sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from talib import stream

TIE = 1e-9  # numbers closer than this are equal; noise stays below it, steps of real prices above it


def compare(value: float, against: float) -> int:
    """Return 1, 0 or −1 as ``value`` is above, level with (to a billionth) or below ``against``, which is >= 0."""
    slack = TIE * against
    if value > against + slack:
        return 1
    return -1 if value < against - slack else 0


class _Handle(Protocol):
    @property
    def value(self) -> float: ...

    def update(self, real: float, /) -> float: ...


class _Streamed:
    """Collect the first ``needed`` values, then become a TA-Lib handle opened on them."""

    __slots__ = ("_history", "_needed", "_open", "update")

    def __init__(self, open_handle: Callable[[NDArray[np.float64]], _Handle], needed: int) -> None:
        self._open = open_handle
        self._needed = needed
        self._history: list[float] = []
        self.update: Callable[[float], float] = self._collect

    def _collect(self, value: float) -> float:
        self._history.append(value)
        if len(self._history) < self._needed:
            return nan
        handle = self._open(np.array(self._history, dtype=np.float64))
        self._history.clear()
        self.update = handle.update
        return handle.value


class Sma(_Streamed):
    """Mean of the last ``period`` values; exists from value number ``period``.

    It is a running sum: values that were much larger once leave a residue of about 1e-16 of their size.
    """

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(lambda history: stream.SMA(history, period), period)


class PriceRatio(_Streamed):
    """Price over the price ``period`` bars before, one more than the rate of change; exists from ``period`` + 1."""

    __slots__ = ()

    def __init__(self, period: int) -> None:
        super().__init__(lambda history: stream.ROCR(history, period), period + 1)


class Rsi:
    """Relative strength 0 to 100 after Wilder, ``period`` >= 2; exists from price number ``period`` + 1.

    A price that has never moved has an RSI of 50: TA-Lib says 0 there, which would read as oversold.

    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978).
    """

    __slots__ = ("_first", "_wilder", "update")

    def __init__(self, period: int) -> None:
        self._wilder = _Streamed(lambda history: stream.RSI(history, period), period + 1)
        self._first = nan
        self.update: Callable[[float], float] = self._until_moved

    def _until_moved(self, price: float) -> float:
        value = self._wilder.update(price)
        if isnan(self._first):
            self._first = price
        if price == self._first:
            # 0 means that it never rose, so a price back at its first one never fell either.
            return 50.0 if value == 0.0 else value
        if not isnan(value):
            self.update = self._wilder.update
        return value


class ZScore:
    """Distance of the newest value from the mean of the last ``period`` values, in population standard deviations.

    Exists from value number ``period``; a window of equal values gives 0. TA-Lib's own deviation subtracts two large
    sums of squares, which leaves nothing of a quiet market at 60,000 dollars. Here every value is first taken relative
    to the newest, which is exact between neighbouring prices, and rounding grows with ``period`` only.
    """

    __slots__ = ("_period", "_window")

    def __init__(self, period: int) -> None:
        self._period = period
        self._window: deque[float] = deque(maxlen=period)

    def update(self, value: float) -> float:
        """Take the next value and return its z-score, NaN until ``period`` values are there."""
        window = self._window
        window.append(value)
        n = self._period
        if len(window) < n:
            return nan
        gaps = [value - other for other in window]
        total = sum(gaps)  # n × (value − mean)
        spread = n * sum([gap * gap for gap in gaps]) - total * total  # n² × variance
        return total / sqrt(spread) if spread > 0.0 else 0.0
