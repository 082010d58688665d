"""What must hold at every instant, looked at whenever something passes it.

    I1  no order leaves without an earlier durable intent      I2  one order per intent, and the one that was meant
    I3  what the venue may hold of us is within the capital    I4  each execution is booked once, none beyond the order
    I5  children are no more than their parent                 I6  an end is an end
    I7  the books are what is true                             I8  what is folded is what is remembered
    I9  no opening after a halt was acknowledged               I10 everything resolves once the faults are over
    I11 no record without its cause                            I12 equal seeds write equal bytes

I7 and I10 are looked at when the weather is over, with everything at rest; I12 by whoever runs a seed twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trader.access.sim.venue_orders import TradeUpdate
from trader.books.book import CROSSED
from trader.books.ledger import Ledger
from trader.engine.engine import Step
from trader.model.events import (
    CashBooked,
    DailyLossReached,
    DayStarted,
    Event,
    ExternalFilled,
    ExternalReversed,
    FillReversed,
    OrderCreated,
    OrderFilled,
    OrderMoved,
    StateSet,
    StrategyFailed,
    SymbolLocked,
    SymbolUnlocked,
)
from trader.model.inputs import (
    ActivityReported,
    Control,
    ExternalReported,
    Input,
    Mismatched,
    Reported,
    Settled,
    Ticks,
    TimerFired,
)
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Approved, OrderStatus, Side, TradingState, digest_of
from trader.storm.truth import EXTERNAL, differences, owner_of

if TYPE_CHECKING:
    from trader.storm.daemon import Daemon
    from trader.storm.disk import Disk
    from trader.storm.exchange import Exchange

SLACK: Final = 1.06  # prices move between a decision and its fill, and a market order is valued at what it meets

_CAUSES: Final[dict[type, tuple[type, ...]]] = {
    OrderFilled: (Reported, Ticks, TimerFired),  # the latter two where sandboxes cross
    FillReversed: (Reported,),
    ExternalFilled: (ExternalReported,),
    ExternalReversed: (ExternalReported,),
    CashBooked: (ActivityReported,),
    StateSet: (Control,),
    SymbolLocked: (Mismatched,),
    SymbolUnlocked: (Settled,),
}


class Violation(Exception):
    """A promise that was not kept."""

    def __init__(self, invariant: str, what: str) -> None:
        """Say which, and how it showed."""
        super().__init__(f"{invariant}: {what}")
        self.invariant = invariant


class Witness:
    """Sees what the desk makes of inputs, what becomes durable, what leaves, and what the venue does."""

    def __init__(self, exchange: "Exchange", disk: "Disk") -> None:
        """Begin with an empty journal and account."""
        self.created: dict[str, Approved] = {}  # durable ones; of this process also what is not durable yet
        self.durable: dict[str, Approved] = {}
        self.found: Violation | None = None
        self.books = Ledger()  # the fold of what is durable
        self._exchange = exchange
        self._disk = disk
        self._statuses: dict[str, OrderStatus] = {}
        self._booked: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)  # by order, execution id
        self._gross: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)  # by order: all the venue ever executed
        self._held: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)  # by strategy and symbol
        self._cash: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._restated: set[str] = set()  # strategies whose past was changed: what they may hold is not known
        self._closed_since: dict[str, int] = {}  # since when a strategy, or "" for all, may not open anything

    def _broken(self, invariant: str, what: str) -> Violation:
        """Keep the first violation: whoever called may swallow it."""
        self.found = self.found or Violation(invariant, what)
        return self.found

    # --- the process --------------------------------------------------------------------------------------------

    def began(self, daemon: "Daemon") -> None:
        """See a process that has recovered."""
        self._same(daemon.engine.desk.ledger, "recovered")

    def died(self, daemon: "Daemon") -> None:
        """See a process end: what it had not made durable never was."""
        if daemon.is_durable:
            self._same(daemon.engine.desk.ledger, "dead")
        self.created = dict(self.durable)
        self._statuses = {order_id: record.status for order_id, record in self.books.orders.items()}
        self._booked = defaultdict(dict)
        for order_id, record in self.books.orders.items():
            self._booked[order_id] = {name: one.qty for name, one in record.executions.items() if one is not None}

    def _same(self, ledger: Ledger, which: str) -> None:
        if ledger.digest() != self.books.digest():
            raise self._broken("I8", f"the {which} process remembers other books than the journal folds to")

    # --- the desk -----------------------------------------------------------------------------------------------

    def stepped(self, message: Input, step: Step) -> None:
        """See an input and what the desk made of it."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"input {message}")
            for made in (*step.events, *step.commands):
                note(f"    {made}")
        for event in step.events:
            causes = _CAUSES.get(type(event))
            if causes is not None and not isinstance(message, causes):
                raise self._broken("I11", f"{type(event).__name__} follows from {type(message).__name__}")
            match event:
                case OrderCreated():
                    self._created(event.approved)
                case OrderFilled():
                    self._filled(event)
                case FillReversed():
                    self._booked[event.order_id].pop(event.execution_id, None)
                case OrderMoved():
                    self._moved(event.order_id, event.status)
                case _:
                    pass

    def _created(self, approved: Approved) -> None:
        intent = approved.intent
        if approved.order_id in self.created:
            raise self._broken("I2", f"{approved.order_id} was used before")
        self.created[approved.order_id] = approved
        self._statuses[approved.order_id] = OrderStatus.PENDING
        if not intent.reduces and self._is_closed(intent.strategy):
            raise self._broken("I9", f"{approved.order_id} opens {intent.symbol} after {intent.strategy} was halted")

    def _filled(self, event: OrderFilled) -> None:
        order_id, booked = event.order_id, self._booked[event.order_id]
        if event.execution_id in booked:
            raise self._broken("I4", f"{event.execution_id} of {order_id} is booked twice")
        booked[event.execution_id] = event.qty
        total = _sum(booked.values())
        outside = _sum(qty for name, qty in booked.items() if not name.startswith(CROSSED))
        ordered = self.created[order_id].intent.qty
        if total > ordered:
            raise self._broken("I4", f"{order_id}: {total} booked, {ordered} ordered")
        if outside > self._gross[order_id]:
            raise self._broken("I4", f"{order_id}: {outside} booked, {self._gross[order_id]} executed at the venue")
        self._moved(order_id, event.status)

    def _moved(self, order_id: str, status: OrderStatus) -> None:
        before = self._statuses.get(order_id)
        if before is None:
            raise self._broken("I11", f"{order_id} moves to {status} and was never created")
        if before in TERMINAL and status is not before:
            raise self._broken("I6", f"{order_id} was {before} and becomes {status}")
        self._statuses[order_id] = status

    # --- the journal --------------------------------------------------------------------------------------------

    def committed(self, events: Sequence[Event]) -> None:
        """See events become durable."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"durable: {', '.join(type(event).__name__ for event in events)}")
        for event in events:
            self.books.apply(event)
            match event:
                case OrderCreated():
                    self.durable[event.approved.order_id] = event.approved
                case StateSet(state=TradingState.ACTIVE):
                    self._closed_since.pop(event.strategy, None)
                case StateSet() | StrategyFailed() | DailyLossReached():
                    self._closed_since.setdefault(event.strategy, self._exchange.timeline.now)
                case DayStarted():
                    self._reopen(event.strategy)
                case _:
                    pass

    def _reopen(self, strategy: str) -> None:
        """Begin a day: what the day's loss closed is open again."""
        if self.books.books[strategy].state is TradingState.ACTIVE:
            self._closed_since.pop(strategy, None)

    def _is_closed(self, strategy: str) -> bool:
        """Tell whether a halt was acknowledged before this moment."""
        now = self._exchange.timeline.now
        return any(self._closed_since.get(name, now) < now for name in (strategy, ""))

    # --- the venue ----------------------------------------------------------------------------------------------

    def posted(self, body: Mapping[str, str]) -> None:
        """See an order leave the process."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"sent: {dict(body)}")
        order_id = body["client_order_id"]
        approved = self.durable.get(order_id)
        if approved is None:
            raise self._broken("I1", f"{order_id} leaves, and no durable record has it")
        intent = approved.intent
        if (body["symbol"], body["side"]) != (intent.symbol, intent.side.value):
            raise self._broken(
                "I2", f"{order_id} is {body['side']} {body['symbol']}, meant was {intent.side} {intent.symbol}"
            )
        if not order_id.endswith(digest_of(intent.symbol, intent.side, intent.qty)):
            raise self._broken("I2", f"{order_id} has the digest of another order")
        sent, crossed = Decimal(body["qty"]), self.books.orders[order_id].crossed
        if EXACT.add(sent, crossed) > intent.qty:
            raise self._broken("I5", f"{order_id}: {sent} sent and {crossed} crossed of {intent.qty}")
        if not intent.reduces and self._is_closed(intent.strategy):
            raise self._broken("I9", f"{order_id} leaves after {intent.strategy} was halted")
        self._check_exposure(intent.strategy)

    def arrived(self, body: Mapping[str, str]) -> None:
        """See an order arrive at the venue."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"venue: {body['client_order_id']} arrives")

    def told(self, update: TradeUpdate) -> None:
        """See what happened to an order at the venue."""
        if (note := self._exchange.timeline.note) is not None:
            order = update.order
            done = f"{order.filled_qty}/{order.qty}"
            note(f"venue: {update.event} {order.client_order_id} {order.side} {order.symbol} {done}")
        owner = owner_of(update.order, self.durable)
        if update.event in {"trade_bust", "trade_correct"}:
            self._restated.add(owner)
            if update.event == "trade_correct" and update.qty is not None:
                key = update.order.client_order_id
                self._gross[key] = EXACT.add(self._gross[key], update.qty)
        elif update.qty is not None and update.price is not None:
            self._executed(update, owner, update.qty, update.price)
        if owner != EXTERNAL:
            self._check_exposure(owner)
        elif update.order.client_order_id.startswith("storm."):
            raise self._broken("I1", f"{update.order.client_order_id} lives at the venue, and no durable record has it")

    def _executed(self, update: TradeUpdate, owner: str, qty: Decimal, price: Decimal) -> None:
        order_id, key = update.order.client_order_id, (owner, update.order.symbol)
        self._gross[order_id] = EXACT.add(self._gross[order_id], qty)
        signed = EXACT.multiply(qty, update.order.side.sign)
        before = self._held[key]
        self._held[key] = after = EXACT.add(before, signed)
        self._cash[owner] = EXACT.subtract(self._cash[owner], EXACT.multiply(signed, price))
        is_exit = owner != EXTERNAL and self.durable[order_id].intent.reduces
        if is_exit and before * after < 0 and owner not in self._restated:
            raise self._broken("I3", f"{order_id} turns {before} {update.order.symbol} of {owner} into {after}")

    def _check_exposure(self, strategy: str) -> None:
        """Compare the worst that the orders of a strategy may come to with what it has."""
        book, alive = self.books.books.get(strategy), self._alive(strategy)
        if book is None or strategy in self._restated:
            return
        markets = self._exchange.venue.markets
        free = equity = float(book.opening_cash) + float(self._cash[strategy])
        worst = 0.0
        for symbol, (buys, sells) in alive.items():
            held, price = self._held[strategy, symbol], float(markets[symbol].price or ZERO)
            worst = max(worst, float(max((held + buys).copy_abs(), (held - sells).copy_abs())) * price)
            free -= float(buys) * price
            equity += float(held) * price
        if worst > equity * SLACK or free < equity * (1 - SLACK):
            raise self._broken(
                "I3", f"{strategy} has ${equity:.2f}, may come to hold ${worst:.2f} of a symbol and ${free:.2f} of cash"
            )

    def _alive(self, strategy: str) -> dict[str, tuple[Decimal, Decimal]]:
        """Return what may still be bought and sold, by symbol: at the venue, and on its way there."""
        alive = {symbol: [ZERO, ZERO] for owner, symbol in self._held if owner == strategy}
        working = self._exchange.account.working.values()
        orders: list[tuple[str, Decimal | None]] = [(one.order.client_order_id, one.left) for one in working]
        orders += [(order_id, None) for order_id in self._exchange.on_way]
        for order_id, left in orders:
            approved = self.durable.get(order_id)
            if approved is None or approved.intent.strategy != strategy:
                continue
            if left is None and order_id in self._exchange.account.by_client_id:
                continue  # it would be refused: the venue has one of this id
            if self.books.orders[order_id].status in TERMINAL:
                raise self._broken("I3", f"{order_id} may still be filled and is {self.books.orders[order_id].status}")
            intent = approved.intent
            sums = alive.setdefault(intent.symbol, [ZERO, ZERO])
            place = 0 if intent.side is Side.BUY else 1
            sums[place] = EXACT.add(sums[place], intent.qty if left is None else left)
        return {symbol: (buys, sells) for symbol, (buys, sells) in alive.items()}

    # --- at rest ------------------------------------------------------------------------------------------------

    def unresolved(self, daemon: "Daemon | None") -> str:
        """Say what is still open, or not as it is in truth; empty when all is."""
        if daemon is None or not daemon.is_live:
            return "the process is not up"
        if not daemon.is_durable:
            return "not all is durable"
        if not daemon.broker.status().is_confirmed:
            return "the order stream is not confirmed"
        return "; ".join(differences(daemon.engine.desk.ledger, self._exchange.account, self.durable))

    def compare(self, daemon: "Daemon") -> None:
        """Look at the books once more, when all is at rest."""
        self._same(daemon.engine.desk.ledger, "last")


def _sum(values: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total
