"""The gate: each rule allows at its limit, denies beyond it, and lets every reduction pass."""

from decimal import Decimal

import msgspec
import pytest

from tests.risk.asking import Book, ask, gate_of, refused, said, warned
from trader.books.ledger import Ledger
from trader.engine.portfolio import Portfolio
from trader.model.events import FlagRaised
from trader.model.instruments import instrument_of
from trader.model.orders import Approved, Denied, OrderIntent, Reason, Side, TradingState
from trader.model.views import Market, Question, Standing
from trader.risk.bounds import Bound
from trader.risk.gate import Gate
from trader.risk.limits import AccountLimits, GroupLimits, Limits, OrderLimits
from trader.risk.rules import Rules

STANDING = Standing(
    cash=Decimal(10000),
    free_cash=Decimal(10000),
    equity=Decimal(10000),
    position=Decimal(0),
    daily_trades=0,
    loss_reached=False,
    state=TradingState.ACTIVE,
)
LIMITS = Limits(Decimal("0.5"), max_daily_trades=3, max_daily_loss=Decimal(500))
INTENT = OrderIntent("one", "SPY", Side.BUY, Decimal(10), Decimal(100), reduces=False, reason=Reason.SIGNAL, ts=0)


def judge(
    intent: dict[str, object] | None = None,
    standing: dict[str, object] | None = None,
    symbol: str = "SPY",
    **limits: object,
) -> Approved | Denied:
    gate = Gate(
        Rules(),
        {"one": msgspec.structs.replace(LIMITS, **limits)},
        exposures=Portfolio(Ledger(), (), {}),
        flags={},
    )
    asked = msgspec.structs.replace(INTENT, **(intent or {}))
    found = msgspec.structs.replace(STANDING, **(standing or {}))
    return gate.check(Question(asked, "o1", instrument_of(symbol), found, Market(), 0))


def test_an_approval_reserves_the_notional_and_two_per_cent() -> None:
    assert judge() == Approved("o1", INTENT, Decimal(1020))


ALLOWED: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "exactly the position limit": ({"qty": Decimal(50)}, {}),
    "one trade under the day's limit": ({}, {"daily_trades": 2}),
    "reservation equal to the free cash": ({}, {"free_cash": Decimal(1020)}),
    "exactly one dollar": ({"qty": Decimal("0.01")}, {}),
    "a cent of cash, enough for the order": ({"qty": Decimal("0.01")}, {"cash": Decimal(2), "free_cash": Decimal(2)}),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_the_gate_allows(case: str) -> None:
    assert isinstance(judge(*ALLOWED[case]), Approved)


DENIED: dict[str, tuple[dict[str, object], dict[str, object], str, str, str]] = {
    "a halted strategy": ({}, {"state": TradingState.HALTED}, "halted", "no openings", "until it is resumed"),
    "a paused strategy": ({}, {"state": TradingState.PAUSED}, "paused", "no openings", "until it is resumed"),
    "a day's loss reached": ({}, {"loss_reached": True}, "max_daily_loss", "$500", "reached today"),
    "the day's trades reached": ({}, {"daily_trades": 3}, "max_daily_trades", "3", "3"),
    "a short in a long-only sandbox": ({"side": Side.SELL}, {}, "allow_short", "false", "sell 10"),
    "no cash": ({}, {"cash": Decimal(0)}, "cash", "> $0", "$0"),
    "negative cash": ({}, {"cash": Decimal(-1)}, "cash", "> $0", "$-1"),
    "under one dollar": ({"qty": Decimal("0.0099")}, {}, "min_notional", "$1", "$0.9900"),
    "nothing": ({"qty": Decimal(0)}, {}, "min_notional", "$1", "$0"),
    "finer than the increment": ({"qty": Decimal("1.00001")}, {}, "qty_increment", "0.0001", "1.00001"),
    "over the position limit": (
        {"qty": Decimal("50.0001")}, {}, "max_position_size", "$5000.0 (0.5 of equity)", "$5000.0100",
    ),
    "over the limit with what is held": (
        {"qty": Decimal(11)}, {"position": Decimal(40)}, "max_position_size", "$5000.0 (0.5 of equity)", "$5100",
    ),
    "more than the free cash": ({}, {"free_cash": Decimal("1019.99")}, "free_cash", "$1019.99", "$1020.00"),
}  # fmt: skip


@pytest.mark.parametrize("case", DENIED)
def test_the_gate_denies_with_rule_limit_and_value(case: str) -> None:
    intent, standing, *expected = DENIED[case]
    verdict = judge(intent, standing)
    assert isinstance(verdict, Denied)
    assert [verdict.rule, verdict.limit, verdict.value] == expected


@pytest.mark.parametrize(
    "standing",
    [
        {"state": TradingState.HALTED},
        {"loss_reached": True},
        {"daily_trades": 99},
        {"cash": Decimal(-5), "free_cash": Decimal(-5)},
        {"equity": Decimal(-5)},
    ],
)
def test_a_reduction_passes_whatever_is_reached(standing: dict[str, object]) -> None:
    verdict = judge({"side": Side.SELL, "reduces": True}, standing | {"position": Decimal(10)})
    assert isinstance(verdict, Approved)
    assert verdict.reserved == 0


