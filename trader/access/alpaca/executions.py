"""The executions of one order, told by several witnesses who repeat, reorder and forget: each is booked once. Pure.

The stream tells an execution with its id and the order's cumulative quantity, an activity with the same two, and either
may be told before the other or not at all. Rules, in this order:
1. A known id is a repetition.
2. A cumulative quantity that is booked already, with equal quantity and price: the same execution under another id.
3. Anything else is new, as long as no more is booked than the order shows; otherwise nobody can tell, and the
   activities decide.
:meth:`Executions.recover` takes activities of the order together and lets each explain one booked execution at most;
what explains none is new. Source: Alpaca, "Account Activities": the latter half of an activity's id.

The name of an execution in the books is ``<its id at the venue>@<cumulative quantity>`` (the order's id where it has
none of its own), so that books that were written down tell what they know: :meth:`Executions.restore`.

What the order shows and nobody tells for half a minute is booked as a stand-in, ``syn:<order>:<cumulative quantity>``,
at the price that the order's average implies; it is taken back when the real ones come.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

import msgspec

from trader.books.positions import Execution
from trader.model.events import ExternalFilled
from trader.model.money import EXACT, NANO, ZERO, divide, floor_to, plain

Kind = Literal["fill", "trade_bust", "trade_correct"]
SYNTHETIC: Final = "syn:"


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


class Fill(msgspec.Struct, frozen=True):
    """One activity of kind FILL."""

    venue_order_id: str
    symbol: str
    side: str
    told: Told


class Booked:
    """One execution in our books: its name there, and the ids that the venue gave it."""

    __slots__ = ("cumulative", "is_undone", "name", "price", "qty", "qty_told", "ts", "venue_ids")

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

    @property
    def is_synthetic(self) -> bool:
        """Tell whether it stands in for executions that nobody has told yet."""
        return self.name.startswith(SYNTHETIC)


class Bookings:
    """Executions as they were booked; what was taken back stays known."""

    def __init__(self) -> None:
        """Begin with none."""
        self.gross = ZERO  # booked, whatever was taken back later
        self.net = ZERO  # booked and standing
        self._booked: list[Booked] = []

    def knows(self, venue_id: str) -> bool:
        """Tell whether an execution of this id is booked."""
        return self._by_id(venue_id) is not None

    def find(self, told: Told) -> Booked | None:
        """Return the execution that a bust or a correction names; for want of names, one with its figures."""
        found = self._by_id(told.undoes)
        if found is None and told.kind == "trade_bust":
            unnamed = (one for one in self._booked if not one.is_undone and not one.venue_ids)
            found = next((one for one in unnamed if _same_figures(told, one)), None)
        return found

    def undo(self, booked: Booked) -> None:
        """Take an execution back."""
        assert not booked.is_undone, f"{booked.name} was taken back before"
        booked.is_undone = True
        self.net = EXACT.subtract(self.net, booked.qty)
        if booked.is_synthetic:
            self.gross = EXACT.subtract(self.gross, booked.qty)

    def release(self, venue_id: str) -> Booked | None:
        """Give an execution away: it belongs to another part of the order."""
        booked = self._by_id(venue_id)
        if booked is not None:
            self._booked.remove(booked)
            self.gross = EXACT.subtract(self.gross, booked.qty)
            self.net = EXACT.subtract(self.net, ZERO if booked.is_undone else booked.qty)
        return booked

    def accept(self, booked: Booked) -> None:
        """Take over what another part of the order gave away."""
        self._add(booked)
        if booked.is_undone:
            self.net = EXACT.subtract(self.net, booked.qty)

    def _by_id(self, venue_id: str) -> Booked | None:
        return next((one for one in self._booked if venue_id in one.venue_ids), None) if venue_id else None

    def _add(self, booked: Booked) -> Booked:
        self._booked.append(booked)
        self.gross = EXACT.add(self.gross, booked.qty)
        self.net = EXACT.add(self.net, booked.qty)
        return booked

    def _free(self, name: str) -> str:
        """Return a name that no execution of the order has had."""
        count = sum(one.name.partition("~")[0] == name for one in self._booked)
        return f"{name}~{count}" if count else name


class Executions(Bookings):
    """What one order at the venue has brought."""

    def __init__(self, name: str) -> None:
        """Begin with nothing; ``name`` begins the names of executions that the venue gave no id."""
        super().__init__()
        self.is_doubtful = False
        self._name = name
        self._shown = ZERO
        self._is_blurred = False  # of some that were taken back nobody knows how much they were
        self._worth: Decimal | None = None  # dollars of what was shown last

    @property
    def shown(self) -> Decimal:
        """Return the most that the venue has shown as filled."""
        return max((self._shown, *(one.cumulative for one in self._booked)))

    @property
    def is_explained(self) -> bool:
        """Tell whether all that the venue has shown is booked."""
        booked = self.gross
        if self._is_blurred:
            booked = max((booked, *(one.cumulative for one in self._booked)))
        return not self.is_doubtful and self.shown <= max(booked, self.net)

    @property
    def standing_in(self) -> list[Booked]:
        """Return what stands for executions that nobody has told yet."""
        return [one for one in self._booked if one.is_synthetic and not one.is_undone]

    def show(self, filled: Decimal, average: Decimal | None = None) -> None:
        """Take note of a filled quantity of the order and of its average price."""
        if filled >= self.shown and average is not None:
            self._worth = EXACT.multiply(filled, average)
        elif filled > self.shown:
            self._worth = None
        self._shown = max(self._shown, filled)

    def restore(
        self, name: str, one: Execution | ExternalFilled | None, *, beyond: ExternalFilled | None = None
    ) -> None:
        """Know an execution as the books have it: what it brought the order, and ``beyond`` it.

        None is one that was taken back: the books forget its quantity, so that up to its place all counts as booked.
        """
        venue_id, cumulative = parts_of(name)
        known = one or beyond
        price, ts = (ZERO, 0) if known is None else (known.price, known.ts)
        qty, over = ZERO if one is None else one.qty, ZERO if beyond is None else beyond.qty
        told = Told("" if venue_id == self._name else venue_id, cumulative, EXACT.add(qty, over), price, ts)
        booked = self._add(Booked(name, told))
        booked.qty_told, booked.is_undone = qty, known is None
        self._is_blurred |= one is None

    def take(self, told: Told) -> Booked | None:
        """Book what the stream told; return it if it is new."""
        self.show(told.cumulative)
        if self.knows(told.venue_id):
            return None
        standing = [one for one in self._booked if one.cumulative == told.cumulative and not one.is_undone]
        same = next((one for one in standing if _same_figures(told, one) and not one.is_synthetic), None)
        if same is not None:
            if self.is_explained:
                same.venue_ids |= {told.venue_id} - {""}
            return None
        if EXACT.add(self.net, told.qty) <= self.shown:
            return self._book(told)
        self.is_doubtful = True
        return None

    def recover(
        self, rows: Sequence[Told], restated: Sequence[Told] = (), *, is_whole: bool = True
    ) -> tuple[list[Booked], list[Booked]]:
        """Take activities of the order, all or some; return what stood in for them, undone, and what is new.

        What a row of ``restated`` put in the place of another is explained by that row, however alike the two are.
        A cumulative quantity is the place of one execution: where one is known that no row explains, it came later,
        as a correction that is not among the rows yet. What was there before it is no news, once all rows were read.
        """
        corrections = {told.venue_id for told in restated}
        left = list(rows)
        free = [one for one in self._booked if not one.is_synthetic and not one.venue_ids & corrections]
        for are_same in (_same_id, _same_place, _same_figures):
            left = [row for row in left if not _explain(row, free, are_same)]
        corrected = {one.cumulative for one in free} - {ZERO}
        fresh = [row for row in left if row.cumulative not in corrected]
        self.is_doubtful = not is_whole and (self.is_doubtful or fresh != left)
        undone = self.standing_in if fresh else []
        for one in undone:
            self.undo(one)
        new = self._restate([self._book(row) for row in (left if is_whole else fresh)], restated)
        for one in new:
            if one.cumulative in corrected:
                self.undo(one)
        return undone, [one for one in new if not one.is_undone]

    def synthesize(self, ts: int) -> Booked | None:
        """Book a stand-in for what is shown and not told; None where its price cannot be known."""
        missing = EXACT.subtract(self.shown, self.gross)
        if self._worth is None or missing <= ZERO or self.net != self.gross or self._is_blurred:
            return None
        worth = self._worth
        for one in self._booked:
            if not one.is_undone:
                worth = EXACT.subtract(worth, EXACT.multiply(one.qty, one.price))
        price = floor_to(divide(worth, missing), NANO)
        if price <= ZERO:
            return None
        name = self._free(f"{SYNTHETIC}{self._name}:{plain(self.shown)}")
        return self._add(Booked(name, Told("", self.shown, missing, price, ts)))

    def correct(self, told: Told, instead_of: Booked) -> Booked:
        """Book what stands in the place of an execution that was taken back."""
        told = msgspec.structs.replace(told, cumulative=instead_of.cumulative)
        booked = Booked(self._name_of(told), told)
        self._booked.append(booked)
        self.net = EXACT.add(self.net, told.qty)
        return booked

    def _restate(self, new: Sequence[Booked], rows: Iterable[Told]) -> list[Booked]:
        """Return what is left of new executions, that nobody was told of yet, after busts and corrections of them."""
        places = {one.name: place for place, one in enumerate(new)}
        left: list[Booked | None] = list(new)
        for told in rows:
            old = self._by_id(told.undoes)
            if old is None or old.name not in places:
                continue
            place = places[old.name]
            if not old.is_undone:
                self.undo(old)
                left[place] = None
            if told.kind == "trade_correct" and not self.knows(told.venue_id):
                left[place] = corrected = self.correct(told, old)
                places[corrected.name] = place
        return [one for one in left if one is not None]

    def _book(self, told: Told) -> Booked:
        self.show(told.cumulative)
        return self._add(Booked(self._name_of(told), told))

    def _name_of(self, told: Told) -> str:
        return self._free(f"{told.venue_id or self._name}@{plain(told.cumulative)}")


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


def parts_of(name: str) -> tuple[str, Decimal]:
    """Return the id at the venue and the cumulative quantity that the name of an execution is made of."""
    venue_id, _, cumulative = name.partition("~")[0].rpartition("@")
    try:
        return venue_id, Decimal(cumulative)
    except InvalidOperation:
        return venue_id, ZERO
