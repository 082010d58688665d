"""The last look refuses what became wrong after approval, counts what leaves, and lets reductions pass where it can."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.build import T0
from trader.access.last_look import CheckedVenue, LastLook, WireLimits
from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import VenueRules
from trader.books.ledger import Ledger
from trader.model.conduct import LAST_LOOK
from trader.model.events import (
    DailyLossReached,
    Event,
    FlagCleared,
    FlagRaised,
    OrderCreated,
    OrderFilled,
    OrderMoved,
    SandboxOpened,
    StateSet,
    SymbolLocked,
)
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, OrderIntent, OrderStatus, Reason, Side, TradingState
from trader.model.time import MINUTE, SECOND


class Sender:
    """Books with one strategy of one group, an order at a time, and the last look of whoever sends them."""

    def __init__(self, **limits: Any) -> None:
        self.ledger = Ledger()
        self.ledger.apply(SandboxOpened(T0, "one", Decimal(10_000)))
        self.now = T0
        self.look = LastLook(
            self.ledger, WireLimits(groups={"etf": ["one"], "coins": ["two"]}, **limits), now=lambda: self.now
        )
        self._made = 0

    def approve(self, *, reduces: bool = False, qty: str = "10") -> Approved:
        self._made += 1
        side = Side.SELL if reduces else Side.BUY
        intent = OrderIntent("one", "SPY", side, Decimal(qty), Decimal(100), reduces, Reason.SIGNAL, self.now)
        approved = Approved(f"o{self._made}", intent)
        self.ledger.apply(OrderCreated(self.now, approved))
        return approved

    def asked(self, approved: Approved, qty: str = "10") -> str:
        return self.look(approved, Decimal(qty))

    def halve(self, approved: Approved, status: OrderStatus) -> None:
        """Let five be crossed with another strategy."""
        self.ledger.apply(OrderFilled(
            T0, "one", "SPY", approved.intent.side, Decimal(5), Decimal(100), Decimal(0), "USD", approved.order_id,
            "x:a:b", Decimal(100), Reason.SIGNAL, status, Decimal(0), opened=True,
        ))  # fmt: skip


def flag(scope: str, action: str = "reduce_only") -> FlagRaised:
    return FlagRaised(T0, scope, "max_gross", "hard", action, "1.5", "1.62")


SHUT: dict[str, tuple[Event, str]] = {
    "the desk is halted": (StateSet(T0, "", TradingState.HALTED, "ann", ""), "the desk is halted"),
    "the strategy is paused": (StateSet(T0, "one", TradingState.PAUSED, "ann", ""), "one is paused"),
    "its day's loss": (
        DailyLossReached(T0, "one", Decimal(1), Decimal(2), flatten=False), "one has reached its day's loss",
    ),
    "a lock": (SymbolLocked(T0, "SPY", Decimal(1), Decimal(2), "differs"), "SPY is locked"),
    "a flag of the account": (flag("account"), "max_gross of account: limit 1.5, value 1.62"),
    "a flag of the strategy": (flag("strategy one", "halt_strategy"), "max_gross of strategy one"),
    "a flag of the symbol": (flag("symbol SPY", "force_reduce"), "max_gross of symbol SPY"),
    "a flag of the group": (flag("group etf"), "max_gross of group etf"),
}  # fmt: skip
OPEN: dict[str, Event] = {
    "an alert": flag("account", "alert"),
    "a tighter limit": flag("account", "tighten"),
    "a flag of another strategy": flag("strategy two"),
    "a flag of another group": flag("group coins"),
    "a halt of another strategy": StateSet(T0, "two", TradingState.HALTED, "ann", ""),
    "a lock of another symbol": SymbolLocked(T0, "QQQ", Decimal(1), Decimal(2), "differs"),
}


@pytest.mark.parametrize("case", SHUT)
def test_what_closed_after_the_approval_stops_an_opening_and_no_reduction(case: str) -> None:
    sender, (event, why) = Sender(), SHUT[case]
    opening, exit_ = sender.approve(), sender.approve(reduces=True)
    sender.ledger.apply(event)
    assert sender.asked(opening).startswith(f"{LAST_LOOK}{why}")
    assert sender.asked(exit_) == ""


@pytest.mark.parametrize("case", OPEN)
def test_what_is_not_about_this_order_stops_nothing(case: str) -> None:
    sender = Sender()
    sender.ledger.apply(SandboxOpened(T0, "two", Decimal(1)))
    opening = sender.approve()
    sender.ledger.apply(OPEN[case])
    assert sender.asked(opening) == ""


def test_a_flag_that_was_cleared_stops_nothing() -> None:
    sender = Sender()
    sender.ledger.apply(flag("account"))
    sender.ledger.apply(FlagCleared(T0, "account", "max_gross", "hard", "the measure"))
    assert sender.asked(sender.approve()) == ""


def test_a_decision_that_became_old_does_not_open_and_still_reduces() -> None:
    sender = Sender(max_age_s={"stock": 2.0})
    opening, other, exit_ = sender.approve(), sender.approve(), sender.approve(reduces=True)
    sender.now += 2 * SECOND
    assert sender.asked(opening) == ""
    sender.now += SECOND // 2
    assert sender.asked(other) == f"{LAST_LOOK}decided 2.500 s ago, limit 2 s"
    assert sender.asked(exit_) == ""


@pytest.mark.parametrize(("limit", "span"), [("max_per_second", SECOND), ("max_per_minute", MINUTE)])
def test_more_openings_than_the_rate_do_not_leave_and_reductions_count_but_do(limit: str, span: int) -> None:
    sender = Sender(**{limit: 2})
    assert [sender.asked(sender.approve()), sender.asked(sender.approve(reduces=True))] == ["", ""]
    why = sender.asked(sender.approve())
    assert why == f"{LAST_LOOK}2 orders left within a {limit.removeprefix('max_per_')}, limit 2"
    assert sender.asked(sender.approve(reduces=True)) == ""
    sender.now += span * 8 // 10
    assert sender.asked(sender.approve()) == why.replace("2 orders", "3 orders")
    sender.now += span // 10
    assert sender.asked(sender.approve()) == "", "a decision that was made a span later may leave a little early"


def test_an_order_that_the_books_do_not_know_never_leaves_not_even_to_reduce() -> None:
    sender = Sender()
    exit_ = sender.approve(reduces=True)
    changed = msgspec.structs.replace(exit_, intent=msgspec.structs.replace(exit_.intent, qty=Decimal(11)))
    assert sender.asked(changed, "10") == f"{LAST_LOOK}not what the books approved under this id"
    assert sender.asked(msgspec.structs.replace(exit_, order_id="o9")).endswith("under this id")


def test_children_are_no_more_than_their_parent() -> None:
    sender = Sender()
    opening, exit_ = sender.approve(), sender.approve(reduces=True)
    assert sender.asked(exit_, "10.1") == f"{LAST_LOOK}10.1 would be worked, approved are 10"
    sender.halve(opening, OrderStatus.PENDING)
    assert sender.asked(opening, "6") == f"{LAST_LOOK}11 would be worked, approved are 10"
    assert sender.asked(opening, "5") == ""


@pytest.mark.parametrize("status", [OrderStatus.OPEN, OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED])
def test_an_order_that_is_under_way_called_off_or_over_does_not_leave_again(status: OrderStatus) -> None:
    sender = Sender()
    exit_ = sender.approve(reduces=True)
    sender.ledger.apply(OrderMoved(T0, "one", "SPY", exit_.order_id, status, ""))
    assert sender.asked(exit_).startswith(LAST_LOOK)


def test_a_simulated_venue_never_sees_what_was_refused_and_tells_it_as_rejected() -> None:
    sender = Sender()
    venue = SimExchange(VenueRules(has_fees=False), {"SPY": instrument_of("SPY")})
    checked = CheckedVenue(venue, sender.look, now=lambda: sender.now)
    first, second = sender.approve(), sender.approve()
    checked.submit(first)
    sender.ledger.apply(StateSet(T0, "", TradingState.HALTED, "ann", ""))
    checked.submit(second)
    checked.cancel(second.order_id, T0)
    told = {report.order_id: (report.status, report.text) for report in checked.reports()}
    assert told == {
        "o1": (OrderStatus.OPEN, ""), "o2": (OrderStatus.REJECTED, f"{LAST_LOOK}the desk is halted"),
    }  # fmt: skip
    assert checked.reports() == []
