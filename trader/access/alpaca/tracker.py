"""From what Alpaca says about orders to what the desk is told: each execution once, an end only when it is whole. Pure.

Rules
- Three witnesses: the stream of updates, looked-up orders, activities of kind FILL. Any may repeat, come late, come in
  another order or be silent; what they tell goes through the same :class:`~trader.access.alpaca.executions.Executions`.
- Only executions move money. A filled quantity that they do not explain is waited for, then recovered from the
  activities, which alone have its exact price; until then no end of the order is told.
- An unknown status or event, or a quantity that cannot be read, is noted and the order looked up. Nothing is dropped.
- An order that is not ours is left alone, and what it brings is told as external (:mod:`outside`). What exceeds an
  order of ours too, and the symbol is locked: nobody knows what else is wrong there.
- An order that has an id of ours and is not what we asked for is not ours; the symbol is locked.
- An order of these books that they do not know of is of their future: they are older than the venue's memory.

Source: Alpaca, "Websocket Streaming" and trading API 2.0.1, read 2026-11.
"""

import sys
from collections import defaultdict, deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from trader.access.alpaca.executions import Booked, Fill, Told
from trader.access.alpaca.orders import OVERDUE, Orders
from trader.access.alpaca.outside import BEYOND, Outside
from trader.access.alpaca.tracked import STATUSES, Part, Tracked
from trader.access.alpaca.updates import EXECUTED, RESTATED, FeeCheck, told_in
from trader.access.alpaca.wire_trading import OrderMessage, TradeUpdate
from trader.access.fees import RegulatoryFees, fee_of
from trader.books.ledger import Ledger
from trader.model.inputs import ExternalReported
from trader.model.instruments import instrument_of
from trader.model.money import EXACT, ZERO, plain
from trader.model.orders import TERMINAL, ExecutionReport, OrderStatus, Side

NOTES_KEPT: Final = 1_000  # not taken; the owner takes them after every call

_EVENTS = EXECUTED | RESTATED | frozenset(STATUSES) | frozenset({
    "order_replace_rejected", "order_cancel_rejected", "restated",
})  # fmt: skip


class Note(msgspec.Struct, frozen=True):
    """Something a person may want to know; ``what`` is one of a few fixed phrases.

    ``excess``, where there is one, locks the symbol: the signed quantity that was not expected.
    """

    what: str
    order_id: str
    symbol: str
    detail: str = ""
    excess: Decimal | None = None


