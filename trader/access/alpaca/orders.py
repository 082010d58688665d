"""The orders of these books, open and ended, and which of them somebody has to ask about. Pure."""

from collections import deque
from decimal import Decimal
from typing import Final

from trader.access.alpaca.tracked import Tracked
from trader.model.money import ZERO
from trader.model.orders import Approved, OrderStatus
from trader.model.time import SECOND

OVERDUE: Final = 2 * SECOND  # a quantity shown but not told for so long is asked for
ENDED_KEPT: Final = 10_000  # orders; a bust comes within days, and so many a day are not made
MOST_DOUBLED: Final = 5  # after that every 128 s


class Orders:
    """Every order of ours."""

    def __init__(self, overdue: int = OVERDUE) -> None:
        """Begin without orders; ``overdue`` is how long a missing execution is waited for (ns)."""
        self.orders: dict[str, Tracked] = {}  # by id; those that ended long ago are gone
        self._overdue = overdue
        self._by_venue_id: dict[str, Tracked] = {}
        self._ended: deque[Tracked] = deque()
        self._live: dict[str, Tracked] = {}

    def watch(self, approved: Approved, now: int, crossed: Decimal = ZERO) -> Tracked:
        """Know an order from before it is sent; ``crossed`` of it never goes to the venue."""
        assert approved.order_id not in self.orders, f"order {approved.order_id} was sent before"
        tracked = Tracked(approved, now, crossed)
        self._keep(tracked)
        return tracked

    def open(self) -> list[Tracked]:
        """Return the orders whose end the desk has not been told, oldest first."""
        return list(self._live.values())

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

    def _keep(self, tracked: Tracked) -> None:
        self.orders[tracked.order_id] = tracked
        if tracked.is_over:
            self._end(tracked)
        else:
            self._live[tracked.order_id] = tracked

    def _end(self, tracked: Tracked) -> None:
        """Count an order among those that have ended, and forget the one that did so longest ago."""
        self._live.pop(tracked.order_id, None)
        self._ended.append(tracked)
        if len(self._ended) > ENDED_KEPT:
            gone = self._ended.popleft()
            del self.orders[gone.order_id]
            for part in gone.parts:
                self._by_venue_id.pop(part.venue_id, None)
