"""From a wish to the books and back: targets, intents, the gate, orders, reports, the day's limits.

Every change of state is an event applied to the ledger here; nothing else writes to it.

A target is level-triggered: :meth:`Desk.work` looks at what is held, what is in flight and what is wanted, and does the
one next thing. An order that opens is cancelled before anything else when it is no longer wanted; a position is closed
before the opposite one is opened, in two orders, as Alpaca demands.
"""

import math
from collections.abc import Iterable
from decimal import Decimal

from trader import __version__
from trader.books.book import OrderRecord
from trader.books.ledger import Ledger
from trader.engine.holds import Holds
from trader.engine.sandbox import Sandbox, Slot
from trader.model.commands import CancelOrder, Command, SubmitOrder
from trader.model.events import (
    AccountReconciled,
    BooksCreated,
    BooksOpened,
    CapitalChanged,
    CashBooked,
    DailyLossReached,
    DayStarted,
    EntriesHeld,
    EntriesReleased,
    Event,
    ExternalFilled,
    ExternalReversed,
    FillReversed,
    OrderCreated,
    OrderDenied,
    OrderMoved,
    PositionSplit,
    ReportIgnored,
    SandboxOpened,
    SessionStarted,
    StrategyFailed,
    TargetSet,
)
from trader.model.inputs import ActivityReported, ExternalReported, Held, Opened, Reconciled, Released, Split
from trader.model.money import EXACT, NANO, ONE, ZERO, decimal_of, divide, floor_to, multiply, share_of
from trader.model.orders import (
    TERMINAL,
    Denied,
    ExecutionReport,
    OrderIntent,
    OrderStatus,
    Reason,
    Side,
    order_id_of,
)
from trader.model.time import MINUTE
from trader.model.views import Standing
from trader.risk import gate
from trader.risk.limits import RESERVE_FACTOR

# The float check of every minute is off by far less than this; nearer than this the exact books decide.
_CENT = 0.01
# A wish to enter that was still waiting when a process ended is worth this long; an exit is worth any time.
ENTRY_FRESH = 10 * MINUTE