class OrderTracker(Orders):
    """Every order of ours, and what others did."""

    def __init__(
        self,
        ledger: Ledger | None = None,
        *,
        overdue: int = OVERDUE,
        regulatory: RegulatoryFees = RegulatoryFees(),  # noqa: B008 -- immutable
    ) -> None:
        """Know nothing before :meth:`recall`; ``overdue`` is how long a missing execution is waited for (ns)."""
        super().__init__(overdue)
        self.executed_at: dict[str, int] = {}  # by symbol: when an execution in it was last told, ours or another's
        self.from_the_future = ""  # an order that these books will send one day, and that is at the venue already
        self._ledger = ledger or Ledger()
        self._regulatory = regulatory
        self._outside = Outside(regulatory)
        self._notes: deque[Note] = deque(maxlen=NOTES_KEPT)
        self._fees = FeeCheck()

    def recall(self, now: int) -> None:
        """Know what the books know of orders and executions."""
        beyond = self._outside.recall(self._ledger)
        for record in self._ledger.orders.values():
            self._keep(Tracked.restored(record, now, beyond))

    def update(self, update: TradeUpdate, now: int) -> list[ExecutionReport]:
        """Take what the stream told."""
        order = update.order
        tracked = self._owner(order)
        told = told_in(update, now)
        if tracked is None:
            self._fees.check(update, None)
            self._meet(order)
            if told is not None:
                self._outside.take(order.id, order.symbol, order.side, told, now=now)
            return []
        is_executed = update.event in EXECUTED | RESTATED
        is_understood = update.event in _EVENTS and not update.unread and (told is not None or not is_executed)
        if not is_understood:
            self._note("update not understood", tracked, f"{update.event} {' '.join(update.unread)}".strip())
        if not self._see(tracked, order, now) or not is_understood:
            tracked.needs_lookup = True
        reports = [] if told is None else self._book(tracked, tracked.part(order.id), told, now)
        if (difference := self._fees.check(update, reports[0] if reports else None)) is not None:
            self._note("fee is not what was expected", tracked, f"position differs by {plain(difference)}")
        return reports + self._settle(tracked, now, order)

    def looked_up(self, order: OrderMessage, now: int) -> list[ExecutionReport]:
        """Take an order as it was read."""
        tracked = self._owner(order)
        if tracked is None:
            self._meet(order)
            return []
        tracked.needs_lookup = False
        self._see(tracked, order, now)
        return self._settle(tracked, now, order)

    def is_known(self, venue_id: str) -> bool:
        """Tell whether an order at the venue was heard of: ours or another's."""
        return venue_id in self._by_venue_id or self._outside.knows(venue_id)

    def recovered(self, rows: Sequence[Fill], now: int, *, since: int | None = None) -> list[ExecutionReport]:
        """Take activities of kind FILL, oldest first: all there are from ``since`` on.

        Of an order that was made before (of every one without ``since``) they are some. Those of orders nobody has
        heard of are left out.
        """
        reports, first = [], dict[str, Fill]()
        fills, restated = defaultdict[str, list[Told]](list), defaultdict[str, list[Told]](list)
        for row in rows:
            first.setdefault(row.venue_order_id, row)
            (fills if row.told.kind == "fill" else restated)[row.venue_order_id].append(row.told)
        for venue_id, row in first.items():
            tracked, changes = self._by_venue_id.get(venue_id), restated[venue_id]
            if tracked is None:
                if self._outside.knows(venue_id):
                    self._outside.recover(row, fills[venue_id], changes, now=now)
                continue
            part, is_whole = tracked.part(venue_id), since is not None and since < tracked.approved.intent.ts
            reports += self._recover(tracked, part, (fills[venue_id], changes), now=now, is_whole=is_whole)
            for one in changes:  # that nothing new came after
                reports += self._book(tracked, part, one, now)
        ours = (self._by_venue_id.get(venue_id) for venue_id in first)
        touched = dict.fromkeys([*self.open(), *(tracked for tracked in ours if tracked is not None)])
        return reports + [report for one in touched for report in self._settle(one, now)]

    def refused(
        self, order_id: str, text: str, now: int, status: OrderStatus = OrderStatus.REJECTED
    ) -> list[ExecutionReport]:
        """End an order that surely is not at the venue; one that is there after all is left as it is."""
        tracked = self.orders[order_id]
        return [] if tracked.is_over or tracked.parts else [self._moved(tracked, status, now, text)]

    def absent(self, order_id: str, text: str, now: int) -> list[ExecutionReport]:
        """Tell that the venue does not know an order, which may arrive all the same."""
        tracked = self.orders[order_id]
        return [self._moved(tracked, OrderStatus.ABSENT, now, text)] if tracked.is_awaited else []

    def synthesize(self, tracked: Tracked, now: int) -> list[ExecutionReport]:
        """Tell stand-ins for what the venue has shown of an order and nobody tells."""
        reports = []
        for part in tracked.parts:
            if (booked := part.executions.synthesize(now)) is not None:
                self._note("execution made up until the real ones come", tracked, booked.name)
                reports += self._report(tracked, part, booked, now=now)
        return reports + self._settle(tracked, now)

    def release(self) -> None:
        """Give up the absent orders that the books have given up."""
        for tracked in self.open():
            record = self._ledger.orders.get(tracked.order_id)
            if tracked.status is OrderStatus.ABSENT and record is not None and record.status in TERMINAL:
                self._moved(tracked, record.status, 0)

    def external(self) -> list[ExternalReported]:
        """Take what others did since the last call."""
        reports = self._outside.reports()
        for one in reports:
            self.executed_at[one.symbol] = one.ts
        return reports

    def notes(self) -> list[Note]:
        """Take what was noted since the last call."""
        taken = list(self._notes)
        self._notes.clear()
        return taken

    def _owner(self, order: OrderMessage) -> Tracked | None:
        """Return the order of ours that this is, or is a successor of."""
        tracked = self._by_venue_id.get(order.id) or self._by_venue_id.get(order.replaces or "")
        if tracked is None and not self._outside.knows(order.id):
            tracked = self.orders.get(order.client_order_id)
            if tracked is not None and not tracked.is_meant(order):
                self._note("another order has its id", tracked, f"{order.id} of {order.created_at}", excess=ZERO)
                self._outside.meet(order.id)
                return None
        if tracked is not None:
            self._by_venue_id[order.id] = tracked
            if order.replaced_by:
                self._by_venue_id[order.replaced_by] = tracked
        return tracked

    def _meet(self, order: OrderMessage) -> None:
        """Hear of an order that is not ours, or was ours so long ago that nobody remembers it."""
        if self._outside.knows(order.id):
            return
        number = _number_in(order.client_order_id, self._ledger.account.book_id)
        if number > self._ledger.orders_created:
            self.from_the_future = self.from_the_future or order.client_order_id
        elif not number and STATUSES.get(order.status or "") not in TERMINAL:
            self._notes.append(Note("order of another hand", order.id, order.symbol))
        self._outside.meet(order.id, is_counted=not number)

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

    def _recover(
        self, tracked: Tracked, part: Part, rows: tuple[Sequence[Told], Sequence[Told]], *, now: int, is_whole: bool
    ) -> list[ExecutionReport]:
        """Tell what is new of an order's executions, as it stands; what was taken back made room for it."""
        fills, restated = rows
        for told in fills:
            _bring_home(tracked, part, told.venue_id)
        undone, new = part.executions.recover(fills, restated, is_whole=is_whole)
        if undone or new:
            self.executed_at[tracked.approved.intent.symbol] = now
        reports = [self._bust(tracked, part, one, now) for one in undone if one.qty_told]
        for told in restated if new else ():
            reports += self._book(tracked, part, told, now)
        for number, booked in enumerate(new, start=1):
            reports += self._report(tracked, part, booked, now=now, is_last=number == len(new))
        return reports

    def _book(self, tracked: Tracked, part: Part, told: Told, now: int) -> list[ExecutionReport]:
        executions = part.executions
        _bring_home(tracked, part, told.venue_id)
        if told.kind == "fill":
            booked = executions.take(told)
            return [] if booked is None else self._report(tracked, part, booked, now=now)
        if executions.knows(told.venue_id):
            return []
        old = executions.find(told)
        if old is None:
            self._note("took back an execution that is not known", tracked, told.undoes)
            return []
        reports = []
        if not old.is_undone:
            self._note("execution was taken back", tracked, old.name)
            self.executed_at[tracked.approved.intent.symbol] = now
            executions.undo(old)
            bust = self._bust(tracked, part, old, told.ts)
            reports += [bust] if old.qty_told else []  # else all of it was beyond the order
        if told.kind == "trade_correct":
            reports += self._report(tracked, part, executions.correct(told, old), now=now)
        return reports

    def _report(
        self, tracked: Tracked, part: Part, booked: Booked, *, now: int, is_last: bool = True
    ) -> list[ExecutionReport]:
        """Tell the desk one execution; what exceeds the order is somebody else's."""
        intent = tracked.approved.intent
        self.executed_at[intent.symbol] = now
        qty = booked.qty_told = min(booked.qty, tracked.room)
        if qty < booked.qty and self._outside.exceed(part.venue_id, intent.symbol, intent.side, booked, now=now):
            excess = EXACT.multiply(EXACT.subtract(booked.qty, qty), intent.side.sign)
            self._note(BEYOND, tracked, plain(excess), excess=excess)
        if not qty:
            return []
        status = tracked.tell(qty, is_last=is_last)
        fee, asset = self._fee(intent.symbol, intent.side, qty, booked.price)
        if not tracked.is_over:
            self._moved(tracked, status, booked.ts)
        return [ExecutionReport(tracked.order_id, status, booked.ts, booked.name, qty, booked.price, fee, asset)]

    def _bust(self, tracked: Tracked, part: Part, undone: Booked, ts: int) -> ExecutionReport:
        intent = tracked.approved.intent
        tracked.qty = EXACT.subtract(tracked.qty, undone.qty_told)
        if undone.qty_told < undone.qty:
            self._outside.exceed(part.venue_id, intent.symbol, intent.side, undone, now=ts, is_undone=True)
        fee, asset = self._fee(intent.symbol, intent.side, undone.qty_told, undone.price)
        return ExecutionReport(
            order_id=tracked.order_id,
            status=tracked.status if tracked.is_over else OrderStatus.PARTIALLY_FILLED,
            ts=ts,
            execution_id=f"{undone.name}!bust",
            qty=undone.qty_told,
            price=undone.price,
            fee=fee,
            fee_asset=asset,
            reverses=undone.name,
        )

    def _settle(self, tracked: Tracked, now: int, order: OrderMessage | None = None) -> list[ExecutionReport]:
        """Tell what the status of an order has become, as far as its executions explain it."""
        if tracked.is_explained and not tracked.stands_in:
            tracked.doubted_since, tracked.tries = None, 0
        elif tracked.doubted_since is None:
            tracked.doubted_since = now
        if tracked.is_over or not tracked.parts:
            return []
        reports = []
        if tracked.status in {OrderStatus.PENDING, OrderStatus.ABSENT}:
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
            self._end(tracked)
        return ExecutionReport(tracked.order_id, status, now, text=text)

    def _fee(self, symbol: str, side: Side, qty: Decimal, price: Decimal) -> tuple[Decimal, str]:
        return fee_of(side, qty, price=price, instrument=instrument_of(symbol), regulatory=self._regulatory)

    def _note(self, what: str, tracked: Tracked, detail: str = "", *, excess: Decimal | None = None) -> None:
        self._notes.append(Note(what, tracked.order_id, tracked.approved.intent.symbol, detail, excess))


def _bring_home(tracked: Tracked, part: Part, venue_id: str) -> None:
    """Move an execution to the part of an order that it turns out to be of: the books do not say."""
    for other in tracked.parts:
        if other is not part and (booked := other.executions.release(venue_id)) is not None:
            part.executions.accept(booked)


def _number_in(client_order_id: str, book_id: str) -> int:
    """Return which order of these books this is, 0 for one of other hands."""
    book, _, rest = client_order_id.partition(".")
    if not book_id or book != book_id:
        return 0
    try:
        return int(rest.split(".")[-2], 36)
    except (ValueError, IndexError):
        return sys.maxsize
