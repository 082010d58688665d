"""From a wish to the books and back: targets, intents, the gate, orders, reports.

Every change of state is an event applied to the ledger here; nothing else writes to it.

A target is level-triggered: :meth:`Desk.work` looks at what is held, what is in flight and what is wanted, and does the
one next thing. An order that opens is cancelled before anything else when it is no longer wanted; a position is closed
before the opposite one is opened, in two orders, as Alpaca demands. What the account does not let through at once goes
in parts (``Slot.is_part``): the next one when the first has filled.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

from trader.books.book import OrderRecord
from trader.books.ledger import Ledger
from trader.director.chain import Director
from trader.engine.holds import Holds
from trader.engine.levels import levels
from trader.engine.market import Listing
from trader.engine.openings import Openings, size_of
from trader.engine.portfolio import Portfolio
from trader.engine.portfolio_view import DirectorsView
from trader.engine.sandbox import Sandbox, Slot
from trader.engine.traffic import CALLED_OFF, Traffic
from trader.model.commands import CancelOrder, Command, SubmitOrder
from trader.model.events import (
    Event,
    FillReversed,
    OrderCreated,
    OrderDenied,
    OrderMoved,
    ReportIgnored,
    TargetSet,
)
from trader.model.money import EXACT, decimal_of
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
from trader.model.views import Question, Standing
from trader.risk.bounds import Breach
from trader.risk.gate import Gate
from trader.risk.value_at_risk import TailControl

# The float check of every minute is off by far less than this; nearer than this the exact books decide.
_CENT = 0.01


class Desk:
    """The only writer of the ledger: turns wishes into orders and reports into books."""

    gate: Gate  # from the opening of the books on, as the next
    tails: TailControl

    def __init__(
        self,
        sandboxes: tuple[Sandbox, ...],
        listings: Mapping[str, Listing],
        director: Director | None,
        *,
        book_id: str,
    ) -> None:
        """Begin with closed books; ``book_id`` begins every order id, unless the books are recovered."""
        self.ledger = Ledger()
        self.holds = Holds()
        self.events: list[Event] = []
        self.commands: list[Command] = []
        self.traffic = Traffic(self.ledger, self.holds, self._submit)
        self.sandboxes = {sandbox.spec.name: sandbox for sandbox in sandboxes}
        self.book_id = book_id
        self.watched: dict[int, Sandbox] = {}  # by rank: may lose their day's limit
        self.portfolio = Portfolio(self.ledger, sandboxes, listings)
        self.openings = Openings(
            director, lambda ts: DirectorsView(self.portfolio, self.sandboxes, listings, ts=ts), self.emit
        )
        self.warned: list[tuple[str, Breach]] = []  # soft levels that orders went beyond: by strategy
        self.now = 0  # of the step (ns UTC); what happens in it may be older

    def emit(self, event: Event) -> None:
        """Make an event true."""
        self.ledger.apply(event)
        self.events.append(event)
        self.portfolio.hear(event)

    def _submit(self, command: SubmitOrder) -> None:
        self.commands.append(command)

    def aim(self, slot: Slot, fraction: float, *, ts: int) -> None:
        """Take a strategy's new target for a ticker; a negative one is flat in a long-only sandbox.

        It cannot call off an exit of the host's: while one is due, only the opposite position may be wished after it.
        """
        if fraction < 0 and not slot.sandbox.spec.limits.allow_short:
            fraction = 0.0
        held = slot.held
        if slot.is_leaving and held * fraction >= 0:
            self.want(slot, 0.0, slot.reason, is_leaving=True, ts=ts)  # nor is the opposite wished any more
            if slot.unsettled:
                self.work(slot, ts)
        elif slot.order is None and not slot.is_part and (held * fraction > 0 or held == fraction == 0):
            if slot.unsettled or (slot.target and not fraction):  # what comes late must not be kept for an old wish
                self.want(slot, fraction, Reason.SIGNAL, is_leaving=False, ts=ts)
            slot.unsettled = False
        else:
            reason = slot.reason if slot.is_leaving else Reason.SIGNAL
            self.want(slot, fraction, reason, is_leaving=slot.is_leaving, ts=ts)
            slot.unsettled = True
            self.work(slot, ts)

    def leave(self, slot: Slot, reason: Reason, *, ts: int, price: float) -> None:
        """Want out of a ticker, whatever the strategy thinks; ``price`` is what the exit is decided at."""
        self.want(slot, 0.0, reason, is_leaving=True, ts=ts)
        slot.unsettled = True
        self.work(slot, ts, price=price)

    def want(self, slot: Slot, fraction: float, reason: Reason, *, is_leaving: bool, ts: int) -> None:
        """Set a target; only a new one is an event."""
        if (slot.target, slot.reason, slot.is_leaving) == (fraction, reason, is_leaving):
            return
        slot.target, slot.reason, slot.is_leaving = fraction, reason, is_leaving
        self.emit(TargetSet(ts, slot.sandbox.spec.name, slot.symbol, fraction, reason, is_leaving))

    def work(self, slot: Slot, ts: int, *, price: float | None = None) -> None:
        """Do the one next thing that brings the position nearer to its target (at the mark, unless told otherwise)."""
        order, held, target = slot.order, slot.held, slot.target
        self.openings.recall(slot)
        if order is not None and not order.approved.intent.reduces:
            is_wanted = target * order.approved.intent.side.sign > 0
            if not is_wanted:
                self.withdraw(slot, ts, "no longer wanted")
            elif order.status is not OrderStatus.PENDING_CANCEL:  # else the venue's word decides what is next
                slot.unsettled = False
        elif held * target > 0:
            slot.unsettled = order is not None  # wanted again while it is being sold: bought again after that
            if order is None and slot.is_part:
                self._enter(slot, ts)
        elif held:
            slot.unsettled = target != 0
            if order is None:
                self._exit(slot, ts, price=price)
        elif order is not None:  # what the exit was to close was taken back by the venue
            slot.unsettled = target != 0
            self.withdraw(slot, ts, "nothing is left to close")
        else:
            slot.unsettled = slot.is_part = False
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

    def _exit(self, slot: Slot, ts: int, *, price: float | None, is_judged: bool = False) -> None:
        """Close a position, as far as the account lets it pass; an opening of ours that stands in the way is ended."""
        held = slot.position.qty
        side, wanted = (Side.SELL if held > 0 else Side.BUY), held.copy_abs()
        qty = self.traffic.passing(slot, side, wanted, reduces=True)
        rivals = self.traffic.rivals(slot, side) if qty < wanted else []
        if rivals:
            self._clear(rivals, slot, ts)
            qty = self.traffic.passing(slot, side, wanted, reduces=True)
        blockers = self.traffic.opposite(slot, side) if qty else []
        self._clear(blockers, slot, ts)
        slot.is_part = False  # an exit that filled is followed by another as long as something is held
        if blockers or not qty:
            slot.unsettled = True
            slot.listing.waiting[slot] = bool(blockers or rivals)
            return
        decided = decimal_of(slot.listing.mark if price is None else price)
        intent = OrderIntent(
            slot.sandbox.spec.name, slot.symbol, side, qty, decided, reduces=True, reason=slot.reason, ts=ts
        )
        if self.openings.is_seen(slot.reason) and not is_judged:
            self.openings.propose(slot, intent)
        else:
            self._send(slot, intent)

    def _clear(self, others: Iterable[Slot], slot: Slot, ts: int) -> None:
        """Call off openings that stand in the way of an exit; their strategies want them still, after it."""
        for other in others:
            if other.order is not None and not other.order.approved.intent.reduces:
                other.is_part = True
                self.withdraw(other, ts, f"in the way of an exit of {slot.sandbox.spec.name}")

    def _enter(self, slot: Slot, ts: int) -> None:
        """Open a position, or what is missing of it, as far as the account lets it pass."""
        decided = decimal_of(slot.listing.mark)
        side = Side.BUY if slot.target > 0 else Side.SELL
        wanted = size_of(slot, decided)
        if slot.held and EXACT.multiply(wanted, decided) < slot.instrument.min_notional:
            slot.is_part = False  # so little is missing that the venue would not take it
            return
        intent = OrderIntent(
            slot.sandbox.spec.name, slot.symbol, side, wanted, decided,
            reduces=False, reason=Reason.SIGNAL, ts=ts, urgency=slot.urgency,
        )  # fmt: skip
        is_seen = self.openings.is_directed and bool(wanted)
        if is_seen and not self.gate.is_shut(intent, self._standing(slot, self._obstacle(slot, side))):
            self.openings.propose(slot, intent)  # what is refused anyway takes nobody's place in a filter
        else:
            self._open(slot, intent)

    def _obstacle(self, slot: Slot, side: Side) -> str:
        return self.holds.why(slot.symbol) or self.traffic.obstacle(slot, side)

    def _open(self, slot: Slot, intent: OrderIntent) -> None:
        """Send an opening, or as much of it as the account lets through now."""
        wanted = qty = intent.qty
        why = self._obstacle(slot, intent.side)
        if not why:
            qty = self.traffic.passing(slot, intent.side, wanted, reduces=False)
            why = "" if qty or not wanted else "other orders close the account's position first"
        if why:
            qty = wanted
            slot.listing.waiting[slot] = False
        slot.is_part = slot.is_part or qty < wanted
        self._send(slot, intent if qty == wanted else msgspec.structs.replace(intent, qty=qty), why)

    def _send(self, slot: Slot, intent: OrderIntent, held: str = "") -> None:
        order_id = order_id_of(self.book_id, self.ledger.orders_created + 1, intent)
        standing = self._standing(slot, held)
        verdict = self.gate.check(
            Question(intent, order_id, slot.instrument, standing, slot.listing.market(), self.now)
        )
        if isinstance(verdict, Denied):
            self.emit(OrderDenied(intent.ts, verdict))
            slot.unsettled = slot.unsettled or verdict.is_passing  # wanted still: asked again at the next bar
            slot.is_part = slot.is_part and verdict.is_passing
            return
        for used in self.gate.overridden:
            self.emit(used)
        self.warned += [(intent.strategy, breach) for breach in self.gate.warnings]
        self.emit(OrderCreated(intent.ts, verdict))
        self.traffic.make(slot, self.ledger.orders[verdict.order_id])

    def _standing(self, slot: Slot, held: str) -> Standing:
        sandbox, book = slot.sandbox, slot.sandbox.book
        return Standing(
            book.cash, book.free_cash, sandbox.equity(), slot.position.qty,
            book.daily_trades, book.loss_reached, sandbox.trading_state, held, slot.is_warm,
        )  # fmt: skip

    def withdraw(self, slot: Slot, ts: int, why: str) -> None:
        """Call off a ticker's order: one that has not left ends at once, for any other the venue is asked."""
        order = slot.order
        if order is not None and slot in self.traffic.fresh:
            report = ExecutionReport(order.approved.order_id, OrderStatus.CANCELED, ts, text=CALLED_OFF)
            self.report(ts, report, has_left=False)
        elif order is not None:
            self._ask_cancel(order, ts, why)

    def _ask_cancel(self, record: OrderRecord, ts: int, why: str) -> None:
        if record.status is OrderStatus.PENDING_CANCEL:
            return
        intent, order_id = record.approved.intent, record.approved.order_id
        self.emit(OrderMoved(ts, intent.strategy, intent.symbol, order_id, OrderStatus.PENDING_CANCEL, why))
        self.commands.append(CancelOrder(order_id, ts))

    def settle(self, ts: int) -> None:
        """End a step: what the Director leaves of it is made, what was made crosses, the rest is sent."""
        while self.openings or self.traffic.fresh:
            for slot, intent, is_passed in self.openings.judged(ts):
                if not is_passed:
                    slot.is_part, slot.unsettled = False, slot.unsettled or intent.reduces
                elif intent.reduces:
                    self._exit(slot, intent.ts, price=float(intent.decision_price), is_judged=True)
                else:
                    self._open(slot, intent)
            for report in self.traffic.settle(ts):
                self.report(ts, report, has_left=False)

    def wake(self, listing: Listing, ts: int) -> None:
        """Let those who waited for another order of their symbol ask again, exits first."""
        if not listing.waiting:
            return
        waiting, listing.waiting = listing.waiting, {}
        for slot in sorted(waiting, key=lambda slot: (slot.held * slot.target > 0 or not slot.held, slot.rank)):
            if slot.unsettled and slot.order is None:
                self.work(slot, ts)

    def report(self, ts: int, report: ExecutionReport, *, has_left: bool = True) -> None:
        """Book what a venue says about an order, then go on working its ticker where that is due.

        ``has_left`` is false for what the desk itself says about an order that never went to the venue.
        """
        event = self.ledger.read(ts, report)
        self.emit(event)
        if isinstance(event, ReportIgnored):
            return
        sandbox = self.sandboxes.get(event.strategy)
        slot = None if sandbox is None else sandbox.slots.get(event.symbol)
        if sandbox is None or slot is None:
            return  # a late word about a strategy, or a ticker, that is no longer traded
        if not isinstance(event, OrderMoved):
            self.refresh(slot)
        if slot.absent is not None and slot.absent.approved.order_id == event.order_id:
            self._hear_of_absent(slot, slot.absent, report.ts)
        elif slot.order is None or slot.order.approved.order_id != event.order_id:
            # later than its order's end: what is held now may not be wanted
            slot.unsettled = slot.unsettled or slot.held * slot.target < 0 or (slot.held != 0 and not slot.target)
        elif isinstance(event, FillReversed):
            return
        elif event.status in TERMINAL:
            self._end(slot, event.status, report.ts, has_left=has_left)
        elif event.status is OrderStatus.ABSENT and not slot.order.approved.intent.reduces:
            self._miss(slot, report.ts)

    def _end(self, slot: Slot, status: OrderStatus, ts: int, *, has_left: bool) -> None:
        """Forget an order that has ended; go on with who waited for that at the venue, and with the wish."""
        record = self.traffic.take_off(slot)
        intent = record.approved.intent
        is_part, slot.is_part = slot.is_part, False
        slot.is_leaving = slot.is_leaving and slot.held != 0 and slot.held * slot.target <= 0  # else it turned
        is_next = status is OrderStatus.FILLED and (is_part or intent.reduces)
        if intent.reduces:
            is_whole = record.filled == intent.qty or None in record.executions.values()  # else the rest cannot be sold
            is_next = is_next and slot.held != 0 and is_whole
            if status is not OrderStatus.FILLED:  # still wanted: asked again at the ticker's next bar
                target = 0.0 if slot.target * slot.held > 0 else slot.target
                self.want(slot, target, slot.reason, is_leaving=slot.is_leaving, ts=ts)
            slot.unsettled = slot.unsettled or is_next or status is not OrderStatus.FILLED
        elif slot.target * intent.side.sign > 0 and is_part and status in {OrderStatus.FILLED, OrderStatus.CANCELED}:
            slot.is_part = slot.unsettled = True
            self.emit(TargetSet(ts, slot.sandbox.spec.name, slot.symbol, slot.target, slot.reason, slot.is_leaving))
        else:
            is_next = slot.unsettled and slot.held != 0
        if not has_left:
            if is_next:
                self.work(slot, ts)
        else:
            if is_next:
                slot.listing.waiting[slot] = False
            self.wake(slot.listing, ts)
        if slot.unsettled and slot.order is None and status is not OrderStatus.FILLED:
            slot.listing.waiting[slot] = False

    def _miss(self, slot: Slot, ts: int) -> None:
        """Go on without an entry that never showed up: no other one is made meanwhile, but what is held may be left."""
        slot.absent = self.traffic.take_off(slot)
        slot.is_part = False
        self.wake(slot.listing, ts)
        if slot.unsettled and slot.held and slot.order is None:
            self.work(slot, ts)

    def _hear_of_absent(self, slot: Slot, record: OrderRecord, ts: int) -> None:
        """Call off an entry that turned up late: its price is of another time. What it brought stays if wanted."""
        if record.status in TERMINAL:
            slot.absent = None
            slot.is_leaving = slot.is_leaving and slot.held != 0
            self.wake(slot.listing, ts)
        elif record.status is not OrderStatus.ABSENT:
            if slot.order is None:
                slot.absent = None
                self.traffic.put(slot, record)
                slot.unsettled = slot.unsettled or slot.target * record.approved.intent.side.sign <= 0
            self._ask_cancel(record, ts, "it arrived too late")
        if slot.order is None and slot.held:
            self.work(slot, ts)

    def refresh(self, slot: Slot) -> None:
        """Take over what the books say of a position and its sandbox's cash into the floats that every bar asks."""
        self.watch(slot.sandbox)
        position, limits = slot.position, slot.sandbox.spec.limits
        slot.held = float(position.qty)
        slot.is_leaving = slot.is_leaving and (slot.held != 0 or slot.order is not None or slot.absent is not None)
        if position.qty and math.isnan(slot.listing.mark):
            slot.listing.mark = float(position.avg_price)  # until the market says better
        slot.floor, slot.ceiling = levels(position, limits.stop_loss, limits.take_profit)
        if math.isinf(slot.floor) and math.isinf(slot.ceiling):
            slot.listing.guards.pop(slot, None)
        else:
            slot.listing.guards[slot] = None

    def watch(self, sandbox: Sandbox) -> None:
        """Take over what the books say of a sandbox's cash, and watch its day's loss where that has a limit."""
        book, limit = sandbox.book, sandbox.spec.limits.max_daily_loss
        sandbox.cash = float(book.cash)
        if limit is not None and not book.loss_reached:
            sandbox.loss_floor = float(EXACT.subtract(book.day_equity, limit)) + _CENT
            self.watched[sandbox.rank] = sandbox
