"""Limits that are broken by what is held: the market moved, or the limit did; and what is closed because of it."""

from decimal import Decimal
from typing import Any

import pytest

from tests.build import T0, bar, by_minute, spec
from tests.engine.rooms import Watched
from trader.model.events import ExternalFilled, FlagCleared, FlagRaised, OrderDenied, StateSet
from trader.model.inputs import Control
from trader.model.orders import Reason, Side
from trader.model.time import MINUTE
from trader.risk.bounds import Bound
from trader.risk.escalation import Action, Escalation
from trader.risk.limits import AccountLimits, GroupLimits, OrderLimits
from trader.risk.rules import Rules
from trader.risk.value_at_risk import VarLimits

REDUCE = Action.FORCE_REDUCE


def rules(action: Action | None = None, *, kind: str = "", soft: Action | None = None, **parts: Any) -> Rules:
    actions = {kind: {level: one for level, one in (("hard", action), ("soft", soft)) if one is not None}}
    return Rules(escalation=Escalation(actions), **parts)


def buyer(*tickers: str, fraction: float = 0.5, **parts: Any) -> Any:
    return spec(by_minute({1: fraction}), *tickers, cash="20400", **parts)


def minutes(desk: Watched, *closes: dict[str, float], start: int = 1) -> None:
    for minute, prices in enumerate(closes, start):
        desk.minute(*(bar(symbol, minute, close=close) for symbol, close in prices.items()))


def sold(desk: Watched) -> list[tuple[str, str]]:
    return [(fill.strategy, fill.symbol) for fill in desk.fills if fill.reason is Reason.FORCE_REDUCED]


def test_a_position_that_outgrew_its_limit_is_told_and_no_longer_when_it_is_back() -> None:
    desk = Watched(Rules(account=AccountLimits(max_position=Bound(0.6))), buyer("SPY"))
    minutes(desk, {"SPY": 100}, {"SPY": 100}, {"SPY": 170}, {"SPY": 100})
    (flag,) = desk.of(FlagRaised)
    assert (flag.scope, flag.kind, flag.level, flag.action, flag.until) == (
        "symbol SPY", "max_position", "hard", "alert", 0,
    )  # fmt: skip
    assert (flag.limit, flag.value) == ("0.6 of equity", "0.62963 of equity")
    (cleared,) = desk.of(FlagCleared)
    assert (cleared.ts, cleared.by) == (T0 + 4 * MINUTE, "measure")


def test_what_is_held_on_equity_that_is_gone_is_beyond_every_limit_and_is_closed() -> None:
    short = spec(by_minute({1: -0.5}), allow_short=True, max_gross=Bound(0.6))
    desk = Watched(rules(REDUCE, kind="max_gross"), short, buyer("QQQ", name="two", fraction=0.1))
    minutes(desk, *[{"SPY": 100.0, "QQQ": 100.0}] * 2, {"SPY": 400, "QQQ": 100}, {"SPY": 400, "QQQ": 100})
    assert desk.flagged == [("strategy one", "max_gross", "hard", REDUCE)]
    assert sold(desk) == [("one", "SPY")]


def test_the_hard_level_of_one_sector_stands_while_another_is_beyond_the_soft_one() -> None:
    account = AccountLimits(max_sector=Bound(0.6, 0.3))
    desk = Watched(Rules(account=account, sectors={"a": ("SPY",), "b": ("QQQ",)}), buyer("SPY", "QQQ"))
    minutes(desk, *[{"SPY": 100.0, "QQQ": 100.0}] * 2, *[{"SPY": 170.0, "QQQ": 100.0}] * 3)
    assert [flag.level for flag in desk.flags] == ["soft", "hard"]
    assert desk.of(FlagCleared) == []


def test_a_soft_level_is_told_the_hard_one_follows_and_both_go_as_they_came() -> None:
    desk = Watched(Rules(account=AccountLimits(max_gross=Bound(0.7, 0.6))), buyer("SPY"))
    minutes(desk, {"SPY": 100}, {"SPY": 100}, {"SPY": 160})
    assert [flag.level for flag in desk.flags] == ["soft"]
    minutes(desk, {"SPY": 300}, start=4)
    assert [flag.level for flag in desk.flags] == ["soft", "hard"]
    minutes(desk, {"SPY": 160}, {"SPY": 100}, start=5)
    assert [event.level for event in desk.of(FlagCleared)] == ["hard", "soft"]


def test_force_reduce_closes_the_largest_positions_until_the_limit_is_met() -> None:
    limits = AccountLimits(max_gross=Bound(0.8))
    desk = Watched(rules(REDUCE, kind="max_gross", account=limits), buyer("SPY", "QQQ", "IWM", fraction=0.25))
    flat = {"SPY": 100.0, "QQQ": 100.0, "IWM": 100.0}
    minutes(desk, flat, flat, {"SPY": 110, "QQQ": 400, "IWM": 210}, {"SPY": 110, "QQQ": 400, "IWM": 210})
    assert sold(desk) == [("one", "QQQ")]
    assert desk.flags == []
    assert desk.book().position("IWM").qty > 0


