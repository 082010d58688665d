"""The broker's intraday-margin rule: what it may demand at any moment for stocks that are held, against the equity.

An account whose equity is below the demand gets a call, and if it is not met cannot go short or borrow for months. The
rule is not for coins: they need no margin and are no collateral, so what is paid for them is gone.
"""

import math
from typing import Final

import numpy as np

from trader.model.views import Exposures, Floats
from trader.risk.opening import Opening

# Source: Alpaca, margin and short selling: maintenance of a long stock 30 %, all below $2.50; of a short one the
# greater of 30 % and $5 a share.
_MAINTENANCE: Final = 0.30
_PENNY_USD, _SHORT_USD = 2.5, 5.0


class IntradayMargin:
    """The demand as a part of the equity, as if everything on its way filled the way that makes it largest."""

    def __init__(self, exposures: Exposures) -> None:
        """Look into ``exposures`` whenever asked."""
        self._of = exposures
        self._is_stock = np.array(["/" not in symbol for symbol in exposures.symbols], dtype=bool)
        # Demand and equity with all that was let pass, as of a version of the exposures; what an opening adds to them
        # that was asked about last.
        self._version = -1
        self._required = self._equity = 0.0
        self._asked = (0.0, 0.0)
        # The next are of these marks, which are replaced and never written into: the demand for each share, its worth.
        self._marks: Floats | None = None
        self._long = self._short = self._stocks = self._coins = np.zeros(0)

    def after(self, opening: Opening) -> float:
        """Return it with an opening on its way; infinite where there is no equity, NaN where a mark is missing."""
        of = self._of
        if of.version != self._version:
            self._add_up()
        more, cost = self._asked = self._added(opening.number, opening.signed)
        equity = self._equity - cost
        return math.inf if equity <= 0 else (self._required + more) / equity

    def count(self) -> None:
        """Add the opening that was asked about last: it was let pass."""
        more, cost = self._asked
        self._required += more
        self._equity -= cost

    def _add_up(self) -> None:
        """Look at every symbol; what is neither held nor on its way needs no mark."""
        of = self._of
        self._version = of.version
        if of.marks is not self._marks:
            self._price(of.marks)
        longs, shorts = of.net + of.buys, of.sells - of.net
        required = np.maximum(longs * self._long, shorts * self._short)
        worth = of.net * self._stocks - of.buys * self._coins
        if math.isnan(float((required + worth).sum())):
            needed = (longs != 0.0) | (shorts != 0.0)
            required, worth = required[needed], worth[needed]
        self._required = float(required.sum())
        self._equity = float(of.cash.sum()) + of.unallocated + float(worth.sum())

    def _added(self, place: int, signed: float) -> tuple[float, float]:
        """Return by how much more of one symbol on its way raises the demand, and what that costs if it is a coin."""
        of, long, short = self._of, self._long.item(place), self._short.item(place)
        net, buys, sells = of.net.item(place), of.buys.item(place), of.sells.item(place)
        high, low = net + buys, sells - net
        before = max(high * long, low * short) if high or low else 0.0
        if signed > 0:
            return max((high + signed) * long, low * short) - before, signed * self._coins.item(place)
        return max(high * long, (low - signed) * short) - before, 0.0

    def _price(self, marks: Floats) -> None:
        self._marks, is_stock = marks, self._is_stock
        self._stocks, self._coins = np.where(is_stock, marks, 0.0), np.where(is_stock, 0.0, marks)
        part = np.where(marks < _PENNY_USD, 1.0, _MAINTENANCE)
        self._long = self._stocks * part
        self._short = np.where(is_stock, np.maximum(_MAINTENANCE * marks, _SHORT_USD), 0.0)
