"""Limits on exposure: worst case, with what was let pass counted at once; what makes a broken one no worse passes."""

from decimal import Decimal
from math import nan
from typing import Any

import pytest

from tests.risk.asking import NOW, Book, ask, gate_of, refused, said, warned
from trader.model.events import FlagRaised
from trader.model.orders import Approved, Denied, Urgency
from trader.model.time import MINUTE, SECOND
from trader.risk.bounds import Bound
from trader.risk.limits import AccountLimits, GroupLimits, Limits, SymbolLimits
from trader.risk.rules import Rules

# Two strategies with $10,000 each hold SPY for $2,000 and QQQ for $1,000 together: what they are worth is $23,000.
HELD = {"one": {"SPY": 10.0, "QQQ": 0.0}, "two": {"SPY": 10.0, "QQQ": 10.0}}
NAV = 23_000.0


def account(**limits: Any) -> Rules:
    return Rules(account=AccountLimits(**limits))


# The rule, its scope, its value after buying 10 SPY, and whether it is a share of the account's worth.
MEASURES: dict[str, tuple[str, float, bool]] = {
    "max_position": ("symbol SPY", 3000, True),
    "max_position_value": ("symbol SPY", 3000, False),
    "max_gross": ("account", 4000, True),
    "max_net": ("account", 4000, True),
    "max_leverage": ("account", 4000, True),
    "max_equity_multiple": ("account", 4000, True),
    "max_sector": ("account", 3000, True),
    "max_category": ("account", 3000, True),
    "max_class": ("account", 4000, True),
    "max_budget": ("account", 4000, False),
}
SECTORS: dict[str, tuple[str, ...]] = {"funds": ("SPY",), "tech": ("QQQ",)}


def rules_of(rule: str, bound: Bound) -> Rules:
    limits: dict[str, Any] = {rule: bound}
    return Rules(account=AccountLimits(**limits), sectors=SECTORS, categories=SECTORS)


@pytest.mark.parametrize("rule", MEASURES)
def test_a_measure_may_meet_its_limit_and_not_go_beyond(rule: str) -> None:
    scope, value, is_share = MEASURES[rule]
    limit = value / NAV if is_share else value
    assert isinstance(ask(gate_of(rules_of(rule, Bound(limit)), Book(HELD))), Approved)
    verdict = ask(gate_of(rules_of(rule, Bound(limit * 0.999)), Book(HELD)))
    assert refused(verdict) == (rule, scope)
    assert isinstance(verdict, Denied)
    assert f"risk.account.{rule}" in verdict.hint


@pytest.mark.parametrize("rule", MEASURES)
def test_beyond_soft_an_order_passes_and_is_told(rule: str) -> None:
    scope, value, is_share = MEASURES[rule]
    limit = (value / NAV if is_share else value) * 0.9
    gate = gate_of(rules_of(rule, Bound(limit * 2, soft=limit)), Book(HELD))
    assert isinstance(ask(gate), Approved)
    assert warned(gate) == [(rule, scope)]


@pytest.mark.parametrize("rule", MEASURES)
def test_reductions_pass_a_broken_limit(rule: str) -> None:
    gate = gate_of(rules_of(rule, Bound(0.0)), Book(HELD))
    assert isinstance(ask(gate, side="sell", reduces=True, position=Decimal(10)), Approved)


@pytest.mark.parametrize("rule", [rule for rule in MEASURES if rule != "max_gross"])
def test_a_measure_that_cannot_be_computed_refuses(rule: str) -> None:
    gate = gate_of(rules_of(rule, Bound(1e9)), Book(HELD, marks={"SPY": nan}))
    verdict = ask(gate)
    assert isinstance(verdict, Denied)
    assert verdict.value == "unknown: no mark of SPY yet"


def test_what_is_neither_held_nor_on_its_way_needs_no_mark() -> None:
    book = Book({"one": {"SPY": 10.0, "QQQ": 0.0}}, marks={"QQQ": nan})
    assert isinstance(ask(gate_of(account(max_gross=Bound(1)), book)), Approved)
    assert refused(ask(gate_of(account(max_gross=Bound(1)), book), symbol="QQQ")) == ("max_gross", "account")


def test_what_is_on_its_way_counts_as_filled_in_the_worse_direction() -> None:
    buys, sells = {"two": {"QQQ": 50.0}}, {"two": {"SPY": 70.0}}
    book = Book(HELD, buys=buys, sells=sells)  # SPY may become −50, QQQ 60
    assert isinstance(ask(gate_of(account(max_gross=Bound(11_000 / NAV)), book)), Approved)  # SPY 30 is not the worse
    assert refused(ask(gate_of(account(max_gross=Bound(10_999 / NAV)), book), symbol="QQQ")) == ("max_gross", "account")
    assert isinstance(ask(gate_of(account(max_net=Bound(9000 / NAV)), book)), Approved)  # 20 + 60 + 10
    assert refused(ask(gate_of(account(max_net=Bound(8999 / NAV)), book))) == ("max_net", "account")


