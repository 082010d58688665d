"""A market with holes: missed bars that come later, revised ones, entries held back, splits, fills taken back."""

from decimal import Decimal

import pytest

from tests.build import T0, Rehearsal, Scripted, always, bar, by_minute, minutes_of, spec
from trader.model.events import (
    BarRefused,
    BarRevised,
    BarsBackfilled,
    EntriesHeld,
    EntriesReleased,
    FillReversed,
    OrderDenied,
    PositionSplit,
    ReportIgnored,
)
from trader.model.inputs import Backfilled, Held, Released, Reported, Revised, Split, Ticks
from trader.model.orders import ExecutionReport, OrderStatus, Side
from trader.model.signals import Target
from trader.model.time import MINUTE


def closes_of(desk: Rehearsal, symbol: str = "SPY", n: int = 10) -> list[float]:
    return [float(close) for close in desk.engine.sandboxes[0].context.closes(symbol, n)]


# --- missed bars -----------------------------------------------------------------------------------------------------


def test_missed_bars_reach_windows_and_memories_in_order_and_nobody_decides_on_them() -> None:
    watcher = Scripted(lambda bar: Target(bar.symbol, 1.0) if bar.ts > T0 + 2 * MINUTE else None)
    desk = Rehearsal(spec(watcher))
    desk.closes(100, 101)
    desk.take(Backfilled(T0 + 5 * MINUTE, [bar(minute=3, close=102), bar(minute=4, close=103)]))
    assert minutes_of(watcher.seen) == [1, 2, 3, 4]
    assert closes_of(desk) == [100, 101, 102, 103]
    assert desk.of(BarsBackfilled) == [BarsBackfilled(T0 + 5 * MINUTE, "SPY", 2, T0 + 4 * MINUTE)]
    assert not desk.of(OrderDenied)
    assert desk.engine.desk.ledger.orders_created == 0
    desk.closes(104, start=5)
    assert desk.engine.desk.ledger.orders_created == 1


def test_a_backfilled_bar_that_the_desk_has_is_refused() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.closes(100, 101)
    desk.take(Backfilled(T0 + 3 * MINUTE, [bar(minute=2, close=99)]))
    (refused,) = desk.of(BarRefused)
    assert refused.bar_ts == T0 + 2 * MINUTE
    assert closes_of(desk) == [100, 101]


def test_a_gap_over_several_longer_bars_leaves_each_of_them_whole() -> None:
    watcher = Scripted(lambda _: None)
    desk = Rehearsal(spec(watcher, bar_minutes=5))
    desk.closes(*range(101, 104))
    desk.take(Backfilled(T0 + 12 * MINUTE, [bar(minute=minute, close=100 + minute) for minute in range(4, 13)]))
    desk.closes(113, 114, 115, start=13)
    assert [(one.open, one.close, one.volume) for one in watcher.seen] == [
        (101, 105, 5000),
        (106, 110, 5000),
        (111, 115, 5000),
    ]


def test_a_stop_that_was_passed_during_the_gap_still_ends_the_position() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0}), stop_loss="0.05"))
    desk.closes(100, 100)
    desk.take(Backfilled(T0 + 4 * MINUTE, [bar(minute=3, close=90), bar(minute=4, close=101)]))
    desk.closes(101, start=5)
    assert [fill.side for fill in desk.fills] == [Side.BUY, Side.SELL]


# --- revised bars ----------------------------------------------------------------------------------------------------


def test_a_revised_bar_replaces_the_one_in_the_window_and_is_no_second_bar() -> None:
    watcher = Scripted(lambda _: None)
    desk = Rehearsal(spec(watcher))
    desk.closes(100, 101, 102)
    desk.take(Revised(T0 + 4 * MINUTE, [bar(minute=2, close=111), bar(minute=3, close=112)]))
    assert closes_of(desk) == [100, 111, 112]
    assert desk.engine.listings["SPY"].mark == 112
    assert len(watcher.seen) == 3
    assert [event.found for event in desk.of(BarRevised)] == [True, True]


def test_a_revision_of_a_minute_that_is_still_open_is_what_the_strategy_sees() -> None:
    watcher = Scripted(lambda _: None)
    desk = Rehearsal(spec(watcher, "SPY", "QQQ"))
    desk.take(Ticks(T0 + MINUTE, [bar(minute=1, close=100)]))
    desk.take(Revised(T0 + MINUTE + 1, [bar(minute=1, close=105)]))
    desk.timers(T0 + 2 * MINUTE)
    assert [one.close for one in watcher.seen] == [105]


