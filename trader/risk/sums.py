"""Worst-case exposure: what is held, with everything on its way filled in the direction that makes it largest.

A position of 10 with orders of 5 to buy and 30 to sell may become 15 or −20, so it counts as 20. The sums of an
account, a group or a strategy add up the worst of each symbol; the worst net is the larger of "all buys fill" and "all
sells fill".
"""

import math
from typing import NamedTuple

import numpy as np

from trader.model.views import Floats


class Measures(NamedTuple):
    """The worst case of one set of positions; dollars, and the ``number`` of positions that are or may be open."""

    position: float  # of the symbol that is asked about
    gross: float
    net: float
    number: int


class Sums:
    """The worst case of a set of positions at one moment, and of what was let pass since.

    ``marks`` are NaN where there is none; one of a position makes every sum NaN. ``worth`` is what is held at its
    marks, signed; ``short`` what it would cost to buy back all that is short; ``values``, shape (n,), the worst case of
    each symbol in dollars.
    """

    __slots__ = ("_down", "_gross", "_high", "_low", "_up", "short", "values", "worth")

    def __init__(self, net: Floats, buys: Floats, sells: Floats, marks: Floats) -> None:
        """Add up; nothing that is given is kept."""
        high, low = net + buys, net - sells
        worst = np.maximum(high, -low)
        values: Floats = worst * marks
        gross = float(values.sum())
        if math.isnan(gross):  # what is not held needs no mark
            marks = np.where(worst == 0.0, 0.0, marks)
            values = worst * marks
            gross = float(values.sum())
        self.values, self.worth = values, float(net @ marks)
        self.short = -float(np.minimum(net, 0.0) @ marks)
        self._gross, self._up, self._down = gross, float(high @ marks), float(low @ marks)
        self._high, self._low = high, low

    def before(self, place: int) -> Measures:
        """Return the measures as they are; ``place`` is that of the symbol that is asked about."""
        net = max(self._up, -self._down)
        return Measures(self.values.item(place), self._gross, net, int(np.count_nonzero(self.values)))

    def after(self, place: int, signed: float, *, mark: float, before: Measures) -> Measures:
        """Return the measures as an order of so much (negative: a sale) would make them."""
        high, low, up, down = self._high.item(place), self._low.item(place), self._up, self._down
        if signed > 0:
            high, up = high + signed, up + signed * mark
        else:
            low, down = low + signed, down + signed * mark
        position = max(high, -low) * mark
        gross = self._gross + (position - before.position)
        return Measures(position, gross, max(up, -down), before.number + (before.position == 0.0))

    def add(self, place: int, signed: float, *, mark: float) -> None:
        """Count an order as let pass."""
        if signed > 0:
            self._high[place] += signed
            self._up += signed * mark
        else:
            self._low[place] += signed
            self._down += signed * mark
        position = max(self._high.item(place), -self._low.item(place)) * mark
        self._gross += position - self.values.item(place)
        self.values[place] = position