def test_a_short_is_allowed_where_it_is_configured() -> None:
    assert isinstance(judge({"side": Side.SELL}, allow_short=True), Approved)


def test_crypto_needs_ten_dollars() -> None:
    verdict = judge({"symbol": "BTC/USD", "qty": Decimal("0.0999")}, symbol="BTC/USD")
    assert isinstance(verdict, Denied)
    assert verdict.rule == "min_notional"


def test_a_reduction_larger_than_the_position_is_a_bug_and_stops_the_program() -> None:
    with pytest.raises(AssertionError, match="reduces more than"):
        judge({"side": Side.SELL, "reduces": True}, {"position": Decimal(5)})


@pytest.mark.parametrize("case", DENIED)
def test_a_refusal_says_whose_limit_it_is_and_what_to_do(case: str) -> None:
    intent, standing, *_ = DENIED[case]
    verdict = judge(intent, standing)
    assert isinstance(verdict, Denied)
    assert verdict.scope in {"order", "strategy one"}
    assert verdict.hint


def test_a_symbol_that_is_not_warm_waits() -> None:
    verdict = judge({}, {"is_warm": False})
    assert isinstance(verdict, Denied)
    assert (verdict.rule, verdict.scope, verdict.is_passing) == ("not_warm", "symbol SPY", True)


def test_what_holds_entries_back_comes_before_all_else() -> None:
    verdict = judge({"qty": Decimal(0)}, {"held": "the stream is silent", "state": TradingState.HALTED})
    assert isinstance(verdict, Denied)
    assert (verdict.rule, verdict.value, verdict.is_passing) == ("held", "the stream is silent", True)


def test_to_sell_more_of_what_is_short_is_no_reduction_and_stops_the_program() -> None:
    with pytest.raises(AssertionError, match="reduces more than"):
        judge({"side": Side.SELL, "reduces": True}, {"position": Decimal(-20)})


FLAG = FlagRaised(0, "account", "daily_loss", "hard", "reduce_only", "3 %", "4 %")


@pytest.mark.parametrize("action", ["reduce_only", "force_reduce", "halt_strategy", "halt_desk"])
@pytest.mark.parametrize("scope", ["account", "strategy one", "symbol SPY", "group g"])
def test_under_a_flag_nothing_is_opened_in_its_scope(action: str, scope: str) -> None:
    rules = Rules(groups={"g": GroupLimits(("one",))})
    flags = {"f": msgspec.structs.replace(FLAG, action=action, scope=scope)}
    verdict = ask(gate_of(rules, flags=flags))
    assert refused(verdict) == ("reduce_only", scope)
    assert said(verdict) == ("daily_loss 3 %", "4 %")
    out = {"side": "sell", "reduces": True, "position": Decimal(10)}
    assert isinstance(ask(gate_of(rules, flags=flags), **out), Approved)
    if scope != "account":
        assert isinstance(ask(gate_of(rules, flags=flags), symbol="QQQ", strategy="two"), Approved)


@pytest.mark.parametrize("action", ["alert", "tighten"])
def test_a_flag_that_only_tells_lets_openings_pass(action: str) -> None:
    assert isinstance(ask(gate_of(flags={"f": msgspec.structs.replace(FLAG, action=action)})), Approved)


class Broken(Book):
    """Exposures that cannot be read."""

    def sync(self) -> None:
        raise ZeroDivisionError("no such thing")


def test_an_error_in_a_check_refuses_openings_and_never_reductions() -> None:
    gate = gate_of(Rules(account=AccountLimits(max_gross=Bound(1))), Broken({"one": {"SPY": 0.0}}))
    verdict = ask(gate)
    assert refused(verdict) == ("check_failed", "order")
    assert said(verdict)[1] == "error: ZeroDivisionError: no such thing"
    assert isinstance(ask(gate, side="sell", reduces=True, position=Decimal(10)), Approved)


def test_without_rules_nothing_but_a_strategys_own_books_is_looked_at() -> None:
    assert isinstance(ask(gate_of(book=Broken({"one": {"SPY": 0.0}}))), Approved)


def test_a_warning_is_of_the_newest_answer_only() -> None:
    gate = gate_of(Rules(account=AccountLimits(max_gross=Bound(soft=0.04))))
    assert isinstance(ask(gate), Approved)
    assert warned(gate) == [("max_gross", "account")]
    assert isinstance(ask(gate, side="sell", reduces=True, position=Decimal(10)), Approved)
    assert warned(gate) == []


def test_lists_come_after_the_books_and_before_the_market() -> None:
    rules = Rules(restricted=("SPY",), orders={"stock": OrderLimits(max_order_qty=Bound(1))})
    assert refused(ask(gate_of(rules))) == ("restricted", "symbol SPY")
    assert refused(ask(gate_of(rules), cash=Decimal(0))) == ("cash", "strategy one")
    assert refused(ask(gate_of(rules), symbol="QQQ")) == ("max_order_qty", "order")
