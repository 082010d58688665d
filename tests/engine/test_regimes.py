"""Limits that tighten with the market's volatility, told by daily bars, kept over a restart; and the account's tail."""

from typing import Any

import numpy as np
import pytest

from tests.build import T0, bar, by_minute, spec
from tests.engine.rooms import Watched
from trader.engine.summary import summarize
from trader.live.summary import as_text
from trader.model.events import FlagCleared, FlagRaised, OrderDenied
from trader.model.inputs import DailyBars
from trader.model.orders import Reason
from trader.model.ticks import Bar
from trader.model.time import DAY, MINUTE
from trader.risk.bounds import Bound
from trader.risk.escalation import Action, Escalation
from trader.risk.limits import AccountLimits
from trader.risk.regime import Regime
from trader.risk.rules import Rules
from trader.risk.value_at_risk import VarLimits

ON = Regime(is_on=True)


def days(symbol: str = "SPY", *, wild: int = 0, ts: int = T0) -> DailyBars:
    """Return 400 days that move by 1 % up or down; the newest ``wild`` of them by 4 %."""
    rng = np.random.default_rng(5)
    moves = rng.choice([-0.01, 0.01], 400)
    if wild:
        moves[-wild:] *= 4
    closes = (100 * np.exp(np.cumsum(moves - moves.mean()))).tolist()
    bars = [
        Bar(symbol, ts - (400 - number) * DAY, close, close, close, close, 1e6) for number, close in enumerate(closes)
    ]
    return DailyBars(ts, bars)


def desk(
    rules: Rules, *, told: DailyBars | None = None, wishes: dict[int, float] | None = None, **parts: Any
) -> Watched:
    made = Watched(rules, spec(by_minute({1: 0.5} if wishes is None else wishes), cash="20400"), **parts)
    if told is not None:
        made.take(told)
    return made


def test_a_wild_market_divides_limits_and_the_gate_says_so() -> None:
    rules = Rules(regime=ON, account=AccountLimits(max_gross=Bound(0.6)))
    wild = desk(rules, told=days(wild=40), wishes={2: 0.5})
    wild.closes(100, 100)
    (flag,) = wild.of(FlagRaised)
    assert (flag.scope, flag.kind, flag.action, flag.until) == ("account", "regime", "tighten", T0 + MINUTE + 5 * DAY)
    assert 2 < float(flag.value) < 4
    (denied,) = wild.of(OrderDenied)
    assert denied.denied.rule == "max_gross"
    assert f"(0.6 of equity tightened by {float(flag.value):.3g})" in denied.denied.limit
    calm = desk(rules, told=days(), wishes={2: 0.5})
    calm.closes(100, 100, 100)
    assert not calm.flags
    assert len(calm.fills) == 1


def test_nothing_is_opened_as_long_as_no_day_is_known() -> None:
    unknown = desk(Rules(regime=ON), wishes={1: 0.5, 3: 0.5})
    unknown.closes(100, 100)
    assert [(flag.kind, flag.action, flag.value) for flag in unknown.flags] == [
        ("regime", "reduce_only", "unknown: no symbol has enough days")
    ]
    assert [event.denied.rule for event in unknown.of(OrderDenied)] == ["reduce_only"]
    unknown.take(days())
    unknown.closes(100, 100, start=3)
    assert [event.by for event in unknown.of(FlagCleared)] == ["measure"]
    assert len(unknown.fills) == 1


def test_a_restart_keeps_limits_tight_until_the_days_are_over() -> None:
    rules = Rules(regime=ON)
    wild = desk(rules, told=days(wild=40))
    wild.closes(100)
    later = T0 + 4 * DAY
    again = desk(rules, books=wild.events, at=later, told=days(ts=later), wishes={})
    again.minute(bar(minute=4 * 1440 + 1))
    assert again.flags == wild.flags
    after = T0 + 5 * DAY
    again.take(days(ts=after))
    again.minute(bar(minute=5 * 1440 + 60))
    assert again.flags == []


def test_one_symbol_may_tell_of_the_market() -> None:
    rules = Rules(regime=Regime(is_on=True, symbol="QQQ"))
    made = Watched(rules, spec(by_minute({}), "SPY", "QQQ"))
    made.take(days("SPY", wild=40))
    made.take(days("QQQ"))
    made.minute(bar("SPY"), bar("QQQ"))
    assert made.flags == []


def test_a_regime_that_is_turned_off_tightens_no_more() -> None:
    wild = desk(Rules(regime=ON), told=days(wild=40))
    wild.closes(100)
    again = desk(Rules(), books=wild.events, at=T0 + 2 * MINUTE)
    again.closes(100, start=3)
    assert [(event.kind, event.by) for event in again.of(FlagCleared)] == [("regime", "settings")]


def test_a_tail_beyond_its_limit_is_told_and_shed_by_the_largest_position() -> None:
    rules = Rules(var=VarLimits(max_var=Bound(0.01)), escalation=Escalation({"max_var": {"hard": Action.FORCE_REDUCE}}))
    made = Watched(rules, spec(by_minute({1: 0.28}), "SPY", "QQQ", cash="20400"))
    for symbol in ("SPY", "QQQ"):
        made.take(days(symbol))
    for minute, (spy, qqq) in enumerate(((100, 100), (100, 100), (100, 100), (100, 200), (100, 200)), 1):
        made.minute(bar("SPY", minute, close=spy), bar("QQQ", minute, close=qqq))
    assert [(flag.kind, flag.level) for flag in made.of(FlagRaised)] == [("max_var", "hard")]
    assert [fill.symbol for fill in made.fills if fill.reason is Reason.FORCE_REDUCED] == ["QQQ"]
    assert made.flags == []
    assert made.engine.room is not None
    figures = made.engine.room.figures(T0 + 5 * MINUTE)
    assert figures.var == pytest.approx(1.645 * 0.01 * 5712, rel=0.05)
    assert figures.tail_method == "parametric"
    assert "  Tail of a day: VaR $" in as_text(summarize(made.engine, "SIM"))