def test_a_revised_minute_corrects_the_longer_bar_it_is_part_of_open_or_just_closed() -> None:
    watcher = Scripted(lambda _: None)
    desk = Rehearsal(spec(watcher, bar_minutes=5))
    desk.closes(101, 102)
    desk.take(Revised(T0 + 3 * MINUTE, [bar(minute=2, close=150)]))
    desk.closes(103, 104, 105, start=3)
    assert watcher.seen[0].high == 150
    desk.take(Revised(T0 + 6 * MINUTE, [bar(minute=5, close=160)]))
    assert closes_of(desk) == [160]
    assert not desk.engine.sandboxes[0].slots["SPY"].series.revise(bar(minute=99))


def test_a_revision_of_a_bar_that_was_never_had_changes_nothing_and_is_told() -> None:
    desk = Rehearsal(spec(always(0.0)))
    desk.closes(100)
    desk.take(Revised(T0 + 9 * MINUTE, [bar(minute=7, close=50)]))
    assert closes_of(desk) == [100]
    assert [event.found for event in desk.of(BarRevised)] == [False]


# --- entries held back -----------------------------------------------------------------------------------------------


def test_no_entry_leaves_while_a_cause_holds_and_the_wish_is_worked_after_it() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0})))
    desk.take(Held(T0, "stock stream", ("SPY",), "reconnecting"))
    desk.closes(100, 100)
    assert {event.denied.rule for event in desk.of(OrderDenied)} == {"held"}
    assert desk.of(OrderDenied)[0].denied.value == "stock stream: reconnecting"
    desk.take(Released(T0 + 2 * MINUTE, "stock stream"))
    desk.closes(100, 100, start=3)
    assert [fill.side for fill in desk.fills] == [Side.BUY]
    assert desk.of(EntriesReleased) == [EntriesReleased(T0 + 2 * MINUTE, "stock stream")]


def test_exits_pass_whatever_holds() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 3: 0.0})))
    desk.closes(100, 100)
    desk.take(Held(T0 + 2 * MINUTE, "order stream", (), "not confirmed"))
    desk.closes(100, 100, start=3)
    assert [fill.side for fill in desk.fills] == [Side.BUY, Side.SELL]


def test_a_hold_for_some_symbols_leaves_the_others_alone() -> None:
    desk = Rehearsal(spec(always(0.4), "SPY", "QQQ"))
    desk.take(Held(T0, "halt QQQ", ("QQQ",), "LULD pause"))
    for minute in (1, 2):
        desk.minute(bar("SPY", minute), bar("QQQ", minute))
    assert {fill.symbol for fill in desk.fills} == {"SPY"}


def test_entries_wait_for_the_last_cause_and_an_equal_hold_is_told_once() -> None:
    desk = Rehearsal(spec(always(1.0)))
    for minute in range(2):
        desk.take(Held(T0 + minute * MINUTE, "a", (), "one"))
    desk.take(Held(T0, "b", (), "two"))
    desk.take(Released(T0, "a"))
    desk.take(Released(T0, "a"))
    desk.closes(100, 100)
    assert not desk.fills
    assert len(desk.of(EntriesHeld)) == 2
    assert len(desk.of(EntriesReleased)) == 1


# --- splits and reversals --------------------------------------------------------------------------------------------


def test_a_split_scales_position_mark_and_window_and_the_sandbox_warms_up_anew() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5}), min_warmup_bars=2))
    desk.learn(bar(minute=-1), bar(minute=0))
    desk.closes(100, 100)
    held = desk.book().position("SPY").qty
    worth = desk.engine.sandboxes[0].equity()
    desk.take(Split(T0 + 3 * MINUTE, "SPY", Decimal(4), T0 + 2 * MINUTE))
    position = desk.book().position("SPY")
    assert (position.qty, position.avg_price) == (held * 4, Decimal(25))
    assert desk.engine.sandboxes[0].equity() == worth
    assert closes_of(desk) == [25, 25, 25, 25]
    assert desk.of(PositionSplit) == [PositionSplit(T0 + 3 * MINUTE, "one", "SPY", Decimal(4), held * 4)]
    assert desk.engine.sandboxes[0].state == "warming"
    desk.closes(25, 25, start=4)
    assert desk.engine.sandboxes[0].state == "active"


