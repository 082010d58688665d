"""The day's limits, failing strategies, and what the books say of a sandbox."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.build import T0, Rehearsal, Scripted, always, bar, by_minute, minutes_of, spec
from tests.engine.rooms import Watched
from trader.access.sim.fills import VenueRules
from trader.engine.summary import summarize
from trader.model.commands import CancelOrder
from trader.model.events import (
    DailyLossReached,
    DayStarted,
    OrderCreated,
    OrderDenied,
    OrderMoved,
    ReportIgnored,
    SandboxWarmed,
    StrategyFailed,
)
from trader.model.inputs import Reported, Ticks
from trader.model.instruments import instrument_of
from trader.model.orders import ExecutionReport, OrderStatus, Reason, Side
from trader.model.signals import Target
from trader.model.ticks import Bar, Trade
from trader.model.time import DAY, HOUR, MINUTE
from trader.risk.rules import Rules


def test_entries_are_denied_once_the_days_trades_are_reached_and_exits_pass() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 2: 0.0, 3: 1.0, 4: 0.0, 5: 1.0}), max_daily_trades=3))
    desk.closes(100, 100, 100, 100, 100, 100)
    assert [fill.side for fill in desk.fills] == [Side.BUY, Side.SELL, Side.BUY, Side.SELL]
    (denied,) = desk.of(OrderDenied)
    assert (denied.denied.rule, denied.denied.limit, denied.denied.value) == ("max_daily_trades", "3", "4")
    assert desk.book().denials == {"max_daily_trades": 1}


def test_counters_begin_again_with_the_first_bar_that_begins_after_midnight_in_new_york() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 870: 0.0, 872: 1.0}), max_daily_trades=2))
    desk.closes(100, 100)
    desk.minute(bar(minute=870, close=110))  # ends at midnight: still the old day
    assert not desk.of(DayStarted)
    assert desk.book().daily_trades == 2
    desk.minute(bar(minute=871, open=120))  # begins at midnight: its fill is the new day's
    (day,) = desk.of(DayStarted)
    assert day.equity == desk.book().opening_cash + desk.fills[0].qty * 10  # at the last marks before midnight
    assert desk.book().daily_trades == 0
    desk.minute(bar(minute=872))
    assert desk.book().daily_trades == 1


def test_a_crypto_sandbox_ends_its_day_at_midnight_utc() -> None:
    desk = Rehearsal(spec(always(0.0), "BTC/USD", name="coins"), spec(always(0.0), "BTC/USD", "SPY", name="mixed"))
    desk.minute(bar("BTC/USD", 1))
    desk.minute(bar("BTC/USD", 9 * 60 + 31))
    assert [day.strategy for day in desk.of(DayStarted)] == ["coins"]
    desk.minute(bar("BTC/USD", 14 * 60 + 31))
    assert [day.strategy for day in desk.of(DayStarted)] == ["coins", "mixed"]


def test_a_loss_that_reaches_its_limit_flattens_and_closes_the_day() -> None:
    desk = Rehearsal(spec(always(0.5), max_daily_loss="250"))
    desk.closes(100, 100, 95)  # 50 shares lose 5 dollars each: exactly the limit
    (reached,) = desk.of(DailyLossReached)
    assert (reached.limit, reached.loss) == (Decimal(250), Decimal("250.0"))
    desk.minute(bar(minute=4, close=94))
    assert (desk.fills[1].reason, desk.fills[1].decision_price) == (Reason.MAX_DAILY_LOSS, Decimal("95.0"))
    desk.closes(100, 100, start=5)
    assert len(desk.fills) == 2
    assert desk.engine.sandboxes[0].state == "reduce_only"
    assert desk.book().denials == {"max_daily_loss": 3}


def test_a_cent_less_than_the_limit_is_not_the_limit() -> None:
    desk = Rehearsal(spec(always(0.5), max_daily_loss="250.01"))
    desk.closes(100, 100, 95)
    assert not desk.of(DailyLossReached)


def test_hold_keeps_the_position_and_only_forbids_openings() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5, 4: 0.0, 5: 0.5}), max_daily_loss="250", flatten_on_loss=False))
    desk.closes(100, 100, 90, 90, 90, 90)
    assert len(desk.of(DailyLossReached)) == 1
    assert [(fill.side, fill.reason) for fill in desk.fills] == [(Side.BUY, "signal"), (Side.SELL, "signal")]
    assert desk.of(OrderDenied)[0].denied.rule == "max_daily_loss"


def test_a_realised_loss_counts_when_nothing_is_held_any_more() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.5, 2: 0.0}), max_daily_loss="250"))
    desk.closes(100, 100)
    desk.minute(bar(minute=3, open=90, close=100))
    assert len(desk.of(DailyLossReached)) == 1


def test_flattening_cancels_an_entry_that_waits_for_its_symbol() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.4}), "SPY", "QQQ", max_daily_loss="250"))
    desk.minute(bar("SPY", 1), bar("QQQ", 1))
    desk.minute(bar("SPY", 2, open=100, close=90))
    assert OrderStatus.CANCELED in [event.status for event in desk.of(OrderMoved)]
    desk.minute(bar("SPY", 3, close=90), bar("QQQ", 3))
    assert [(fill.symbol, fill.side) for fill in desk.fills] == [("SPY", Side.BUY), ("SPY", Side.SELL)]
    assert desk.book().reserved == 0


def test_the_next_day_opens_again_and_measures_from_its_own_start() -> None:
    desk = Rehearsal(spec(always(0.5), max_daily_loss="250"))
    desk.closes(100, 100, 95, 95)
    desk.closes(95, 95, start=14 * 60 + 31)
    assert len(desk.of(DayStarted)) == 1
    assert desk.fills[-1].side is Side.BUY
    assert desk.engine.sandboxes[0].state == "active"


def test_a_loss_of_the_first_day_outlives_a_restart_also_where_the_books_began_the_day_before() -> None:
    first = 24 * 60  # minutes after the books began
    settings = spec(by_minute({first + 1: 1.0}), max_daily_loss="500")
    desk = Rehearsal(settings)
    desk.closes(100, 100, 90, start=first + 1)
    assert len(desk.of(DayStarted)) == 1
    assert desk.book().loss_reached
    again = Watched(Rules(), settings, books=desk.events, at=T0 + (first + 4) * MINUTE)
    again.closes(100, start=first + 5)
    assert again.book().loss_reached


def test_losses_of_one_minute_are_told_in_config_order_whoever_entered_first() -> None:
    one, two = (spec(by_minute({3 - n: 1.0}), name=name, max_daily_loss="500") for n, name in ((1, "one"), (2, "two")))
    desk = Rehearsal(one, two)
    desk.closes(100, 100, 100, 90)
    assert [event.strategy for event in desk.of(DailyLossReached)] == ["one", "two"]


def test_cash_that_a_gap_made_negative_denies_entries_until_it_is_positive() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.9, 2: 0.5, 3: 0.0, 5: 0.5}), "SPY"), spec(always(0.0), "QQQ", name="other"))
    desk.minute(bar(minute=1, close=100))
    desk.minute(bar(minute=2, open=120, close=120))
    assert desk.book().cash == Decimal(10000) - 90 * 120
    box = Rehearsal(spec(by_minute({1: 0.9, 2: 0.5}), "SPY", "QQQ"))
    box.minute(bar("SPY", 1, close=100))
    box.minute(bar("SPY", 2, open=120, close=120), bar("QQQ", 2))
    assert box.of(OrderDenied)[0].denied.rule == "cash"


class TestFailingStrategies:
    def failing(self, answer: Any, **settings: Any) -> Rehearsal:
        def say(one: Bar) -> Any:
            if (one.ts - T0) // MINUTE < 3:
                return Target(one.symbol, 0.5)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return Rehearsal(spec(Scripted(say), name="bad", **settings), spec(always(0.5), name="good"))

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            (ValueError("no idea"), "ValueError: no idea"),
            (SystemExit(1), "SystemExit: 1"),
            (Target("SPY", float("nan")), "target fraction nan for SPY; allowed: -1.0 to 1.0"),
            (Target("SPY", 1.5), "target fraction 1.5"),
            (Target("TSLA", 1.0), "target for unknown symbol 'TSLA'; this sandbox trades SPY"),
            (0.5, "on_bar answered 0.5; allowed: Target(symbol, fraction), a list of them, or None"),
            ([Target("SPY", 0.5), "x"], "on_bar answered 'x'"),
            (Target("SPY", "much"), "TypeError"),  # type: ignore[arg-type]
        ],
    )
    def test_it_is_halted_by_name_and_flattened_and_its_sibling_misses_nothing(self, answer: Any, message: str) -> None:
        desk = self.failing(answer)
        desk.closes(100, 100, 100, 100, 100)
        (failed,) = desk.of(StrategyFailed)
        assert (failed.strategy, failed.symbol) == ("bad", "SPY")
        assert message in failed.error
        assert "Traceback" in failed.traceback
        assert [fill.reason for fill in desk.fills if fill.strategy == "bad"] == ["signal", "strategy_failed"]
        assert [box.state for box in desk.engine.sandboxes] == ["halted", "active"]
        assert minutes_of(desk.engine.sandboxes[1].spec.strategy.seen) == [1, 2, 3, 4, 5]  # type: ignore[attr-defined]

    def test_hold_keeps_the_position_and_its_stop_still_watches(self) -> None:
        desk = self.failing(ValueError("no idea"), flatten_on_error=False, stop_loss="0.05")
        desk.closes(100, 100, 100, 100)
        assert len([fill for fill in desk.fills if fill.strategy == "bad"]) == 1
        desk.minute(bar(minute=5, low=95, close=100))
        desk.minute(bar(minute=6))
        assert [fill.reason for fill in desk.fills if fill.strategy == "bad"] == ["signal", "stop_loss"]

    def test_it_may_fail_while_it_warms_up(self) -> None:
        def say(_: Bar) -> Any:
            raise RuntimeError("cold")

        desk = Rehearsal(spec(Scripted(say), min_warmup_bars=9))
        desk.learn(bar(minute=0))
        desk.closes(100, 100)
        assert [event.error for event in desk.of(StrategyFailed)] == ["RuntimeError: cold"]
        desk.closes(*[100] * 9, start=3)
        assert not desk.of(SandboxWarmed)
        assert desk.engine.sandboxes[0].state == "halted"

    def test_a_recursion_without_end_leaves_a_short_traceback(self) -> None:
        def say(one: Bar) -> Any:
            return say(one)

        desk = Rehearsal(spec(Scripted(say)))
        desk.closes(100)
        assert len(desk.of(StrategyFailed)[0].traceback.splitlines()) < 100


class TestReports:
    def test_an_exit_that_ends_unfilled_is_sent_again_at_the_next_bar(self) -> None:
        desk = Rehearsal(spec(by_minute({1: 1.0, 2: 0.0}), "SPY"))
        desk.closes(100, 100)
        exit_id = desk.of(OrderCreated)[1].approved.order_id
        desk.venue.cancel(exit_id, T0)
        desk.settle(T0)
        assert len(desk.of(OrderCreated)) == 2
        desk.minute(bar(minute=3))
        assert len(desk.of(OrderCreated)) == 3
        desk.minute(bar(minute=4))
        assert desk.book().position("SPY").qty == 0

    def test_a_report_that_means_nothing_changes_nothing(self) -> None:
        desk = Rehearsal(spec(always(1.0)))
        desk.closes(100, 100)
        before = desk.book().cash
        desk.take(Reported(T0, ExecutionReport("sim-9", OrderStatus.FILLED, T0, "x", Decimal(1), Decimal(1))))
        assert [event.why for event in desk.of(ReportIgnored)] == ["unknown order"]
        assert desk.book().cash == before


class TestContext:
    def test_a_strategy_sees_its_own_windows_book_and_time(self) -> None:
        seen: list[tuple[Any, ...]] = []

        class Curious:
            warmup = 1

            def on_bar(self, one: Bar, ctx: Any) -> Any:
                columns = [
                    tuple(column("SPY", 2)) for column in (ctx.opens, ctx.highs, ctx.lows, ctx.closes, ctx.volumes)
                ]
                seen.append((ctx.now - T0, ctx.position("SPY"), ctx.cash, ctx.equity, columns))
                return Target("SPY", 0.5)

        desk = Rehearsal(spec(Curious()))
        desk.minute(bar(minute=1, open=1, high=9, low=1, close=100, volume=5))
        desk.minute(bar(minute=2, open=100, high=100, low=90, close=110, volume=6))
        assert seen[0] == (MINUTE, 0.0, 10000.0, 10000.0, [(1,), (9,), (1,), (100,), (5,)])
        now, held, cash, equity, columns = seen[1]
        assert (now, held, cash, equity) == (2 * MINUTE, 50.0, 5000.0, 10500.0)
        assert columns == [(1, 100), (9, 100), (1, 90), (100, 110), (5, 6)]

    def test_windows_cannot_be_written(self) -> None:
        class Vandal:
            warmup = 1

            def on_bar(self, one: Bar, ctx: Any) -> Any:
                ctx.closes("SPY", 1)[0] = 0.0

        desk = Rehearsal(spec(Vandal()))
        desk.minute(bar(minute=1))
        assert "read-only" in desk.of(StrategyFailed)[0].error


def test_the_summary_shows_books_marks_and_refusals_and_sums_to_the_last_digit() -> None:
    desk = Rehearsal(
        spec(always(0.5), name="in", max_daily_trades=1),
        spec(by_minute({1: 1.0, 2: 0.0, 3: 1.0}), "BTC/USD", name="coins", max_daily_trades=2),
        rules=VenueRules(),
    )
    for minute in range(1, 5):
        desk.minute(bar("SPY", minute, close=100 + minute), bar("BTC/USD", minute, close=60000.1 + minute))
    summary = summarize(desk.engine, "SIM")
    spy, coins = summary.strategies
    assert spy.positions[0].value == spy.positions[0].qty * Decimal("104.0")
    assert spy.total_value == spy.available_cash + spy.positions[0].value
    assert (spy.trades, spy.daily_trades, spy.active_positions) == (1, 1, 1)
    assert coins.denials == {"max_daily_trades": 1}
    assert coins.pnl < 0  # fees
    assert summary.total_pnl == spy.pnl + coins.pnl


def test_equal_inputs_give_equal_events() -> None:
    def run() -> list[Any]:
        desk = Rehearsal(
            spec(by_minute({minute: (minute % 3 - 1) / 2 for minute in range(1, 99)}), "SPY", "QQQ", allow_short=True),
            rules=VenueRules(has_partial_fills=True, slippage_bps=Decimal(3)),
        )
        for minute in range(1, 99):
            desk.minute(bar("SPY", minute, close=100 + minute % 7), bar("QQQ", minute, close=50 + minute % 5))
        return desk.events

    assert run() == run()


def test_a_trade_after_midnight_begins_the_day_too() -> None:
    desk = Rehearsal(spec(always(0.0), "BTC/USD"))
    desk.minute(bar("BTC/USD", 1))
    desk.minute(Trade("BTC/USD", T0 + DAY - 10 * HOUR, 100.0, 1.0))
    assert len(desk.of(DayStarted)) == 1


@pytest.mark.parametrize("flatten", [True, False])
def test_an_entry_that_still_waits_is_withdrawn_when_the_loss_is_reached(*, flatten: bool) -> None:
    desk = Rehearsal(spec(by_minute({1: 0.4}), "SPY", "QQQ", max_daily_loss="250", flatten_on_loss=flatten))
    desk.minute(bar("SPY", 1), bar("QQQ", 1))
    desk.minute(bar("SPY", 2, open=100, close=90))
    desk.minute(bar("SPY", 3, close=90), bar("QQQ", 3))
    assert [fill.symbol for fill in desk.fills if fill.opened] == ["SPY"]
    assert (desk.book().position("SPY").qty == 0) is flatten
    assert desk.book().reserved == 0


def test_a_failed_strategy_that_holds_withdraws_the_entry_that_still_waits() -> None:
    def say(one: Bar) -> Any:
        if one.symbol == "SPY":
            raise ValueError("no")
        return Target(one.symbol, 0.4)

    desk = Rehearsal(spec(Scripted(say), "QQQ", "SPY", flatten_on_error=False))
    desk.minute(bar("QQQ", 1))
    desk.minute(bar("SPY", 2))
    desk.minute(bar("QQQ", 3))
    assert not desk.fills
    assert desk.book().reserved == 0


def test_whole_shares_hold_for_the_sandbox_that_asks_for_them_only() -> None:
    whole = spec(always(0.5), name="whole")
    whole = msgspec.structs.replace(whole, instruments=(instrument_of("SPY", fractionable=False),))
    for order in ([whole, spec(always(0.5))], [spec(always(0.5)), whole]):
        desk = Rehearsal(*order)
        desk.closes(60.7, 60.7)
        assert {fill.strategy: fill.qty for fill in desk.fills} == {"one": Decimal("82.3723"), "whole": Decimal(82)}


def test_a_minute_still_open_at_midnight_belongs_to_the_day_that_ends() -> None:
    desk = Rehearsal(spec(always(0.5), "BTC/USD", "ETH/USD", max_daily_loss="500"))
    midnight = (T0 // DAY + 1) * DAY
    last = (midnight - T0) // MINUTE
    desk.minute(bar("BTC/USD", last - 2))
    desk.minute(bar("BTC/USD", last - 1))
    desk.take(Ticks(midnight, [bar("BTC/USD", last, close=95)]))  # ETH/USD has no bar: the minute waits for the grace
    desk.take(Ticks(midnight + 1, [Trade("BTC/USD", midnight + 1, 95.0, 1.0)]))
    (day,) = desk.of(DayStarted)
    assert day.equity == Decimal(9750)


ODD_ERRORS = [asyncio.CancelledError(), GeneratorExit(), BaseException("odd"), BaseExceptionGroup("g", [SystemExit()])]


@pytest.mark.parametrize("error", ODD_ERRORS)
def test_whatever_a_strategy_raises_halts_it_and_nothing_else(error: BaseException) -> None:
    def say(_: Bar) -> Any:
        raise error

    desk = Rehearsal(spec(Scripted(say), name="bad"), spec(always(0.5), name="good"))
    desk.closes(100, 100)
    assert [box.state for box in desk.engine.sandboxes] == ["halted", "active"]


def test_an_error_that_cannot_say_itself_or_says_too_much_leaves_one_printable_line() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def mute(_: Bar) -> Any:
        raise Mute

    def loud(_: Bar) -> Any:
        raise ValueError("\x1b[31m" + "x" * 10_000_000 + "\nsecond line")

    desk = Rehearsal(spec(Scripted(mute), name="mute"), spec(Scripted(loud), name="loud"))
    desk.closes(100)
    first, second = desk.of(StrategyFailed)
    assert first.error == "Mute: (its message cannot be read)"
    assert len(second.error) < 600
    assert second.error.isprintable()


def test_ctrl_c_in_the_middle_of_a_strategy_is_not_the_strategys_failure() -> None:
    def say(_: Bar) -> Any:
        raise KeyboardInterrupt

    desk = Rehearsal(spec(Scripted(say)))
    with pytest.raises(KeyboardInterrupt):
        desk.closes(100)


def test_a_fill_without_an_execution_is_ignored_by_name() -> None:
    desk = Rehearsal(spec(always(0.5)))
    desk.minute(bar(minute=1))
    order_id = desk.of(OrderCreated)[0].approved.order_id
    desk.take(Reported(T0, ExecutionReport(order_id, OrderStatus.FILLED, T0)))
    assert [event.why for event in desk.of(ReportIgnored)] == ["filled without an execution"]
    desk.minute(bar(minute=2))
    assert len(desk.fills) == 1


def test_an_exit_of_the_hosts_covers_what_an_entry_on_its_way_still_brings() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.4})), rules=VenueRules(has_fees=False, latency_ns=HOUR))
    desk.minute(bar(minute=1))
    entry = desk.of(OrderCreated)[0].approved
    slot = desk.engine.sandboxes[0].slots["SPY"]
    desk.engine.desk.leave(slot, Reason.MAX_DAILY_LOSS, ts=T0 + MINUTE, price=100.0)  # the cancel is on its way
    desk.engine.desk.aim(slot, 1.0, ts=T0 + MINUTE)
    filled = ExecutionReport(entry.order_id, OrderStatus.FILLED, T0 + MINUTE, "x1", entry.intent.qty, Decimal(100))
    desk.take(Reported(T0 + MINUTE, filled))
    assert [event.approved.intent.reason for event in desk.of(OrderCreated)] == ["signal", "max_daily_loss"]


def test_a_host_that_wanted_out_of_an_entry_that_never_filled_wants_nothing_more() -> None:
    desk = Rehearsal(spec(by_minute({1: 0.4, 2: 0.4})))
    desk.take(Ticks(T0 + MINUTE, [bar(minute=1)]))
    slot = desk.engine.sandboxes[0].slots["SPY"]
    desk.engine.desk.leave(slot, Reason.MAX_DAILY_LOSS, ts=T0 + MINUTE, price=100.0)
    for command in desk.engine.desk.commands:
        assert isinstance(command, CancelOrder)
        desk.venue.cancel(command.order_id, command.ts)
    desk.settle(T0 + MINUTE)
    desk.minute(bar(minute=2))
    assert len(desk.of(OrderCreated)) == 2
