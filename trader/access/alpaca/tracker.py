"""From what Alpaca says about orders to what the desk is told: each execution once, an end only when it is whole. Pure.

Rules
- Three witnesses: the stream of updates, looked-up orders, activities of kind FILL. Any may repeat, come late, come in
  another order or be silent; what they tell goes through the same :class:`~trader.access.alpaca.executions.Executions`.
- Only executions move money. A filled quantity that they do not explain is waited for, then recovered from the
  activities, which alone have its exact price; until then no end of the order is told.
- An unknown status or event, or a quantity that cannot be read, is noted and the order looked up. Nothing is dropped.
- An order that is not ours is counted as external, by symbol, and left alone. What exceeds an order of ours too.

Source: Alpaca, "Websocket Streaming" and trading API 2.0.1, read 2026-11.
"""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from trader.access.alpaca.executions import Booked, Executions, Told
from trader.access.alpaca.tracked import STATUSES, Part, Tracked
from trader.access.alpaca.wire_time import ns_of
from trader.access.alpaca.wire_trading import OrderMessage, TradeUpdate
from trader.access.fees import RegulatoryFees, fee_of
from trader.model.instruments import instrument_of
from trader.model.money import EXACT, NANO, ZERO, floor_to, multiply, plain
from trader.model.orders import Approved, ExecutionReport, OrderStatus, Side
from trader.model.time import SECOND

OVERDUE: Final = 2 * SECOND  # a quantity shown but not told for so long is asked for
ENDED_KEPT: Final = 10_000  # orders; a bust comes within days, and so many a day are not made
FOREIGN_KEPT: Final = 10_000  # orders of other hands that are told apart from new ones
MOST_DOUBLED: Final = 5  # after that every 128 s
NOTES_KEPT: Final = 1_000  # not taken; the owner takes them after every call

_EXECUTED = frozenset({"fill", "partial_fill"})
_RESTATED = frozenset({"trade_bust", "trade_correct"})
_EVENTS = _EXECUTED | _RESTATED | frozenset(STATUSES) | frozenset({
    "order_replace_rejected", "order_cancel_rejected", "restated",
})  # fmt: skip


class Note(msgspec.Struct, frozen=True):
    """Something a person may want to know; ``what`` is one of a few fixed phrases."""

    what: str
    order_id: str
    symbol: str
    detail: str = ""


class External(msgspec.Struct, frozen=True):
    """What other hands did in one symbol: signed quantity and dollars."""

    qty: Decimal = ZERO
    cash: Decimal = ZERO


