"""The OMS: orders, fills, positions and cash of every sandbox and of the account, changed by events only."""

import hashlib
from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from functools import reduce
from typing import Self

import msgspec

from trader.books import conduct
from trader.books.book import AccountBook, Book, OrderRecord, State, flag_key
from trader.books.positions import Execution, Position, effect_of
from trader.model.events import (
    AccountReconciled,
    BooksCreated,
    BooksOpened,
    CapitalChanged,
    CashBooked,
    DailyLossReached,
    DayStarted,
    Event,
    ExternalFilled,
    ExternalReversed,
    FillReversed,
    FlagCleared,
    FlagRaised,
    IntentTrimmed,
    OrderCreated,
    OrderDenied,
    OrderFilled,
    OrderMoved,
    PeakReached,
    PeriodStarted,
    PositionSplit,
    ReportIgnored,
    SandboxOpened,
    SessionStarted,
    StateSet,
    StrategyFailed,
    SymbolLocked,
    SymbolUnlocked,
    TargetSet,
)
from trader.model.money import EXACT, ZERO, share_of
from trader.model.orders import TERMINAL, TRANSITIONS, Approved, ExecutionReport, OrderStatus, Side, TradingState

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}

# Ended orders are remembered so that a repeated report is known as one; a venue repeats within minutes, not days.
ENDED_ORDERS_KEPT = 10_000
EXTERNAL_KEPT = 10_000  # executions of other hands, and activities; likewise