def test_of_a_net_limit_the_heavier_side_is_closed() -> None:
    limits = AccountLimits(max_net=Bound(0.2))
    long = buyer("SPY", "QQQ", fraction=0.25)
    short = spec(by_minute({1: -0.5}), "IWM", name="two", cash="20400", allow_short=True)
    desk = Watched(rules(REDUCE, kind="max_net", account=limits), long, short)
    flat = {"SPY": 100.0, "QQQ": 100.0, "IWM": 100.0}
    later = {"SPY": 250.0, "QQQ": 240.0, "IWM": 100.0}
    minutes(desk, flat, flat, later, later)
    assert sold(desk) == [("one", "SPY")]


def test_a_sectors_limit_closes_nothing_outside_the_sector() -> None:
    milder = {"broad": Bound(None, 0.95)}
    limits, sectors = (
        AccountLimits(max_sector=Bound(0.6), max_sector_of=milder),
        {"tech": ("QQQ",), "broad": ("SPY", "IWM")},
    )
    watched = rules(REDUCE, kind="max_sector", account=limits, sectors=sectors)
    desk = Watched(watched, buyer("SPY", "QQQ", "IWM", fraction=0.3))
    flat = {"SPY": 100.0, "QQQ": 100.0, "IWM": 100.0}
    later = {"SPY": 90.0, "QQQ": 500.0, "IWM": 90.0}
    minutes(desk, flat, flat, later, later)
    assert sold(desk) == [("one", "QQQ")]


def test_a_groups_limit_and_halt_concern_its_strategies_only() -> None:
    groups = {"fast": GroupLimits(("two",), max_group_gross=Bound(0.3))}
    desk = Watched(
        rules(Action.HALT_STRATEGY, kind="max_group_gross", groups=groups),
        buyer("SPY"), buyer("QQQ", name="two"),
    )  # fmt: skip
    minutes(desk, {"SPY": 100, "QQQ": 100}, {"SPY": 100, "QQQ": 100}, {"SPY": 100, "QQQ": 150})
    assert desk.flagged == [("group fast", "max_group_gross", "hard", "halt_strategy")]
    assert [event.strategy for event in desk.of(StateSet)] == ["two"]
    desk.take(Control(T0 + 3 * MINUTE, "resume", "two", "ann"))
    minutes(desk, {"SPY": 100, "QQQ": 150}, start=4)
    assert len(desk.of(StateSet)) == 2  # what is answered is not asked again as long as it stands


def test_a_strategys_own_limit_is_part_of_its_own_equity() -> None:
    desk = Watched(Rules(), buyer("SPY", max_gross=Bound(0.6)), buyer("QQQ", name="two"))
    minutes(desk, {"SPY": 100, "QQQ": 100}, {"SPY": 100, "QQQ": 100}, {"SPY": 170, "QQQ": 500})
    assert desk.flagged == [("strategy one", "max_gross", "hard", "alert")]


def test_fewer_dollars_than_the_account_must_have_stop_openings() -> None:
    desk = Watched(Rules(account=AccountLimits(min_equity=Bound(20000))), buyer("SPY"))
    minutes(desk, {"SPY": 100}, {"SPY": 100}, {"SPY": 90})
    assert desk.flagged == [("account", "min_equity", "hard", "reduce_only")]


def test_a_short_of_cash_is_closed_by_selling_what_was_bought() -> None:
    limits = AccountLimits(min_cash_buffer=Bound(0.4))
    desk = Watched(rules(REDUCE, kind="min_cash_buffer", account=limits), buyer("SPY"))
    minutes(desk, {"SPY": 100}, {"SPY": 100}, {"SPY": 300}, {"SPY": 300})
    assert sold(desk) == [("one", "SPY")]


def test_a_soft_level_of_an_order_is_told_for_the_rest_of_the_day() -> None:
    desk = Watched(Rules(orders={"stock": OrderLimits(max_order_value=Bound(None, 5000.0))}), buyer("SPY"))
    minutes(desk, {"SPY": 100}, {"SPY": 100})
    assert desk.flagged == [("strategy one", "max_order_value", "soft", "alert")]
    assert len(desk.fills) == 1


def test_a_soft_level_may_stop_the_strategy_that_went_beyond_it() -> None:
    orders = {"stock": OrderLimits(max_order_value=Bound(None, 5000.0))}
    first = spec(by_minute({1: 0.5, 3: 0.0, 5: 0.5}), cash="20400")
    desk = Watched(rules(kind="max_order_value", soft=Action.REDUCE_ONLY, orders=orders), first)
    minutes(desk, *[{"SPY": 100.0}] * 6)
    assert [event.denied.rule for event in desk.of(OrderDenied)] == ["reduce_only"]
    assert [fill.side for fill in desk.fills] == [Side.BUY, Side.SELL]


