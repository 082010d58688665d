"""The control room: flags raised and cleared, what follows them, and what a restart, time and a person change."""

from decimal import Decimal
from math import nan
from typing import Any

import pytest

from tests.build import T0, Rehearsal, bar, by_minute, spec
from tests.engine.rooms import Watched, ladder
from tests.engine.test_traffic import Silent
from trader.access.sim.fills import VenueRules
from trader.books.ledger import Ledger
from trader.engine.summary import summarize
from trader.model.events import FlagCleared, FlagRaised, OrderDenied, OrderMoved, PeakReached, PeriodStarted, StateSet
from trader.model.inputs import Control, History, Ticks
from trader.model.orders import OrderStatus, Reason, TradingState
from trader.model.ticks import Quote
from trader.model.time import DAY, MINUTE, parse_time
from trader.risk.bounds import Bound
from trader.risk.escalation import Action
from trader.risk.rules import Rules

NEXT_DAY = 24 * 60  # minutes after T0
MIDNIGHT = parse_time("2026-01-06T05:00")  # of New York


def all_in(**parts: Any) -> Any:
    """Buy 100 shares at 100 with all of 10,200 dollars: a dollar of the price is 100 of equity."""
    return spec(by_minute({1: 1.0, **parts.pop("wishes", {})}), cash="10200", **parts)


def resume(desk: Watched, ts: int, strategy: str = "") -> None:
    desk.take(Control(ts, "resume", strategy, "ann", "seen"))


def test_capital_that_went_while_nobody_watched_losses_is_none_when_they_are_watched_again() -> None:
    desk = Watched(ladder(drawdown=0.3), spec(by_minute({})))
    desk.minute(bar(minute=1))
    unwatched = Watched(Rules(), spec(by_minute({}), cash="5000"), books=desk.events, at=T0 + MINUTE)
    events = desk.events + unwatched.events
    again = Watched(ladder(drawdown=0.3), spec(by_minute({}), cash="5000"), books=events, at=T0 + MINUTE)
    again.minute(bar(minute=2))
    assert again.flags == []


def test_a_desk_without_rules_has_no_control_room() -> None:
    desk = Rehearsal(all_in())
    desk.closes(100, 100, 50)
    assert desk.engine.room is None
    assert not desk.of(PeriodStarted) + desk.of(PeakReached) + desk.of(FlagRaised)


def test_periods_and_peak_are_measured_from_what_all_was_worth_before_they_began() -> None:
    desk = Watched(ladder(daily_loss=0.5, weekly_loss=0.5, monthly_loss=0.5, drawdown=0.5), all_in())
    desk.closes(100, 100, 110)
    bases = [(event.period, event.equity) for event in desk.of(PeriodStarted)]
    assert bases == [("day", Decimal(10200)), ("week", Decimal(10200)), ("month", Decimal(10200))]
    assert [event.equity for event in desk.of(PeakReached)] == [Decimal(10200), Decimal(11200)]
    desk.minute(bar(minute=NEXT_DAY, close=90))
    assert [(event.period, event.equity) for event in desk.of(PeriodStarted)[3:]] == [("day", Decimal(11200))]


def test_a_daily_loss_that_equals_its_limit_stops_openings_until_the_day_ends() -> None:
    rules = ladder(daily_loss=0.05)
    desk = Watched(rules, all_in(wishes={4: 0.0, 6: 1.0, NEXT_DAY + 1: 1.0}))
    desk.closes(100, 100, 94.9, 94.9, 110, 110, 110)
    assert summarize(desk.engine, "SIM").strategies[0].state == "reduce_only"
    (flag,) = desk.of(FlagRaised)
    assert (flag.ts, flag.scope, flag.kind, flag.level, flag.action, flag.until) == (
        T0 + 3 * MINUTE, "account", "daily_loss", "hard", "reduce_only", MIDNIGHT,
    )  # fmt: skip
    assert (flag.limit, flag.value) == ("5.00% of $10,200.00", "5.00% ($510.00)")
    assert not desk.of(FlagCleared)  # the price is back long since
    assert [event.denied.rule for event in desk.of(OrderDenied)] == ["reduce_only"]
    desk.minute(bar(minute=NEXT_DAY, close=110))
    assert [(event.kind, event.by) for event in desk.of(FlagCleared)] == [("daily_loss", "time")]
    desk.closes(110, 110, start=NEXT_DAY + 1)
    assert desk.book().position("SPY").qty > 0