def test_what_makes_a_broken_limit_no_worse_passes() -> None:
    book = Book({"one": {"SPY": 0.0}, "two": {"SPY": 100.0}})
    short = {"side": "sell"}
    assert isinstance(ask(gate_of(account(max_net=Bound(0.1), max_gross=Bound(0.1)), book), **short), Approved)
    assert refused(ask(gate_of(account(max_net=Bound(0.1)), book))) == ("max_net", "account")


def test_what_was_let_pass_counts_at_once_though_nobody_has_answered() -> None:
    for urgency in Urgency:
        gate = gate_of(account(max_gross=Bound(5000 / NAV)), Book(HELD))
        assert isinstance(ask(gate, urgency=urgency), Approved)
        assert isinstance(ask(gate, symbol="QQQ", urgency=urgency), Approved)
        assert refused(ask(gate, "0.1", urgency=urgency)) == ("max_gross", "account")


def test_a_sector_has_its_own_limit_and_what_is_in_none_is_one_together() -> None:
    limits = AccountLimits(max_sector=Bound(0.2), max_sector_of={"tech": Bound(0.05)})
    rules = Rules(account=limits, sectors={"tech": ("QQQ",)})
    assert isinstance(ask(gate_of(rules, Book(HELD)), "1"), Approved)
    verdict = ask(gate_of(rules, Book(HELD)), "30")
    assert refused(verdict) == ("max_sector", "account")
    assert isinstance(verdict, Denied)
    assert "max_sector (unknown)" in verdict.hint
    verdict = ask(gate_of(rules, Book(HELD)), "2", symbol="QQQ")
    assert isinstance(verdict, Denied)
    assert "max_sector_of.tech" in verdict.hint


def test_a_class_has_its_own_limit() -> None:
    rules = account(max_class_of={"crypto": Bound(0.01)})
    assert isinstance(ask(gate_of(rules), "50"), Approved)
    assert refused(ask(gate_of(rules), "3", "BTC/USD")) == ("max_class", "account")


def test_a_symbols_own_limit_takes_the_place_of_the_general_one() -> None:
    limits = AccountLimits(max_position=Bound(0.01), max_position_value=Bound(5000))
    rules = Rules(account=limits, symbols={"SPY": SymbolLimits(max_position=Bound(0.2))})
    assert isinstance(ask(gate_of(rules), "40"), Approved)
    verdict = ask(gate_of(rules), "41")
    assert refused(verdict) == ("max_position", "symbol SPY")
    assert isinstance(verdict, Denied)
    assert "risk.symbols.SPY.max_position" in verdict.hint
    assert refused(ask(gate_of(rules), "3", "QQQ")) == ("max_position", "symbol QQQ")
    wide = Rules(account=limits, symbols={"SPY": SymbolLimits(max_position=Bound(0.9))})
    assert refused(ask(gate_of(wide), "51")) == ("max_position_value", "symbol SPY")


def test_positions_are_counted_once_a_symbol_and_a_further_order_in_one_is_no_more() -> None:
    rules = account(max_positions=Bound(1))
    book = Book({"one": {"SPY": 0.0, "QQQ": 0.0}, "two": {"SPY": 1.0, "QQQ": 0.0}})
    assert isinstance(ask(gate_of(rules, book)), Approved)
    assert refused(ask(gate_of(rules, book), symbol="QQQ")) == ("max_positions", "account")


def test_cash_that_is_reserved_or_owed_to_shorts_is_no_buffer() -> None:
    rules = account(min_cash_buffer=Bound(0.4))
    assert isinstance(ask(gate_of(rules), "117"), Approved)  # 20,000 less 11,934 is 0.403 of it
    assert refused(ask(gate_of(rules), "118")) == ("min_cash_buffer", "account")
    short = Book({"one": {"SPY": -50.0}, "two": {"SPY": 0.0}}, cash={"one": 15_000.0})
    assert isinstance(ask(gate_of(rules, short), "70", strategy="one", side="sell"), Approved)  # nav is 20,000
    book = Book({"one": {"SPY": 0.0}, "two": {"SPY": 0.0}})
    book.reserved[1] = 8000.0
    book.version += 1
    assert refused(ask(gate_of(rules, book), "40")) == ("min_cash_buffer", "account")


def test_under_the_least_equity_nothing_is_opened() -> None:
    assert isinstance(ask(gate_of(account(min_equity=Bound(20_000)))), Approved)
    verdict = ask(gate_of(account(min_equity=Bound(20_001))))
    assert refused(verdict) == ("min_equity", "account")
    assert said(verdict) == ("$20001.00", "$20000.00")
    gate = gate_of(account(min_equity=Bound(1, soft=30_000)))
    assert isinstance(ask(gate), Approved)
    assert warned(gate) == [("min_equity", "account")]


def test_on_nothing_nothing_is_opened() -> None:
    book = Book({"one": {"SPY": 0.0}}, cash={"one": 0.0})
    assert refused(ask(gate_of(account(max_gross=Bound(1)), book))) == ("nav", "account")
    book = Book({"one": {"SPY": 0.0}}, unallocated=100.0, cash={"one": 0.0})
    assert isinstance(ask(gate_of(account(max_gross=Bound(1)), book), "1"), Approved)