def test_what_a_bad_week_tightened_may_be_too_much_at_once() -> None:
    flag = FlagRaised(T0, "account", "weekly_loss", "hard", "tighten", "5%", "6%", -1)
    limits = AccountLimits(max_gross=Bound(0.6))
    desk = Watched(rules(REDUCE, kind="max_gross", account=limits), buyer("SPY"))
    minutes(desk, {"SPY": 100}, {"SPY": 100})
    assert desk.flags == []
    desk.engine.desk.ledger.apply(flag)
    minutes(desk, {"SPY": 100}, {"SPY": 100}, start=3)
    (_, raised) = [flag, *desk.of(FlagRaised)]
    assert raised.limit == "0.3 of equity (0.6 of equity tightened by 2)"
    assert sold(desk) == [("one", "SPY")]


@pytest.mark.parametrize("price", [400.0, 50.0])
def test_within_its_limits_a_desk_is_left_alone(price: float) -> None:
    limits = AccountLimits(max_gross=Bound(1.0), max_net=Bound(1.0), max_position=Bound(1.0), max_class=Bound(1.0))
    desk = Watched(Rules(account=limits), buyer("SPY"))
    minutes(desk, {"SPY": 100}, {"SPY": 100}, {"SPY": price})
    assert desk.flags == []
    assert desk.book().position("SPY").qty == Decimal(102)


def test_what_is_held_and_not_priced_while_its_market_is_open_is_told() -> None:
    orders = {"stock": OrderLimits(max_mark_age_s=Bound(None, 150.0))}
    desk = Watched(Rules(orders=orders), buyer("SPY", "BTC/USD", fraction=0.3))
    minutes(desk, {"SPY": 100, "BTC/USD": 100}, {"SPY": 100, "BTC/USD": 100})
    minutes(desk, *[{"BTC/USD": 100.0}] * 2, start=3)
    assert desk.flags == []
    minutes(desk, {"BTC/USD": 100.0}, start=5)
    (flag,) = desk.flags
    assert (flag.scope, flag.kind, flag.level, flag.limit, flag.value) == (
        "symbol SPY", "stale_mark", "soft", "150 s", "180 s",
    )  # fmt: skip
    minutes(desk, {"SPY": 100, "BTC/USD": 100}, start=6)
    assert desk.flags == []
    night = 8 * 60
    minutes(desk, {"BTC/USD": 100.0}, start=night)
    assert desk.flags == []
    minutes(desk, {"BTC/USD": 100.0}, {"BTC/USD": 100.0}, start=24 * 60 + 1)  # the session has only begun
    assert desk.flags == []
    minutes(desk, {"BTC/USD": 100.0}, start=24 * 60 + 3)
    assert [flag.value for flag in desk.flags] == ["180 s"]


def test_what_is_not_known_raises_nothing_and_clears_nothing() -> None:
    specs = [buyer("SPY"), spec(by_minute({}), "QQQ", name="two")]
    before = Watched(Rules(), *specs)
    for minute in (1, 2):
        before.minute(bar("SPY", minute))
    rules = Rules(account=AccountLimits(max_gross=Bound(0.6)), var=VarLimits(max_var=Bound(0.5)))
    desk = Watched(rules, *specs, books=before.events, at=T0 + 3 * MINUTE)
    desk.minute(bar("SPY", 4, close=1000))
    raised = desk.flags
    assert [flag.kind for flag in raised] == ["max_gross"]
    desk.engine.desk.emit(ExternalFilled(
        T0 + 4 * MINUTE, "QQQ", Side.BUY, Decimal(1), Decimal(100), Decimal(0), "USD", "v", "x"
    ))  # fmt: skip
    desk.minute(bar("SPY", 5, close=100))
    assert desk.flags == raised
    desk.minute(bar("SPY", 6, close=100), bar("QQQ", 6))
    assert desk.flags == []


def test_force_reduce_at_the_hard_level_leaves_what_only_the_soft_one_minds() -> None:
    limits = AccountLimits(max_gross=Bound(0.8, 0.2), max_sector=Bound(None, 0.1))
    actions = {kind: {"hard": REDUCE} for kind in ("max_gross", "max_sector")}
    desk = Watched(Rules(account=limits, escalation=Escalation(actions)), buyer("SPY", "QQQ", fraction=0.4))
    minutes(desk, {"SPY": 100, "QQQ": 100}, {"SPY": 100, "QQQ": 100}, *[{"SPY": 250.0, "QQQ": 90.0}] * 2)
    assert sold(desk) == [("one", "SPY")]
    assert {(flag.kind, flag.level) for flag in desk.flags} == {("max_sector", "soft"), ("max_gross", "soft")}
