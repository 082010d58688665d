"""Daily bars of each symbol: given from outside, then made of its minute bars as its days end."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import numpy as np

from trader.capital.volatility import Volatility

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trader.model.instruments import AssetClass

    Floats = NDArray[np.float64]

_COLUMNS = 5  # open, high, low, close, volume


class Dailies:
    """The days of one symbol that have ended, newest last; every array is read-only, and empty while nothing is known.

    A day is New York's for a stock and UTC's for a coin.
    """

    __slots__ = ("_ends", "_rows", "asset_class")

    def __init__(self, asset_class: AssetClass) -> None:
        """Know no day yet."""
        self.asset_class = asset_class
        self._rows = np.empty((0, _COLUMNS))
        self._ends = np.empty(0, dtype=np.int64)

    def ends(self, n: int) -> NDArray[np.int64]:
        """Return when the newest ``n`` days ended (ns UTC), shape (≤ n,): a symbol may lack days that another has."""
        return self._ends[-n:]

    def highs(self, n: int) -> Floats:
        """Return the newest ``n`` daily highs, shape (≤ n,)."""
        return self._column(1, n)

    def lows(self, n: int) -> Floats:
        """Return the newest ``n`` daily lows, shape (≤ n,)."""
        return self._column(2, n)

    def closes(self, n: int) -> Floats:
        """Return the newest ``n`` daily closes, shape (≤ n,)."""
        return self._column(3, n)

    def volumes(self, n: int) -> Floats:
        """Return the newest ``n`` daily volumes in shares or coins, shape (≤ n,)."""
        return self._column(4, n)

    @property
    def sigma_day(self) -> float:
        """Return the standard deviation of daily returns now; NaN while too few days are known."""
        return nan

    @property
    def vol_ratio(self) -> float:
        """Return that over its long average; NaN while it has none."""
        return nan

    @property
    def volume_day(self) -> float:
        """Return the average daily volume of the newest days, NaN without one."""
        return nan

    def atr(self, n: int) -> float:
        """Return the average true range over ``n`` days in price units, NaN while fewer than n + 1 days are known."""
        return nan

    def broadcast(self) -> Volatility | None:
        """Return what everybody is told of its volatility; None while there is none."""
        return None

    def _column(self, number: int, n: int) -> Floats:
        return self._rows[-n:, number] if n > 0 else self._rows[:0, number]
