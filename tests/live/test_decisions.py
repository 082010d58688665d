"""Events put together again: what was wanted at a bar, what was taken of it, what refused it, what came of it."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.build import T0, Rehearsal, by_minute, spec
from trader.live.decisions import Decision, Link, Topic, decisions_of, owner_of
from trader.model.events import (
    CashBooked,
    DailyLossReached,
    DayStarted,
    Event,
    FillReversed,
    FlagCleared,
    FlagRaised,
    IntentTrimmed,
    OrderCreated,
    OrderDenied,
    OrderFilled,
    OrderMoved,
    OverrideUsed,
    SandboxWarmed,
    StateSet,
    StrategyFailed,
    TargetSet,
)
from trader.model.orders import Approved, Denied, OrderIntent, OrderStatus, Reason, Side, TradingState
from trader.model.time import MINUTE, iso

ONE = Topic("one")


def at(minute: int) -> int:
    return T0 + minute * MINUTE


def wish(minute: int, fraction: float = 0.5, symbol: str = "SPY", strategy: str = "one") -> TargetSet:
    return TargetSet(at(minute), strategy, symbol, fraction, Reason.SIGNAL, is_leaving=False)


def intent(minute: int, qty: str = "10", symbol: str = "SPY", strategy: str = "one") -> OrderIntent:
    return OrderIntent(strategy, symbol, Side.BUY, Decimal(qty), Decimal("100.50"), False, Reason.SIGNAL, at(minute))


def trim(minute: int, kept: str, name: str = "max-positions") -> IntentTrimmed:
    return IntentTrimmed(at(minute), "one", "SPY", Side.BUY, Decimal(10), Decimal(kept), name, "3", "4")


def denied(minute: int, rule: str = "max_gross", qty: str = "10", **more: Any) -> OrderDenied:
    return OrderDenied(at(minute), Denied(intent(minute, qty), rule, "1.5", "1.62", scope="account", **more))


def ordered(minute: int, order_id: str = "o1", qty: str = "10") -> OrderCreated:
    return OrderCreated(at(minute), Approved(order_id, intent(minute, qty)))


def filled(minute: int, order_id: str = "o1", status: OrderStatus = OrderStatus.FILLED, **more: Any) -> OrderFilled:
    values: dict[str, Any] = {"realized": Decimal(0), "opened": True, "execution_id": "e1"} | more
    return OrderFilled(
        at(minute), "one", "SPY", Side.BUY, Decimal(10), Decimal("101.0"), Decimal(0), "USD", order_id=order_id,
        decision_price=Decimal(100), reason=Reason.SIGNAL, status=status, **values,
    )  # fmt: skip


def told(*events: Event, topic: Topic = ONE) -> list[Decision]:
    return decisions_of(events, topic)


def whats(decision: Decision) -> list[str]:
    return [link.what for link in decision.links]


def test_a_decision_goes_from_the_wish_over_filters_to_the_order_and_its_fills() -> None:
    open_ = OrderMoved(at(2), "one", "SPY", "o1", OrderStatus.OPEN, "")
    (decision,) = told(wish(1), trim(1, "6"), ordered(1, qty="6"), open_, filled(2))
    assert (decision.ts, decision.symbol, decision.target) == (iso(at(1)), "SPY", "0.5")
    assert (decision.side, decision.qty, decision.price) == ("buy", "10", "100.5")
    assert decision.outcome == "filled"
    assert decision.links == [
        Link(iso(at(1)), "trimmed", rule="max-positions", limit="3", value="4", qty="10", kept="6"),
        Link(iso(at(1)), "ordered", qty="6", order_id="o1"),
        Link(iso(at(2)), "open", order_id="o1"),
        Link(iso(at(2)), "filled", qty="10", price="101", order_id="o1"),
    ]


def test_a_refusal_says_rule_limit_value_scope_and_how_to_change_it() -> None:
    (decision,) = told(wish(1), denied(1, hint="raise risk.account.max_gross"))
    assert decision.outcome == "denied by max_gross"
    assert decision.links == [
        Link(
            iso(at(1)), "denied", rule="max_gross", limit="1.5", value="1.62", scope="account",
            hint="raise risk.account.max_gross", qty="10",
        )
    ]  # fmt: skip


def test_a_filter_that_lets_nothing_pass_dropped_it() -> None:
    (decision,) = told(wish(1), trim(1, "6", "volatility"), trim(1, "0"))
    assert (decision.outcome, len(decision.links)) == ("dropped by max-positions", 2)


def test_a_wish_that_is_refused_at_every_bar_is_told_once_with_the_newest_figures() -> None:
    decisions = told(wish(1), *(denied(minute, qty=str(minute)) for minute in range(1, 9)), denied(9, "max_net"))
    assert [(one.outcome, one.times) for one in decisions] == [("denied by max_gross", 8), ("denied by max_net", 1)]
    assert (decisions[0].ts, decisions[0].until) == (iso(at(1)), iso(at(8)))
    assert (decisions[0].qty, decisions[0].links[0].qty) == ("8", "8")
    assert decisions[1].target == "0.5", "what was wanted before is wanted still"


def test_orders_are_never_told_as_one_and_another_wish_is_another_decision() -> None:
    assert len(told(ordered(1), filled(1), ordered(2, "o2"), filled(2, "o2"))) == 2
    assert len(told(wish(1), denied(1), wish(2, 0.6), denied(2))) == 2


def test_who_gets_out_and_in_again_on_the_other_side_decides_twice() -> None:
    out = msgspec.structs.replace(intent(1, "4"), side=Side.SELL, reduces=True)
    back = OrderCreated(at(1), Approved("o2", msgspec.structs.replace(intent(1, "7"), side=Side.SELL)))
    decisions = told(wish(1, -0.5), OrderCreated(at(1), Approved("o1", out)), back, ordered(1, "o3", "9"))
    assert [(one.side, one.qty, len(one.links)) for one in decisions] == [("sell", "4", 2), ("buy", "9", 1)]


def test_symbols_are_told_apart_and_one_alone_when_asked_for() -> None:
    events: list[Event] = [
        wish(1),
        wish(1, symbol="QQQ"),
        denied(1),
        OrderDenied(at(1), Denied(intent(1, symbol="QQQ"), "a", "", "")),
    ]
    assert [(one.symbol, one.outcome) for one in told(*events)] == [
        ("SPY", "denied by max_gross"),
        ("QQQ", "denied by a"),
    ]
    assert [one.symbol for one in told(*events, topic=Topic("one", "QQQ"))] == ["QQQ"]
    assert told(*events, topic=Topic("two")) == []


def test_what_an_order_had_before_the_events_begin_is_left_out() -> None:
    assert told(OrderMoved(at(1), "one", "SPY", "o0", OrderStatus.OPEN, ""), filled(1, "o0")) == []


def test_a_venues_refusal_is_told_in_its_words() -> None:
    moved = OrderMoved(at(1), "one", "SPY", "o1", OrderStatus.REJECTED, "last look: the desk is halted")
    assert told(ordered(1), moved)[0].outcome == "rejected: last look: the desk is halted"


def test_a_wish_that_made_nothing_is_told_as_such() -> None:
    assert [one.outcome for one in told(wish(1, 0.0))] == ["nothing was due"]


def test_profit_crossing_and_a_bust_are_told_with_the_fill() -> None:
    back = FillReversed(
        at(3), "one", "SPY", Side.BUY, Decimal(10), Decimal(101), Decimal(0), "USD", "o1", "x:1", Decimal("-2.5")
    )
    fill = filled(2, execution_id="x:1", opened=False, realized=Decimal("2.50"))
    (decision,) = told(ordered(1), fill, back)
    assert [(link.what, link.realized, link.is_crossed) for link in decision.links[1:]] == [
        ("filled", "2.5", True), ("reversed", "-2.5", True),
    ]  # fmt: skip


def test_an_override_is_told_before_the_order_that_it_let_pass() -> None:
    (decision,) = told(OverrideUsed(at(1), 3, "o1", "max_gross", "1.5", "1.62"), ordered(1))
    assert whats(decision) == ["overridden", "ordered"]
    assert (decision.links[0].rule, decision.links[0].text) == ("max_gross", "override 3")


BEFELL: dict[str, tuple[Event, str]] = {
    "a halt of everyone": (StateSet(at(1), "", TradingState.HALTED, "ann", "news"), "halted"),
    "a halt": (StateSet(at(1), "one", TradingState.HALTED, "ann", ""), "halted"),
    "an error": (StrategyFailed(at(1), "one", "QQQ", "ValueError: x", "", flatten=True), "failed"),
    "the day's loss": (DailyLossReached(at(1), "one", Decimal(5), Decimal(6), flatten=True), "loss reached"),
    "its first bars": (SandboxWarmed(at(1), "one"), "warm"),
    "a flag of the account": (FlagRaised(at(1), "account", "drawdown", "hard", "halt_desk", "0.2", "0.21"), "flag"),
    "a flag of its group": (FlagRaised(at(1), "group etf", "daily_loss", "hard", "reduce_only", "1", "2"), "flag"),
}


@pytest.mark.parametrize("case", BEFELL)
def test_what_befell_the_strategy_stands_between_its_decisions(case: str) -> None:
    event, what = BEFELL[case]
    decisions = told(wish(1), denied(1), event, denied(2), topic=Topic("one", "SPY", frozenset({"etf"})))
    assert [one.symbol for one in decisions] == ["SPY", ""]
    assert decisions[0].times == 2
    assert decisions[1].outcome == what


@pytest.mark.parametrize("scope", ["strategy two", "group coins", "symbol QQQ"])
def test_flags_of_others_are_not_told(scope: str) -> None:
    flag = FlagRaised(at(1), scope, "max_gross", "hard", "reduce_only", "1", "2")
    assert told(flag, topic=Topic("one", "SPY", frozenset({"etf"}))) == []


def test_of_a_flag_that_stops_something_the_end_is_told_too_and_one_that_only_tells_is_not() -> None:
    ends = [FlagCleared(at(2), "account", "max_gross", level, "measure") for level in ("soft", "hard")]
    raised = FlagRaised(at(1), "account", "max_gross", "hard", "reduce_only", "1", "2")
    soft = FlagRaised(at(1), "account", "max_gross", "soft", "alert", "1", "2")
    assert [one.outcome for one in told(soft, raised, *ends)] == ["flag", "flag cleared"]


def test_bookkeeping_belongs_to_no_decision() -> None:
    assert owner_of(DayStarted(T0, "one", Decimal(1))) is None
    assert owner_of(CashBooked(T0, "a", "DIV", "", "SPY", Decimal(1))) is None
    assert owner_of(denied(1)) == owner_of(ordered(1)) == owner_of(wish(1)) == "one"
    assert owner_of(FlagRaised(T0, "account", "x", "hard", "alert", "", "")) == ""


def test_a_real_desks_life_is_told_from_the_first_bar_to_the_last_refusal() -> None:
    desk = Rehearsal(spec(by_minute({1: 1.0, 2: 0.0, 4: 1.0, 5: 1.0}), max_daily_trades=2))
    desk.closes(*[100.0] * 6)
    decisions = decisions_of(desk.events, ONE)
    assert [(one.outcome, one.times) for one in decisions] == [
        ("warm", 1), ("filled", 1), ("filled", 1), ("denied by max_daily_trades", 2),
    ]  # fmt: skip
    assert whats(decisions[1]) == ["ordered", "open", "filled"]


def test_what_a_program_reads_leaves_out_what_is_not_there() -> None:
    (decision,) = told(ordered(1))
    assert msgspec.to_builtins(decision)["links"] == [
        {"ts": iso(at(1)), "what": "ordered", "qty": "10", "order_id": "o1"}
    ]