class Ledger:
    """Every sandbox's book and every order; ``apply`` is the only way to change them."""

    def __init__(self) -> None:
        """Begin empty; books open by :class:`~trader.model.events.SandboxOpened`."""
        self.account = AccountBook()
        self.books: dict[str, Book] = {}
        self.orders_created = 0
        self.conduct = conduct.begin()
        self.orders: dict[str, OrderRecord] = {}
        self._ended: deque[str] = deque()

    @classmethod
    def fold(cls, events: Iterable[Event]) -> Self:
        """Return what the events add up to."""
        ledger = cls()
        ledger.recover(events)
        return ledger

    def recover(self, events: Iterable[Event]) -> None:
        """Become what the events add up to; :class:`~trader.model.events.BooksOpened` may be the first of them."""
        assert not self.account.book_id, "only empty books can be recovered"
        for event in events:
            if isinstance(event, BooksOpened) and not self.account.book_id:
                self._restore(event.state)
            else:
                self.apply(event)
        for book in self.books.values():
            book.assert_identities()

    def _restore(self, snapshot: bytes) -> None:
        state = msgspec.msgpack.decode(snapshot, type=State)
        self.account, self.books, self.orders = state.account, state.books, state.orders
        self.orders_created, self._ended = state.orders_created, deque(state.ended)
        self.conduct = state.conduct or conduct.begin(state.orders.values())

    def snapshot(self) -> bytes:
        """Return all of it as bytes: equal states give equal ones."""
        return msgspec.msgpack.encode(self._state())

    def digest(self) -> str:
        """Return 64 hex digits that are equal where two ledgers know the same."""
        return hashlib.sha256(self.snapshot()).hexdigest()

    def holdings(self) -> dict[str, Decimal]:
        """Return the signed quantity of every symbol that sandboxes and other hands hold together, without zeros."""
        held = dict(self.account.external)
        for book in self.books.values():
            for symbol, position in book.positions.items():
                held[symbol] = EXACT.add(held.get(symbol, ZERO), position.qty)
        return {symbol: qty for symbol, qty in held.items() if qty}

    def cash(self) -> Decimal:
        """Return the dollars that sandboxes have, and those that nobody was given, together."""
        return reduce(EXACT.add, (book.cash for book in self.books.values()), self.account.cash)

    def _state(self) -> State:
        """Return what must outlive the process; a position that was only looked at is none.

        All else stands in the order in which events made it, which a fold keeps.
        """
        books = {}
        for name, book in self.books.items():
            held = {symbol: one for symbol, one in sorted(book.positions.items()) if one.qty or one.cost}
            books[name] = msgspec.structs.replace(book, positions=held)
        return State(self.account, books, self.orders, list(self._ended), self.orders_created, self.conduct)

    def executed_since(self, strategy: str, symbol: str, ts: int) -> Decimal:
        """Return what a sandbox bought less what it sold of a stock from ``ts`` on, by the venue's time."""
        orders = ((record.approved.intent, record.executions.values()) for record in self.orders.values())
        executed = (
            EXACT.multiply(one.qty, intent.side.sign)
            for intent, executions in orders
            if (intent.strategy, intent.symbol) == (strategy, symbol)
            for one in executions
            if one is not None and one.ts >= ts
        )
        return reduce(EXACT.add, executed, ZERO)

    def read(self, ts: int, report: ExecutionReport) -> OrderFilled | FillReversed | OrderMoved | ReportIgnored:
        """Say what a venue's report makes true, without changing anything.

        A known execution id, an unknown order and a transition the table forbids become ``ReportIgnored``. An execution
        that comes after its order has ended is money all the same: it is booked, and the order stays ended.
        """
        record = self.orders.get(report.order_id)
        if record is None:
            return ReportIgnored(ts, report.order_id, report.execution_id, "unknown order")
        if report.execution_id and report.execution_id in record.executions:
            return ReportIgnored(ts, report.order_id, report.execution_id, "execution already booked")
        if report.reverses:
            return self._read_reversal(ts, report, record)
        return self._read_execution(report, record) if report.execution_id else _read_move(ts, report, record)

    def _read_execution(self, report: ExecutionReport, record: OrderRecord) -> OrderFilled:
        intent = record.approved.intent
        moves = report.status in TRANSITIONS[record.status]
        effect = effect_of(self.books[intent.strategy].position(intent.symbol), intent.side, _execution(report))
        return OrderFilled(
            ts=report.ts, strategy=intent.strategy, symbol=intent.symbol, side=intent.side,
            qty=report.qty, price=report.price, fee=report.fee, fee_asset=report.fee_asset,
            order_id=report.order_id, execution_id=report.execution_id, decision_price=intent.decision_price,
            reason=intent.reason, status=report.status if moves else record.status,
            realized=effect.realized, opened=effect.opened,
        )  # fmt: skip

    def _read_reversal(self, ts: int, report: ExecutionReport, record: OrderRecord) -> FillReversed | ReportIgnored:
        execution = record.executions.get(report.reverses)
        if execution is None:
            why = "taken back before" if report.reverses in record.executions else "takes back an unknown execution"
            return ReportIgnored(ts, report.order_id, report.reverses, why)
        intent = record.approved.intent
        position = self.books[intent.strategy].position(intent.symbol)
        return FillReversed(
            ts=ts, strategy=intent.strategy, symbol=intent.symbol, side=intent.side,
            qty=execution.qty, price=execution.price, fee=execution.fee, fee_asset=execution.fee_asset,
            order_id=report.order_id, execution_id=report.reverses,
            realized=effect_of(position, OPPOSITE[intent.side], _undone(execution)).realized,
        )  # fmt: skip

    def apply(self, event: Event) -> None:
        """Change the books by one event; events that are no bookkeeping change nothing."""
        match event:
            case OrderCreated():
                self._create(event.approved)
            case OrderFilled():
                self._fill(event)
            case OrderMoved():
                conduct.moved(self.conduct, event)
                self._move(self.orders[event.order_id], event.status)
            case TargetSet():
                self.books[event.strategy].targets[event.symbol] = event
            case OrderDenied(denied=denied):
                book, rule = self.books[denied.intent.strategy], denied.rule
                book.denials[rule] = book.denials.get(rule, 0) + 1
                conduct.denied(self.conduct, denied)
                if not denied.is_passing:
                    book.targets.pop(denied.intent.symbol, None)
            case DayStarted() | DailyLossReached() | StrategyFailed() | StateSet():
                self._set_state(event)
            case FillReversed():
                self._reverse(event)
            case _:
                self._apply_rare(event)

    def _apply_rare(self, event: Event) -> None:
        account = self.account
        match event:
            case BooksCreated():
                account.book_id, account.number, account.opened_at = event.book_id, event.account, event.ts
                account.cash, account.reconciled_until = event.cash, event.ts
                account.external = dict(event.positions)
            case SandboxOpened():
                self.books[event.strategy] = Book(event.strategy, event.cash, event.cash, event.cash, event.ts)
                account.cash = EXACT.subtract(account.cash, event.cash)
            case CapitalChanged():
                self.books[event.strategy].change_capital(event.amount)
                account.cash = EXACT.subtract(account.cash, event.amount)
            case ExternalFilled():
                self._fill_external(event)
            case ExternalReversed():
                self._reverse_external(event)
            case CashBooked():
                self._book_cash(event)
            case PositionSplit():
                self._split(event)
            case AccountReconciled():
                account.reconciled_until = event.until
            case SessionStarted():
                account.settings = event.settings
            case _:
                self._watch(event)

    def _watch(self, event: Event) -> None:
        account = self.account
        match event:
            case SymbolLocked():
                account.locks[event.symbol] = event
            case SymbolUnlocked():
                account.locks.pop(event.symbol, None)
                account.move(event.symbol, qty=event.adjusted, cash=ZERO)
            case FlagRaised():
                account.flags[flag_key(event.scope, event.kind, event.level)] = event
            case FlagCleared():
                account.flags.pop(flag_key(event.scope, event.kind, event.level), None)
            case PeriodStarted():
                account.bases.setdefault(event.scope, {})[event.period] = (event.ts, event.equity)
            case IntentTrimmed():
                self.books[event.strategy].trim(event)
            case PeakReached():
                account.peaks[event.scope] = event.equity
            case _:
                conduct.overridden(self.conduct, event)

    def _set_state(self, event: DayStarted | DailyLossReached | StrategyFailed | StateSet) -> None:
        if isinstance(event, StateSet):
            conduct.state_set(self.conduct, event)
            if not event.strategy:
                self.account.state = event.state
                return
        book = self.books[event.strategy]
        match event:
            case DayStarted():
                book.assert_identities()
                book.day_equity, book.daily_trades, book.loss_reached = event.equity, 0, False
                book.day_ts = event.ts
                conduct.day_started(self.conduct, event)
            case DailyLossReached():
                book.loss_reached = True
            case StrategyFailed():
                book.state = TradingState.HALTED
            case StateSet():
                book.state = event.state

    def _fill_external(self, event: ExternalFilled) -> None:
        account = self.account
        assert event.execution_id not in account.executions, f"{event.execution_id} was booked before"
        account.executions[event.execution_id] = event
        if len(account.executions) > EXTERNAL_KEPT:
            del account.executions[next(iter(account.executions))]
        effect = effect_of(Position(), event.side, _execution(event))
        account.move(event.symbol, qty=effect.qty, cash=effect.cash)

    def _reverse_external(self, event: ExternalReversed) -> None:
        booked = self.account.executions[event.execution_id]
        assert booked is not None, f"{event.execution_id} was taken back before"
        self.account.executions[event.execution_id] = None
        effect = effect_of(Position(), OPPOSITE[booked.side], _undone(_execution(booked)))
        self.account.move(booked.symbol, qty=effect.qty, cash=effect.cash)

    def _book_cash(self, event: CashBooked) -> None:
        activities = self.account.activities
        activities[event.activity_id] = event.ts
        if len(activities) > EXTERNAL_KEPT:
            del activities[next(iter(activities))]
        if event.strategy:
            self.books[event.strategy].book_income(event.amount)
        else:
            self.account.cash = EXACT.add(self.account.cash, event.amount)

    def _create(self, approved: Approved) -> None:
        assert approved.order_id not in self.orders, f"order id {approved.order_id} was used before"
        self.orders[approved.order_id] = OrderRecord(approved, approved.reserved)
        self.orders_created += 1
        conduct.sent(self.conduct, approved)
        intent = approved.intent
        book = self.books[intent.strategy]
        book.reserved = EXACT.add(book.reserved, approved.reserved)
        book.daily_trades += 1
        if not intent.reduces:
            book.targets.pop(intent.symbol, None)

    def _fill(self, event: OrderFilled) -> None:
        record, book = self.orders[event.order_id], self.books[event.strategy]
        execution, position = _execution(event), book.position(event.symbol)
        effect = effect_of(position, event.side, execution)
        assert effect.realized == event.realized, f"{event.execution_id}: realised {effect.realized}, event says other"
        record.executions[event.execution_id] = execution
        record.filled = EXACT.add(record.filled, event.qty)
        ordered = record.approved.intent.qty
        assert record.filled <= ordered, f"order {event.order_id} of {ordered} filled {record.filled}"
        book.book_fill(position, effect)
        if record.reserved and event.status not in TERMINAL:
            left = EXACT.subtract(ordered, record.filled)
            _reserve(book, record, share_of(record.approved.reserved, left, ordered))
        conduct.filled(self.conduct, event, is_flat=not position.qty)
        self._move(record, event.status)

    def _reverse(self, event: FillReversed) -> None:
        record = self.orders[event.order_id]
        book = self.books[event.strategy]
        position = book.position(event.symbol)
        execution = record.executions[event.execution_id]
        assert execution is not None, f"{event.execution_id} was taken back before"
        effect = effect_of(position, OPPOSITE[event.side], _undone(execution))
        assert effect.realized == event.realized, f"{event.execution_id}: realised {effect.realized}, event says other"
        record.executions[event.execution_id] = None
        record.filled = EXACT.subtract(record.filled, event.qty)
        book.book_fill(position, effect)

    def _split(self, event: PositionSplit) -> None:
        if event.strategy:
            self.books[event.strategy].position(event.symbol).qty = event.qty
        else:
            self.account.external[event.symbol] = event.qty

    def _move(self, record: OrderRecord, status: OrderStatus) -> None:
        was_ended, record.status = record.status in TERMINAL, status
        if status not in TERMINAL or was_ended:
            return
        approved = record.approved
        if record.reserved:
            _reserve(self.books[approved.intent.strategy], record, ZERO)
        conduct.ended(self.conduct, approved.intent)
        self._ended.append(approved.order_id)
        if len(self._ended) > ENDED_ORDERS_KEPT:
            del self.orders[self._ended.popleft()]


def _reserve(book: Book, record: OrderRecord, amount: Decimal) -> None:
    book.reserved = EXACT.add(EXACT.subtract(book.reserved, record.reserved), amount)
    record.reserved = amount


def _read_move(ts: int, report: ExecutionReport, record: OrderRecord) -> OrderMoved | ReportIgnored:
    if report.status not in TRANSITIONS[record.status]:
        return ReportIgnored(ts, report.order_id, "", f"{record.status} to {report.status}")
    if report.status in {OrderStatus.FILLED, OrderStatus.PARTIALLY_FILLED}:
        return ReportIgnored(ts, report.order_id, "", f"{report.status} without an execution")
    intent = record.approved.intent
    return OrderMoved(ts, intent.strategy, intent.symbol, report.order_id, report.status, report.text)


def _undone(execution: Execution) -> Execution:
    """Return what takes an execution back when it is booked on the other side: the fee comes back too."""
    return Execution(execution.qty, execution.price, execution.fee.copy_negate(), execution.fee_asset, execution.ts)


def _execution(source: ExecutionReport | OrderFilled | ExternalFilled) -> Execution:
    return Execution(source.qty, source.price, source.fee, source.fee_asset, source.ts)
