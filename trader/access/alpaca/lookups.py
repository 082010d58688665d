"""What orders at the venue are like now: one by one, the open ones, all since a time. Each answer goes to the desk."""

from collections.abc import Callable
from typing import Final

import structlog

from trader.access.alpaca.calls import AccountCalls
from trader.access.alpaca.limiter import Priority
from trader.access.alpaca.readings import order_in, orders_in
from trader.access.alpaca.tracked import Tracked
from trader.access.alpaca.tracker import OrderTracker
from trader.errors import OutcomeUnknown, Refused, Unavailable, WireError
from trader.model.orders import ExecutionReport
from trader.model.time import iso

log = structlog.get_logger()

Give = Callable[[list[ExecutionReport]], None]

PAGE: Final = 500  # orders, the most that Alpaca gives
PAGES: Final = 100  # of one reading; so many orders were not made by this program
_FOUND_NOWHERE = 404


class Lookups:
    """Reads the orders of one account; what they have become goes through ``give``."""

    def __init__(self, calls: AccountCalls, tracker: OrderTracker, give: Give) -> None:
        """Read nothing yet."""
        self.give = give
        self.calls = calls
        self.tracker = tracker

    async def one(self, tracked: Tracked) -> bool:
        """Read an order of ours; return False where the venue does not know it. Raises Unavailable for no answer."""
        tracked.asked_at = self.calls.now()
        try:
            if tracked.venue_id:
                answer = await self.calls.get(f"/orders/{tracked.venue_id}", priority=Priority.LOOKUP)
            else:
                by_id = {"client_order_id": tracked.order_id}
                answer = await self.calls.get("/orders:by_client_order_id", by_id, priority=Priority.LOOKUP)
            order = order_in(answer)
        except (Refused, Unavailable, OutcomeUnknown, WireError) as error:
            log.debug("lookup.failed", order_id=tracked.order_id, why=str(error)[:300])
            if isinstance(error, Refused) and error.status == _FOUND_NOWHERE:
                return False
            raise Unavailable(str(error)) from error
        self.give(self.tracker.looked_up(order, self.calls.now()))
        if not tracked.parts:
            log.error("order.mistaken", order_id=tracked.order_id, found=order.id, created_at=order.created_at)
            text = "the account has another order of this id"
            self.give(self.tracker.refused(tracked.order_id, text, self.calls.now()))
        return True

    async def stranger(self, venue_id: str) -> None:
        """Read an order that nobody has heard of: only it says whose it is. Raises EdgeError for no answer."""
        try:
            order = order_in(await self.calls.get(f"/orders/{venue_id}", priority=Priority.LOOKUP))
        except (Refused, WireError) as error:
            log.warning("lookup.failed", order_id=venue_id, why=str(error)[:300])
            return
        self.give(self.tracker.looked_up(order, self.calls.now()))

    async def open(self, *, priority: Priority = Priority.READ) -> None:
        """Read the open orders, ours and others'. Raises EdgeError."""
        answer = await self.calls.get("/orders", {"status": "open", "limit": str(PAGE)}, priority=priority)
        for order in orders_in(answer):
            self.give(self.tracker.looked_up(order, self.calls.now()))

    async def since(self, ts: int, *, priority: Priority = Priority.READ) -> None:
        """Read all orders from ``ts`` on, page by page. Raises EdgeError."""
        after = iso(ts)
        for _ in range(PAGES):
            query = {"status": "all", "after": after, "direction": "asc", "limit": str(PAGE)}
            orders = orders_in(await self.calls.get("/orders", query, priority=priority))
            for order in orders:
                self.give(self.tracker.looked_up(order, self.calls.now()))
            if len(orders) < PAGE or orders[-1].submitted_at in {None, after}:
                return
            after = str(orders[-1].submitted_at)
