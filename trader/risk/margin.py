"""The broker's intraday-margin rule: what it may demand at any moment for stocks that are held, against the equity.

An account whose equity is below the demand gets a call, and if it is not met cannot go short or borrow for months. The
rule is not for coins: they need no margin and are no collateral, so what is paid for them is gone.
"""

import math
from typing import Final

import numpy as np

from trader.model.orders import OrderIntent, Side
from trader.model.views import Exposures, Floats

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
        # The next are of these marks, which are replaced and never written into: the demand for each share, its worth.
        self._marks: Floats | None = None
        self._long = self._short = self._stocks = self._coins = np.zeros(0)

    def after(self, intent: OrderIntent) -> float:
        """Return it with an opening on its way; infinite where there is no equity, NaN where a mark is missing."""
        of = self._of
        of.sync()
        if of.marks is not self._marks:
            self._price(of.marks)
        place, qty = of.index[intent.symbol], float(intent.qty)
        longs, shorts, coming = of.net + of.buys, of.sells - of.net, of.buys
        if intent.side is Side.BUY:
            longs[place] += qty
            coming = coming.copy()
            coming[place] += qty
        else:
            shorts[place] += qty
        required = float(np.maximum(longs * self._long, shorts * self._short).sum())
        worth = float(of.net @ self._stocks - coming @ self._coins)
        if math.isnan(required + worth):  # what is neither held nor on its way needs no mark
            needed = (longs != 0.0) | (shorts != 0.0) | (of.net != 0.0)
            required = float(np.maximum(longs * self._long, shorts * self._short)[needed].sum())
            worth = float((of.net * self._stocks - coming * self._coins)[needed].sum())
        equity = float(of.cash.sum()) + of.unallocated + worth
        return math.inf if equity <= 0 else required / equity

    def _price(self, marks: Floats) -> None:
        self._marks, is_stock = marks, self._is_stock
        self._stocks, self._coins = np.where(is_stock, marks, 0.0), np.where(is_stock, 0.0, marks)
        part = np.where(marks < _PENNY_USD, 1.0, _MAINTENANCE)
        self._long = self._stocks * part
        self._short = np.where(is_stock, np.maximum(_MAINTENANCE * marks, _SHORT_USD), 0.0)
