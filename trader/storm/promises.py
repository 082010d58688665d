"""What a broken promise is, and what the journal has acknowledged: the fold of all that is durable."""

from collections.abc import Mapping, Sequence
from typing import Final

from trader.books.ledger import Ledger
from trader.model.events import DailyLossReached, DayStarted, Event, OrderCreated, OrderMoved, StateSet, StrategyFailed
from trader.model.orders import Approved, OrderStatus, TradingState
from trader.storm.timeline import Timeline

_WORKING: Final = frozenset({OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED})


class Violation(Exception):
    """A promise that was not kept."""

    def __init__(self, invariant: str, what: str) -> None:
        """Say which, and how it showed."""
        super().__init__(f"{invariant}: {what}")


class Acknowledged:
    """What is durable. ``closed`` and ``halted`` say since when a strategy ("": all) may not open, or even send, more.

    A strategy that is ``flattened`` is to hold nothing in the end; an order that is ``called_off`` is not to be sent.
    """

    def __init__(self, timeline: Timeline) -> None:
        """Begin with an empty journal."""
        self.found: Violation | None = None
        self.books = Ledger()
        self.orders: dict[str, Approved] = {}
        self.closed: dict[str, int] = {}
        self.halted: dict[str, int] = {}
        self.flattened: set[str] = set()
        self.called_off: dict[str, int] = {}
        self.timeline = timeline
        self._reopening: list[StateSet | DayStarted] = []  # what the process has made, and is not durable yet

    def broken(self, invariant: str, what: str) -> Violation:
        """Keep the first violation, and return it to be raised: whoever called may swallow it."""
        self.found = self.found or Violation(invariant, what)
        return self.found

    def commit(self, events: Sequence[Event]) -> None:
        """See events become durable."""
        for event in events:
            self.books.apply(event)
        for event in events:
            self._reopening = [one for one in self._reopening if one is not event]
            match event:
                case OrderCreated():
                    self.orders[event.approved.order_id] = event.approved
                case OrderMoved(status=OrderStatus.PENDING_CANCEL):
                    self.called_off.setdefault(event.order_id, self.timeline.now)
                case StateSet(state=TradingState.ACTIVE):
                    self.flattened.discard(event.strategy)
                case StateSet() | StrategyFailed() | DailyLossReached():
                    self._close(event)
                case _:
                    pass

    def forget(self) -> None:
        """Go back to what is durable: the process that knew more is dead."""
        states = {name: book.state for name, book in self.books.books.items()} | {"": self.books.account.state}
        self.closed = {name: 0 for name, state in states.items() if state is not TradingState.ACTIVE}
        self.closed |= {name: 0 for name, book in self.books.books.items() if book.loss_reached}
        self.halted = {name: 0 for name, state in states.items() if state is TradingState.HALTED}
        self._reopening = []

    def reopen(self, event: StateSet | DayStarted) -> None:
        """Let a strategy open positions again, whatever was made before: neither need be durable yet."""
        self.closed.pop(event.strategy, None)
        self.halted.pop(event.strategy, None)
        self._reopening.append(event)

    def is_past(self, since: Mapping[str, int], strategy: str) -> bool:
        """Tell whether what began for a strategy, or for all, was acknowledged before this moment."""
        now = self.timeline.now
        return any(since.get(name, now) < now for name in (strategy, ""))

    def _close(self, event: StateSet | StrategyFailed | DailyLossReached) -> None:
        now = self.timeline.now
        if isinstance(event, StateSet) and event.flatten:
            self.flattened.add(event.strategy)
        if any(one.strategy == event.strategy for one in self._reopening):
            return
        self.closed.setdefault(event.strategy, now)
        if not isinstance(event, StateSet) or event.flatten or event.state is TradingState.HALTED:
            self.halted.setdefault(event.strategy, now)
            self._check_called_off(event.strategy)

    def _check_called_off(self, strategy: str) -> None:
        """See whether a halt has ended, or asked to end, every opening of a strategy, or of all."""
        for order_id, record in self.books.orders.items():
            intent = record.approved.intent
            if strategy in {"", intent.strategy} and not intent.reduces and record.status in _WORKING:
                raise self.broken("I9", f"{order_id} is {record.status} after {intent.strategy} was halted")
