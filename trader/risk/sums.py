"""Worst-case exposure: what is held, with everything on its way filled in the direction that makes it largest.

A position of 10 with orders of 5 to buy and 30 to sell may become 15 or −20, so it counts as 20. The sums of an
account, a group or a strategy add up the worst of each position; the worst net is the larger of "all buys fill" and
"all sells fill".

*Why* sums are kept: adding up everything costs more than all else that is asked of an order, and within a step only
the gate's own approvals change it.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trader.model.views import Exposures, Floats
from trader.risk.rings import Most

# What an order would do to one position and to the sums it is in: the position's worst case before and after, what it
# adds were all buys and were all sales to fill (dollars), and how many positions. Plain, since every order makes some.
Change = tuple[float, float, float, float, int]
# Of a set of positions: the one that is changed, gross, net, and how many they are.
Figures = tuple[float, float, float, int]


class Totals:
    """The sums of one set of positions: ``gross`` of the worst, net in either direction, and how many they are."""

    __slots__ = ("down", "gross", "number", "up")

    def __init__(self, gross: float, up: float, down: float, number: int) -> None:
        """Begin with what was added up."""
        self.gross = gross
        self.up = up
        self.down = down
        self.number = number

    def before(self, change: Change) -> Figures:
        """Return the figures as they are."""
        return change[0], self.gross, max(self.up, -self.down) + 0.0 * self.gross, self.number

    def after(self, change: Change) -> Figures:
        """Return the figures as an order would make them."""
        before, after, up, down, number = change
        gross = self.gross + (after - before)
        net = max(self.up + up, -(self.down + down)) + 0.0 * gross  # the larger of a number and NaN may be the number
        return after, gross, net, self.number + number

    def fits(self, change: Change, most: Most, *, equity: float, tightness: float) -> bool:
        """Tell whether an order surely breaks no limit; False says nothing, as where a figure is NaN."""
        before, after, up, down, number = change
        position, position_usd, gross, multiple, gross_usd, net, count = most
        tightened, all_of_it = equity / tightness, self.gross + (after - before)
        return (
            equity > 0.0
            and after <= position * tightened
            and after * tightness <= position_usd
            and all_of_it <= gross * tightened
            and all_of_it <= multiple * equity
            and all_of_it * tightness <= gross_usd
            and self.up + up <= net * tightened
            and -(self.down + down) <= net * tightened
            and self.number + number <= count
        )


def add(sets: Iterable[Totals], change: Change) -> None:
    """Count an order as let pass in sets of positions that it is in."""
    before, after, up, down, number = change
    grown = after - before
    for totals in sets:
        totals.gross += grown
        totals.up += up
        totals.down += down
        totals.number += number


class Positions:
    """Positions side by side: how high and how low each may come, and the worse of the two in dollars.

    ``marks`` are NaN where there is none, which only matters to what is held or on its way.
    """

    __slots__ = ("high", "low", "marks", "values")

    def __init__(self, net: Floats, buys: Floats, sells: Floats, marks: Floats) -> None:
        """Look at quantities, shape (k,); nothing that is given is changed later."""
        self.high, self.low = net + buys, net - sells
        worst = np.maximum(self.high, -self.low)
        self.marks, self.values = marks, worst * marks
        if math.isnan(float(self.values.sum())):
            self.marks = np.where(worst == 0.0, 0.0, marks)
            self.values = worst * self.marks

    def change(self, place: int, signed: float, mark: float) -> Change:
        """Return what an order of so much (negative: a sale) would do to a position."""
        high, low, before = self.high.item(place), self.low.item(place), self.values.item(place)
        if signed > 0:
            high += signed
            up, down = signed * mark, 0.0
        else:
            low += signed
            up, down = 0.0, signed * mark
        return before, max(-low, high) * mark, up, down, int(before == 0.0)

    def add(self, place: int, signed: float, change: Change) -> None:
        """Count an order as let pass."""
        (self.high if signed > 0 else self.low)[place] += signed
        self.values[place] = change[1]


class SlotSums:
    """The sums of every strategy (``rows``), and of groups of them; ``begins`` are the numbers of their first slots."""

    def __init__(self, exposures: Exposures, begins: NDArray[np.intp]) -> None:
        """Add up all slots at once."""
        of = exposures
        self.positions = Positions(of.held, of.held_buys, of.held_sells, of.marks[of.symbol_of])
        high, low, values, marks = (getattr(self.positions, name) for name in ("high", "low", "values", "marks"))
        table = np.add.reduceat(np.stack([values, high * marks, low * marks, values != 0.0]), begins, axis=1)
        self.rows = [Totals(gross, up, down, int(number)) for gross, up, down, number in table.T.tolist()]
        self._groups: dict[str, Totals] = {}

    def totals(self, scope: str, rows: Sequence[int]) -> Totals:
        """Return the sums of the strategies in ``rows`` together, which are those of ``scope``."""
        if len(rows) == 1:
            return self.rows[rows[0]]
        totals = self._groups.get(scope)
        if totals is None:
            totals = self._groups[scope] = Totals(0.0, 0.0, 0.0, 0)
            for own in (self.rows[row] for row in rows):
                add([totals], (0.0, own.gross, own.up, own.down, own.number))
        return totals


class Sums:
    """The account at one moment: ``nav``, what of its cash is ``free``, its positions by symbol, its strategies' slots.

    ``free`` is neither owed to shorts nor reserved. ``members`` has a row for each set of symbols with a limit of its
    own, shape (sets, n); ``sets`` are what those symbols come to.
    """

    def __init__(self, exposures: Exposures, members: Floats, begins: NDArray[np.intp]) -> None:
        """Add up the account; the slots follow when they are asked for."""
        of = exposures
        self.symbols = Positions(of.net, of.buys, of.sells, of.marks)
        high, low, values, marks = (getattr(self.symbols, name) for name in ("high", "low", "values", "marks"))
        self.account = Totals(
            float(values.sum()), float(high @ marks), float(low @ marks), int(np.count_nonzero(values))
        )
        self.sets: list[float] = (members @ values).tolist() if len(members) else []
        cash = float(of.cash.sum()) + of.unallocated
        self.nav = cash + float(of.net @ marks)
        self.free = cash + float(np.minimum(of.net, 0.0) @ marks) - float(of.reserved.sum())
        self._of = of
        self._begins = begins
        self._slots: SlotSums | None = None

    @property
    def slots(self) -> SlotSums:
        """Return the sums of strategies and groups."""
        if self._slots is None:
            self._slots = SlotSums(self._of, self._begins)
        return self._slots