def test_a_drawdown_that_is_only_told_of_is_told_again_after_it_was_made_good() -> None:
    desk = Watched(ladder(drawdown=Bound(0.5, 0.05)), all_in())
    desk.closes(100, 100, 94, 94, 105, 94, 94)
    assert [flag.level for flag in desk.of(FlagRaised)] == ["soft", "soft"]
    assert [event.by for event in desk.of(FlagCleared)] == ["measure"]


def test_a_soft_level_is_told_and_the_hard_one_follows() -> None:
    desk = Watched(ladder(daily_loss=Bound(0.10, 0.05)), all_in())
    desk.closes(100, 100, 94)
    assert desk.flagged == [("account", "daily_loss", "soft", "alert")]
    desk.closes(88, start=4)
    assert desk.flagged[1:] == [("account", "daily_loss", "hard", "reduce_only")]


def test_the_day_is_marked_at_the_bid_the_peak_at_the_mark() -> None:
    desk = Watched(ladder(daily_loss=0.05, drawdown=0.05), all_in())
    desk.closes(100, 100)
    ts = T0 + 2 * MINUTE + 1
    desk.take(Ticks(ts, [Quote("SPY", ts, 94.5, 1.0, 103.0, 1.0)]))
    desk.minute(bar(minute=3, close=100))
    assert [flag.kind for flag in desk.flags] == ["daily_loss"]


@pytest.mark.parametrize(("bid", "ask"), [(0.0, 101.0), (80.0, 120.0), (101.0, 80.0)])
def test_a_quote_that_nobody_means_is_no_way_out(bid: float, ask: float) -> None:
    desk = Watched(ladder(daily_loss=0.05), all_in())
    desk.closes(100, 100)
    ts = T0 + 2 * MINUTE + 1
    desk.take(Ticks(ts, [Quote("SPY", ts, bid, 1.0, ask, 1.0)]))
    desk.minute(bar(minute=3, close=100))
    assert desk.flags == []


def test_what_follows_is_changed_by_new_settings_at_the_next_look() -> None:
    alert = {"daily_loss": {"hard": Action.ALERT}}
    desk = Watched(ladder(daily_loss=0.05, actions=alert), all_in())
    desk.closes(100, 100, 90)
    again = Watched(ladder(daily_loss=0.05), all_in(wishes={}), books=desk.events, at=T0 + 4 * MINUTE)
    again.closes(90, start=5)
    assert again.flagged == [("account", "daily_loss", "hard", "reduce_only")]


def test_a_quote_that_is_older_than_the_newest_price_says_nothing_of_a_way_out() -> None:
    desk = Watched(ladder(daily_loss=0.05), all_in())
    desk.closes(100, 100)
    ts = T0 + 2 * MINUTE + 1
    desk.take(Ticks(ts, [Quote("SPY", ts, 99.0, 1.0, 101.0, 1.0)]))
    desk.closes(100, 96, 95.5, start=3)
    assert not desk.flags


@pytest.mark.parametrize("kind", ["monthly_loss", "drawdown"])
def test_a_month_and_a_drawdown_halt_the_desk_and_a_restart_lifts_nothing(kind: str) -> None:
    loss: dict[str, Any] = {kind: 0.15}
    rules = ladder(**loss)
    desk = Watched(rules, all_in())
    desk.closes(100, 100, 84)
    (halt,) = desk.of(StateSet)
    assert (halt.strategy, halt.state, halt.by) == ("", TradingState.HALTED, "control room")
    assert halt.why == f"{kind} of account: 15.69% ($1,600.00), limit 15.00% of $10,200.00"
    later = T0 + 40 * DAY
    again = Watched(rules, all_in(), books=desk.events, at=later)
    again.minute(bar(minute=40 * NEXT_DAY + 1, close=120))
    assert again.flagged == [("account", kind, "hard", "halt_desk")]
    assert again.engine.sandboxes[0].state == "halted"