class Desk:
    """The only writer of the ledger: turns wishes into orders and reports into books."""

    def __init__(self, sandboxes: tuple[Sandbox, ...], *, book_id: str) -> None:
        """Begin with closed books; ``book_id`` begins every order id, unless the books are recovered."""
        self.ledger = Ledger()
        self.holds = Holds()
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self._sandboxes = {sandbox.spec.name: sandbox for sandbox in sandboxes}
        self._book_id = book_id
        self._watched: dict[int, Sandbox] = {}

    def emit(self, event: Event) -> None:
        """Make an event true."""
        self.ledger.apply(event)
        self.events.append(event)

    def open(self, message: Opened) -> None:
        """Open every book with its capital, or go on with it where it was left."""
        ts, ledger = message.ts, self.ledger
        if not ledger.account.book_id:
            self._create(message)
        self._book_id = ledger.account.book_id
        for sandbox in self._sandboxes.values():
            name, cash = sandbox.spec.name, sandbox.spec.cash
            if name not in ledger.books:
                self.emit(SandboxOpened(ts, name, cash))
            elif moved := EXACT.subtract(cash, ledger.books[name].opening_cash):
                self.emit(CapitalChanged(ts, name, moved))
            sandbox.book = ledger.books[name]
            for slot in sandbox.slots.values():
                self._resume(slot, ts)
            self._refresh_book(sandbox)
        self.emit(SessionStarted(ts, ledger.digest(), message.settings, __version__))

    def _create(self, message: Opened) -> None:
        capital = ZERO
        for sandbox in self._sandboxes.values():
            capital = EXACT.add(capital, sandbox.spec.cash)
        cash = capital if message.cash is None else message.cash
        self.emit(BooksCreated(message.ts, self._book_id, message.account, cash, dict(message.positions)))

    def _resume(self, slot: Slot, ts: int) -> None:
        """Connect a ticker with what the books say of it: position, order, wish."""
        name, symbol = slot.sandbox.spec.name, slot.symbol
        slot.position = slot.sandbox.book.position(symbol)
        for record in self.ledger.orders.values():
            intent = record.approved.intent
            if record.status not in TERMINAL and (intent.strategy, intent.symbol) == (name, symbol):
                slot.order = record
        if math.isnan(slot.listing.mark) and slot.position.qty:
            slot.listing.mark = float(slot.position.avg_price)  # until the market says better
        self._refresh_slot(slot)
        self._recall(slot, ts)

    def _recall(self, slot: Slot, ts: int) -> None:
        """Take up a ticker's wish again; one to enter is left alone when it is old: its price is of another time."""
        wish, order = slot.sandbox.book.targets.get(slot.symbol), slot.order
        if wish is None:
            entering = 0 if order is None or order.approved.intent.reduces else order.approved.intent.side.sign
            slot.target = float(entering or (slot.held > 0) - (slot.held < 0))
            return
        slot.target, slot.reason = wish.fraction, wish.reason
        slot.is_leaving = wish.is_leaving and (slot.held != 0 or order is not None)
        if order is None:
            is_due = slot.held != 0 or ts - wish.ts <= ENTRY_FRESH
            slot.unsettled = is_due and slot.held * slot.target <= 0 and (slot.held, slot.target) != (0, 0)
        elif order.approved.intent.reduces:
            slot.unsettled = slot.target != 0
        else:
            slot.unsettled = slot.target * order.approved.intent.side.sign <= 0

    def save(self, ts: int) -> None:
        """Write down the whole state of the books, so that recovery may begin here."""
        self.emit(BooksOpened(ts, self.ledger.snapshot()))

    def hold(self, message: Held | Released) -> None:
        """Hold entries back under a cause, or no longer."""
        if isinstance(message, Released):
            if self.holds.release(message.cause):
                self.emit(EntriesReleased(message.ts, message.cause))
            return
        held = EntriesHeld(message.ts, message.cause, message.symbols, message.why)
        if self.holds.hold(held):
            self.emit(held)

    def equity(self, sandbox: Sandbox) -> Decimal:
        """Return cash plus positions at their marks, exactly."""
        worth = sandbox.book.cash
        for slot in sandbox.slots.values():
            if slot.position.qty:
                worth = EXACT.add(worth, EXACT.multiply(slot.position.qty, decimal_of(slot.listing.mark)))
        return worth

    # --- wishes -------------------------------------------------------------------------------------------------

    def aim(self, slot: Slot, fraction: float, *, ts: int) -> None:
        """Take a strategy's new target for a ticker; a negative one is flat in a long-only sandbox.

        It cannot call off an exit of the host's: while one is due, only the opposite position may be wished after it.
        """
        if fraction < 0 and not slot.sandbox.spec.limits.allow_short:
            fraction = 0.0
        held = slot.held
        if slot.is_leaving and held * fraction >= 0:
            if slot.unsettled:
                self.work(slot, ts)
        elif slot.order is None and (held * fraction > 0 or held == fraction == 0):
            if slot.unsettled:
                self._want(slot, fraction, Reason.SIGNAL, is_leaving=False, ts=ts)
            slot.unsettled = False
        else:
            reason = slot.reason if slot.is_leaving else Reason.SIGNAL
            self._want(slot, fraction, reason, is_leaving=slot.is_leaving, ts=ts)
            slot.unsettled = True
            self.work(slot, ts)

    def leave(self, slot: Slot, reason: Reason, *, ts: int, price: float) -> None:
        """Want out of a ticker, whatever the strategy thinks; ``price`` is what the exit is decided at."""
        self._want(slot, 0.0, reason, is_leaving=True, ts=ts)
        slot.unsettled = True
        self.work(slot, ts, price=price)

    def _want(self, slot: Slot, fraction: float, reason: Reason, *, is_leaving: bool, ts: int) -> None:
        """Set a target; only a new one is an event."""
        if (slot.target, slot.reason, slot.is_leaving) == (fraction, reason, is_leaving):
            return
        slot.target, slot.reason, slot.is_leaving = fraction, reason, is_leaving
        self.emit(TargetSet(ts, slot.sandbox.spec.name, slot.symbol, fraction, reason, is_leaving))

    def work(self, slot: Slot, ts: int, *, price: float | None = None) -> None:
        """Do the one next thing that brings the position nearer to its target (at the mark, unless told otherwise)."""
        order, held, target = slot.order, slot.held, slot.target
        if order is not None and not order.approved.intent.reduces:
            is_wanted = target * order.approved.intent.side.sign > 0
            if not is_wanted:
                self._cancel(slot, order, ts)
            elif order.status is not OrderStatus.PENDING_CANCEL:  # else the venue's word decides what is next
                slot.unsettled = False
        elif held * target > 0:
            slot.unsettled = order is not None  # wanted again while it is being sold: bought again after that
        elif held:
            slot.unsettled = target != 0
            if order is None:
                self._exit(slot, ts, price=price)
        else:
            slot.unsettled = False
            if target:
                self._enter(slot, ts)

    def protect(self, slot: Slot, prices: tuple[float, float, float], *, ts: int) -> None:
        """End a position whose stop or target lies within (open, high, low); the stop is looked at first."""
        order = slot.order
        if order is not None and order.approved.intent.reduces:
            return
        first, high, low = prices
        if low <= slot.floor and (slot.held > 0 or high < slot.ceiling):
            price, fell = min(first, slot.floor), True
        else:
            price, fell = max(first, slot.ceiling), False
        reason = Reason.STOP_LOSS if fell == (slot.held > 0) else Reason.TAKE_PROFIT
        self.leave(slot, reason, ts=ts, price=price)

    def _cancel(self, slot: Slot, order: OrderRecord, ts: int) -> None:
        if order.status is OrderStatus.PENDING_CANCEL:
            return
        order_id, status = order.approved.order_id, OrderStatus.PENDING_CANCEL
        self.emit(OrderMoved(ts, slot.sandbox.spec.name, slot.symbol, order_id, status, "no longer wanted"))
        self.commands.append(CancelOrder(order_id, ts))

    def _exit(self, slot: Slot, ts: int, *, price: float | None) -> None:
        qty = slot.position.qty
        side = Side.SELL if qty > 0 else Side.BUY
        decided = decimal_of(slot.listing.mark if price is None else price)
        self._send(slot, OrderIntent(
            slot.sandbox.spec.name, slot.symbol, side, qty.copy_abs(), decided, reduces=True, reason=slot.reason, ts=ts
        ))  # fmt: skip

    def _enter(self, slot: Slot, ts: int) -> None:
        decided = decimal_of(slot.listing.mark)
        side = Side.BUY if slot.target > 0 else Side.SELL
        qty = self._size(slot, decided)
        self._send(slot, OrderIntent(
            slot.sandbox.spec.name, slot.symbol, side, qty, decided, reduces=False, reason=Reason.SIGNAL, ts=ts
        ))  # fmt: skip

    def _size(self, slot: Slot, price: Decimal) -> Decimal:
        """Return min(fraction × equity, free cash less the reserve) in quantity, floored to the increment."""
        sandbox = slot.sandbox
        fraction = min(decimal_of(abs(slot.target)), sandbox.spec.limits.max_position_size, ONE)
        wanted = EXACT.multiply(fraction, self.equity(sandbox))
        value = min(wanted, divide(sandbox.book.free_cash, RESERVE_FACTOR))
        return max(ZERO, floor_to(divide(value, price), slot.instrument.qty_increment))

    def _send(self, slot: Slot, intent: OrderIntent) -> None:
        sandbox, book = slot.sandbox, slot.sandbox.book
        standing = Standing(
            book.cash, book.free_cash, self.equity(sandbox), slot.position.qty,
            book.daily_trades, book.loss_reached, book.halted, self.holds.why(slot.symbol),
        )  # fmt: skip
        verdict = gate.check(
            intent,
            standing,
            limits=sandbox.spec.limits,
            instrument=slot.instrument,
            order_id=order_id_of(self._book_id, self.ledger.orders_created + 1, intent),
        )
        if isinstance(verdict, Denied):
            self.emit(OrderDenied(intent.ts, verdict))
            slot.unsettled = slot.unsettled or verdict.is_passing  # wanted still: asked again at the next bar
            return
        self.emit(OrderCreated(intent.ts, verdict))
        slot.order = self.ledger.orders[verdict.order_id]
        self.commands.append(SubmitOrder(verdict))

    # --- shares -------------------------------------------------------------------------------------------------

    def split(self, slots: Iterable[Slot], split: Split) -> None:
        """Scale what a symbol's slots held when it was split; what was sold since in old shares leaves some over."""
        for slot in slots:
            name = slot.sandbox.spec.name
            since = self.ledger.executed_since(name, slot.symbol, split.effective)
            before = EXACT.subtract(slot.position.qty, since)
            if not before:
                continue
            qty = EXACT.add(floor_to(multiply(before, split.ratio), NANO), since)
            self.emit(PositionSplit(split.ts, name, slot.symbol, split.ratio, qty))
            self._refresh_slot(slot)
            if slot.held and not slot.target and slot.order is None:
                self.leave(slot, Reason.SIGNAL, ts=split.ts, price=slot.listing.mark)
        if held := self.ledger.account.external.get(split.symbol):
            qty = floor_to(multiply(held, split.ratio), NANO)
            self.emit(PositionSplit(split.ts, "", split.symbol, split.ratio, qty))

    # --- the account --------------------------------------------------------------------------------------------

    def report_external(self, message: ExternalReported) -> None:
        """Book an execution of another hand, or its reversal; each once, and none from before the books began."""
        report, account = message.report, self.ledger.account
        name = report.reverses or report.execution_id
        booked = account.executions.get(name)
        if report.reverses and booked is not None:
            self.emit(ExternalReversed(message.ts, name, booked.qty, booked.price))
        elif report.reverses or name in account.executions or report.ts <= account.opened_at:
            why = "takes back an unknown execution" if report.reverses else "execution already booked"
            self.emit(ReportIgnored(message.ts, report.order_id, report.execution_id, why))
        else:
            self.emit(ExternalFilled(
                report.ts, message.symbol, message.side, report.qty, report.price, report.fee, report.fee_asset,
                report.order_id, name,
            ))  # fmt: skip

    def report_activity(self, message: ActivityReported) -> None:
        """Book money that moved without a trade: to those who hold what it was paid for, else to the account."""
        if message.activity_id in self.ledger.account.activities:
            return
        left = message.amount
        held = self.ledger.holdings().get(message.symbol, ZERO)
        for sandbox in self._sandboxes.values():
            slot = sandbox.slots.get(message.symbol)
            if not held or slot is None or not slot.position.qty:
                continue
            share = share_of(message.amount, slot.position.qty, held)
            left = EXACT.subtract(left, share)
            self._book_cash(message, sandbox.spec.name, share)
            self._refresh_book(sandbox)
        self._book_cash(message, "", left)

    def _book_cash(self, message: ActivityReported, strategy: str, amount: Decimal) -> None:
        self.emit(CashBooked(
            message.ts, message.activity_id, message.kind, strategy, message.symbol, amount, message.text
        ))  # fmt: skip

    def reconciled(self, message: Reconciled) -> None:
        """Remember up to when the account's records are in the books."""
        self.emit(AccountReconciled(message.ts, message.until))

    # --- reports ------------------------------------------------------------------------------------------------

    def report(self, ts: int, report: ExecutionReport) -> None:
        """Book what a venue says about an order, then go on working its ticker where that is due."""
        event = self.ledger.read(ts, report)
        self.emit(event)
        if isinstance(event, ReportIgnored):
            return
        sandbox = self._sandboxes.get(event.strategy)
        slot = None if sandbox is None else sandbox.slots.get(event.symbol)
        if sandbox is None or slot is None:
            return  # a late word about a strategy, or a ticker, that is no longer traded
        if not isinstance(event, OrderMoved):
            self._refresh_slot(slot)
            self._refresh_book(sandbox)
        is_its_order = slot.order is not None and slot.order.approved.order_id == event.order_id
        if isinstance(event, FillReversed) or event.status not in TERMINAL or not is_its_order:
            return
        ended, slot.order = slot.order, None
        slot.is_leaving = slot.is_leaving and slot.held != 0
        assert ended is not None, f"order {event.order_id} ended but its ticker knew of none"
        if ended.approved.intent.reduces:
            if event.status is not OrderStatus.FILLED:  # still wanted: asked again at the ticker's next bar
                target = 0.0 if slot.target * slot.held > 0 else slot.target
                self._want(slot, target, slot.reason, is_leaving=slot.is_leaving, ts=report.ts)
                slot.unsettled = True
        elif slot.unsettled and slot.held:
            self.work(slot, report.ts)

    def _refresh_slot(self, slot: Slot) -> None:
        position, limits = slot.position, slot.sandbox.spec.limits
        slot.held = float(position.qty)
        slot.floor, slot.ceiling = -math.inf, math.inf
        if position.qty:
            long = position.qty > 0
            stop, take = _level(position.avg_price, limits.stop_loss), _level(position.avg_price, limits.take_profit)
            if stop is not None:
                slot.floor, slot.ceiling = (float(stop[0]), math.inf) if long else (-math.inf, float(stop[1]))
            if take is not None:
                slot.floor, slot.ceiling = (slot.floor, float(take[1])) if long else (float(take[0]), slot.ceiling)
        guards = slot.listing.guards
        is_guarded = not (math.isinf(slot.floor) and math.isinf(slot.ceiling))
        if is_guarded:
            guards[slot] = None
        else:
            guards.pop(slot, None)

    def _refresh_book(self, sandbox: Sandbox) -> None:
        book, limit = sandbox.book, sandbox.spec.limits.max_daily_loss
        sandbox.cash = float(book.cash)
        if limit is not None and not book.loss_reached:
            sandbox.loss_floor = float(EXACT.subtract(book.day_equity, limit)) + _CENT
            self._watched[sandbox.rank] = sandbox

    # --- the day ------------------------------------------------------------------------------------------------

    def start_day(self, ts: int, sandboxes: Iterable[Sandbox]) -> None:
        """Begin a trading day at the newest marks: counters to zero, the daily loss measured from here."""
        for sandbox in sandboxes:
            self.emit(DayStarted(ts, sandbox.spec.name, self.equity(sandbox)))
            self._refresh_book(sandbox)

    def check_losses(self, ts: int) -> None:
        """Stop openings where the day's loss has reached its limit, and flatten where that is wished."""
        for rank, sandbox in tuple(self._watched.items()):
            worth, is_exposed = sandbox.cash, False
            for slot in sandbox.slots.values():
                if slot.held:
                    worth += slot.held * slot.listing.mark
                    is_exposed = True
            if worth <= sandbox.loss_floor:
                self._check_loss(sandbox, ts)
            if not is_exposed or sandbox.book.loss_reached:
                del self._watched[rank]

    def _check_loss(self, sandbox: Sandbox, ts: int) -> None:
        limit = sandbox.spec.limits.max_daily_loss
        loss = EXACT.subtract(sandbox.book.day_equity, self.equity(sandbox))
        assert limit is not None, "only sandboxes with a limit are watched"
        if loss < limit:
            return
        self.emit(DailyLossReached(ts, sandbox.spec.name, limit, loss, sandbox.spec.flatten_on_loss))
        self._close_openings(sandbox, Reason.MAX_DAILY_LOSS, ts=ts, flatten=sandbox.spec.flatten_on_loss)

    def fail(self, slot: Slot, failure: tuple[str, str], *, ts: int) -> None:
        """Halt a sandbox whose strategy failed; ``failure`` is (line, traceback). Its stops keep watching."""
        sandbox = slot.sandbox
        flatten = sandbox.spec.flatten_on_error
        self.emit(StrategyFailed(ts, sandbox.spec.name, slot.symbol, *failure, flatten))
        for own in sandbox.slots.values():
            own.on_bar = _silent
        self._close_openings(sandbox, Reason.STRATEGY_FAILED, ts=ts, flatten=flatten)

    def _close_openings(self, sandbox: Sandbox, reason: Reason, *, ts: int, flatten: bool) -> None:
        """Withdraw what would still open something, and end the positions where that is wished; exits go on."""
        for slot in sandbox.slots.values():
            order = slot.order
            if flatten and (slot.held or order is not None):
                self.leave(slot, reason, ts=ts, price=slot.listing.mark)
                continue
            if order is not None and not order.approved.intent.reduces:
                self._cancel(slot, order, ts)
            if slot.held * slot.target < 0:  # the first half of a turn goes on, the second does not follow
                self._want(slot, 0.0, slot.reason, is_leaving=slot.is_leaving, ts=ts)
            elif slot.target:
                slot.unsettled = False


def _level(avg_price: Decimal, fraction: Decimal | None) -> tuple[Decimal, Decimal] | None:
    """Return the prices that lie ``fraction`` under and over the average entry price."""
    if fraction is None:
        return None
    return multiply(avg_price, EXACT.subtract(ONE, fraction)), multiply(avg_price, EXACT.add(ONE, fraction))


def _silent(bar: object, ctx: object) -> None:
    """Answer for a halted strategy."""