class OrderTracker:
    """Every order of ours, and how much others did."""

    def __init__(self, *, overdue: int = OVERDUE, regulatory: RegulatoryFees | None = None) -> None:
        """Begin without orders; ``overdue`` is how long a missing execution is waited for (ns)."""
        self.orders: dict[str, Tracked] = {}  # of ours by id; those that ended long ago are gone
        self.external: dict[str, External] = {}
        self._overdue = overdue
        self._regulatory = regulatory or RegulatoryFees()
        self._by_venue_id: dict[str, Tracked] = {}
        self._ended: deque[Tracked] = deque()
        self._foreign: dict[str, Executions] = {}
        self._notes: deque[Note] = deque(maxlen=NOTES_KEPT)
        self._fees = FeeCheck()

    def watch(self, approved: Approved, now: int, crossed: Decimal = ZERO) -> Tracked:
        """Know an order from before it is sent; ``crossed`` of it never goes to the venue."""
        assert approved.order_id not in self.orders, f"order {approved.order_id} was sent before"
        tracked = self.orders[approved.order_id] = Tracked(approved, now, crossed)
        return tracked

    def open(self) -> list[Tracked]:
        """Return the orders whose end the desk has not been told, oldest first."""
        return [tracked for tracked in self.orders.values() if not tracked.is_over]

    def update(self, update: TradeUpdate, now: int) -> list[ExecutionReport]:
        """Take what the stream told."""
        order = update.order
        tracked = self._owner(order)
        told = _told(update, now)
        if tracked is None:
            self._fees.check(update, None)
            executions = self._foreign.get(order.id) or self._know_foreign(order.id, order.symbol)
            self._take_foreign(executions, order.symbol, order.side, told)
            return []
        is_executed = update.event in _EXECUTED | _RESTATED
        is_understood = update.event in _EVENTS and not update.unread and (told is not None or not is_executed)
        if not is_understood:
            self._note("update not understood", tracked, f"{update.event} {' '.join(update.unread)}".strip())
        if not self._see(tracked, order, now) or not is_understood:
            tracked.needs_lookup = True
        reports = [] if told is None else self._book(tracked, tracked.part(order.id), told)
        if (difference := self._fees.check(update, reports[0] if reports else None)) is not None:
            self._note("fee is not what was expected", tracked, f"position differs by {plain(difference)}")
        return reports + self._settle(tracked, now, order)

    def looked_up(self, order: OrderMessage, now: int) -> list[ExecutionReport]:
        """Take an order as it was read."""
        tracked = self._owner(order)
        if tracked is None:
            if order.id not in self._foreign:
                self._know_foreign(order.id, order.symbol)
            return []
        tracked.needs_lookup = False
        self._see(tracked, order, now)
        return self._settle(tracked, now, order)

    def is_known(self, venue_id: str) -> bool:
        """Tell whether an order at the venue was heard of: ours or another's."""
        return venue_id in self._by_venue_id or venue_id in self._foreign

    def recovered(self, rows: Sequence["Fill"], now: int, *, complete_for: str = "") -> list[ExecutionReport]:
        """Take activities of kind FILL, oldest first; ``complete_for`` is the order of which they are all there are.

        Without it they are some of many orders: each then counts as if the stream had told it. Those of orders nobody
        has heard of are left out.
        """
        reports = []
        for row in rows:
            tracked = self._by_venue_id.get(row.venue_order_id)
            if tracked is None:
                if (executions := self._foreign.get(row.venue_order_id)) is not None:
                    self._take_foreign(executions, row.symbol, row.side, row.told)
            elif row.told.kind != "fill" or tracked.order_id != complete_for:
                reports += self._book(tracked, tracked.part(row.venue_order_id), row.told)
            else:
                whole = [
                    one.told for one in rows if one.venue_order_id == row.venue_order_id and one.told.kind == "fill"
                ]
                new = tracked.part(row.venue_order_id).executions.recover(whole)
                for number, booked in enumerate(new, start=1):
                    reports += self._report(tracked, booked, is_last=number == len(new))
        return reports + [report for tracked in self.open() for report in self._settle(tracked, now)]

    def refused(
        self, order_id: str, text: str, now: int, status: OrderStatus = OrderStatus.REJECTED
    ) -> list[ExecutionReport]:
        """End an order that surely is not at the venue; one that is there after all is left as it is."""
        tracked = self.orders[order_id]
        return [] if tracked.is_over or tracked.parts else [self._moved(tracked, status, now, text)]

    def split(self, symbol: str, ratio: Decimal) -> None:
        """Count what others hold in new shares."""
        if (external := self.external.get(symbol)) is not None:
            self.external[symbol] = External(floor_to(multiply(external.qty, ratio), NANO), external.cash)

    def wants_recovery(self, now: int) -> list[Tracked]:
        """Return the orders whose activities are to be read: the venue has shown more than it told, for too long.

        Whoever reads them counts it in ``tries``: each time is twice as far from the one before.
        """
        return [
            tracked
            for tracked in self.orders.values()
            if tracked.doubted_since is not None
            and now - tracked.doubted_since >= self._overdue * (2 ** min(tracked.tries, MOST_DOUBLED) * 2 - 1)
        ]

    def wants_lookup(self) -> list[Tracked]:
        """Return the orders that are to be read again: something was said that we do not understand."""
        return [tracked for tracked in self.orders.values() if tracked.needs_lookup]

    def resurrected(self) -> list[Tracked]:
        """Return the orders that live at the venue though they were given up, and that nobody has called off yet."""
        return [
            tracked
            for tracked in self.orders.values()
            if tracked.status is OrderStatus.REJECTED
            and tracked.parts
            and tracked.venue_end is None
            and not tracked.is_called_off
        ]

    def notes(self) -> list[Note]:
        """Take what was noted since the last call."""
        taken = list(self._notes)
        self._notes.clear()
        return taken

    def _owner(self, order: OrderMessage) -> Tracked | None:
        """Return the order of ours that this is, or is a successor of."""
        tracked = (
            self._by_venue_id.get(order.id)
            or self.orders.get(order.client_order_id)
            or self._by_venue_id.get(order.replaces or "")
        )
        if tracked is not None:
            self._by_venue_id[order.id] = tracked
            if order.replaced_by:
                self._by_venue_id[order.replaced_by] = tracked
        return tracked

    def _see(self, tracked: Tracked, order: OrderMessage, now: int) -> bool:
        tracked.asked_at = now
        before = len(tracked.parts)
        is_understood = tracked.see(order)
        if not is_understood:
            self._note("status not understood", tracked, f"{order.status} {' '.join(order.unread)}".strip())
        if before and len(tracked.parts) > before:
            tracked.needs_lookup = True
            self._note("replaced by another hand", tracked, tracked.venue_id)
        return is_understood

    def _book(self, tracked: Tracked, part: Part, told: Told) -> list[ExecutionReport]:
        executions = part.executions
        if told.kind == "fill":
            booked = executions.take(told)
            return [] if booked is None else self._report(tracked, booked)
        if executions.knows(told.venue_id):
            return []
        old = executions.find(told)
        if old is None:
            self._note("took back an execution that is not known", tracked, told.undoes)
            return []
        reports = []
        if not old.is_undone:
            self._note("execution was taken back", tracked, old.name)
            executions.undo(old)
            reports.append(self._bust(tracked, old, told))
        if told.kind == "trade_correct":
            reports += self._report(tracked, executions.correct(told, old))
        return reports

    def _report(self, tracked: Tracked, booked: Booked, *, is_last: bool = True) -> list[ExecutionReport]:
        """Tell the desk one execution; what exceeds the order is somebody else's."""
        intent = tracked.approved.intent
        qty = min(booked.qty, tracked.room)
        if qty < booked.qty:
            self._note("filled beyond its quantity", tracked, plain(EXACT.subtract(booked.qty, qty)))
            self._count(intent.symbol, intent.side, EXACT.subtract(booked.qty, qty), booked.price)
        if not qty:
            return []
        booked.qty_told = qty
        status = tracked.tell(qty, is_last=is_last)
        fee, asset = self._fee(intent.symbol, intent.side, qty, booked.price)
        if not tracked.is_over:
            self._moved(tracked, status, booked.ts)
        return [ExecutionReport(tracked.order_id, status, booked.ts, booked.name, qty, booked.price, fee, asset)]

    def _bust(self, tracked: Tracked, undone: Booked, told: Told) -> ExecutionReport:
        intent = tracked.approved.intent
        tracked.qty = EXACT.subtract(tracked.qty, undone.qty_told)
        fee, asset = self._fee(intent.symbol, intent.side, undone.qty_told, undone.price)
        return ExecutionReport(
            order_id=tracked.order_id,
            status=tracked.status if tracked.is_over else OrderStatus.PARTIALLY_FILLED,
            ts=told.ts,
            execution_id=f"{undone.name}!bust",
            qty=undone.qty_told,
            price=undone.price,
            fee=fee,
            fee_asset=asset,
            reverses=undone.name,
        )

    def _settle(self, tracked: Tracked, now: int, order: OrderMessage | None = None) -> list[ExecutionReport]:
        """Tell what the status of an order has become, as far as its executions explain it."""
        if tracked.is_explained:
            tracked.doubted_since, tracked.tries = None, 0
        elif tracked.doubted_since is None:
            tracked.doubted_since = now
        if tracked.is_over or not tracked.parts:
            return []
        reports = []
        if tracked.status is OrderStatus.PENDING:
            reports.append(self._moved(tracked, OrderStatus.OPEN, now))
        ended = tracked.venue_end
        if ended is None:
            is_leaving = tracked.parts[-1].venue_status is OrderStatus.PENDING_CANCEL
            if is_leaving and tracked.status is not OrderStatus.PENDING_CANCEL:
                reports.append(self._moved(tracked, OrderStatus.PENDING_CANCEL, now))
        elif tracked.is_explained:
            # A filled order ends with its last execution. One that has less than was ordered was made smaller there.
            end = OrderStatus.CANCELED if ended is OrderStatus.FILLED else ended
            text = f"{order.status} at the venue" if order is not None else ""
            reports.append(self._moved(tracked, end, now, text))
        return reports

    def _moved(self, tracked: Tracked, status: OrderStatus, now: int, text: str = "") -> ExecutionReport:
        tracked.status = status
        if tracked.is_over:
            self._ended.append(tracked)
        if len(self._ended) > ENDED_KEPT:
            gone = self._ended.popleft()
            del self.orders[gone.order_id]
            for part in gone.parts:
                self._by_venue_id.pop(part.venue_id, None)
        return ExecutionReport(tracked.order_id, status, now, text=text)

    def _fee(self, symbol: str, side: Side, qty: Decimal, price: Decimal) -> tuple[Decimal, str]:
        return fee_of(side, qty, price=price, instrument=instrument_of(symbol), regulatory=self._regulatory)

    def _know_foreign(self, venue_id: str, symbol: str) -> Executions:
        self._notes.append(Note("order of another hand", venue_id, symbol))
        if len(self._foreign) >= FOREIGN_KEPT:
            del self._foreign[next(iter(self._foreign))]
        known = self._foreign[venue_id] = Executions(venue_id)
        return known

    def _take_foreign(self, executions: Executions, symbol: str, side: str | None, told: Told | None) -> None:
        if told is None or side not in {"buy", "sell"} or executions.knows(told.venue_id):
            return
        if told.kind == "fill":
            booked = executions.take(told)
        else:
            old = executions.find(told)
            if old is not None and not old.is_undone:
                executions.undo(old)
                self._count(symbol, Side(side), old.qty.copy_negate(), old.price)
            booked = executions.correct(told, old) if old is not None and told.kind == "trade_correct" else None
        if booked is not None:
            self._count(symbol, Side(side), booked.qty, booked.price)

    def _count(self, symbol: str, side: Side, qty: Decimal, price: Decimal) -> None:
        """Count what others did, net of its fee, as the account's position is."""
        fee, asset = self._fee(symbol, side, qty.copy_abs(), price)
        fee = fee.copy_negate() if qty < ZERO else fee
        signed = EXACT.multiply(qty, side.sign)
        moved = EXACT.subtract(signed, fee) if asset != "USD" else signed
        cash = EXACT.multiply(signed, price).copy_negate()
        before = self.external.get(symbol, External())
        self.external[symbol] = External(
            EXACT.add(before.qty, moved), EXACT.add(before.cash, EXACT.subtract(cash, fee) if asset == "USD" else cash)
        )

    def _note(self, what: str, tracked: Tracked, detail: str = "") -> None:
        self._notes.append(Note(what, tracked.order_id, tracked.approved.intent.symbol, detail))


