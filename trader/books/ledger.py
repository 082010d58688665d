"""The OMS: orders, fills, positions and cash of every sandbox, changed by events only."""

from collections import deque
from decimal import Decimal

from trader.books.positions import Execution, FillEffect, Position, effect_of
from trader.model.events import (
    DailyLossReached,
    DayStarted,
    Event,
    FillReversed,
    OrderCreated,
    OrderDenied,
    OrderFilled,
    OrderMoved,
    PositionSplit,
    ReportIgnored,
    SandboxOpened,
    StrategyFailed,
)
from trader.model.money import EXACT, ZERO, share_of
from trader.model.orders import TERMINAL, TRANSITIONS, Approved, ExecutionReport, OrderStatus, Side

OPPOSITE = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}

# Ended orders are remembered so that a repeated report is known as one; a venue repeats within minutes, not days.
ENDED_ORDERS_KEPT = 10_000


class Book:
    """One sandbox's money: cash, positions, reservations, the day's counters."""

    __slots__ = (
        "bought", "cash", "daily_trades", "day_equity", "denials", "fees", "fills", "halted", "loss_reached",
        "opening_cash", "positions", "realized", "reserved", "sold", "strategy",
    )  # fmt: skip

    def __init__(self, strategy: str, cash: Decimal) -> None:
        """Open with ``cash`` dollars and nothing else."""
        self.strategy = strategy
        self.opening_cash = cash
        self.cash = cash
        self.positions: dict[str, Position] = {}
        self.reserved = ZERO
        self.bought = ZERO
        self.sold = ZERO
        self.fees = ZERO
        self.realized = ZERO
        self.fills = 0
        self.denials: dict[str, int] = {}
        self.daily_trades = 0
        self.day_equity = cash
        self.loss_reached = False
        self.halted = False

    @property
    def free_cash(self) -> Decimal:
        """Return the cash that no open order has reserved."""
        return EXACT.subtract(self.cash, self.reserved)

    def position(self, symbol: str) -> Position:
        """Return the position in ``symbol``, a flat one if there was none; the same object for good."""
        position = self.positions.get(symbol)
        if position is None:
            position = self.positions[symbol] = Position()
        return position

    def book_fill(self, symbol: str, effect: FillEffect) -> None:
        """Apply one fill and assert the identities of the package docstring."""
        position = self.position(symbol)
        position.qty = EXACT.add(position.qty, effect.qty)
        position.cost = EXACT.add(position.cost, effect.cost)
        self.cash = EXACT.add(self.cash, effect.cash)
        gross = EXACT.add(effect.cash, effect.fee_usd)
        if gross < 0:
            self.bought = EXACT.subtract(self.bought, gross)
        else:
            self.sold = EXACT.add(self.sold, gross)
        self.fees = EXACT.add(self.fees, effect.fee_usd)
        self.realized = EXACT.add(self.realized, effect.realized)
        self.fills += 1
        self._assert_identities()

    def _assert_identities(self) -> None:
        flows = EXACT.subtract(EXACT.subtract(EXACT.add(self.opening_cash, self.sold), self.bought), self.fees)
        assert self.cash == flows, f"{self.strategy}: cash {self.cash} differs from its flows {flows}"
        worth = self.cash
        for position in self.positions.values():
            worth = EXACT.add(worth, position.cost)
        earned = EXACT.add(self.opening_cash, self.realized)
        assert worth == earned, f"{self.strategy}: cash and cost {worth} differ from opening and realised {earned}"


class OrderRecord:
    """One order in the books: what was approved, how much is filled, what is still reserved."""

    __slots__ = ("approved", "executions", "filled", "reserved", "status")

    def __init__(self, approved: Approved) -> None:
        """Begin as pending, nothing filled, everything reserved."""
        self.approved = approved
        self.status = OrderStatus.PENDING
        self.filled = ZERO
        self.reserved = approved.reserved
        self.executions: dict[str, Execution | None] = {}  # by id; None when the venue took it back


