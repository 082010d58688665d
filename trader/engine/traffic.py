"""Orders of ours on their way, symbol by symbol: kept out of one another's way, crossed, sent, called off.

An order does not leave before its step ends: what was made until then crosses first, and comes back as reports like a
venue's. What may not meet an order that is at the venue already is not even made: it waits, and asks again when that
one has ended.
"""

import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from trader.books.book import Book, OrderRecord
from trader.books.ledger import Ledger
from trader.engine.conflicts import MARKET, is_refused, passing, surely_held
from trader.engine.crossing import Offer, net
from trader.engine.holds import Holds
from trader.engine.market import Listing
from trader.engine.sandbox import Slot
from trader.model.commands import SubmitOrder
from trader.model.money import EXACT, ONE, ZERO, decimal_of, plain
from trader.model.orders import TERMINAL, ExecutionReport, OrderStatus, Side

CROSSED_AWAY: Final = "withdrawn: its rest is too small, or waits for an order on the other side"
CALLED_OFF: Final = "withdrawn before it was sent"


class Traffic:
    """Every order between its approval and its end."""

    def __init__(self, ledger: Ledger, holds: Holds, send: Callable[[SubmitOrder], None]) -> None:
        """Begin with nothing on its way; what leaves is given to ``send``."""
        self.fresh: dict[Slot, None] = {}  # have an order that has not left yet, in the order they were made
        self._ledger = ledger
        self._holds = holds
        self._send = send
        self._unmanned: list[Book] = []  # of strategies that are not on this desk; what they hold is in the account

    def resume(self, slots: Sequence[Slot]) -> None:
        """Find what is on its way for these slots in recovered books."""
        ledger = self._ledger
        by_place = {(slot.sandbox.spec.name, slot.symbol): slot for slot in slots}
        manned = {strategy for strategy, _ in by_place}
        self._unmanned = [book for name, book in ledger.books.items() if name not in manned]
        for record in ledger.orders.values():
            intent = record.approved.intent
            slot = by_place.get((intent.strategy, intent.symbol))
            if slot is None or record.status in TERMINAL:
                continue
            if slot.order is not None:  # an entry that was absent and turned up; the exit beside it was made later
                slot.absent = self.take_off(slot)
            if record.status is OrderStatus.ABSENT and not intent.reduces:
                slot.absent = record
            else:
                self.put(slot, record)

    # --- what is in the way -------------------------------------------------------------------------------------

    def obstacle(self, slot: Slot, side: Side) -> str:
        """Return why no entry may leave for a slot now, empty if one may."""
        locks = self._ledger.account.locks
        if locks and (lock := locks.get(slot.symbol)):
            return f"locked: the account has {plain(lock.held)}, the books say {plain(lock.expected)}"
        if slot.absent is not None:
            return f"order {slot.absent.approved.order_id} never showed up and still may"
        for other, is_exit in slot.listing.waiting.items():
            if is_exit and other.unsettled:
                return f"an exit of {other.sandbox.spec.name} goes first"
        blockers = [_order_of(other) for other in self.opposite(slot, side)] or _turned_up(slot.listing, side)
        return f"order {blockers[0].approved.order_id} on the other side is open" if blockers else ""

    def opposite(self, slot: Slot, side: Side) -> list[Slot]:
        """Return the slots whose orders at the venue would make it refuse an order of ``slot`` on ``side``."""
        working = slot.listing.working
        if not working:
            return []
        return [
            other
            for other in working
            if _order_of(other).approved.intent.side is not side
            and other is not slot
            and other not in self.fresh
            and is_refused(MARKET, MARKET)
        ]

    def rivals(self, slot: Slot, side: Side) -> list[Slot]:
        """Return the slots whose openings on the same side close the account's position, as ``slot`` wants to."""
        if EXACT.multiply(self._booked(slot.symbol), side.sign) >= 0:
            return []
        return [
            other
            for other in slot.listing.working
            if other is not slot
            and not _order_of(other).approved.intent.reduces
            and _order_of(other).approved.intent.side is side
        ]

    def passing(self, slot: Slot, side: Side, qty: Decimal, *, reduces: bool) -> Decimal:
        """Return how much of a quantity the account's position lets through now."""
        locks = self._ledger.account.locks
        lock = locks.get(slot.symbol) if locks else None
        if lock is None and not self._is_mixed(slot, is_short=side is Side.SELL and not reduces):
            return qty
        account = self._booked(slot.symbol)
        if lock is not None:
            account = surely_held(lock, account)
            if EXACT.multiply(account, side.sign) >= 0:
                return ZERO
        taken = ZERO
        for other in slot.listing.working:
            if other is not slot and _order_of(other).approved.intent.side is side:
                taken = EXACT.add(taken, _left(_order_of(other)))
        return passing(qty, side, account=account, taken=taken, is_stock=slot.instrument.asset_class == "stock")

    def _is_mixed(self, slot: Slot, *, is_short: bool) -> bool:
        """Tell whether the account might go through zero: only where somebody is short, or is to be."""
        slots, external = slot.listing.slots, self._ledger.account.external
        if is_short or slot.held < 0 or (external and external.get(slot.symbol, ZERO) < 0):
            return True
        if len(slots) > 1:
            for other in slots:
                if other.held < 0 or (other.order is not None and _opens_short(other)):
                    return True
        unmanned = self._unmanned
        return bool(unmanned) and any(
            book.position(slot.symbol).qty < 0 for book in unmanned if slot.symbol in book.positions
        )

    def _booked(self, symbol: str) -> Decimal:
        total = self._ledger.account.external.get(symbol, ZERO)
        for book in self._ledger.books.values():
            if symbol in book.positions:
                total = EXACT.add(total, book.positions[symbol].qty)
        return total

    # --- from approval to end -----------------------------------------------------------------------------------

    def make(self, slot: Slot, record: OrderRecord) -> None:
        """Take an approved order; it leaves when the step ends."""
        self.put(slot, record)
        self.fresh[slot] = None

    def put(self, slot: Slot, record: OrderRecord) -> None:
        """Note that an order of a slot is on its way; a slot has one at a time."""
        assert slot.order is None, f"{slot.sandbox.spec.name} has an order in {slot.symbol} already"
        slot.order = record
        slot.listing.working[slot] = None

    def take_off(self, slot: Slot) -> OrderRecord:
        """Forget a slot's order: it has ended, or never showed up."""
        record = _order_of(slot)
        slot.order = None
        slot.listing.working.pop(slot, None)
        self.fresh.pop(slot, None)
        return record

    def settle(self, ts: int) -> list[ExecutionReport]:
        """Send what was made in this step, less what crosses; return what crossed or was withdrawn, as reports."""
        fresh, self.fresh = list(self.fresh), {}
        if len(fresh) == 1:
            self._send(SubmitOrder(_order_of(fresh[0]).approved))
            return []
        sides: dict[Listing, Side] = {}
        crossing: dict[Listing, list[Slot]] = {}
        for slot in fresh:
            side = _order_of(slot).approved.intent.side
            if sides.setdefault(slot.listing, side) is not side:
                crossing[slot.listing] = [other for other in fresh if other.listing is slot.listing]
        for slot in fresh:
            if slot.listing not in crossing:
                self._send(SubmitOrder(_order_of(slot).approved))
        return [report for slots in crossing.values() for report in self._cross(slots, ts)]

    def _cross(self, slots: Sequence[Slot], ts: int) -> list[ExecutionReport]:
        listing = slots[0].listing
        is_trusted = not math.isnan(listing.mark) and not self._holds.why(slots[0].symbol)
        price = decimal_of(listing.mark) if is_trusted else ONE
        netted = net(self._offers(slots), price, may_cross=is_trusted)
        left = {_order_of(slot).approved.order_id: _order_of(slot).approved.intent.qty for slot in slots}
        reports = []
        for cross in netted.crosses:
            for order_id in (cross.buy_id, cross.sell_id):
                left[order_id] = EXACT.subtract(left[order_id], cross.qty)
                status = OrderStatus.PENDING if left[order_id] else OrderStatus.FILLED
                reports.append(ExecutionReport(order_id, status, ts, cross.execution_id, cross.qty, price))
        for slot in slots:
            approved = _order_of(slot).approved
            if approved.order_id in netted.withdrawn:
                slot.is_part = True
                reports.append(ExecutionReport(approved.order_id, OrderStatus.CANCELED, ts, text=CROSSED_AWAY))
            elif rest := netted.left[approved.order_id]:
                self._send(SubmitOrder(approved, EXACT.subtract(approved.intent.qty, rest)))
        return reports

    def _offers(self, slots: Sequence[Slot]) -> list[Offer]:
        is_long = self._booked(slots[0].symbol) > 0
        offers = []
        for slot in slots:
            approved, instrument = _order_of(slot).approved, slot.instrument
            intent = approved.intent
            opens_short = intent.side is Side.SELL and not is_long and instrument.asset_class == "stock"
            step = ONE if opens_short else instrument.qty_increment
            offers.append(
                Offer(approved.order_id, intent.side, intent.qty, intent.reduces, step, instrument.min_notional)
            )
        return offers


def _turned_up(listing: Listing, side: Side) -> list[OrderRecord]:
    """Return absent entries against ``side`` that are at the venue after all, while their slots have another order."""
    absent = [other.absent for other in listing.slots if other.absent is not None]
    return [
        record
        for record in absent
        if record.status is not OrderStatus.ABSENT and record.approved.intent.side is not side
    ]


def _order_of(slot: Slot) -> OrderRecord:
    assert slot.order is not None, f"{slot.sandbox.spec.name} has no order in {slot.symbol}"
    return slot.order


def _opens_short(slot: Slot) -> bool:
    intent = _order_of(slot).approved.intent
    return intent.side is Side.SELL and not intent.reduces


def _left(record: OrderRecord) -> Decimal:
    return EXACT.subtract(record.approved.intent.qty, record.filled)