class Fill(msgspec.Struct, frozen=True):
    """One activity of kind FILL."""

    venue_order_id: str
    symbol: str
    side: str
    told: Told


class FeeCheck:
    """Compares the fee we expect with what the account's position says."""

    def __init__(self) -> None:
        """Begin without any position known."""
        self._positions: dict[str, Decimal] = {}

    def check(self, update: TradeUpdate, report: ExecutionReport | None) -> Decimal | None:
        """Return by how much the position differs from what it should be now; None where that cannot be known."""
        if update.event not in _EXECUTED | _RESTATED:
            return None
        symbol, after = update.order.symbol, update.position_qty
        before = self._positions.pop(symbol, None)
        if after is None or report is None or report.reverses:
            return None  # something was repeated or restated: begin anew with the next execution
        self._positions[symbol] = after
        if before is None or report.fee_asset == "USD":
            return None
        received = EXACT.subtract(report.qty, report.fee)
        difference = EXACT.subtract(EXACT.subtract(after, before), received)
        return difference or None


def _told(update: TradeUpdate, now: int) -> Told | None:
    """Read the execution that an update tells, if it tells one."""
    cumulative = update.order.filled_qty
    if update.event not in _EXECUTED | _RESTATED or not update.qty or update.price is None or cumulative is None:
        return None
    kind = "fill" if update.event in _EXECUTED else update.event
    return Told(
        venue_id=update.execution_id or "",
        cumulative=cumulative,
        qty=update.qty,
        price=update.price,
        ts=_time(update.timestamp, now),
        kind="trade_bust" if kind == "trade_bust" else "trade_correct" if kind == "trade_correct" else "fill",
        undoes=update.previous_execution_id or "",
    )


def _time(stamp: str | None, now: int) -> int:
    try:
        return ns_of(stamp) if stamp else now
    except ValueError:
        return now