def test_a_persons_resume_lifts_what_is_latched_and_measures_anew() -> None:
    desk = Watched(ladder(drawdown=0.15, daily_loss=0.10), all_in())
    desk.closes(100, 100, 84)
    resume(desk, T0 + 3 * MINUTE)
    assert desk.flagged == []
    assert {(event.kind, event.by) for event in desk.of(FlagCleared)} == {("drawdown", "ann"), ("daily_loss", "ann")}
    assert desk.of(PeakReached)[-1].equity == desk.of(PeriodStarted)[-1].equity == Decimal(8600)
    desk.closes(84, 80, start=4)
    assert desk.flagged == []
    desk.closes(70, start=6)
    assert sorted(flag.kind for flag in desk.flags) == ["daily_loss", "drawdown"]


def test_a_resume_for_another_reason_measures_nothing_anew() -> None:
    desk = Watched(ladder(daily_loss=Bound(0.10, 0.05)), all_in())
    desk.closes(100, 100, 94)
    resume(desk, T0 + 3 * MINUTE)
    assert desk.flagged == [("account", "daily_loss", "soft", "alert")]
    desk.closes(89.5, start=4)
    assert [flag.level for flag in desk.flags] == ["soft", "hard"]


def test_a_resume_leaves_a_warning_of_another_kind_alone() -> None:
    desk = Watched(ladder(daily_loss=Bound(0.10), weekly_loss=Bound(0.5, 0.05)), all_in())
    desk.closes(100, 100, 88)
    resume(desk, T0 + 3 * MINUTE)
    assert desk.flagged == [("account", "weekly_loss", "soft", "alert")]


def test_a_period_does_not_begin_while_something_held_has_no_price() -> None:
    desk = Watched(ladder(daily_loss=0.05), all_in())
    desk.closes(100, 100)
    unpriced = desk.engine.listings["SPY"]
    assert desk.engine.room is not None
    unpriced.mark = nan
    desk.engine.desk.portfolio.move()
    desk.engine.room.look(T0 + 3 * MINUTE)
    desk.engine.room.look(MIDNIGHT + MINUTE)
    assert len(desk.of(PeriodStarted)) == 1
    unpriced.mark = 100.0
    desk.engine.desk.portfolio.move()
    desk.engine.room.look(MIDNIGHT + 2 * MINUTE)
    desk.engine.room.look(MIDNIGHT + 3 * MINUTE)
    assert [event.ts for event in desk.engine.desk.events] == [MIDNIGHT + 2 * MINUTE]


def test_a_strategys_word_lifts_its_own_flags_only() -> None:
    rules = ladder("strategy one", daily_loss=0.05, actions={"daily_loss": {"hard": Action.HALT_STRATEGY}})
    other = spec(by_minute({1: 1.0}), "QQQ", name="two", cash="10200")
    desk = Watched(rules, all_in(), other)
    for minute, close in enumerate((100, 100, 90), 1):
        desk.minute(bar(minute=minute, close=close), bar("QQQ", minute, close=close))
    assert desk.flagged == [("strategy one", "daily_loss", "hard", "halt_strategy")]
    assert [sandbox.state for sandbox in desk.engine.sandboxes] == ["halted", "active"]
    resume(desk, T0 + 3 * MINUTE)
    assert desk.flagged
    resume(desk, T0 + 3 * MINUTE, "one")
    assert desk.flagged == []
    assert [sandbox.state for sandbox in desk.engine.sandboxes] == ["active", "active"]


