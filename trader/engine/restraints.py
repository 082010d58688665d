"""What stops a strategy: its day's loss, its own failure, an operator's word."""

from collections.abc import Iterable
from typing import Final

from trader.books.conduct import waits_for_a_person
from trader.engine.desk import Desk
from trader.engine.sandbox import Sandbox, Slot
from trader.engine.states import state_after
from trader.model.conduct import GIVEN_UP
from trader.model.events import DailyLossReached, DayStarted, StateSet, StrategyFailed
from trader.model.inputs import Control
from trader.model.money import EXACT
from trader.model.orders import Approved, ExecutionReport, OrderStatus, Reason
from trader.model.time import MINUTE

MAY_ARRIVE_FOR: Final = 10 * MINUTE  # an order of the last minutes of a day may still be on the line when it ends


class Restraints:
    """Keeps sandboxes to their limits; whatever stops, exits go on."""

    def __init__(self, desk: Desk) -> None:
        """Work for ``desk``."""
        self._desk = desk

    def start_day(self, ts: int, sandboxes: Iterable[Sandbox]) -> None:
        """Begin a trading day at the newest marks: counters to zero, the daily loss measured from here."""
        desk = self._desk
        for sandbox in sandboxes:
            for slot in sandbox.slots.values():
                if slot.absent is not None and slot.absent.status is OrderStatus.ABSENT:
                    self._give_up(slot.absent.approved, ts)
            desk.emit(DayStarted(ts, sandbox.spec.name, sandbox.equity()))
            desk.watch(sandbox)
        for name, own in desk.ledger.conduct.strategies.items():  # who is no longer traded keeps nobody out for ever
            book, sent = desk.ledger.books[name], (own.tally.orders, own.tally.cancels, own.tally.rejects)
            if name not in desk.sandboxes and any(sent) and not any(one.qty for one in book.positions.values()):
                desk.emit(DayStarted(ts, name, book.cash))

    def _give_up(self, absent: Approved, ts: int) -> None:
        if ts - absent.intent.ts >= MAY_ARRIVE_FOR:
            why = f"{GIVEN_UP}it did not arrive on its day"
            self._desk.report(ts, ExecutionReport(absent.order_id, OrderStatus.REJECTED, ts, text=why))

    def check_losses(self, ts: int) -> None:
        """Stop openings where the day's loss has reached its limit, and flatten where that is wished."""
        watched = self._desk.watched
        for rank in sorted(watched):
            sandbox = watched[rank]
            worth, is_exposed = sandbox.cash, False
            for slot in sandbox.slots.values():
                if slot.held:
                    worth += slot.held * slot.listing.mark
                    is_exposed = True
            if worth <= sandbox.loss_floor:
                self._check_loss(sandbox, ts)
            if not is_exposed or sandbox.book.loss_reached:
                del watched[rank]

    def _check_loss(self, sandbox: Sandbox, ts: int) -> None:
        limit, desk = sandbox.spec.limits.max_daily_loss, self._desk
        loss = EXACT.subtract(sandbox.book.day_equity, sandbox.equity())
        assert limit is not None, "only sandboxes with a limit are watched"
        if loss < limit:
            return
        desk.emit(DailyLossReached(ts, sandbox.spec.name, limit, loss, sandbox.spec.flatten_on_loss))
        self.close_openings(sandbox.slots.values(), Reason.MAX_DAILY_LOSS, ts=ts, flatten=sandbox.spec.flatten_on_loss)

    def fail(self, slot: Slot, failure: tuple[str, str], *, ts: int) -> None:
        """Halt a sandbox whose strategy failed; ``failure`` is (line, traceback). Its stops keep watching."""
        sandbox = slot.sandbox
        flatten = sandbox.spec.flatten_on_error
        self._desk.emit(StrategyFailed(ts, sandbox.spec.name, slot.symbol, *failure, flatten))
        sandbox.has_failed = True
        for own in sandbox.slots.values():
            own.on_bar = _silent
        self.close_openings(sandbox.slots.values(), Reason.STRATEGY_FAILED, ts=ts, flatten=flatten)

    def control(self, message: Control) -> None:
        """Obey an operator; a word to a strategy that is not on this desk changes nothing."""
        desk, name = self._desk, message.strategy
        if name and name not in desk.sandboxes:
            return
        is_flattened = message.action == "flatten"
        state = desk.sandboxes[name].book.state if name else desk.ledger.account.state
        after = state_after(message.action, state)
        begins_anew = message.action == "resume" and waits_for_a_person(desk.ledger.conduct, name)
        if after is not state or is_flattened or begins_anew:
            desk.emit(StateSet(message.ts, name, after, message.by, message.why, is_flattened))
        for sandbox in [desk.sandboxes[name]] if name else desk.sandboxes.values():
            if message.action in {"halt", "flatten"}:
                self.close_openings(sandbox.slots.values(), Reason.FLATTENED, ts=message.ts, flatten=is_flattened)
            elif message.action == "resume" and name and sandbox.has_failed:
                _revive(sandbox)

    def close_openings(self, slots: Iterable[Slot], reason: Reason, *, ts: int, flatten: bool) -> None:
        """Withdraw what would still open something, and end the positions where that is wished; exits go on."""
        for slot in slots:
            order = slot.order
            if flatten and (slot.held or order is not None):
                self._desk.leave(slot, reason, ts=ts, price=slot.listing.mark)
                continue
            if order is not None and not order.approved.intent.reduces:
                slot.is_part = False
                self._desk.withdraw(slot, ts, "no openings any more")
            entering = 0 if order is None or order.approved.intent.reduces else order.approved.intent.side.sign
            # Its first half goes on, the second does not follow; an entry that is called off may fill all the same.
            is_turn = slot.held * slot.target < 0 or entering * slot.target < 0
            if slot.target and not is_turn:
                slot.unsettled = slot.is_part = False
            if is_turn or (not slot.held and order is None and (flatten or slot.absent is None)):
                self._desk.want(slot, 0.0, slot.reason, is_leaving=slot.is_leaving, ts=ts)


def _revive(sandbox: Sandbox) -> None:
    """Let a strategy that failed learn anew, on bars still to come, before it may decide."""
    sandbox.has_failed = False
    for slot in sandbox.slots.values():
        slot.on_bar = sandbox.spec.strategy.on_bar
        slot.series.chill([slot])


def _silent(bar: object, ctx: object) -> None:
    """Answer for a halted strategy."""