class Ledger:
    """Every sandbox's book and every order; ``apply`` is the only way to change them."""

    def __init__(self) -> None:
        """Begin empty; books open by :class:`~trader.model.events.SandboxOpened`."""
        self.books: dict[str, Book] = {}
        self.orders_created = 0
        self.orders: dict[str, OrderRecord] = {}
        self._ended: deque[str] = deque()

    def executed_since(self, strategy: str, symbol: str, ts: int) -> Decimal:
        """Return what a sandbox bought less what it sold of a stock from ``ts`` on, by the venue's time."""
        total = ZERO
        of_both = (strategy, symbol)
        records = [
            one for one in self.orders.values() if (one.approved.intent.strategy, one.approved.intent.symbol) == of_both
        ]
        for record in records:
            sign = record.approved.intent.side.sign
            executed = [one.qty for one in record.executions.values() if one is not None and one.ts >= ts]
            for qty in executed:
                total = EXACT.add(total, EXACT.multiply(qty, sign))
        return total

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
            ts=report.ts,
            strategy=intent.strategy,
            symbol=intent.symbol,
            side=intent.side,
            qty=report.qty,
            price=report.price,
            fee=report.fee,
            fee_asset=report.fee_asset,
            order_id=report.order_id,
            execution_id=report.execution_id,
            decision_price=intent.decision_price,
            reason=intent.reason,
            status=report.status if moves else record.status,
            realized=effect.realized,
            opened=effect.opened,
        )

    def _read_reversal(self, ts: int, report: ExecutionReport, record: OrderRecord) -> FillReversed | ReportIgnored:
        execution = record.executions.get(report.reverses)
        if execution is None:
            why = "taken back before" if report.reverses in record.executions else "takes back an unknown execution"
            return ReportIgnored(ts, report.order_id, report.reverses, why)
        intent = record.approved.intent
        position = self.books[intent.strategy].position(intent.symbol)
        return FillReversed(
            ts=ts,
            strategy=intent.strategy,
            symbol=intent.symbol,
            side=intent.side,
            qty=execution.qty,
            price=execution.price,
            fee=execution.fee,
            fee_asset=execution.fee_asset,
            order_id=report.order_id,
            execution_id=report.reverses,
            realized=effect_of(position, OPPOSITE[intent.side], _undone(execution)).realized,
        )

    def apply(self, event: Event) -> None:
        """Change the books by one event; events that are no bookkeeping change nothing."""
        match event:
            case OrderFilled():
                self._fill(event)
            case FillReversed():
                self._reverse(event)
            case PositionSplit():
                self._split(event)
            case OrderCreated():
                self._create(event.approved)
            case OrderMoved():
                self._move(self.orders[event.order_id], event.status)
            case OrderDenied(denied=denied):
                denials = self.books[denied.intent.strategy].denials
                denials[denied.rule] = denials.get(denied.rule, 0) + 1
            case SandboxOpened():
                self.books[event.strategy] = Book(event.strategy, event.cash)
            case DayStarted():
                book = self.books[event.strategy]
                book.day_equity, book.daily_trades, book.loss_reached = event.equity, 0, False
            case DailyLossReached() | StrategyFailed():
                book = self.books[event.strategy]
                book.loss_reached |= isinstance(event, DailyLossReached)
                book.halted |= isinstance(event, StrategyFailed)
            case _:
                pass

    def _create(self, approved: Approved) -> None:
        assert approved.order_id not in self.orders, f"order id {approved.order_id} was used before"
        self.orders[approved.order_id] = OrderRecord(approved)
        self.orders_created += 1
        book = self.books[approved.intent.strategy]
        book.reserved = EXACT.add(book.reserved, approved.reserved)
        book.daily_trades += 1

    def _fill(self, event: OrderFilled) -> None:
        record = self.orders[event.order_id]
        book = self.books[event.strategy]
        effect = effect_of(book.position(event.symbol), event.side, _execution(event))
        assert effect.realized == event.realized, f"{event.execution_id}: realised {effect.realized}, event says other"
        record.executions[event.execution_id] = _execution(event)
        record.filled = EXACT.add(record.filled, event.qty)
        ordered = record.approved.intent.qty
        assert record.filled <= ordered, f"order {event.order_id} of {ordered} filled {record.filled}"
        book.book_fill(event.symbol, effect)
        if record.approved.reserved and record.status not in TERMINAL:
            left = EXACT.subtract(ordered, record.filled)
            self._reserve(record, share_of(record.approved.reserved, left, ordered))
        self._move(record, event.status)

    def _reverse(self, event: FillReversed) -> None:
        record = self.orders[event.order_id]
        book = self.books[event.strategy]
        execution = record.executions[event.execution_id]
        assert execution is not None, f"{event.execution_id} was taken back before"
        effect = effect_of(book.position(event.symbol), OPPOSITE[event.side], _undone(execution))
        assert effect.realized == event.realized, f"{event.execution_id}: realised {effect.realized}, event says other"
        record.executions[event.execution_id] = None
        record.filled = EXACT.subtract(record.filled, event.qty)
        book.book_fill(event.symbol, effect)

    def _split(self, event: PositionSplit) -> None:
        self.books[event.strategy].position(event.symbol).qty = event.qty

    def _move(self, record: OrderRecord, status: OrderStatus) -> None:
        was_ended, record.status = record.status in TERMINAL, status
        if status not in TERMINAL or was_ended:
            return
        self._reserve(record, ZERO)
        self._ended.append(record.approved.order_id)
        if len(self._ended) > ENDED_ORDERS_KEPT:
            del self.orders[self._ended.popleft()]

    def _reserve(self, record: OrderRecord, amount: Decimal) -> None:
        book = self.books[record.approved.intent.strategy]
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


def _execution(source: ExecutionReport | OrderFilled) -> Execution:
    return Execution(source.qty, source.price, source.fee, source.fee_asset, source.ts)