def test_a_split_learned_after_an_exit_of_old_shares_at_the_new_price_leaves_the_rest_which_is_sold() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5, 3: 0.0})))
    desk.closes(100, 100)
    held = desk.book().position("SPY").qty
    effective = T0 + 2 * MINUTE + 1
    desk.closes(25, 25, start=3)
    assert desk.fills[-1].qty == held
    assert desk.book().position("SPY").qty == 0
    desk.take(Split(T0 + 4 * MINUTE + 1, "SPY", Decimal(4), effective))
    assert desk.book().position("SPY").qty == held * 3
    assert closes_of(desk) == [25, 25, 25, 25]
    assert desk.engine.listings["SPY"].mark == 25
    desk.closes(25, 25, start=5)
    assert desk.book().position("SPY").qty == 0
    assert desk.book().cash == 10000


def test_a_longer_bar_over_a_split_is_built_anew_from_its_minutes() -> None:
    desk = Rehearsal(spec(Scripted(lambda _: None), bar_minutes=5))
    desk.closes(100, 104, 26, 25, 24)
    desk.take(Split(T0 + 5 * MINUTE + 1, "SPY", Decimal(4), T0 + 2 * MINUTE))
    context = desk.engine.sandboxes[0].context
    assert [float(context.highs("SPY", 9)[0]), float(context.lows("SPY", 9)[0])] == [26, 24]


def test_a_split_of_a_symbol_nobody_trades_changes_nothing() -> None:
    desk = Rehearsal(spec(always(1.0)))
    assert not desk.take(Split(T0, "TSLA", Decimal(3), T0)).events


def test_a_split_that_is_told_again_after_a_restart_splits_nothing_twice() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5})))
    desk.closes(100, 100)
    held = desk.book().position("SPY").qty
    for _ in range(2):
        desk.take(Split(T0 + 3 * MINUTE, "SPY", Decimal(4), T0 + 2 * MINUTE, "s-1"))
    assert desk.book().position("SPY").qty == held * 4
    assert "s-1" in desk.engine.desk.ledger.account.activities


def test_a_split_reaches_the_longer_bar_that_is_being_built() -> None:
    watcher = Scripted(lambda _: None)
    desk = Rehearsal(spec(watcher, bar_minutes=5))
    desk.closes(100, 100)
    desk.take(Split(T0 + 3 * MINUTE, "SPY", Decimal(2), T0 + 2 * MINUTE))
    desk.closes(50, 50, 50, start=3)
    assert [(one.high, one.low, one.volume) for one in watcher.seen] == [(50, 50, 2 * 2000 + 3 * 1000)]


@pytest.mark.parametrize("symbol", ["SPY", "BTC/USD"])
def test_an_execution_that_the_venue_takes_back_leaves_no_trace_in_cash_and_position(symbol: str) -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5}), symbol))
    desk.closes(100, 100, symbol=symbol)
    (fill,) = desk.fills
    report = ExecutionReport(fill.order_id, OrderStatus.FILLED, T0 + 3 * MINUTE, "bust", reverses=fill.execution_id)
    desk.take(Reported(T0 + 3 * MINUTE, report))
    book = desk.book()
    assert (book.cash, book.position(symbol).qty, book.position(symbol).cost) == (Decimal(10000), 0, 0)
    assert len(desk.of(FillReversed)) == 1
    desk.take(Reported(T0 + 4 * MINUTE, report))
    assert [event.why for event in desk.of(ReportIgnored)] == ["taken back before"]


def test_an_execution_that_comes_after_its_order_ended_is_booked_and_the_order_stays_ended() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5})))
    desk.closes(100)
    (order_id,) = desk.engine.desk.ledger.orders
    desk.take(Reported(T0 + MINUTE, ExecutionReport(order_id, OrderStatus.CANCELED, T0 + MINUTE)))
    late = ExecutionReport(
        order_id, OrderStatus.PARTIALLY_FILLED, T0 + MINUTE, "x9", Decimal(3), Decimal(100)
    )  # fmt: skip
    desk.take(Reported(T0 + 2 * MINUTE, late))
    assert desk.fills[-1].status is OrderStatus.CANCELED
    assert desk.book().position("SPY").qty == 3
    assert desk.book().reserved == 0


def test_a_bar_that_ends_a_moment_after_our_clock_is_taken_for_its_clock_may_be_right() -> None:
    watcher = Scripted(lambda _: None)
    desk = Rehearsal(spec(watcher))
    desk.take(Ticks(T0 + MINUTE - 1_500_000_000, [bar(minute=1)]))
    desk.take(Ticks(T0 + MINUTE, [bar(minute=4)]))
    assert minutes_of(watcher.seen) == [1]
    assert [event.why for event in desk.of(BarRefused)] == ["ends in the future"]
