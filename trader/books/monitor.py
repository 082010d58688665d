"""The PMS: what every strategy, group and the account are worth, what they carry and what they have lost.

Beside the order path, never in it. The figures of each minute are arrays; what people are shown is made of them when
somebody asks. What a scope is worth, has earned and has lost is of its strategies alone: what other hands do in the
account moves no equity.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from trader.books.book import Book
from trader.books.ledger import Ledger
from trader.model.events import FlagRaised
from trader.model.tail import Tail
from trader.model.time import SECOND
from trader.model.views import Exposures

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trader.model.views import Floats

    Places = NDArray[np.intp]

ACCOUNT = "account"


class Exposure(msgspec.Struct, frozen=True):
    """The value of positions in dollars: of all without their signs, and what is left when shorts are taken off."""

    gross: float
    net: float


class ScopeFigures(msgspec.Struct, frozen=True):
    """One strategy, a group or the account, in dollars at the newest marks.

    ``losses`` are parts of the equity when the day, week or month began, or of the highest (``peak``); positive is a
    loss. There are those that a limit was set for.
    """

    scope: str
    equity: float
    pnl: float
    realized: float
    unrealized: float
    exposure: Exposure
    positions: int
    losses: dict[str, float]


class ControlRoomFigures(msgspec.Struct, frozen=True):
    """The desk in dollars: the one source of what is shown of it. Exposures are the account's, other hands included.

    ``largest`` is the symbol with the most at stake and its part of the equity. ``var`` and ``es`` are the tail of a
    loss by all that is held, NaN where too little is known. ``stale_s`` are seconds since the newest price of what is
    held; ``locked`` the symbols about which books and broker disagree. ``tightness`` is what the account's limits are
    divided by; ``denials`` are openings that were refused, by rule or filter.
    """

    ts: int
    account: ScopeFigures
    groups: list[ScopeFigures]
    strategies: list[ScopeFigures]
    unallocated: float
    by_symbol: dict[str, Exposure]
    by_class: dict[str, Exposure]
    by_sector: dict[str, Exposure]
    by_category: dict[str, Exposure]
    largest: tuple[str, float] | None
    var: float
    es: float
    tail_method: str
    stale_s: dict[str, float]
    locked: list[str]
    reconciled_until: int
    flags: list[FlagRaised]
    tightness: float
    denials: dict[str, int]


class Held(NamedTuple):
    """The books at one moment, as far as they do not move with the marks.

    ``symbols`` are the numbers of what anybody holds or has on its way. ``qty`` is what the strategies' slots hold that
    hold anything, shape (k,), ``places`` where their symbols stand in ``symbols``, ``owners`` whose they are. ``cash``
    is by strategy; ``others`` what those are worth that are no longer traded, by now, or whatever the marks do
    (``is_lasting``).
    """

    symbols: "Places"
    qty: "Floats"
    places: "Places"
    owners: "Places"
    cash: "Floats"
    others: float
    is_lasting: bool


class Monitor:
    """Sums up one desk by scope: the account first, then groups, then strategies."""

    def __init__(self, exposures: Exposures, ledger: Ledger, groups: Mapping[str, Sequence[str]]) -> None:
        """Watch ``exposures``; ``groups`` are strategies by name of the group.

        Books of strategies that are no longer traded count for the account; what no symbol of the desk prices counts at
        what it has cost.
        """
        self.groups = groups
        names = exposures.strategies
        self.scopes = (
            ACCOUNT,
            *(f"group {name}" for name in groups),
            *(f"strategy {name}" for name in names),
        )
        self.place: Mapping[str, int] = {scope: place for place, scope in enumerate(self.scopes)}
        self._exposures = exposures
        self._ledger = ledger
        self._retired = [book for name, book in ledger.books.items() if name not in exposures.rank]
        self.owner = np.zeros(len(exposures.held), dtype=np.intp)  # of each slot: the strategy's place among them
        for name, part in exposures.slots_of.items():
            self.owner[part] = exposures.rank[name]
        self.members = np.zeros((len(groups), len(names)))  # 1 where a strategy belongs to a group
        for place, members in enumerate(groups.values()):
            self.members[place, [exposures.rank[name] for name in members if name in exposures.rank]] = 1.0

    def held(self) -> Held:
        """Return the books as they are now, of exposures that are up to date."""
        seen = self._exposures
        at_stake = np.abs(seen.net) + seen.buys + seen.sells
        at_stake += np.bincount(seen.symbol_of, np.abs(seen.held), len(seen.symbols))
        symbols, slots = np.flatnonzero(at_stake), np.flatnonzero(seen.held)
        qty, places, owners = seen.held[slots], np.searchsorted(symbols, seen.symbol_of[slots]), self.owner[slots]
        is_lasting = not any(book.positions for book in self._retired)
        others = sum(map(self._worth_of, self._retired))
        return Held(symbols, qty, places, owners, seen.cash.copy(), others, is_lasting)

    def shares(self, held: Held) -> tuple["Floats", "Floats"]:
        """Return the cash of every scope and what it holds of ``held.symbols``, shape (scopes, symbols)."""
        table, cash = np.zeros((len(held.cash), len(held.symbols))), self._by_scope(held.cash)
        table[held.owners, held.places] = held.qty
        cash[0] += held.others
        return cash, self._by_scope(table)

    def equities(
        self, held: Held, marks: "Floats", bids: "Floats | None" = None, asks: "Floats | None" = None
    ) -> "Floats":
        """Return cash plus positions of every scope, at the marks or at what an exit brings.

        Prices are of ``held.symbols``. Where a bid or an ask is NaN, or better than the mark, the mark counts.
        """
        prices = marks[held.places]
        if bids is not None and asks is not None:
            exits = np.fmin(prices, bids[held.places]), np.fmax(prices, asks[held.places])
            prices = np.where(held.qty > 0.0, *exits)
        equities = self._by_scope(held.cash + self._of_strategies(held, held.qty * prices))
        equities[0] += held.others
        return equities

    def _worth_of(self, book: Book) -> float:
        """Return what a strategy that is no longer traded is worth."""
        worth, of = float(book.cash), self._exposures
        for symbol, position in book.positions.items():
            mark = float(of.marks[of.index[symbol]]) if symbol in of.index else nan
            worth += float(position.cost) if isnan(mark) else float(position.qty) * mark
        return worth

    def _by_scope(self, of_strategies: "Floats") -> "Floats":
        """Return the sums of a value of each strategy: of all, of each group, and the values themselves."""
        return np.concatenate((of_strategies.sum(axis=0)[None], self.members @ of_strategies, of_strategies))

    @staticmethod
    def _of_strategies(held: Held, values: "Floats") -> "Floats":
        return np.bincount(held.owners, values, len(held.cash)).astype(np.float64, copy=False)

    def figures(
        self, ts: int, places: Sequence[Mapping[str, str]], *, marked: Mapping[str, int], tail: Tail, tightness: float
    ) -> ControlRoomFigures:  # fmt: skip
        """Put together what is shown of the desk at ``ts``.

        ``places`` are class, sector and category by symbol, ``marked`` (ns UTC) is when each was priced last,
        ``tail`` that of all that is held.
        """
        seen, account = self._exposures, self._ledger.account
        worth = np.where(seen.net == 0.0, 0.0, seen.net * seen.marks)
        by_symbol = {seen.symbols[n]: _exposure(worth[[n]]) for n in np.flatnonzero(worth).tolist()}
        scopes = self._of_scopes()
        scopes[0] = msgspec.structs.replace(scopes[0], exposure=_exposure(worth), positions=len(by_symbol))
        by_class, by_sector, by_category = (_by_name(by_symbol, names) for names in places)
        largest = max(by_symbol, key=lambda symbol: by_symbol[symbol].gross, default=None)
        first = 1 + len(self.groups)
        denials = sum((Counter(book.denials) for book in self._ledger.books.values()), Counter[str]())
        return ControlRoomFigures(
            ts, scopes[0], scopes[1:first], scopes[first:], _cents(seen.unallocated), by_symbol,
            by_class, by_sector, by_category,
            largest=None if largest is None else (largest, _part(by_symbol[largest].gross, scopes[0].equity)),
            var=_cents(tail.var), es=_cents(tail.es), tail_method=tail.method,
            stale_s={symbol: round((ts - marked[symbol]) / SECOND, 3) for symbol in by_symbol},
            locked=sorted(account.locks), reconciled_until=account.reconciled_until,
            flags=list(account.flags.values()), tightness=tightness, denials=dict(sorted(denials.items())),
        )  # fmt: skip

    def _of_scopes(self) -> list[ScopeFigures]:
        """Return every scope's figures; the account's exposure is what its strategies' slots add up to."""
        seen, names = self._exposures, self._exposures.strategies
        books = [self._ledger.books[name] for name in names]
        held = self.held()
        marks = seen.marks[held.symbols]
        worth, equities = held.qty * marks[held.places], self.equities(held, marks)
        opening = self._by_scope(np.array([float(book.opening_cash) for book in books]))
        opening[0] += sum(float(book.opening_cash) for book in self._retired)
        realized = self._by_scope(np.array([_earned(book) for book in books]))
        realized[0] += sum(map(_earned, self._retired))
        gross, net, count = (
            self._by_scope(self._of_strategies(held, each)) for each in (np.abs(worth), worth, (worth != 0.0) * 1.0)
        )
        return [
            ScopeFigures(
                scope, _cents(equities[n]), _cents(equities[n] - opening[n]), _cents(realized[n]),
                _cents(equities[n] - opening[n] - realized[n]), Exposure(_cents(gross[n]), _cents(net[n])),
                round(count[n]), self._losses(scope, float(equities[n])),
            )
            for n, scope in enumerate(self.scopes)
        ]  # fmt: skip

    def _losses(self, scope: str, equity: float) -> dict[str, float]:
        """Return what is lost of each base that the books have of a scope."""
        account = self._ledger.account
        bases = {period: float(base) for period, (_, base) in account.bases.get(scope, {}).items()}
        if scope in account.peaks:
            bases["peak"] = float(account.peaks[scope])
        return {name: _part(base - equity, base) for name, base in bases.items()}


def _earned(book: Book) -> float:
    return float(book.realized) + float(book.income)


def _by_name(by_symbol: Mapping[str, Exposure], names: Mapping[str, str]) -> dict[str, Exposure]:
    """Add up what belongs together, in order of the names."""
    sums: dict[str, Exposure] = {}
    for symbol, one in by_symbol.items():
        before = sums.get(names[symbol], Exposure(0.0, 0.0))
        sums[names[symbol]] = Exposure(_cents(before.gross + one.gross), _cents(before.net + one.net))
    return dict(sorted(sums.items()))


def _exposure(worth: "Floats") -> Exposure:
    return Exposure(_cents(np.abs(worth).sum()), _cents(worth.sum()))


def _part(value: float, whole: float) -> float:
    return round(value / whole, 6) if whole > 0.0 else nan


def _cents(dollars: float) -> float:
    return round(float(dollars), 2)
