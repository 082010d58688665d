"""The last look: whether an order that was approved may leave now, asked immediately before it goes on the wire. Pure.

Between approval and wire lie a commit, a queue and a connection; meanwhile a person may have halted the desk, a rule
raised a flag, the decision become old. Openings are refused for what has become true since. An order that is not in
the books, or would ask the venue for more than was approved under its id, never leaves, not even to reduce.

What is refused here ends as REJECTED with :data:`~trader.model.conduct.LAST_LOOK` before the reason.
Source: SEC rule 15c3-5, and its order against Knight Capital (2013): controls at the point immediately prior to
submission, and children that are compared with their parent.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from trader.access.ports import SimulatedBroker
from trader.books.book import OrderRecord
from trader.books.ledger import Ledger
from trader.model.conduct import LAST_LOOK
from trader.model.money import EXACT, ZERO, plain
from trader.model.orders import Approved, ExecutionReport, OrderIntent, OrderStatus, TradingState
from trader.model.ticks import Tick
from trader.model.time import MINUTE, SECOND
from trader.risk.escalation import closing
from trader.risk.rules import Rules

# Decisions a minute apart reach the wire a little closer together, or farther: rates are counted over so much less.
_CLOSER: Final = 0.9

Look = Callable[[Approved, Decimal], str]  # why this much of an order may not leave now, empty where it may


class WireLimits(msgspec.Struct, frozen=True):
    """What openings are held to at the wire, as the gate is; None means there is no limit of that kind.

    ``max_age_s`` is how old a decision may be, by asset class; orders of all strategies count for the rates.
    ``groups`` are the strategies of each, for flags of groups.
    """

    max_age_s: Mapping[str, float] = {}
    max_per_second: float | None = None
    max_per_minute: float | None = None
    groups: Mapping[str, Sequence[str]] = {}


def wire_limits(rules: Rules) -> WireLimits:
    """Return what the last look holds openings to: what the gate did, when it approved them."""
    account = rules.conduct.account
    ages = {name: limits.max_intent_age_s.hard for name, limits in rules.orders.items()}
    return WireLimits(
        max_age_s={name: age_s for name, age_s in ages.items() if age_s is not None},
        max_per_second=account.max_orders_per_second.hard,
        max_per_minute=account.max_orders_per_minute.hard,
        groups={name: group.strategies for name, group in rules.groups.items()},
    )


class LastLook:
    """One sender's last look; called with an order and the quantity that would leave, it is a :data:`Look`."""

    def __init__(self, ledger: Ledger, limits: WireLimits, *, now: Callable[[], int]) -> None:
        """Look into ``ledger``; ``now`` is the sender's time (ns UTC)."""
        self._ledger = ledger
        self._limits = limits
        self._now = now
        self._left: deque[int] = deque()  # when orders left, of the last minute; the rate of a venue bounds it

    def __call__(self, approved: Approved, qty: Decimal) -> str:
        """Return why not, or count the order as one that leaves."""
        record, intent = self._ledger.orders.get(approved.order_id), approved.intent
        why = _unapproved(record, approved, qty)
        if not why and not intent.reduces:
            why = self._closed(intent) or self._old(intent) or self._too_fast()
        if why:
            return f"{LAST_LOOK}{why}"
        self._count()
        return ""

    def _closed(self, intent: OrderIntent) -> str:
        account, book = self._ledger.account, self._ledger.books[intent.strategy]
        for state, whose in ((account.state, "the desk"), (book.state, intent.strategy)):
            if state is not TradingState.ACTIVE:
                return f"{whose} is {state}"
        if book.loss_reached:
            return f"{intent.strategy} has reached its day's loss"
        if intent.symbol in account.locks:
            return f"{intent.symbol} is locked"
        if account.flags:
            groups = [f"group {name}" for name, names in self._limits.groups.items() if intent.strategy in names]
            scopes = {"account", f"symbol {intent.symbol}", f"strategy {intent.strategy}", *groups}
            if (flag := closing(account.flags, scopes)) is not None:
                return f"{flag.kind} of {flag.scope}: limit {flag.limit}, value {flag.value}"
        return ""

    def _old(self, intent: OrderIntent) -> str:
        most = self._limits.max_age_s.get("crypto" if "/" in intent.symbol else "stock")
        age_s = (self._now() - intent.ts) / SECOND
        return f"decided {age_s:.3f} s ago, limit {most:g} s" if most is not None and age_s > most else ""

    def _count(self) -> None:
        now, left = self._now(), self._left
        left.append(now)
        while left[0] <= now - MINUTE:
            left.popleft()

    def _too_fast(self) -> str:
        now, left = self._now(), self._left
        limits = ((self._limits.max_per_second, SECOND, "second"), (self._limits.max_per_minute, MINUTE, "minute"))
        for most, span, name in limits:
            if most is not None and (count := sum(then > now - span * _CLOSER for then in left)) >= most:
                return f"{count} orders left within a {name}, limit {most:g}"
        return ""


class CheckedVenue:
    """A :class:`~trader.access.ports.SimulatedBroker` before whose door every order is looked at once more."""

    def __init__(self, venue: SimulatedBroker, look: Look, *, now: Callable[[], int]) -> None:
        """Stand before ``venue``; ``now`` is when a refusal is told to have happened (ns UTC)."""
        self._venue = venue
        self._look = look
        self._now = now
        self._refused: list[ExecutionReport] = []

    def submit(self, approved: Approved, crossed: Decimal = ZERO) -> None:
        """Pass an order on, or report that it was refused."""
        if why := self._look(approved, EXACT.subtract(approved.intent.qty, crossed)):
            self._refused.append(ExecutionReport(approved.order_id, OrderStatus.REJECTED, self._now(), text=why))
        else:
            self._venue.submit(approved, crossed)

    def cancel(self, order_id: str, ts: int) -> None:
        """Pass a cancel on."""
        self._venue.cancel(order_id, ts)

    def observe(self, ticks: Sequence[Tick]) -> None:
        """Show the venue the market."""
        self._venue.observe(ticks)

    def reports(self) -> list[ExecutionReport]:
        """Take the reports since the last call, refusals first."""
        refused, self._refused = self._refused, []
        return refused + self._venue.reports()


def _unapproved(record: OrderRecord | None, approved: Approved, qty: Decimal) -> str:
    """Return why an order is not what the books approved: another one, under way already, or more than that."""
    if record is None or record.approved != approved:
        return "not what the books approved under this id"
    if record.status is not OrderStatus.PENDING:
        return f"the books have it as {record.status}"
    whole = EXACT.add(qty, record.filled)
    if whole > record.approved.intent.qty:
        return f"{plain(whole)} would be worked, approved are {plain(record.approved.intent.qty)}"
    return ""
