"""What clients asked for and were answered: the evidence that an order was sent once."""

from collections import Counter
from typing import Final

import msgspec

MOST_CLIENT_IDS: Final = 100_000  # some 30 MB; a day of a busy desk sends a tenth of that
MOST_STATUSES: Final = 100  # of one client order id: the first ones tell what happened
NO_ANSWER: Final = 0  # the status of an answer that was never sent


class Asked(msgspec.Struct):
    """Orders sent under one client order id: how often, and the status each answer had."""

    posts: int = 0
    statuses: list[int] = []


class RequestLog:
    """Counts of requests; beyond :data:`MOST_CLIENT_IDS` the oldest client order ids are forgotten."""

    def __init__(self) -> None:
        """Begin empty."""
        self.by_client_id: dict[str, Asked] = {}
        self.totals: Counter[str] = Counter()  # by method and pattern of path, so there are few

    def asked(self, route: str) -> None:
        """Count a request of one route (``GET /v2/orders``)."""
        self.totals[route] += 1

    def ordered(self, client_order_id: str, status: int) -> None:
        """Note that an order was sent, and the status it was answered with."""
        row = self.by_client_id.get(client_order_id)
        if row is None:
            if len(self.by_client_id) == MOST_CLIENT_IDS:
                del self.by_client_id[next(iter(self.by_client_id))]
            row = self.by_client_id[client_order_id] = Asked()
        row.posts += 1
        if len(row.statuses) < MOST_STATUSES:
            row.statuses.append(status)
