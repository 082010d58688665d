"""The account's and every sandbox's exposure as arrays, kept true lazily: what an event touched is counted anew."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from trader.books.book import OrderRecord
from trader.books.ledger import Ledger
from trader.engine.market import Listing
from trader.engine.sandbox import Sandbox, Slot
from trader.model.events import (
    BooksCreated,
    CapitalChanged,
    CashBooked,
    Event,
    ExternalFilled,
    ExternalReversed,
    FillReversed,
    FlagCleared,
    FlagRaised,
    OrderCreated,
    OrderFilled,
    OrderMoved,
    PositionSplit,
    SymbolUnlocked,
)
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Approved, Side
from trader.risk.value_at_risk import dollars

if TYPE_CHECKING:
    from trader.model.views import Floats


_BUY = Side.BUY  # an enumeration's members are slow to look up


class Portfolio:
    """:class:`trader.model.views.Exposures` of one desk."""

    def __init__(self, ledger: Ledger, sandboxes: Sequence[Sandbox], listings: Mapping[str, Listing]) -> None:
        """Know nothing before the first :meth:`sync`."""
        self.version = self.booked = 0
        slots = [slot for sandbox in sandboxes for slot in sandbox.slots.values()]
        self.symbols = tuple(listings)
        self.strategies = tuple(sandbox.spec.name for sandbox in sandboxes)
        self.index: Mapping[str, int] = {symbol: number for number, symbol in enumerate(self.symbols)}
        self.rank: Mapping[str, int] = {name: number for number, name in enumerate(self.strategies)}
        self.marks = np.full(len(self.symbols), np.nan)
        self.net, self.buys, self.sells = (_zeros(self.symbols) for _ in range(3))
        self.held, self.held_buys, self.held_sells = (_zeros(slots) for _ in range(3))
        self.symbol_of = np.array([self.index[slot.symbol] for slot in slots], dtype=np.intp)
        self.slots_of: Mapping[str, slice] = _slices(sandboxes)
        self.cash, self.reserved = _zeros(sandboxes), _zeros(sandboxes)
        self.unallocated = 0.0
        self._ledger = ledger
        self._listings = listings
        self._rows = tuple(listings.values())
        self._touched = set(self.symbols)
        self._paid = {"", *self.strategies}
        self._is_moved = True
        self._places = {
            (slot.sandbox.spec.name, slot.symbol): (self.index[slot.symbol], slot.rank, slot.sandbox.rank)
            for slot in slots
        }
        arrays = self.buys, self.held_buys, self.sells, self.held_sells, self.reserved
        self._cells = [array.data.cast("B").cast("d") for array in arrays]  # where one number is quicker to add

    def hear(self, event: Event) -> None:
        """Note what an event has changed."""
        match event:
            case OrderCreated(approved=approved):
                if not approved.intent.reduces:
                    self._reserve(approved)
                    return
                self._touched.add(approved.intent.symbol)
                self._paid.add(approved.intent.strategy)
            case OrderFilled() | OrderMoved() | FillReversed() | PositionSplit():
                self._touched.add(event.symbol)
                self._paid.add(event.strategy)
            case CashBooked() | CapitalChanged():
                self._touched.add("")
                self._paid |= {"", event.strategy}
            case ExternalFilled() | ExternalReversed() | SymbolUnlocked() | BooksCreated():
                self._touched.update(self.symbols)
                self._paid.add("")
            case FlagRaised() | FlagCleared():
                pass  # it changes what the arrays are held to
            case _:
                return
        self.version += 1
        self.booked += 1

    def move(self) -> None:
        """Look at every mark anew: one may have moved."""
        self._is_moved = True
        self.version += 1

    def sync(self) -> None:
        """Bring every array up to date with books and marks."""
        if self._is_moved:
            self._is_moved = False
            self.marks = np.fromiter((row.mark for row in self._rows), np.float64, len(self._rows))
        if self._touched:
            for symbol in self._touched & self.index.keys():
                self._count(self._listings[symbol])
            self._touched.clear()
            self._count_cash()
            self._paid.clear()

    @property
    def equity(self) -> float:
        """Return the cash of all strategies plus their positions at their marks; NaN where one of those has none."""
        return float(self.cash.sum() + dollars(self.held, self.marks[self.symbol_of]).sum())

    def equity_of(self, strategy: str) -> float:
        """Return a strategy's cash plus its positions at their marks; NaN where one of those has none."""
        part = self.slots_of[strategy]
        return float(self.cash[self.rank[strategy]] + dollars(self.held[part], self.marks[self.symbol_of[part]]).sum())

    def _reserve(self, approved: Approved) -> None:
        """Add an opening; where its symbol is to be counted anyway, it is counted with the rest."""
        intent, qty = approved.intent, float(approved.intent.qty)
        number, place, rank = self._places[intent.strategy, intent.symbol]
        buys, held_buys, sells, held_sells, reserved = self._cells
        total, own = (buys, held_buys) if intent.side is _BUY else (sells, held_sells)
        total[number] += qty
        own[place] += qty
        reserved[rank] += float(approved.reserved)

    def _count(self, listing: Listing) -> None:
        """Look at one symbol anew; its net is summed exactly, for a trace of what is closed would be a position."""
        number = self.index[listing.instrument.symbol]
        ledger, symbol = self._ledger, listing.instrument.symbol
        net, buys, sells = ledger.account.external.get(symbol, ZERO), 0.0, 0.0
        for slot in listing.slots:
            bought, sold = _unfilled(slot)
            self.held[slot.rank], self.held_buys[slot.rank], self.held_sells[slot.rank] = slot.held, bought, sold
            buys, sells = buys + bought, sells + sold
            if slot.held:
                net = EXACT.add(net, slot.position.qty)
        if len(ledger.books) > len(self.rank):
            for name, book in ledger.books.items():
                if name not in self.rank and symbol in book.positions:  # of strategies that are no longer traded
                    net = EXACT.add(net, book.positions[symbol].qty)
        self.net[number], self.buys[number], self.sells[number] = float(net), buys, sells

    def _count_cash(self) -> None:
        books = self._ledger.books
        for name in self._paid & self.rank.keys():
            rank = self.rank[name]
            self.cash[rank], self.reserved[rank] = float(books[name].cash), float(books[name].reserved)
        if not self._paid <= self.rank.keys():
            self.unallocated = float(self._ledger.account.cash)
            self.unallocated += sum(float(book.cash) for name, book in books.items() if name not in self.rank)


def _unfilled(slot: Slot) -> tuple[float, float]:
    """Return what a slot's orders may still buy and sell."""
    buys = sells = 0.0
    for record in (slot.order, slot.absent):
        if record is not None and record.status not in TERMINAL:
            if record.approved.intent.side is _BUY:
                buys += _left(record)
            else:
                sells += _left(record)
    return buys, sells


def _left(record: OrderRecord) -> float:
    return float(record.approved.intent.qty) - float(record.filled)


def _zeros(of: Sequence[object]) -> "Floats":
    return np.zeros(len(of))


def _slices(sandboxes: Sequence[Sandbox]) -> dict[str, slice]:
    slices, begin = {}, 0
    for sandbox in sandboxes:
        slices[sandbox.spec.name] = slice(begin, begin + len(sandbox.slots))
        begin += len(sandbox.slots)
    return slices
