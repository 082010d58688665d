"""A process ends anywhere, and another goes on with its books: same state, same wishes, no order twice."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.build import T0, Rehearsal, bar, by_minute, spec
from trader.books.ledger import Ledger
from trader.engine.engine import Engine
from trader.engine.sandbox import SandboxSpec
from trader.engine.summary import summarize
from trader.model.events import (
    BooksCreated,
    BooksOpened,
    CapitalChanged,
    CashBooked,
    DayStarted,
    OrderCreated,
    SandboxOpened,
    SessionStarted,
    TargetSet,
)
from trader.model.inputs import ActivityReported, ExternalReported, History, Opened, Reported, Ticks, TimerFired
from trader.model.orders import ExecutionReport, OrderStatus, Reason, Side
from trader.model.time import DAY, MINUTE

DAY_MINUTES = DAY // MINUTE


def restarted(desk: Rehearsal, *specs: SandboxSpec, at: int = 10) -> Rehearsal:
    """Return a desk of a new process on the books of ``desk``, with the same venue, opened at minute ``at``."""
    fresh = Rehearsal.__new__(Rehearsal)
    fresh.engine = Engine(specs, book_id="other")
    fresh.engine.desk.ledger.recover(desk.events)
    fresh.venue, fresh.events = desk.venue, []
    fresh.take(Opened(T0 + at * MINUTE))
    return fresh


def test_a_desk_that_is_opened_again_has_the_same_books_and_says_so() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 3: 0.0, 4: 0.5})))
    desk.closes(100, 101, 102, 103, 104)
    digest = desk.engine.desk.ledger.digest()
    again = restarted(desk, spec(by_minute({})))
    (started,) = again.of(SessionStarted)
    assert started.digest == digest == Ledger.fold(desk.events).digest()
    assert again.of(SandboxOpened) == again.of(BooksCreated) == []
    assert again.book().cash == desk.book().cash


def test_recovered_books_that_were_not_opened_are_no_result_of_a_run() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0})))
    desk.closes(100, 101)
    fresh = Engine([spec(by_minute({}))], book_id="other")
    fresh.desk.ledger.recover(desk.events)
    assert summarize(fresh, "PAPER").strategies == []


def test_a_stop_that_was_due_is_asked_for_again_after_a_restart() -> None:
    wishes = by_minute({1: 1.0})
    desk = Rehearsal(spec(wishes, stop_loss="0.05"))
    desk.closes(100, 100)
    step = desk.engine.handle(TimerFired(T0))  # nothing; then a stop whose order never leaves: the process dies
    assert not step.commands
    slot = desk.engine.sandboxes[0].slots["SPY"]
    desk.engine.desk.leave(slot, Reason.STOP_LOSS, ts=T0 + 3 * MINUTE, price=90.0)
    desk.events += [event for event in desk.engine.desk.events if isinstance(event, TargetSet)]  # what was durable

    again = restarted(desk, spec(by_minute({}), stop_loss="0.05"))
    again.closes(90, 90, start=11)
    (exit_order,) = again.of(OrderCreated)
    assert exit_order.approved.intent.reason is Reason.STOP_LOSS
    assert again.book().position("SPY").qty == 0


def test_an_entry_that_never_left_is_not_made_up_for_after_a_restart() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0}), max_daily_trades=0))
    desk.closes(100, 100)
    again = restarted(desk, spec(by_minute({})))
    again.closes(100, 100, start=11)
    assert again.of(OrderCreated) == []


def test_an_order_in_flight_keeps_its_reservation_and_its_end_is_booked_by_the_next_process() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0})))
    desk.minute(bar(minute=1))
    (order,) = desk.of(OrderCreated)
    again = restarted(desk, spec(by_minute({})))
    assert again.book().reserved == order.approved.reserved > 0
    again.closes(100, start=11)
    assert again.book().position("SPY").qty == order.approved.intent.qty
    assert again.book().reserved == 0


def test_a_repeated_report_is_known_after_a_restart() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0})))
    desk.closes(100, 100)
    (fill,) = desk.fills
    again = restarted(desk, spec(by_minute({})))
    before = again.engine.desk.ledger.digest()
    report = ExecutionReport(fill.order_id, OrderStatus.FILLED, fill.ts, fill.execution_id, fill.qty, fill.price)
    again.take(Reported(T0 + 11 * MINUTE, report))
    assert again.engine.desk.ledger.digest() == before


def test_order_numbers_go_on_where_they_ended() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 2: 0.0})))
    desk.closes(100, 100, 100)
    again = restarted(desk, spec(by_minute({11: 1.0})))
    again.closes(100, 100, start=11)
    ids = [event.approved.order_id.rpartition(".")[0] for event in desk.of(OrderCreated) + again.of(OrderCreated)]
    assert ids == ["t.one.1", "t.one.2", "t.one.3"]


def test_the_days_loss_and_its_trades_are_still_those_of_the_day_after_a_restart() -> None:
    limits: dict[str, Any] = {"max_daily_loss": "100", "max_daily_trades": 2}
    desk = Rehearsal(spec(by_minute({1: 1.0}), **limits))
    desk.closes(100, 100, 90, 90)
    assert desk.book().loss_reached
    again = restarted(desk, spec(by_minute({11: 1.0}), **limits))
    again.closes(90, 90, start=11)
    assert again.book().loss_reached
    assert again.book().daily_trades == 2
    assert again.of(DayStarted) == []


def test_a_day_that_began_while_nobody_ran_begins_with_the_first_bar() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0}), max_daily_trades=2))
    desk.closes(100, 100)
    again = restarted(desk, spec(by_minute({}), max_daily_trades=2), at=DAY_MINUTES)
    again.closes(110, 110, start=DAY_MINUTES + 1)
    (day,) = again.of(DayStarted)
    assert again.book().daily_trades == 0
    assert again.of(BooksOpened)[0].ts == day.ts


def test_a_strategy_that_is_new_keeps_no_other_one_in_yesterday() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0}), max_daily_trades=1))
    desk.closes(100, 100)
    both = spec(by_minute({}), max_daily_trades=1), spec(by_minute({}), name="two")
    again = restarted(desk, *both, at=DAY_MINUTES)
    again.closes(110, 110, start=DAY_MINUTES + 1)
    assert [day.strategy for day in again.of(DayStarted)] == ["one"]
    assert again.book().daily_trades == 0


def test_a_strategy_that_is_back_begins_its_day_and_no_other_one_does_so_twice() -> None:
    one, two = (spec(by_minute({1: 0.5, DAY_MINUTES + 2: 0.0}), name=name) for name in ("one", "two"))
    desk = Rehearsal(one, two)
    desk.closes(100, 100)
    alone = restarted(desk, one, at=DAY_MINUTES)
    alone.closes(110, 110, 110, start=DAY_MINUTES + 1)
    alone.events = [*desk.events, *alone.events]
    again = restarted(alone, one, two, at=DAY_MINUTES + 10)
    again.closes(110, start=DAY_MINUTES + 11)
    assert [day.strategy for day in (*alone.of(DayStarted), *again.of(DayStarted))] == ["one", "two"]
    assert [again.book(name).daily_trades for name in ("one", "two")] == [1, 0]
    assert again.book("two").day_equity == 10000, "what it held is not lost from the base of its loss"


def test_books_that_were_saved_are_recovered_without_what_came_before() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 2 + DAY_MINUTES: 0.0}), "SPY", "QQQ", stop_loss="0.5"))
    desk.closes(100, 101)
    desk.closes(100, 101, 102, start=DAY_MINUTES + 1)
    saved = next(number for number, event in enumerate(desk.events) if isinstance(event, BooksOpened))
    short = Ledger.fold(desk.events[saved:])
    assert short.digest() == Ledger.fold(desk.events).digest() == desk.engine.desk.ledger.digest()


def test_more_capital_changes_neither_profit_nor_the_days_loss() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5})))
    desk.closes(100, 100, 90)
    again = restarted(desk, spec(by_minute({}), cash="12000"))
    (changed,) = again.of(CapitalChanged)
    assert changed.amount == 2000
    book = again.book()
    assert book.opening_cash == book.day_equity == 12000
    assert book.realized == desk.book().realized
    assert again.engine.desk.ledger.account.cash == -2000


class TestTheAccountsOwn:
    def desk(self) -> Rehearsal:
        desk = Rehearsal.__new__(Rehearsal)
        one = Rehearsal(spec(by_minute({1: 0.5})), spec(by_minute({1: -0.1}), name="two", allow_short=True))
        desk.engine, desk.venue, desk.events = (
            Engine([spec(by_minute({1: 0.5})), spec(by_minute({1: -0.1}), name="two", allow_short=True)], book_id="t"),
            one.venue,
            [],
        )
        desk.take(Opened(T0, "PA1", Decimal(50_000), {"SPY": Decimal(7)}))
        return desk

    def test_what_the_account_held_before_is_external_and_its_cash_unallocated(self) -> None:
        ledger = self.desk().engine.desk.ledger
        assert ledger.holdings() == {"SPY": 7}
        assert ledger.account.cash == 30_000
        assert ledger.cash() == 50_000
        assert ledger.account.number == "PA1"

    def test_an_order_of_another_hand_is_booked_once_and_changes_no_sandbox(self) -> None:
        desk = self.desk()
        desk.closes(100, 100)
        before = [book.cash for book in desk.engine.desk.ledger.books.values()]
        report = ExecutionReport("v1", OrderStatus.FILLED, T0 + 1, "v1@3", Decimal(3), Decimal(10))
        for _ in range(2):
            desk.take(ExternalReported(T0 + 2, "SPY", Side.SELL, report))
        ledger = desk.engine.desk.ledger
        assert ledger.account.external == {"SPY": 4}
        assert ledger.account.cash == 30_030
        assert [book.cash for book in ledger.books.values()] == before

        bust = ExecutionReport("v1", OrderStatus.FILLED, T0 + 3, "v1@3!bust", reverses="v1@3")
        for _ in range(2):
            desk.take(ExternalReported(T0 + 4, "SPY", Side.SELL, bust))
        assert ledger.account.external == {"SPY": 7}
        assert ledger.account.cash == 30_000

    def test_what_was_executed_before_the_books_began_is_in_them_already(self) -> None:
        desk = self.desk()
        report = ExecutionReport("v1", OrderStatus.FILLED, T0 - 1, "v1@3", Decimal(3), Decimal(10))
        desk.take(ExternalReported(T0 + 2, "SPY", Side.SELL, report))
        assert desk.engine.desk.ledger.account.external == {"SPY": 7}

    def test_a_dividend_goes_to_who_holds_the_share_to_the_last_cent(self) -> None:
        desk = self.desk()
        desk.closes(100, 100)
        ledger = desk.engine.desk.ledger
        held = {name: book.position("SPY").qty for name, book in ledger.books.items()}
        total = ledger.holdings()["SPY"]
        before = {name: book.cash for name, book in ledger.books.items()}
        for _ in range(2):  # told twice
            desk.take(ActivityReported(T0 + 5 * MINUTE, "a1", "DIV", "SPY", total * Decimal("0.3")))
        gained = {name: book.cash - before[name] for name, book in ledger.books.items()}
        assert gained == {name: qty * Decimal("0.3") for name, qty in held.items()}
        assert gained["two"] < 0 < gained["one"]
        assert sum(event.amount for event in desk.of(CashBooked)) == total * Decimal("0.3")
        assert ledger.cash() == sum(event.amount for event in desk.of(CashBooked)) + sum(before.values()) + 30_000


@settings(max_examples=25)
@given(
    wishes=st.dictionaries(st.integers(1, 40), st.sampled_from([-1.0, -0.3, 0.0, 0.4, 1.0]), min_size=5),
    closes=st.lists(st.integers(80, 120), min_size=40, max_size=40),
    cuts=st.sets(st.integers(2, 39), max_size=6),
)
def test_restarts_between_minutes_change_no_book(wishes: dict[int, float], closes: list[int], cuts: set[int]) -> None:
    wishes = {minute + 840: wish for minute, wish in wishes.items()}  # across midnight in New York

    def specs() -> list[SandboxSpec]:
        return [spec(by_minute(wishes), "SPY", "QQQ", allow_short=True, stop_loss="0.1", max_daily_loss="900")]

    def run(cuts: set[int]) -> Rehearsal:
        desk, events = Rehearsal(*specs()), []
        for minute, close in enumerate(closes, start=1):
            if minute in cuts:
                fresh = Rehearsal.__new__(Rehearsal)
                fresh.engine, fresh.venue = Engine(specs(), book_id="other"), desk.venue
                events += desk.events
                fresh.engine.desk.ledger.recover(events)
                fresh.events, desk = [], fresh
                desk.take(Opened(T0 + (minute + 839) * MINUTE))
                before = closes[minute - 2]  # what warm-up would show: marks are known before the first decision
                shown = [bar("SPY", minute + 839, close=before), bar("QQQ", minute + 839, close=200 - before)]
                desk.take(History(shown[0].ts, shown))  # in one: the second of a minute is late
            at = minute + 840
            desk.minute(bar("SPY", at, close=close), bar("QQQ", at, close=200 - close))
        return desk

    whole, cut = run(set()), run(cuts)
    for name in ("cash", "realized", "fills", "daily_trades", "loss_reached", "reserved"):
        assert getattr(whole.book(), name) == getattr(cut.book(), name), name


@pytest.mark.parametrize("hidden", ["cash", "targets", "denials", "day_ts", "state", "reserved"])
def test_the_digest_sees_every_figure(hidden: str) -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 2: 0.0})))
    desk.closes(100, 100)
    changed = {
        "cash": Decimal(1),
        "targets": {},
        "denials": {"x": 1},
        "day_ts": 1,
        "state": "halted",
        "reserved": Decimal(2),
    }
    before = desk.engine.desk.ledger.digest()
    setattr(desk.book(), hidden, changed[hidden])
    assert desk.engine.desk.ledger.digest() != before


def test_ids_say_whose_order_it_is_within_48_characters() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5}), name="Ünïcode and a name that is very long indeed"), book_id="123456789")
    desk.closes(100)
    (order,) = desk.of(OrderCreated)
    assert order.approved.order_id.startswith("123456789.-n-code-and-a-name-t.1.")
    assert len(order.approved.order_id) <= 48


def test_a_fill_of_a_symbol_that_nobody_has_priced_yet_is_worth_what_it_cost() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5}), "SPY", "QQQ"))
    desk.minute(bar("SPY", 1))
    again = Engine([spec(by_minute({11: 0.5}), "SPY", "QQQ")], book_id="other")
    again.desk.ledger.recover(desk.events)
    at = T0 + 10 * MINUTE
    again.handle(Opened(at))
    (order,) = desk.of(OrderCreated)
    report = ExecutionReport(order.approved.order_id, OrderStatus.FILLED, at, "e1", Decimal(50), Decimal(100))
    again.handle(Reported(at, report))
    again.handle(Ticks(at + MINUTE, [bar("QQQ", 11)]))
    step = again.handle(TimerFired(at + 2 * MINUTE))
    assert [event.approved.intent.symbol for event in step.events if isinstance(event, OrderCreated)] == ["QQQ"]
