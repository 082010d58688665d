"""One of our orders at the venue: what was asked for, what it is there, what the desk has been told. Pure.

An order lives on in its successors when it is replaced there (by hand, or for a corporate action): each is a part with
executions of its own, and the last one says how the whole ends.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Self

from trader.access.alpaca.executions import Executions
from trader.access.alpaca.wire_time import ns_or
from trader.access.alpaca.wire_trading import OrderMessage
from trader.books.book import CROSSED, OrderRecord
from trader.model.events import ExternalFilled
from trader.model.money import EXACT, NANO, ONE, ZERO, floor_to
from trader.model.orders import TERMINAL, Approved, OrderStatus
from trader.model.time import MINUTE

OLD: Final = 10 * MINUTE  # an order made so long before it was decided is another; clocks differ by less

# What Alpaca's words mean to the desk. `done_for_day` and the like are no end, and no news either.
STATUSES: Final[Mapping[str, OrderStatus]] = {
    "pending_new": OrderStatus.OPEN,
    "accepted": OrderStatus.OPEN,
    "accepted_for_bidding": OrderStatus.OPEN,
    "pending_review": OrderStatus.OPEN,
    "held": OrderStatus.OPEN,
    "new": OrderStatus.OPEN,
    "partially_filled": OrderStatus.OPEN,
    "done_for_day": OrderStatus.OPEN,
    "stopped": OrderStatus.OPEN,
    "suspended": OrderStatus.OPEN,
    "calculated": OrderStatus.OPEN,
    "pending_replace": OrderStatus.OPEN,
    "replaced": OrderStatus.OPEN,  # its successor goes on
    "pending_cancel": OrderStatus.PENDING_CANCEL,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}


class Part:
    """One order at the venue."""

    __slots__ = ("executions", "successor", "venue_id", "venue_status")

    def __init__(self, venue_id: str, name: str) -> None:
        """Begin as acknowledged, without executions."""
        self.venue_id = venue_id
        self.executions = Executions(name)
        self.venue_status = OrderStatus.OPEN
        self.successor = ""


class Tracked:
    """An order of the desk."""

    __slots__ = (
        "approved", "asked_at", "before", "beyond", "doubted_since", "is_called_off", "is_restored", "needs_lookup",
        "order_id", "ordered", "parts", "qty", "status", "tries",
    )  # fmt: skip

    def __init__(self, approved: Approved, now: int, crossed: Decimal = ZERO) -> None:
        """Begin as sent, with no word from the venue; ``crossed`` of it never goes there."""
        self.approved = approved
        self.order_id = approved.order_id
        self.ordered = EXACT.subtract(approved.intent.qty, crossed)  # that the venue is asked for
        self.status = OrderStatus.PENDING  # as the desk was told
        self.qty = ZERO  # executions that the desk was told, and that stand
        self.parts: list[Part] = []
        self.needs_lookup = False
        self.is_called_off = False  # it came to life after its end was told, and was canceled
        self.asked_at = now  # when its state was last learned, or asked for
        self.doubted_since: int | None = None  # executions are missing since then
        self.tries = 0
        self.is_restored = False  # it was sent in an earlier life of this program, or was about to be
        self.before: Executions | None = None  # what that life was told of it, until the order is met again
        self.beyond: Mapping[str, ExternalFilled] = {}  # executions of which it got nothing; also other orders'

    @classmethod
    def restored(cls, record: OrderRecord, now: int, beyond: dict[str, ExternalFilled]) -> Self:
        """Return an order as the books have it, taking from ``beyond`` what its executions exceeded it by."""
        tracked = cls(record.approved, now, record.crossed)
        tracked.status, tracked.is_restored = record.status, True
        tracked.qty = EXACT.subtract(record.filled, record.crossed)
        tracked.before = Executions(tracked.order_id)
        for name, one in record.executions.items():
            if not name.startswith(CROSSED):
                tracked.before.restore(name, one, beyond=beyond.pop(name, None))
        tracked.beyond = beyond
        if tracked.before.standing_in:
            tracked.doubted_since = now
        return tracked

    @property
    def is_over(self) -> bool:
        """Tell whether the desk has been told the end."""
        return self.status in TERMINAL

    @property
    def is_awaited(self) -> bool:
        """Tell whether nobody knows yet if it reached the venue, and it still might."""
        return not self.parts and self.status in {OrderStatus.PENDING, OrderStatus.PENDING_CANCEL}

    @property
    def venue_id(self) -> str:
        """Return the newest id at the venue, empty before it is known."""
        return self.parts[-1].venue_id if self.parts else ""

    @property
    def room(self) -> Decimal:
        """Return how much more the desk may be told: never more than was ordered."""
        return EXACT.subtract(self.ordered, self.qty)

    @property
    def is_explained(self) -> bool:
        """Tell whether every quantity the venue showed is booked."""
        return all(part.executions.is_explained for part in self.parts)

    @property
    def stands_in(self) -> bool:
        """Tell whether an execution was made up, and the real ones are still to come."""
        known = [part.executions for part in self.parts] + ([self.before] if self.before is not None else [])
        return any(one.standing_in for one in known)

    @property
    def venue_end(self) -> OrderStatus | None:
        """Return how the order ended at the venue, None while it lives there."""
        if not self.parts or self.parts[-1].venue_status not in TERMINAL:
            return None
        return self.parts[-1].venue_status

    def is_meant(self, order: OrderMessage) -> bool:
        """Tell whether an order that has our id is what we asked for; the id's digest is of the same.

        So is one that was cut to what the venue can trade.
        """
        intent = self.approved.intent
        is_old = ns_or(order.created_at, intent.ts) < intent.ts - OLD
        is_same = order.symbol.replace("/", "") == intent.symbol.replace("/", "")
        is_same = is_same and order.side in {intent.side.value, None}
        return is_same and not is_old and order.qty in {None, floor_to(self.ordered, NANO), floor_to(self.ordered, ONE)}

    def part(self, venue_id: str) -> Part:
        """Return the part of this id, a new one at the end if it is unknown."""
        for part in self.parts:
            if part.venue_id == venue_id:
                return part
        number = len(self.parts)
        part = Part(venue_id, f"{self.order_id}+{number}" if number else self.order_id)
        if self.before is not None:
            part.executions, self.before = self.before, None
        for name, over in self.beyond.items():
            if over.order_id == venue_id:
                part.executions.restore(name, None, beyond=over)
        self.parts.append(part)
        return part

    def see(self, order: OrderMessage) -> bool:
        """Take note of a snapshot; an end is final, whatever comes later. Return False where it is not understood."""
        part = self.part(order.id)
        part.executions.show(order.filled_qty or ZERO, order.filled_avg_price)
        if order.replaced_by and order.replaced_by != part.successor:
            part.successor = order.replaced_by
            successor = self.part(order.replaced_by)
            self.parts.remove(successor)
            self.parts.append(successor)  # even if it was heard of first
        status = STATUSES.get(order.status or "")
        if status is not None and part.venue_status not in TERMINAL:
            part.venue_status = status
        return status is not None and order.filled_qty is not None

    def tell(self, qty: Decimal, *, is_last: bool) -> OrderStatus:
        """Count a quantity that the desk is told; return the status that goes with it.

        The last execution of a filled order ends it; ``is_last`` tells that the desk has heard of all others.
        """
        self.qty = EXACT.add(self.qty, qty)
        if self.is_over:
            return self.status
        is_whole = not self.room or (is_last and self.venue_end is OrderStatus.FILLED and self.is_explained)
        return OrderStatus.FILLED if is_whole else OrderStatus.PARTIALLY_FILLED
