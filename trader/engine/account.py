"""The account's own side: what other hands did, money without trades, splits, holds and locks."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from trader.engine.desk import Desk
from trader.engine.market import Listing
from trader.engine.sandbox import Slot
from trader.model import events, inputs
from trader.model.conduct import GIVEN_UP, Override
from trader.model.money import EXACT, NANO, ZERO, floor_to, multiply, share_of
from trader.model.orders import ExecutionReport, OrderStatus, Reason
from trader.risk.overrides import is_another, objection_to


class AccountDesk:
    """Books what concerns the account and no order of ours."""

    def __init__(self, desk: Desk) -> None:
        """Work for ``desk``."""
        self._desk = desk

    def hold(self, message: inputs.Held | inputs.Released) -> None:
        """Hold entries back under a cause, or no longer."""
        desk = self._desk
        if isinstance(message, inputs.Released):
            if desk.holds.release(message.cause):
                desk.emit(events.EntriesReleased(message.ts, message.cause))
            return
        held = events.EntriesHeld(message.ts, message.cause, message.symbols, message.why)
        if desk.holds.hold(held):
            desk.emit(held)

    def lock(self, message: inputs.Mismatched) -> None:
        """Open nothing in a symbol about which books and broker disagree; exits pass as far as it is surely held.

        A lock without a difference has a cause that only a person can settle: no other takes its place.
        """
        known = self._desk.ledger.account.locks.get(message.symbol)
        is_free = known is None or known.held != known.expected
        if is_free and (known is None or (known.held, known.expected) != (message.held, message.expected)):
            self._desk.emit(
                events.SymbolLocked(message.ts, message.symbol, message.held, message.expected, message.why)
            )

    def unlock(self, message: inputs.Settled, listing: Listing | None) -> None:
        """Trade a locked symbol again; who waited for that asks at once."""
        if message.symbol not in self._desk.ledger.account.locks:
            return
        self._desk.emit(events.SymbolUnlocked(message.ts, message.symbol, message.by, message.adjusted))
        if listing is not None:
            self._desk.wake(listing, message.ts)

    def release(self, message: inputs.OrderReleased) -> None:
        """End an absent order: a person vouches for it that it will not arrive."""
        record = self._desk.ledger.orders.get(message.order_id)
        if record is None or record.status is not OrderStatus.ABSENT:
            self._desk.emit(events.ReportIgnored(message.ts, message.order_id, "", "it is not absent"))
            return
        text = f"{GIVEN_UP}released by {message.by}"
        self._desk.report(message.ts, ExecutionReport(message.order_id, OrderStatus.REJECTED, message.ts, text=text))

    def override(self, message: inputs.OverrideAsked | inputs.OverrideAgreed) -> None:
        """Take up what a person asks to let pass once, or agrees to; what is not allowed changes nothing."""
        conduct, ts = self._desk.ledger.conduct, message.ts
        if isinstance(message, inputs.OverrideAsked):
            asked = Override(
                conduct.overrides_made + 1, message.strategy, message.symbol, message.side, message.qty,
                message.rule, message.why, message.until, message.by,
            )  # fmt: skip
            sandbox = self._desk.sandboxes.get(asked.strategy)
            if sandbox is not None and asked.symbol in sandbox.slots and not objection_to(asked, ts):
                self._desk.emit(events.OverrideProposed(ts, asked))
            return
        known = conduct.overrides.get(message.number)
        if known is not None and not known.approved_by and is_another(known.by, message.by) and ts < known.until:
            self._desk.emit(events.OverrideGranted(ts, msgspec.structs.replace(known, approved_by=message.by)))

    def reconciled(self, message: inputs.Reconciled) -> None:
        """Remember up to when the account's records are in the books."""
        self._desk.emit(events.AccountReconciled(message.ts, message.until))

    def split(self, slots: Iterable[Slot], split: inputs.Split) -> None:
        """Scale what a symbol's slots held when it was split; what was sold since in old shares leaves some over."""
        desk = self._desk
        for slot in slots:
            name = slot.sandbox.spec.name
            since = desk.ledger.executed_since(name, slot.symbol, split.effective)
            before = EXACT.subtract(slot.position.qty, since)
            if not before:
                continue
            qty = EXACT.add(floor_to(multiply(before, split.ratio), NANO), since)
            desk.emit(events.PositionSplit(split.ts, name, slot.symbol, split.ratio, qty))
            desk.refresh(slot)
            if slot.held and not slot.target and slot.order is None:
                desk.leave(slot, Reason.SIGNAL, ts=split.ts, price=slot.listing.mark)
        if held := desk.ledger.account.external.get(split.symbol):
            qty = floor_to(multiply(held, split.ratio), NANO)
            desk.emit(events.PositionSplit(split.ts, "", split.symbol, split.ratio, qty))
        if split.activity_id:
            desk.emit(events.CashBooked(split.ts, split.activity_id, "SPLIT", "", split.symbol, ZERO))

    def knows(self, activity_id: str) -> bool:
        """Tell whether something that happened in the account is in the books."""
        return activity_id in self._desk.ledger.account.activities

    def take_external(self, message: inputs.ExternalReported) -> None:
        """Book an execution of another hand, or its reversal; each once, and none from before the books began."""
        report, account = message.report, self._desk.ledger.account
        name = report.reverses or report.execution_id
        booked = account.executions.get(name)
        if report.reverses and booked is not None:
            self._desk.emit(events.ExternalReversed(message.ts, name, booked.qty, booked.price))
        elif report.reverses or name in account.executions or report.ts <= account.opened_at:
            why = "takes back an unknown execution" if report.reverses else "execution already booked"
            self._desk.emit(events.ReportIgnored(message.ts, report.order_id, report.execution_id, why))
        else:
            self._desk.emit(events.ExternalFilled(
                report.ts, message.symbol, message.side, report.qty, report.price, report.fee, report.fee_asset,
                report.order_id, name,
            ))  # fmt: skip

    def take_activity(self, message: inputs.ActivityReported) -> None:
        """Book money that moved without a trade: to those who hold what it was paid for, else to the account."""
        if self.knows(message.activity_id):
            return
        left = message.amount
        held = self._desk.ledger.holdings().get(message.symbol, ZERO)
        for sandbox in self._desk.sandboxes.values():
            slot = sandbox.slots.get(message.symbol)
            if not held or slot is None or not slot.position.qty:
                continue
            share = share_of(message.amount, slot.position.qty, held)
            left = EXACT.subtract(left, share)
            self._book_cash(message, sandbox.spec.name, share)
            self._desk.watch(sandbox)
        self._book_cash(message, "", left)

    def _book_cash(self, message: inputs.ActivityReported, strategy: str, amount: Decimal) -> None:
        self._desk.emit(events.CashBooked(
            message.ts, message.activity_id, message.kind, strategy, message.symbol, amount, message.text
        ))  # fmt: skip