GROUP = {
    "max_group_gross": Bound(4000 / NAV),
    "max_net": Bound(4000 / NAV),
    "max_position": Bound(2000 / NAV),
    "max_positions": Bound(3),
}


@pytest.mark.parametrize("rule", GROUP)
def test_a_group_is_held_to_limits_together(rule: str) -> None:
    rules = Rules(groups={"both": GroupLimits(("two", "one"), **{rule: GROUP[rule]})})
    gate = gate_of(rules, Book(HELD))
    assert isinstance(ask(gate, position=Decimal(10)), Approved)
    tighter = Rules(groups={"both": GroupLimits(("two", "one"), **{rule: Bound(0.0)})})
    assert refused(ask(gate_of(tighter, Book(HELD)), symbol="QQQ")) == (rule, "group both")
    apart = Rules(groups={"other": GroupLimits(("two",), **{rule: Bound(0.0)})})
    assert isinstance(ask(gate_of(apart, Book(HELD)), symbol="QQQ"), Approved)


OWN = {
    "max_position_value": Bound(2000),
    "max_gross": Bound(0.2),
    "max_net": Bound(0.2),
    "max_positions": Bound(1),
    "max_budget": Bound(2000),
}


@pytest.mark.parametrize("rule", OWN)
def test_a_strategy_is_held_to_limits_of_its_own_on_its_own_equity(rule: str) -> None:
    own: dict[str, Any] = {rule: OWN[rule]}
    gate = gate_of(book=Book(HELD), limits={"one": Limits(Decimal(100), **own)})
    assert isinstance(ask(gate), Approved)
    verdict = ask(gate, "11", symbol="QQQ" if rule == "max_positions" else "SPY")
    assert refused(verdict) == (rule, "strategy one")
    assert isinstance(verdict, Denied)
    assert f"risk_config.{rule} of strategy one" in verdict.hint
    assert isinstance(ask(gate, "50", strategy="two"), Approved)


def flag(scope: str, action: str, kind: str, value: str = "") -> dict[str, FlagRaised]:
    return {"f": FlagRaised(NOW, scope, kind, "hard", action, "a limit", value)}


def test_limits_are_divided_by_how_wild_the_market_is_and_say_so() -> None:
    flags = flag("account", "tighten", "regime", "2")
    assert isinstance(ask(gate_of(account(max_gross=Bound(1)), flags=flags), "100"), Approved)
    verdict = ask(gate_of(account(max_gross=Bound(1)), flags=flags), "101")
    assert said(verdict) == ("0.5 of equity (1 of equity tightened by 2)", "0.505 of equity")
    for rule in ("max_equity_multiple", "max_positions"):
        assert isinstance(ask(gate_of(account(**{rule: Bound(1)}), flags=flags), "101"), Approved)
    assert isinstance(ask(gate_of(account(min_cash_buffer=Bound(0.4)), flags=flags), "101"), Approved)


def test_a_bad_week_halves_the_limits_of_its_scope_only() -> None:
    rules = Rules(
        account=AccountLimits(max_gross=Bound(1)), groups={"g": GroupLimits(("one",), max_group_gross=Bound(1))}
    )
    flags = flag("group g", "tighten", "weekly_loss")
    assert refused(ask(gate_of(rules, flags=flags), "101")) == ("max_group_gross", "group g")
    assert isinstance(ask(gate_of(rules, flags=flags), "101", strategy="two"), Approved)


@pytest.mark.parametrize(
    ("urgency", "age"),
    [(Urgency.HIGH, SECOND // 10), (Urgency.MEDIUM, 10 * SECOND), (Urgency.LOW, MINUTE), (Urgency.IMMEDIATE, 0)],
)
def test_the_less_urgent_an_order_the_older_the_marks_it_is_checked_at(urgency: Urgency, age: int) -> None:
    book = Book(HELD)
    gate = gate_of(account(max_gross=Bound(0.5)), book)
    assert isinstance(ask(gate, "1", urgency=urgency), Approved)
    book.marks[1], book.version = 100_000.0, 1  # QQQ's; the order is in SPY
    if age:
        assert isinstance(ask(gate, "1", urgency=urgency, now=NOW + age), Approved)
    assert refused(ask(gate, "1", urgency=urgency, now=NOW + age + 1)) == ("max_gross", "account")


@pytest.mark.parametrize("urgency", Urgency)
def test_what_others_have_bought_counts_at_once_however_little_an_order_is_urgent(urgency: Urgency) -> None:
    book = Book(HELD)
    gate = gate_of(account(max_gross=Bound(0.5)), book)
    assert isinstance(ask(gate, "1", urgency=urgency), Approved)
    book.net[0], book.version, book.booked = 1000.0, 1, 1
    assert refused(ask(gate, "1", urgency=urgency)) == ("max_gross", "account")
