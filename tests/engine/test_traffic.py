"""Several strategies on one symbol: what crosses, what waits, and what the venue never has to refuse."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import T0, Rehearsal, bar, by_minute, spec
from trader.access.sim.exchange import SimExchange
from trader.access.sim.fills import VenueRules
from trader.books.ledger import Ledger
from trader.engine.engine import Engine
from trader.engine.sandbox import SandboxSpec
from trader.model.commands import SubmitOrder
from trader.model.events import DayStarted, OrderCreated, OrderDenied, OrderMoved, ReportIgnored
from trader.model.inputs import Control, ExternalReported, Held, Opened, OrderReleased, Reported, Ticks
from trader.model.instruments import Instrument, instrument_of
from trader.model.orders import TERMINAL, Approved, ExecutionReport, OrderStatus, Reason, Side
from trader.model.ticks import Quote
from trader.model.time import DAY, MINUTE, SECOND

SLOW = VenueRules(has_fees=False, latency_ns=90 * SECOND)  # an order of one minute fills in the next but one


class StrictExchange(SimExchange):
    """A simulated venue with one account, that knows what Alpaca refuses; here a refusal is a failure."""

    def __init__(self, rules: VenueRules, instruments: dict[str, Instrument]) -> None:
        super().__init__(rules, instruments)
        self.account: dict[str, Decimal] = {}
        self.open: dict[str, tuple[str, Side, Decimal]] = {}

    def submit(self, approved: Approved, crossed: Decimal = Decimal(0)) -> None:
        intent, qty = approved.intent, approved.intent.qty - crossed
        held = self.account.get(intent.symbol, Decimal(0))
        taken = Decimal(0)
        for symbol, side, left in self.open.values():
            if symbol == intent.symbol:
                assert side is intent.side, "potential wash trade detected"
                taken += left
        assert qty > 0, "qty must be > 0"
        if held * intent.side.sign < 0:
            assert qty <= abs(held) - taken, "insufficient qty available for order"
        elif intent.side is Side.SELL:
            assert qty == int(qty), "fractional orders cannot be sold short"
        self.open[approved.order_id] = (intent.symbol, intent.side, qty)
        super().submit(approved, crossed)

    def reports(self) -> list[ExecutionReport]:
        reports = super().reports()
        for report in reports:
            symbol, side, left = self.open[report.order_id]
            self.account[symbol] = self.account.get(symbol, Decimal(0)) + side.sign * report.qty
            self.open[report.order_id] = (symbol, side, left - report.qty)
            if report.status in {OrderStatus.FILLED, OrderStatus.CANCELED}:
                del self.open[report.order_id]
        return reports


class InOrder(Rehearsal):
    """A rehearsal in which no report overtakes another, however much is sent in answer to the first."""

    is_settling = False

    def settle(self, ts: int) -> None:
        if not self.is_settling:
            self.is_settling = True
            super().settle(ts)
            self.is_settling = False


def strict(*specs: SandboxSpec, rules: VenueRules | None = None) -> Rehearsal:
    desk = InOrder(*specs)
    desk.venue = StrictExchange(rules or VenueRules(has_fees=False), {"SPY": instrument_of("SPY")})
    return desk


def box(name: str, wishes: dict[int, float], **parts: Any) -> SandboxSpec:
    return spec(by_minute(wishes), name=name, **{"allow_short": True, **parts})


def sent(desk: Rehearsal, *messages: Any) -> list[SubmitOrder]:
    steps = [desk.take(message) for message in messages]
    return [command for step in steps for command in step.commands if isinstance(command, SubmitOrder)]


def held(desk: Rehearsal) -> dict[str, Decimal]:
    books = desk.engine.desk.ledger.books
    return {name: book.position("SPY").qty for name, book in books.items() if book.position("SPY").qty}


class Silent(SimExchange):
    """A venue that says nothing by itself."""

    def submit(self, approved: Approved, crossed: Decimal = Decimal(0)) -> None:
        """Take an order."""

    def cancel(self, order_id: str, ts: int) -> None:
        """Take a cancel."""


def quiet(*specs: SandboxSpec) -> tuple[Rehearsal, Callable[..., None]]:
    """Return a desk at a venue that says nothing, and what says something about the n-th order for it."""
    desk = Rehearsal(*specs)
    desk.venue = Silent(VenueRules(), {})

    def told(number: int, status: OrderStatus, qty: int = 0) -> None:
        approved = desk.of(OrderCreated)[number].approved
        name = f"e{len(desk.events)}" if qty else ""
        ts = max(event.ts for event in desk.events)
        desk.take(Reported(ts, ExecutionReport(approved.order_id, status, ts, name, Decimal(qty), Decimal(100))))

    return desk, told


def first_id(desk: Rehearsal) -> str:
    return str(desk.of(OrderCreated)[0].approved.order_id)


def made(desk: Rehearsal) -> list[str]:
    return [event.approved.intent.strategy for event in desk.of(OrderCreated)]


# --- crossing --------------------------------------------------------------------------------------------------------


def test_one_leaves_as_another_comes_and_no_order_leaves_the_desk() -> None:
    desk = strict(box("out", {1: 0.5, 3: 0.0}), box("in", {3: 0.5}))
    desk.closes(100, 100)
    commands = sent(desk, Ticks(T0 + 3 * MINUTE, [bar(minute=3, open=101, close=100)]))
    assert commands == []
    sell, buy = desk.fills[-1], desk.fills[-2]
    assert (sell.strategy, buy.strategy) == ("out", "in")
    assert sell.execution_id == buy.execution_id == f"x:{buy.order_id}:{sell.order_id}"
    assert (sell.price, sell.qty, sell.fee) == (buy.price, buy.qty, buy.fee) == (Decimal(100), Decimal(50), Decimal(0))
    assert held(desk) == {"in": Decimal(50)}


def test_what_does_not_cross_goes_to_the_venue_and_only_that() -> None:
    desk = strict(box("out", {1: 0.2, 3: 0.0}), box("in", {3: 0.5}))
    desk.closes(100, 100)
    (order,) = sent(desk, Ticks(T0 + 3 * MINUTE, [bar(minute=3)]))
    assert order.approved.intent.strategy == "in"
    assert (order.approved.intent.qty, order.crossed) == (Decimal(50), Decimal(20))
    assert held(desk) == {"in": Decimal(20)}
    desk.minute(bar(minute=4))
    assert held(desk) == {"in": Decimal(50)}
    assert [fill.execution_id[:2] for fill in desk.fills if fill.strategy == "in"] == ["x:", "si"]
    assert desk.engine.desk.ledger.books["in"].reserved == 0


def test_a_long_and_a_short_are_both_held_and_the_account_holds_neither() -> None:
    desk = strict(box("bull", {1: 0.5, 5: 0.0}), box("bear", {1: -0.5}))
    desk.closes(100, 100, 110)
    assert held(desk) == {"bull": Decimal(50), "bear": Decimal(-50)}
    assert desk.engine.desk.ledger.holdings() == {}
    desk.closes(110, 110, 110, start=4)
    assert held(desk) == {"bear": Decimal(-50)}
    assert desk.book("bull").realized == 500


def test_a_stop_crosses_with_what_the_same_minute_decides() -> None:
    desk = strict(box("hurt", {1: 0.2}, stop_loss="0.05"), box("buyer", {3: 0.2}))
    desk.closes(100, 100)
    assert sent(desk, Ticks(T0 + 3 * MINUTE, [bar(minute=3, close=94)])) != []  # the buyer wants more than is sold
    crossed = [fill for fill in desk.fills if fill.execution_id.startswith("x:")]
    assert {fill.reason for fill in crossed} == {Reason.SIGNAL, Reason.STOP_LOSS}
    assert {fill.price for fill in crossed} == {Decimal("94.0")}


def test_a_price_that_is_not_trusted_crosses_nothing_and_the_second_exit_waits_for_the_first() -> None:
    desk = strict(box("bull", {1: 0.5, 5: 0.0}), box("bear", {1: -0.5, 5: 0.0}))
    desk.closes(100, 100, 100, 100)
    desk.take(Held(T0 + 4 * MINUTE, "stock stream", (), "silent"))
    commands = sent(desk, Ticks(T0 + 5 * MINUTE, [bar(minute=5)]))
    assert [order.approved.intent.strategy for order in commands] == ["bull"]
    desk.closes(100, 100, start=6)
    assert held(desk) == {}
    assert not [fill for fill in desk.fills[2:] if fill.execution_id.startswith("x:")]


def test_a_small_rest_of_an_exit_stays_large_enough_for_the_venue() -> None:
    desk = strict(box("out", {1: 0.50005, 3: 0.0}), box("in", {3: 0.5}))
    desk.closes(100, 100)
    (order,) = sent(desk, Ticks(T0 + 3 * MINUTE, [bar(minute=3)]))
    assert (order.approved.intent.strategy, order.approved.intent.qty - order.crossed) == ("out", Decimal("0.025"))
    desk.closes(100, 100, start=4)
    assert held(desk) == {"in": Decimal(50)}


def test_an_order_that_crossed_in_part_is_found_after_a_restart_with_what_is_still_out() -> None:
    desk = strict(box("out", {1: 0.2, 3: 0.0}), box("in", {3: 0.5}))
    desk.closes(100, 100)
    desk.take(Ticks(T0 + 3 * MINUTE, [bar(minute=3)]))
    ledger = Ledger.fold(desk.events)
    assert ledger.digest() == desk.engine.desk.ledger.digest()
    (record,) = [one for one in ledger.orders.values() if one.status is OrderStatus.OPEN]
    assert (record.crossed, record.filled) == (Decimal(20), Decimal(20))


# --- what may not meet -----------------------------------------------------------------------------------------------


def test_an_entry_waits_for_an_order_on_the_other_side_and_goes_when_that_has_ended() -> None:
    desk, told = quiet(box("out", {1: 0.5, 3: 0.0}), box("in", {4: 0.2}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, 100, 100, start=2)
    (denied,) = desk.of(OrderDenied)
    assert (denied.denied.rule, denied.denied.is_passing) == ("held", True)
    assert "on the other side is open" in denied.denied.value
    told(1, OrderStatus.FILLED, 50)
    assert made(desk) == ["out", "out", "in"]


def test_an_exit_has_the_entry_in_its_way_canceled_and_goes_first_and_the_entry_goes_after_it() -> None:
    desk, told = quiet(box("out", {1: 0.5, 3: 0.0}), box("in", {2: 0.2}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, 100, start=2)
    (canceled,) = [event for event in desk.of(OrderMoved) if event.status is OrderStatus.PENDING_CANCEL]
    assert (canceled.strategy, canceled.text) == ("in", "in the way of an exit of out")
    told(1, OrderStatus.PARTIALLY_FILLED, 5)
    assert made(desk) == ["out", "in"]
    told(1, OrderStatus.CANCELED)
    assert made(desk) == ["out", "in", "out"]
    told(2, OrderStatus.FILLED, 50)
    assert made(desk) == ["out", "in", "out", "in"]
    assert desk.of(OrderCreated)[-1].approved.intent.qty == 15


def test_of_two_opposite_exits_the_second_waits_for_the_first_and_is_not_refused() -> None:
    desk, told = quiet(box("bull", {1: 0.5, 3: 0.0}), box("bear", {1: -0.5, 4: 0.0}))
    desk.closes(100, 100, 100, 100)
    assert made(desk)[2:] == ["bull"]
    assert desk.of(OrderDenied) == []
    told(2, OrderStatus.FILLED, 50)
    assert made(desk)[2:] == ["bull", "bear"]


def test_a_stop_that_waits_goes_before_the_entry_that_waits() -> None:
    desk, told = quiet(box("entry", {3: -0.3}), box("hurt", {1: 0.5}, stop_loss="0.05"), box("bear", {1: -0.5, 2: 0.0}))
    desk.closes(100, 100)
    desk.minute(bar(minute=3, open=100, low=90, close=94))
    assert made(desk)[2:] == ["bear"]
    told(2, OrderStatus.FILLED, 50)
    assert made(desk)[2:] == ["bear", "hurt"]  # it sells all that the account has
    told(3, OrderStatus.FILLED, 50)
    assert made(desk)[2:] == ["bear", "hurt", "entry"]


def test_an_exit_whose_blocker_ends_unfilled_asks_at_once_too() -> None:
    desk, told = quiet(box("bull", {1: 0.5, 3: 0.0}), box("bear", {1: -0.5, 4: 0.0}))
    desk.closes(100, 100, 100, 100)
    told(2, OrderStatus.REJECTED)
    assert made(desk)[2:] == ["bull", "bear"]
    told(3, OrderStatus.REJECTED)
    assert made(desk)[2:] == ["bull", "bear", "bull"]  # and not the one that was refused just now: at its next bar


def test_an_exit_on_a_quote_waits_too_and_keeps_its_reason() -> None:
    desk, told = quiet(box("hurt", {1: 0.5}, stop_loss="0.05"), box("in", {2: 0.2}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, start=2)
    desk.take(Ticks(T0 + 2 * MINUTE + SECOND, [Quote("SPY", T0 + 2 * MINUTE + SECOND, 94.0, 1.0, 94.0, 1.0)]))
    assert made(desk) == ["hurt", "in"]
    told(1, OrderStatus.CANCELED)
    assert desk.of(OrderCreated)[-1].approved.intent.reason is Reason.STOP_LOSS


def test_an_exit_takes_the_shares_that_an_opening_on_its_side_was_to_take() -> None:
    desk, told = quiet(box("short", {2: -0.4}), box("out", {1: 0.5, 3: 0.0}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, 100, start=2)
    assert made(desk) == ["out", "short", "out"]
    assert desk.of(OrderCreated)[-1].approved.intent.qty == 10  # the account has no more for it yet
    told(1, OrderStatus.CANCELED)
    told(2, OrderStatus.FILLED, 10)
    assert [event.approved.intent.qty for event in desk.of(OrderCreated)][3:] == [40]


def test_an_exit_that_would_take_the_account_through_zero_goes_in_parts() -> None:
    desk = strict(box("bull", {1: 0.5, 6: 0.0}), box("bear", {3: -0.2}))
    desk.closes(100, 100, 100, 100)
    assert held(desk) == {"bull": Decimal(50), "bear": Decimal(-20)}
    desk.closes(*[100] * 5, start=5)
    exits = [event.approved.intent.qty for event in desk.of(OrderCreated) if event.approved.intent.strategy == "bull"]
    assert exits == [50, 30, 20]
    assert held(desk) == {"bear": Decimal(-20)}


def test_an_entry_that_would_take_the_account_through_zero_goes_in_parts() -> None:
    desk = strict(box("bear", {1: -0.2}), box("bull", {3: 0.5}))
    desk.closes(*[100] * 7)
    bought = [event.approved.intent.qty for event in desk.of(OrderCreated) if event.approved.intent.strategy == "bull"]
    assert bought == [20, 30]
    assert held(desk) == {"bear": Decimal(-20), "bull": Decimal(50)}


def test_shares_of_other_hands_count_as_the_accounts() -> None:
    desk = strict(box("one", {2: 0.5}))
    report = ExecutionReport("manual", OrderStatus.FILLED, T0 + 1, "e1", Decimal(15), Decimal(100))
    desk.take(ExternalReported(T0 + 2, "SPY", Side.SELL, report))
    desk.venue.account["SPY"] = Decimal(-15)  # type: ignore[attr-defined]
    desk.closes(*[100] * 5)
    assert [event.approved.intent.qty for event in desk.of(OrderCreated)] == [15, 35]


def test_who_waits_is_not_asked_in_the_middle_of_asking() -> None:
    desk, told = quiet(box("long", {3: 0.3}), box("bear", {1: -0.2, 3: 0.0}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 20)
    bear = desk.engine.desk.sandboxes["bear"].slots["SPY"]
    bear.listing.waiting[bear], bear.unsettled = False, True  # from before
    desk.closes(100, start=3)
    assert made(desk) == ["bear", "long", "bear"]
    told(2, OrderStatus.FILLED, 20)
    assert held(desk) == {}


def test_a_short_beside_other_hands_shares_is_bought_back_in_parts() -> None:
    desk, told = quiet(box("one", {1: -0.5, 2: 0.0}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    report = ExecutionReport("manual", OrderStatus.FILLED, T0 + 1, "e1", Decimal(30), Decimal(100))
    desk.take(ExternalReported(T0 + MINUTE + 2, "SPY", Side.BUY, report))
    desk.closes(100, start=2)
    told(1, OrderStatus.FILLED, 20)
    assert [event.approved.intent.qty for event in desk.of(OrderCreated)] == [50, 20, 30]


def test_positions_of_strategies_that_are_no_longer_run_count_too() -> None:
    desk, told = quiet(box("gone", {1: -0.3}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 30)
    engine = Engine([box("new", {3: 0.5})], book_id="other")
    engine.desk.ledger.recover(desk.events)
    engine.handle(Opened(T0 + 2 * MINUTE))
    (order,) = engine.handle(Ticks(T0 + 3 * MINUTE, [bar(minute=3)])).commands
    assert isinstance(order, SubmitOrder)
    assert order.approved.intent.qty == 30


def test_a_restart_knows_who_is_in_whose_way() -> None:
    specs = box("out", {1: 0.5, 4: 0.0}), box("in", {5: 0.2})
    desk = strict(*specs, rules=SLOW)
    desk.closes(100, 100, 100, 100)
    again = Rehearsal.__new__(Rehearsal)
    again.engine, again.venue, again.events = Engine(specs, book_id="other"), desk.venue, []
    again.engine.desk.ledger.recover(desk.events)
    again.take(Opened(T0 + 4 * MINUTE + 1))
    again.closes(100, start=5)
    assert [event.denied.rule for event in again.of(OrderDenied)] == ["held"]
    again.closes(*[100] * 6, start=6)
    assert held(again) == {"in": Decimal(20)}


def test_an_exit_in_parts_goes_on_in_the_next_process() -> None:
    specs = box("bull", {1: 0.5, 3: 0.0}), box("bear", {2: -0.2})
    desk, told = quiet(*specs)
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, start=2)
    told(1, OrderStatus.FILLED, 20)
    desk.closes(100, start=3)
    (part,) = desk.of(OrderCreated)[2:]
    assert part.approved.intent.qty == 30
    engine = Engine(specs, book_id="other")
    engine.desk.ledger.recover(desk.events)
    engine.handle(Opened(T0 + 4 * MINUTE))
    ended = ExecutionReport(part.approved.order_id, OrderStatus.FILLED, T0, "e9", Decimal(30), Decimal(100))
    (order,) = engine.handle(Reported(T0 + 4 * MINUTE, ended)).commands
    assert isinstance(order, SubmitOrder)
    assert order.approved.intent.qty == 20


def test_stops_that_one_bar_touches_leave_in_config_order_whoever_entered_first() -> None:
    desk = Rehearsal(box("one", {2: 0.5}, stop_loss="0.1"), box("two", {1: 0.5}, stop_loss="0.1"))
    desk.closes(100, 100, 100, 80)
    assert made(desk) == ["two", "one", "one", "two"]
    desk = Rehearsal(box("one", {2: 0.5}, stop_loss="0.1"), box("two", {1: 0.5}, stop_loss="0.1"))
    desk.closes(100, 100, 100)
    desk.minute(Quote("SPY", T0 + 4 * MINUTE, 80.0, 1.0, 80.0, 1.0))
    assert made(desk) == ["two", "one", "one", "two"]


def test_an_exit_that_filled_after_its_end_leaves_a_ticker_that_is_traded_again() -> None:
    desk, told = quiet(box("one", {1: 0.5, 4: 0.5}, stop_loss="0.1"))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(80, start=2)
    told(1, OrderStatus.CANCELED)
    told(1, OrderStatus.FILLED, 50)
    desk.closes(100, 100, start=3)
    assert [event.approved.intent.side for event in desk.of(OrderCreated)] == [Side.BUY, Side.SELL, Side.BUY]


def test_a_position_that_an_exit_turned_around_because_an_entry_was_taken_back_can_be_left() -> None:
    desk, told = quiet(box("one", {1: -0.5, 4: 0.5, 5: 0.0}, allow_short=True, stop_loss="0.1"))
    desk.closes(100)
    told(0, OrderStatus.PARTIALLY_FILLED, 20)
    told(0, OrderStatus.FILLED, 30)
    bust = ExecutionReport(first_id(desk), OrderStatus.FILLED, T0 + 3 * MINUTE, reverses=desk.fills[0].execution_id)
    desk.closes(120, 120, 100, start=2)
    desk.take(Reported(T0 + 4 * MINUTE, bust))
    told(1, OrderStatus.FILLED, 50)
    assert desk.book().position("SPY").qty == 20
    desk.closes(100, start=5)
    assert [event.approved.intent.side for event in desk.of(OrderCreated)] == [Side.SELL, Side.BUY, Side.SELL]


def test_a_position_that_is_back_because_its_exit_was_taken_back_is_left_again() -> None:
    desk, told = quiet(box("one", {1: 0.5, 2: 0.0}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, start=2)
    told(1, OrderStatus.FILLED, 50)
    order_id, execution_id = desk.fills[-1].order_id, desk.fills[-1].execution_id
    bust = ExecutionReport(order_id, OrderStatus.FILLED, T0 + 3 * MINUTE, reverses=execution_id)
    desk.take(Reported(T0 + 3 * MINUTE, bust))
    desk.closes(100, start=3)
    assert [event.approved.intent.side for event in desk.of(OrderCreated)] == [Side.BUY, Side.SELL, Side.SELL]


# --- orders that never showed up -------------------------------------------------------------------------------------


def lost() -> tuple[Rehearsal, Callable[..., None]]:
    """Return a desk whose only entry is absent."""
    desk, told = quiet(spec(by_minute({1: 0.5, 3: 0.5, 5: 0.0})))
    desk.closes(100)
    told(0, OrderStatus.ABSENT)
    return desk, told


def test_an_absent_entry_keeps_its_reservation_and_no_second_one_is_made() -> None:
    desk, _ = lost()
    desk.closes(100, 100, start=2)
    (denied,) = desk.of(OrderDenied)
    assert denied.denied.value == f"order {first_id(desk)} never showed up and still may"
    assert desk.book().reserved > 0


def test_an_absent_entry_that_turns_up_is_canceled_and_then_another_may_be_made() -> None:
    desk, told = lost()
    told(0, OrderStatus.OPEN)
    assert [event.status for event in desk.of(OrderMoved)][-1] is OrderStatus.PENDING_CANCEL
    told(0, OrderStatus.CANCELED)
    assert desk.book().reserved == 0
    desk.closes(100, 100, start=2)
    assert made(desk) == ["one", "one"]


def test_a_wish_that_an_absent_entry_kept_waiting_is_asked_again_when_it_turned_up_and_was_canceled() -> None:
    desk, told = quiet(spec(by_minute({1: 0.5, 3: 0.5})))
    desk.closes(100)
    told(0, OrderStatus.ABSENT)
    desk.closes(100, 100, start=2)
    told(0, OrderStatus.OPEN)
    told(0, OrderStatus.CANCELED)
    desk.closes(100, start=4)  # nothing is said again
    assert made(desk) == ["one", "one"]


def test_what_a_late_entry_brought_stays_if_it_is_wanted_and_can_be_left() -> None:
    desk, told = lost()
    told(0, OrderStatus.FILLED, 50)
    desk.closes(100, 100, start=2)
    assert made(desk) == ["one"]
    desk.closes(100, 100, start=4)
    assert [event.approved.intent.side for event in desk.of(OrderCreated)] == [Side.BUY, Side.SELL]


def test_what_a_late_entry_brought_goes_at_once_if_it_is_not_wanted_any_more() -> None:
    desk, told = lost()
    desk.closes(100, start=5)  # flat is wished
    told(0, OrderStatus.FILLED, 50)
    assert [event.approved.intent.side for event in desk.of(OrderCreated)] == [Side.BUY, Side.SELL]


@pytest.mark.parametrize(
    "arrival",
    [
        [(OrderStatus.FILLED, 50)],
        [(OrderStatus.OPEN, 0), (OrderStatus.FILLED, 50)],
        [(OrderStatus.PARTIALLY_FILLED, 20), (OrderStatus.FILLED, 30)],
        [(OrderStatus.PARTIALLY_FILLED, 20), (OrderStatus.CANCELED, 0)],
    ],
)
@pytest.mark.parametrize("is_flattened", [True, False])
def test_what_a_late_entry_brings_in_spite_of_its_cancel_goes_where_flat_is_wished(
    arrival: list[tuple[OrderStatus, int]], *, is_flattened: bool
) -> None:
    desk, told = lost()
    if is_flattened:
        desk.take(Control(T0 + 2 * MINUTE, "flatten", "one", "ann"))
    else:
        desk.closes(100, start=5)
    for status, qty in arrival:
        told(0, status, qty)
    made_of = [event.approved.intent for event in desk.of(OrderCreated)]
    assert [(intent.side, intent.qty) for intent in made_of[1:]] == [(Side.SELL, desk.book().position("SPY").qty)]


@pytest.mark.parametrize("is_open_first", [True, False])
def test_what_a_late_entry_brings_after_a_restart_stays_as_it_would_have_without_one(*, is_open_first: bool) -> None:
    desk, _ = lost()
    engine = Engine([spec(by_minute({}))], book_id="other")
    engine.desk.ledger.recover(desk.events)
    at = T0 + 2 * MINUTE
    engine.handle(Opened(at))
    if is_open_first:
        engine.handle(Reported(at, ExecutionReport(first_id(desk), OrderStatus.OPEN, at)))
    report = ExecutionReport(first_id(desk), OrderStatus.FILLED, at, "e1", Decimal(50), Decimal(100))
    assert not engine.handle(Reported(at, report)).commands


def test_an_absent_entry_keeps_nobody_from_leaving() -> None:
    desk, told = quiet(box("bear", {1: -0.2}), box("bull", {2: 0.5, 4: 0.0}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 20)
    desk.closes(100, start=2)
    told(1, OrderStatus.FILLED, 20)  # to the account's zero; the rest of the entry follows, and is lost
    told(2, OrderStatus.ABSENT)
    desk.closes(100, 100, start=3)
    assert [event.approved.intent.side for event in desk.of(OrderCreated)][-1] is Side.SELL


def test_what_is_held_beside_an_absent_entry_that_nobody_wants_goes_at_once() -> None:
    desk, told = quiet(box("bear", {1: -0.2}), box("bull", {2: 0.5, 3: 0.0}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 20)
    desk.closes(100, start=2)
    told(1, OrderStatus.FILLED, 20)
    desk.closes(100, start=3)  # the rest of the entry is called off first
    assert made(desk) == ["bear", "bull", "bull"]
    told(2, OrderStatus.ABSENT)
    assert desk.of(OrderCreated)[-1].approved.intent.reduces


def test_a_desk_starts_again_though_a_late_entry_turned_up_beside_an_exit() -> None:
    boxes = box("bear", {1: -0.2}), box("bull", {2: 0.5, 3: 0.0})
    desk, told = quiet(*boxes)
    desk.closes(100)
    told(0, OrderStatus.FILLED, 20)
    desk.closes(100, start=2)
    told(1, OrderStatus.FILLED, 20)
    desk.closes(100, start=3)
    told(2, OrderStatus.ABSENT)
    told(2, OrderStatus.OPEN)
    entry, leaving = (event.approved for event in desk.of(OrderCreated)[2:])
    engine = Engine(boxes, book_id="other")
    engine.desk.ledger.recover(desk.events)
    at = T0 + 4 * MINUTE
    engine.handle(Opened(at))
    engine.handle(
        Reported(at, ExecutionReport(leaving.order_id, OrderStatus.FILLED, at, "e8", Decimal(20), Decimal(100)))
    )
    step = engine.handle(
        Reported(at, ExecutionReport(entry.order_id, OrderStatus.FILLED, at, "e9", entry.intent.qty, Decimal(100)))
    )
    assert [event.approved.intent.reduces for event in step.events if isinstance(event, OrderCreated)] == [True]


def test_a_late_entry_that_turned_up_beside_an_exit_is_in_the_way_of_entries_on_the_other_side() -> None:
    desk, told = quiet(box("bear", {1: -0.2}), box("bull", {2: 0.5, 3: 0.0}), box("third", {4: -0.2, 5: -0.2}))
    desk.closes(100)
    told(0, OrderStatus.FILLED, 20)
    desk.closes(100, start=2)
    told(1, OrderStatus.FILLED, 20)
    desk.closes(100, start=3)
    told(2, OrderStatus.ABSENT)
    told(2, OrderStatus.OPEN)
    desk.closes(100, 100, start=4)
    assert made(desk) == ["bear", "bull", "bull", "bull"]
    told(2, OrderStatus.CANCELED)
    assert made(desk)[4:] == ["third"]


def test_a_bust_within_an_order_that_goes_on_leaves_it_on_its_way() -> None:
    desk, told = quiet(box("one", {1: 0.5}))
    desk.closes(100)
    told(0, OrderStatus.PARTIALLY_FILLED, 20)
    bust = ExecutionReport(
        first_id(desk), OrderStatus.PARTIALLY_FILLED, T0 + MINUTE, reverses=desk.fills[0].execution_id
    )
    desk.take(Reported(T0 + MINUTE, bust))
    told(0, OrderStatus.FILLED, 50)
    assert held(desk) == {"one": Decimal(50)}


def test_a_late_word_about_a_strategy_that_is_gone_is_booked() -> None:
    desk, _ = quiet(box("gone", {1: 0.5}))
    desk.closes(100)
    engine = Engine([box("new", {})], book_id="other")
    engine.desk.ledger.recover(desk.events)
    engine.handle(Opened(T0 + 2 * MINUTE))
    report = ExecutionReport(first_id(desk), OrderStatus.FILLED, T0, "e1", Decimal(50), Decimal(100))
    engine.handle(Reported(T0 + 2 * MINUTE, report))
    assert engine.desk.ledger.holdings() == {"SPY": Decimal(50)}


def test_an_absent_entry_is_given_up_when_its_day_is_over() -> None:
    desk, _ = lost()
    desk.closes(100, start=DAY // MINUTE)
    assert [event.text for event in desk.of(OrderMoved)][-1] == "given up: it did not arrive on its day"
    assert desk.book().reserved == 0


def test_an_absent_entry_of_a_days_last_minutes_is_kept_into_the_next() -> None:
    last = 14 * 60 + 29  # New York midnight is a minute later
    desk, told = quiet(spec(by_minute({last: 0.5})))
    desk.closes(100, start=last)
    told(0, OrderStatus.ABSENT)
    desk.closes(100, 100, start=last + 1)
    assert desk.of(DayStarted), "midnight is over"
    assert desk.of(OrderMoved)[-1].status is OrderStatus.ABSENT


def test_a_person_may_give_up_an_absent_order_and_no_other() -> None:
    desk, _ = lost()
    desk.take(OrderReleased(T0 + 2 * MINUTE, "t.one.9.00000000", "ann"))
    desk.take(OrderReleased(T0 + 2 * MINUTE, first_id(desk), "ann"))
    desk.take(OrderReleased(T0 + 2 * MINUTE, first_id(desk), "ann"))
    assert [event.text for event in desk.of(OrderMoved)][-1] == "given up: released by ann"
    assert [event.why for event in desk.of(ReportIgnored)] == ["it is not absent"] * 2
    assert desk.book().reserved == 0


def test_a_restart_keeps_an_absent_entry_absent() -> None:
    desk, _ = lost()
    engine = Engine([spec(by_minute({3: 0.5}))], book_id="other")
    engine.desk.ledger.recover(desk.events)
    engine.handle(Opened(T0 + 2 * MINUTE))
    step = engine.handle(Ticks(T0 + 3 * MINUTE, [bar(minute=3)]))
    assert [event.denied.rule for event in step.events if isinstance(event, OrderDenied)] == ["held"]


# --- by construction -------------------------------------------------------------------------------------------------

wishes_of = st.dictionaries(st.integers(1, 25), st.sampled_from([-1.0, -0.37, 0.0, 0.21, 0.5, 1.0]), min_size=2)


@settings(max_examples=100, deadline=None)
@given(
    wishes=st.lists(wishes_of, min_size=2, max_size=4),
    closes=st.lists(st.integers(85, 115), min_size=25, max_size=25),
    slow=st.booleans(),
    partly=st.booleans(),
)
def test_the_venue_never_has_to_refuse_and_the_books_add_up_to_the_account(
    wishes: list[dict[int, float]], closes: list[int], *, slow: bool, partly: bool
) -> None:
    rules = VenueRules(has_fees=False, has_partial_fills=partly, latency_ns=90 * SECOND if slow else 0)
    specs = [
        spec(
            by_minute({**wish, **dict.fromkeys(range(26, 40), 0.0)}),
            name=f"box{number}",
            allow_short=number != 1,
            stop_loss="0.1",
        )
        for number, wish in enumerate(wishes)
    ]
    desk = strict(*specs, rules=rules)
    for minute, close in enumerate([*closes, *[100] * 30], start=1):
        desk.minute(bar(minute=minute, close=close))
        account = {symbol: qty for symbol, qty in desk.venue.account.items() if qty}  # type: ignore[attr-defined]
        assert desk.engine.desk.ledger.holdings() == account
        crossed = [fill for fill in desk.fills if fill.execution_id.startswith("x:")]
        assert sum(fill.side.sign * fill.qty * fill.price for fill in crossed) == 0
    assert held(desk) == {}
    assert all(order.status in TERMINAL for order in desk.engine.desk.ledger.orders.values())
    assert all(book.reserved == 0 for book in desk.engine.desk.ledger.books.values())
    assert Ledger.fold(desk.events).digest() == desk.engine.desk.ledger.digest()
    assert not [event for event in desk.of(OrderMoved) if event.status is OrderStatus.REJECTED]
