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
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
)
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Approved, OrderStatus, Side, TradingState, digest_of
from trader.model.time import NEW_YORK, SECOND, midnight_after
from trader.storm.truth import EXTERNAL, differences, owner_of

if TYPE_CHECKING:
    from trader.storm.daemon import Daemon
    from trader.storm.exchange import Exchange

ABSENT_AFTER: Final = 57 * SECOND  # an order that nobody finds is absent a minute after it was sent; clocks are off
SLACK: Final = 1.06  # prices move between a decision and its fill, and a market order is valued at what it meets

_WORKING: Final = frozenset({OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})
_CAUSES: Final[dict[type, tuple[type, ...]]] = {
    OrderFilled: (Reported,),  # but where sandboxes cross
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

    def __init__(self, exchange: "Exchange") -> None:
        """Begin with an empty journal and account."""
        self.created: dict[str, Approved] = {}  # durable ones; of this process also what is not durable yet
        self.durable: dict[str, Approved] = {}
        self.found: Violation | None = None
        self.books = Ledger()  # the fold of what is durable
        self._exchange = exchange
        self._statuses: dict[str, OrderStatus] = {}
        self._booked: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)  # by order, execution id
        self._gross: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)  # by order: all the venue ever executed
        self._held: defaultdict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)  # by strategy and symbol
        self._cash: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
        self._restated: set[str] = set()  # strategies whose past was changed: what they may hold is not known
        # Since when a strategy, or "" for all, may not open anything, and may not even send what was made before.
        self._closed: dict[str, int] = {}
        self._halted: dict[str, int] = {}
        self._flattened: set[str] = set()  # strategies, or "" for all, that were to close everything
        self._locked: set[str] = set()
        self._sent_at: dict[str, int] = {}  # when an order left last, by id
        self._called_off: dict[str, int] = {}  # since when it is acknowledged that an order is not wanted
        self._late: list[str] = []  # entries that turned up in this step
        self._released: set[str] = set()  # absent orders whose day is over: they may arrive all the same

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
        self._locked = set(self.books.account.locks)
        states = {name: book.state for name, book in self.books.books.items()} | {"": self.books.account.state}
        self._closed = {name: 0 for name, state in states.items() if state is not TradingState.ACTIVE}
        self._closed |= {name: 0 for name, book in self.books.books.items() if book.loss_reached}
        self._halted = {name: 0 for name, state in states.items() if state is TradingState.HALTED}

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
            if isinstance(event, OrderFilled) and event.execution_id.startswith(CROSSED):
                self._crossed(event, step)
            elif causes is not None and not isinstance(message, causes):
                raise self._broken("I11", f"{type(event).__name__} follows from {type(message).__name__}")
            if isinstance(event, StateSet) and isinstance(message, Control) and event.strategy != message.strategy:
                raise self._broken("I11", f"a word to {message.strategy!r} sets the state of {event.strategy!r}")
            self._made(event)
        if late := [order_id for order_id in self._late if self._statuses[order_id] is OrderStatus.OPEN]:
            raise self._broken("I9", f"{late[0]} turned up after it was given up, and is not called off")
        self._late.clear()
        if any(isinstance(event, DayStarted) for event in step.events):
            self._released |= {one.order_id for one in step.events if isinstance(one, OrderMoved)}

    def _made(self, event: Event) -> None:
        match event:
            case OrderCreated():
                self._created(event.approved)
            case OrderFilled():
                self._filled(event)
            case FillReversed():
                self._booked[event.order_id].pop(event.execution_id, None)
            case OrderMoved():
                self._moved(event.order_id, event.status)
            case DayStarted():
                self._day_started(event)
            case StateSet(state=TradingState.ACTIVE):
                self._open(event.strategy)
            case SymbolLocked():
                self._locked.add(event.symbol)
            case SymbolUnlocked():
                self._locked.discard(event.symbol)
            case _:
                pass

    def _day_started(self, event: DayStarted) -> None:
        """See counters begin anew: only a midnight does that, of the zone the strategy's day is counted in."""
        book = self.books.books.get(event.strategy)
        if book is not None and event.ts < min(midnight_after(book.day_ts, zone) for zone in (NEW_YORK, None)):
            raise self._broken("I11", f"a day of {event.strategy} begins with no midnight before it")
        if book is not None and book.state is TradingState.ACTIVE:
            self._open(event.strategy)

    def _crossed(self, event: OrderFilled, step: Step) -> None:
        """See one side of a crossing: another sandbox has the other."""
        figures = event.execution_id, event.symbol, event.qty, event.price
        others = [
            one
            for one in step.events
            if isinstance(one, OrderFilled)
            and (one.execution_id, one.symbol, one.qty, one.price) == figures
            and (one.side, one.strategy) != (event.side, event.strategy)
        ]
        if len(others) != 1 or event.fee:
            raise self._broken("I7", f"{event.execution_id} of {event.strategy} has no other side")

    def _created(self, approved: Approved) -> None:
        intent = approved.intent
        if approved.order_id in self.created:
            raise self._broken("I2", f"{approved.order_id} was used before")
        self.created[approved.order_id] = approved
        self._statuses[approved.order_id] = OrderStatus.PENDING
        if not intent.reduces and self._is_past(self._closed, intent.strategy):
            raise self._broken("I9", f"{approved.order_id} opens {intent.symbol} after {intent.strategy} was halted")
        if not intent.reduces and intent.symbol in self._locked:
            raise self._broken("I9", f"{approved.order_id} opens {intent.symbol}, which is locked")

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
        silent = self._exchange.timeline.now - self._sent_at.get(order_id, -ABSENT_AFTER)
        if status is OrderStatus.ABSENT and silent < ABSENT_AFTER:
            raise self._broken("I11", f"{order_id} counts as absent {silent / SECOND:.1f} s after it was sent")
        if before is OrderStatus.ABSENT and not self.created[order_id].intent.reduces:
            self._late.append(order_id)
        self._statuses[order_id] = status

    # --- the journal --------------------------------------------------------------------------------------------

    def committed(self, events: Sequence[Event]) -> None:
        """See events become durable."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"durable: {', '.join(type(event).__name__ for event in events)}")
        for event in events:
            self.books.apply(event)
        self._exchange.is_known = True
        for event in events:
            match event:
                case OrderCreated():
                    self.durable[event.approved.order_id] = event.approved
                case OrderFilled() if event.execution_id.startswith(CROSSED):
                    self._move(event.strategy, event.symbol, EXACT.multiply(event.qty, event.side.sign), event.price)
                case OrderMoved(status=OrderStatus.PENDING_CANCEL):
                    self._called_off.setdefault(event.order_id, self._exchange.timeline.now)
                case StateSet() | StrategyFailed() | DailyLossReached():
                    self._close(event)
                case _:
                    pass

    def _open(self, strategy: str) -> None:
        self._closed.pop(strategy, None)
        self._halted.pop(strategy, None)

    def _close(self, event: StateSet | StrategyFailed | DailyLossReached) -> None:
        now = self._exchange.timeline.now
        if isinstance(event, StateSet) and event.state is TradingState.ACTIVE:
            self._flattened.discard(event.strategy)
            return
        if isinstance(event, StateSet) and event.flatten:
            self._flattened.add(event.strategy)
        self._closed.setdefault(event.strategy, now)
        if not isinstance(event, StateSet) or event.flatten or event.state is TradingState.HALTED:
            self._halted.setdefault(event.strategy, now)
            self._check_called_off(event.strategy)

    def _check_called_off(self, strategy: str) -> None:
        """See whether a halt has ended, or asked to end, every opening of a strategy, or of all."""
        for order_id, record in self.books.orders.items():
            intent = record.approved.intent
            if strategy in {"", intent.strategy} and not intent.reduces and record.status in _WORKING:
                raise self._broken("I9", f"{order_id} is {record.status} after {intent.strategy} was halted")

    def _is_past(self, since: Mapping[str, int], strategy: str) -> bool:
        """Tell whether what began for a strategy, or for all, was acknowledged before this moment."""
        now = self._exchange.timeline.now
        return any(since.get(name, now) < now for name in (strategy, ""))

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
        if not intent.reduces and self._is_past(self._halted, intent.strategy):
            raise self._broken("I9", f"{order_id} leaves after {intent.strategy} was halted")
        if self._called_off.get(order_id, self._exchange.timeline.now) < self._exchange.timeline.now:
            raise self._broken("I9", f"{order_id} leaves after it was called off")
        self._sent_at[order_id] = self._exchange.timeline.now
        self._check_exposure(intent.strategy)

    def arrived(self, body: Mapping[str, str]) -> None:
        """See an order arrive at the venue."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"venue: {body['client_order_id']} arrives")
        order_id = body["client_order_id"]
        record = self.books.orders.get(order_id)
        is_new = order_id not in self._exchange.account.by_client_id and order_id not in self._released
        if is_new and record is not None and record.status in TERMINAL:
            raise self._broken("I3", f"{order_id} arrives, and the books have it as {record.status}")

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
        before = self._held[key]
        self._move(*key, EXACT.multiply(qty, update.order.side.sign), price)
        after = self._held[key]
        is_exit = owner != EXTERNAL and self.durable[order_id].intent.reduces
        if is_exit and before * after < 0 and owner not in self._restated:
            raise self._broken("I3", f"{order_id} turns {before} {update.order.symbol} of {owner} into {after}")

    def _move(self, owner: str, symbol: str, qty: Decimal, price: Decimal) -> None:
        self._held[owner, symbol] = EXACT.add(self._held[owner, symbol], qty)
        self._cash[owner] = EXACT.subtract(self._cash[owner], EXACT.multiply(qty, price))

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
            record, intent = self.books.orders[order_id], approved.intent
            is_reserved = bool(record.reserved) or intent.reduces
            if (record.status in TERMINAL or not is_reserved) and strategy not in self._restated:
                raise self._broken(
                    "I3", f"{order_id} is {record.status}, ${record.reserved} reserved, and may be filled"
                )
            sums = alive.setdefault(intent.symbol, [ZERO, ZERO])
            place = 0 if intent.side is Side.BUY else 1
            sent = EXACT.subtract(intent.qty, record.crossed)
            sums[place] = EXACT.add(sums[place], sent if left is None else left)
        return {symbol: (buys, sells) for symbol, (buys, sells) in alive.items()}

    # --- at rest ------------------------------------------------------------------------------------------------

    def unresolved(self, daemon: "Daemon | None") -> list[str]:
        """Say what is still open, or not as it is in truth; nothing when all is."""
        if daemon is None or not daemon.is_live:
            return ["the process is not up"]
        if not daemon.is_durable:
            return ["not all is durable"]
        if not daemon.broker.status().is_confirmed:
            return ["the order stream is not confirmed"]
        ledger = daemon.engine.desk.ledger
        return [*differences(ledger, self._exchange.account, self.durable), *self._unfinished(ledger)]

    def _unfinished(self, ledger: Ledger) -> Iterator[str]:
        """Say what was to be left and is held still.

        What a bust brought back nobody wanted to leave; a part of a share cannot be sold while others are short.
        """
        for name, book in ledger.books.items():
            is_flat = bool({name, ""} & self._flattened)
            for symbol, position in book.positions.items():
                wish, held = book.targets.get(symbol), position.qty
                account = self._exchange.account.qty(symbol)
                is_stuck = (held.copy_abs() < 1 and account <= ZERO) or ("/" in symbol and account < held)
                is_left = is_flat or (wish is not None and wish.is_leaving)
                if held and is_left and name not in self._restated and not is_stuck:
                    yield f"{name} was to leave {symbol} and holds {held}"

    def compare(self, daemon: "Daemon") -> None:
        """Look at the books once more, when all is at rest."""
        self._same(daemon.engine.desk.ledger, "last")


def _sum(values: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for value in values:
        total = EXACT.add(total, value)
    return total
