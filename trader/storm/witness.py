"""What must hold at every instant, looked at whenever something passes it.

    I1  no order leaves without an earlier durable intent      I2  one order per intent, and the one that was meant
    I3  what the venue may hold of us is within the capital    I4  each execution is booked once, none beyond the order
    I5  children are no more than their parent                 I6  an end is an end
    I7  the books are what is true                             I8  what is folded is what is remembered
    I9  no opening after a halt was acknowledged               I10 everything resolves once the faults are over
    I11 no record without its cause                            I12 equal seeds write equal bytes
    I13 nothing that opens goes beyond a hard limit, worst case counted, or leaves while a flag forbids it

I7 and I10 are looked at when the weather is over, with everything at rest; I12 by whoever runs a seed twice.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from trader.access.sim.accounts import sum_of
from trader.books.book import CROSSED
from trader.books.ledger import Ledger
from trader.engine.engine import Step
from trader.model import events, inputs
from trader.model.events import Event, OrderFilled, StateSet
from trader.model.inputs import Control, Input
from trader.model.money import EXACT, ZERO
from trader.model.orders import TERMINAL, Approved, OrderStatus, TradingState
from trader.model.time import NEW_YORK, SECOND, midnight_after
from trader.storm.ceilings import Ceilings, Watch
from trader.storm.passage import Passage
from trader.storm.promises import Acknowledged
from trader.storm.truth import differences

if TYPE_CHECKING:
    from trader.storm.daemon import Daemon
    from trader.storm.exchange import Exchange

ABSENT_AFTER: Final = 57 * SECOND  # an order that nobody finds is absent a minute after it was sent; clocks are off

_CAUSES: Final[dict[type, tuple[type, ...]]] = {
    OrderFilled: (inputs.Reported,),  # but where sandboxes cross
    events.FillReversed: (inputs.Reported,),
    events.ExternalFilled: (inputs.ExternalReported,),
    events.ExternalReversed: (inputs.ExternalReported,),
    events.CashBooked: (inputs.ActivityReported,),
    StateSet: (Control,),
    events.SymbolLocked: (inputs.Mismatched,),
    events.SymbolUnlocked: (inputs.Settled,),
}


class Witness:
    """Sees what the desk makes of inputs, and what becomes durable; its ``passage`` sees the rest."""

    def __init__(self, exchange: "Exchange", limits: Ceilings | None) -> None:
        """Begin with an empty journal and account; ``limits`` are the desk's."""
        self.known = Acknowledged(exchange.timeline)
        self.passage = Passage(exchange, self.known)
        self.created: dict[str, Approved] = {}  # durable ones; of this process also what is not durable yet
        self._exchange = exchange
        self._statuses: dict[str, OrderStatus] = {}
        self._booked: defaultdict[str, dict[str, Decimal]] = defaultdict(dict)  # by order, execution id
        self._locked: set[str] = set()
        self._late: list[str] = []  # entries that turned up in this step
        self._mark: Callable[[str], float] = _unknown
        self._durable = Watch(limits)  # knows what the journal does
        self._watch = Watch(limits)  # and what this process does

    # --- the process --------------------------------------------------------------------------------------------

    def began(self, daemon: "Daemon") -> None:
        """See a process that has recovered."""
        listings = daemon.engine.listings
        self._mark = lambda symbol: listings[symbol].mark
        self._watch = deepcopy(self._durable)
        self._same(daemon.engine.desk.ledger, "recovered")

    def died(self, daemon: "Daemon") -> None:
        """See a process end: what it had not made durable never was."""
        if daemon.is_durable:
            self._same(daemon.engine.desk.ledger, "dead")
        books = self.known.books
        self.known.forget()
        self.created = dict(self.known.orders)
        self._statuses = {order_id: record.status for order_id, record in books.orders.items()}
        self._booked = defaultdict(dict)
        for order_id, record in books.orders.items():
            self._booked[order_id] = {name: one.qty for name, one in record.executions.items() if one is not None}
        self._locked = set(books.account.locks)

    def _same(self, ledger: Ledger, which: str) -> None:
        if ledger.digest() != self.known.books.digest():
            raise self.known.broken("I8", f"the {which} process remembers other books than the journal folds to")

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
                raise self.known.broken("I11", f"{type(event).__name__} follows from {type(message).__name__}")
            if isinstance(event, StateSet) and isinstance(message, Control) and event.strategy != message.strategy:
                raise self.known.broken("I11", f"a word to {message.strategy!r} sets the state of {event.strategy!r}")
            self._made(event)
            if beyond := self._watch.see(event, self._mark):
                raise self.known.broken("I13", beyond)
        if late := [order_id for order_id in self._late if self._statuses[order_id] is OrderStatus.OPEN]:
            raise self.known.broken("I9", f"{late[0]} turned up after it was given up, and is not called off")
        self._late.clear()
        if any(isinstance(event, events.DayStarted) for event in step.events):
            self.passage.released |= {one.order_id for one in step.events if isinstance(one, events.OrderMoved)}

    def _made(self, event: Event) -> None:
        match event:
            case events.OrderCreated():
                self._created(event.approved)
            case OrderFilled():
                self._filled(event)
            case events.FillReversed():
                self._booked[event.order_id].pop(event.execution_id, None)
            case events.OrderMoved():
                self._moved(event.order_id, event.status)
            case events.DayStarted():
                self._day_started(event)
            case StateSet(state=TradingState.ACTIVE):
                self.known.reopen(event)
            case events.SymbolLocked():
                self._locked.add(event.symbol)
            case events.SymbolUnlocked():
                self._locked.discard(event.symbol)
            case _:
                pass

    def _day_started(self, event: events.DayStarted) -> None:
        """See counters begin anew: only a midnight does that, of the zone the strategy's day is counted in."""
        book = self.known.books.books.get(event.strategy)
        if book is not None and event.ts < min(midnight_after(book.day_ts, zone) for zone in (NEW_YORK, None)):
            raise self.known.broken("I11", f"a day of {event.strategy} begins with no midnight before it")
        if book is not None and book.state is TradingState.ACTIVE:
            self.known.reopen(event)

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
            raise self.known.broken("I7", f"{event.execution_id} of {event.strategy} has no other side")

    def _created(self, approved: Approved) -> None:
        intent = approved.intent
        if approved.order_id in self.created:
            raise self.known.broken("I2", f"{approved.order_id} was used before")
        self.created[approved.order_id] = approved
        self._statuses[approved.order_id] = OrderStatus.PENDING
        if not intent.reduces and self.known.is_past(self.known.closed, intent.strategy):
            raise self.known.broken(
                "I9", f"{approved.order_id} opens {intent.symbol} after {intent.strategy} was halted"
            )
        if not intent.reduces and intent.symbol in self._locked:
            raise self.known.broken("I9", f"{approved.order_id} opens {intent.symbol}, which is locked")

    def _filled(self, event: OrderFilled) -> None:
        order_id, booked = event.order_id, self._booked[event.order_id]
        if event.execution_id in booked:
            raise self.known.broken("I4", f"{event.execution_id} of {order_id} is booked twice")
        booked[event.execution_id] = event.qty
        total = sum_of(booked.values())
        outside = sum_of(qty for name, qty in booked.items() if not name.startswith(CROSSED))
        ordered = self.created[order_id].intent.qty
        if total > ordered:
            raise self.known.broken("I4", f"{order_id}: {total} booked, {ordered} ordered")
        if outside > self.passage.gross[order_id]:
            raise self.known.broken(
                "I4", f"{order_id}: {outside} booked, {self.passage.gross[order_id]} executed at the venue"
            )
        self._moved(order_id, event.status)

    def _moved(self, order_id: str, status: OrderStatus) -> None:
        before = self._statuses.get(order_id)
        if before is None:
            raise self.known.broken("I11", f"{order_id} moves to {status} and was never created")
        if before in TERMINAL and status is not before:
            raise self.known.broken("I6", f"{order_id} was {before} and becomes {status}")
        silent = self._exchange.timeline.now - self.passage.sent_at.get(order_id, -ABSENT_AFTER)
        if status is OrderStatus.ABSENT and silent < ABSENT_AFTER:
            raise self.known.broken("I11", f"{order_id} counts as absent {silent / SECOND:.1f} s after it was sent")
        if before is OrderStatus.ABSENT and not self.created[order_id].intent.reduces:
            self._late.append(order_id)
        self._statuses[order_id] = status

    # --- the journal --------------------------------------------------------------------------------------------

    def committed(self, events: Sequence[Event]) -> None:
        """See events become durable."""
        if (note := self._exchange.timeline.note) is not None:
            note(f"durable: {', '.join(type(event).__name__ for event in events)}")
        self.known.commit(events)
        self._exchange.is_known = True
        for event in events:
            self._durable.note(event)
            if isinstance(event, OrderFilled) and event.execution_id.startswith(CROSSED):
                signed = EXACT.multiply(event.qty, event.side.sign)
                self.passage.move(event.strategy, event.symbol, signed, event.price)

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
        return [*differences(ledger, self._exchange.account, self.known.orders), *self._unfinished(ledger)]

    def _unfinished(self, ledger: Ledger) -> Iterator[str]:
        """Say what was to be left and is held still.

        What a bust brought back nobody wanted to leave; a part of a share cannot be sold while others are short.
        """
        for name, book in ledger.books.items():
            is_flat = bool({name, ""} & self.known.flattened)
            for symbol, position in book.positions.items():
                wish, held = book.targets.get(symbol), position.qty
                account = self._exchange.account.qty(symbol)
                is_stuck = (held.copy_abs() < 1 and account <= ZERO) or ("/" in symbol and account < held)
                is_stuck = is_stuck or self._is_dust(symbol, held)
                is_left = is_flat or (wish is not None and wish.is_leaving)
                if held and is_left and name not in self.passage.restated and not is_stuck:
                    yield f"{name} was to leave {symbol} and holds {held}"

    def _is_dust(self, symbol: str, held: Decimal) -> bool:
        """Tell whether a position is worth less than the venue takes."""
        market, asset = self._exchange.venue.markets[symbol], self._exchange.venue.assets[symbol]
        return EXACT.multiply(held.copy_abs(), market.price or ZERO) < asset.instrument.min_notional

    def compare(self, daemon: "Daemon") -> None:
        """Look at the books once more, when all is at rest."""
        self._same(daemon.engine.desk.ledger, "last")


def _unknown(symbol: str) -> float:
    raise AssertionError(f"{symbol} is asked for before there is a desk")