def test_a_loss_may_close_all_positions_of_its_scope() -> None:
    desk = Watched(ladder(daily_loss=0.05, actions={"daily_loss": {"hard": Action.FORCE_REDUCE}}), all_in())
    desk.closes(100, 100, 94, 93)
    assert [fill.reason for fill in desk.fills] == [Reason.SIGNAL, Reason.FORCE_REDUCED]
    assert desk.book().position("SPY").qty == 0


def test_a_flag_calls_off_what_would_open_something_and_leaves_exits_alone() -> None:
    entering = spec(by_minute({2: 1.0}), "QQQ", name="two")
    leaving = spec(by_minute({1: 1.0, 2: 0.0}), "IWM", name="three")
    desk = Watched(ladder(daily_loss=0.05), all_in(), entering, leaving)
    for minute, close in enumerate((100, 100, 80), 1):
        if minute == 2:  # from here on the venue is slow to answer
            desk.minute(bar(minute=2), bar("QQQ", 2), bar("IWM", 2))
            desk.venue = Silent(VenueRules(), {})
            continue
        desk.minute(bar(minute=minute, close=close), bar("QQQ", minute), bar("IWM", minute))
    moved = [(event.strategy, event.status) for event in desk.of(OrderMoved)]
    assert ("two", OrderStatus.PENDING_CANCEL) in moved
    assert ("three", OrderStatus.PENDING_CANCEL) not in moved
    assert desk.flagged


def test_a_day_that_began_while_the_desk_was_down_is_measured_from_the_last_price_before_it() -> None:
    rules = ladder(daily_loss=0.15)
    desk = Watched(rules, all_in())
    desk.closes(100, 100)
    opened = T0 + DAY
    again = Watched(rules, all_in(wishes={}), books=desk.events, at=opened)
    again.take(History(opened, [bar(minute=4, close=110), bar(minute=NEXT_DAY - 9, close=90)]))
    again.minute(bar(minute=NEXT_DAY + 1, close=90))
    assert again.of(PeriodStarted)[-1].equity == Decimal(11200)
    (flag,) = again.flags
    assert flag.value == "17.86% ($2,000.00)"


def test_a_desk_that_is_worth_nothing_is_halted_whatever_its_rules() -> None:
    rules = ladder(daily_loss=Bound(None, 0.5))
    desk = Watched(rules, spec(by_minute({1: -1.0}), allow_short=True))
    desk.closes(100, 100, 250)
    assert ("account", "nav", "hard", "halt_desk") in desk.flagged
    assert desk.engine.sandboxes[0].state == "halted"


def test_capital_that_comes_or_goes_is_neither_profit_nor_loss() -> None:
    rules = ladder(daily_loss=0.05, drawdown=0.05)
    desk = Watched(rules, all_in())
    desk.closes(100, 100)
    less = spec(by_minute({}), cash="5200")
    again = Watched(rules, less, books=desk.events, at=T0 + 3 * MINUTE)
    again.closes(100, start=4)
    assert again.flagged == []
    account = again.engine.desk.ledger.account
    assert account.bases["account"]["day"] == (T0, Decimal(5200))
    assert account.peaks["account"] == Decimal(5200)


def test_flags_of_rules_that_are_no_more_end_with_their_time() -> None:
    desk = Watched(ladder(daily_loss=0.05), all_in())
    desk.closes(100, 100, 90)
    again = Watched(Rules(), all_in(), books=desk.events, at=T0 + 4 * MINUTE)
    again.closes(90, start=5)
    assert again.flagged
    again.minute(bar(minute=NEXT_DAY, close=90))
    assert again.flagged == []


def test_what_the_journal_says_is_what_memory_knows() -> None:
    rules = ladder(daily_loss=0.05, weekly_loss=0.08, drawdown=0.10)
    desk = Watched(rules, all_in())
    desk.closes(100, 100, 94, 91, 88)
    assert Ledger.fold(desk.events).digest() == desk.engine.desk.ledger.digest()
