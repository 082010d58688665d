"""The executions of one order, told by several witnesses who repeat, reorder and forget: each is booked once. Pure.

The stream tells an execution with its id and the order's cumulative quantity, an activity with the same two, and either
may be told before the other or not at all. Rules, in this order:
1. A known id is a repetition.
2. A cumulative quantity that is not booked yet is a new execution; its name is ``<order>@<cumulative quantity>``.
3. Booked already, with equal quantity and price: the same execution under another id.
4. Booked already and different: the order was shown as it stood later. It is booked as long as no more is booked than
   the order shows; otherwise nobody can tell, and the activities decide.
:meth:`Executions.recover` takes all activities of the order at once and lets each explain one booked execution at most;
what explains none is new. Source: Alpaca, "Account Activities": the latter half of an activity's id.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from trader.model.money import EXACT, ZERO, plain

Kind = Literal["fill", "trade_bust", "trade_correct"]


class Told(msgspec.Struct, frozen=True):
    """One execution as a witness tells it; ``cumulative`` is the order's filled quantity after it.

    A bust names what it ``undoes`` and has its quantity and price; a correction has those that stand instead.
    """

    venue_id: str
    cumulative: Decimal
    qty: Decimal
    price: Decimal
    ts: int
    kind: Kind = "fill"
    undoes: str = ""


class Booked:
    """One execution in our books: its name there, and the ids that the venue gave it."""

    __slots__ = ("cumulative", "is_undone", "name", "price", "qty", "qty_told", "ts", "venue_ids", "versions")

    def __init__(self, name: str, told: Told) -> None:
        """Book what was told."""
        self.name = name
        self.cumulative = told.cumulative
        self.qty = told.qty
        self.price = told.price
        self.ts = told.ts
        self.venue_ids = {told.venue_id} - {""}
        self.is_undone = False
        self.qty_told = ZERO  # as far as it is within the order
        self.versions = 1  # of this execution: every correction makes one more


class Executions:
    """What one order at the venue has brought."""

    def __init__(self, name: str) -> None:
        """Begin with nothing; ``name`` begins the names of executions."""
        self.shown = ZERO  # the most that the venue has shown as filled
        self.gross = ZERO  # booked, whatever was taken back later
        self.net = ZERO  # booked and standing
        self.repeated = 0
        self.is_doubtful = False
        self._name = name
        self._booked: list[Booked] = []

    @property
    def is_explained(self) -> bool:
        """Tell whether all that the venue has shown is booked."""
        return not self.is_doubtful and self.shown <= max(self.gross, self.net)

    def show(self, filled: Decimal) -> None:
        """Take note of a filled quantity of the order."""
        self.shown = max(self.shown, filled)

    def take(self, told: Told) -> Booked | None:
        """Book what the stream told; return it if it is new."""
        self.show(told.cumulative)
        if self._by_id(told.venue_id) is not None:
            self.repeated += 1
            return None
        same = next((one for one in self._booked if one.cumulative == told.cumulative and not one.is_undone), None)
        if same is None:
            return self._book(told)
        if (same.qty, same.price) == (told.qty, told.price):
            self.repeated += 1
            if self.is_explained:
                same.venue_ids |= {told.venue_id} - {""}
            return None
        if EXACT.add(self.net, told.qty) <= self.shown:
            return self._book(told)
        self.is_doubtful = True
        return None

    def recover(self, rows: Sequence[Told]) -> list[Booked]:
        """Take the order's activities, as many as there are; return what is new."""
        left, free = list(rows), list(self._booked)
        for are_same in (_same_id, _same_place, _same_figures):
            left = [row for row in left if not _explain(row, free, are_same)]
        self.is_doubtful = False
        return [self._book(row) for row in left]

    def find(self, told: Told) -> Booked | None:
        """Return the execution that a bust or a correction names; for want of a name, one with its figures."""
        found = self._by_id(told.undoes)
        if found is None and told.kind == "trade_bust":
            standing = (one for one in self._booked if not one.is_undone)
            found = next((one for one in standing if _same_figures(told, one)), None)
        return found

    def undo(self, booked: Booked) -> None:
        """Take an execution back."""
        assert not booked.is_undone, f"{booked.name} was taken back before"
        booked.is_undone = True
        self.net = EXACT.subtract(self.net, booked.qty)

    def correct(self, told: Told, instead_of: Booked) -> Booked:
        """Book what stands in the place of an execution that was taken back."""
        number = instead_of.versions
        booked = Booked(f"{instead_of.name.partition('!')[0]}!{number}", told)
        booked.versions = number + 1
        booked.cumulative = instead_of.cumulative
        self._booked.append(booked)
        self.net = EXACT.add(self.net, told.qty)
        return booked

    def knows(self, venue_id: str) -> bool:
        """Tell whether an execution of this id is booked."""
        return self._by_id(venue_id) is not None

    def _by_id(self, venue_id: str) -> Booked | None:
        return next((one for one in self._booked if venue_id in one.venue_ids), None) if venue_id else None

    def _book(self, told: Told) -> Booked:
        self.show(told.cumulative)
        name = f"{self._name}@{plain(told.cumulative)}"
        if any(one.name == name for one in self._booked):
            name = f"{name}~{told.venue_id or len(self._booked)}"
        booked = Booked(name, told)
        self._booked.append(booked)
        self.gross = EXACT.add(self.gross, told.qty)
        self.net = EXACT.add(self.net, told.qty)
        return booked


def _explain(row: Told, free: list[Booked], are_same: Callable[[Told, Booked], bool]) -> bool:
    """Let a row explain the first booked execution that no other row has explained; tell whether there was one."""
    for booked in free:
        if are_same(row, booked):
            free.remove(booked)
            if are_same is not _same_figures or not booked.venue_ids:  # likeness alone gives no second id
                booked.venue_ids |= {row.venue_id} - {""}
            return True
    return False


def _same_id(row: Told, booked: Booked) -> bool:
    return row.venue_id in booked.venue_ids


def _same_place(row: Told, booked: Booked) -> bool:
    return row.cumulative == booked.cumulative and _same_figures(row, booked)


def _same_figures(row: Told, booked: Booked) -> bool:
    return (row.qty, row.price) == (booked.qty, booked.price)
