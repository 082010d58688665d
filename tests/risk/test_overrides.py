"""Exceptions for one order: what may be asked for, by whom it is agreed, and what it then lets pass."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from trader.model.conduct import Conduct, Override, Tally
from trader.model.events import OverrideUsed
from trader.model.instruments import instrument_of
from trader.model.orders import OrderIntent, Reason, Side, TradingState
from trader.model.time import HOUR, SECOND
from trader.model.views import Market, Question, Standing
from trader.risk.bounds import Breach
from trader.risk.conduct import ConductOfAccount, ConductOfOne
from trader.risk.limits import OrderLimits
from trader.risk.orders import CODES
from trader.risk.overrides import OVERRIDABLE, Overrides, is_another, objection_to

NOW = HOUR
ASKED = Override(1, "one", "SPY", Side.BUY, Decimal(10), "duplicate", "a fat finger", NOW + HOUR, "alice (pid 1)")
GRANTED = msgspec.structs.replace(ASKED, approved_by="bob (pid 2)")
INTENT = OrderIntent("one", "SPY", Side.BUY, Decimal(10), Decimal(100), reduces=False, reason=Reason.SIGNAL, ts=NOW)
BREACH = Breach("duplicate", "strategy one", "60 s", "5 s")
NOTHING = Decimal(0)
STANDING = Standing(NOTHING, NOTHING, NOTHING, NOTHING, 0, loss_reached=False, state=TradingState.ACTIVE)


def lifted(override: Override, breach: Breach = BREACH, **changes: Any) -> tuple[bool, Overrides]:
    overrides = Overrides(Conduct(Tally(), overrides={1: override}))
    now = changes.pop("now", NOW)
    intent = msgspec.structs.replace(INTENT, **changes)
    question = Question(intent, "o1", instrument_of("SPY"), STANDING, Market(), now)
    return overrides.lifts(question, breach), overrides


def test_what_two_people_want_passes_once_and_is_noted_with_its_numbers() -> None:
    passes, overrides = lifted(GRANTED)
    assert passes
    assert overrides.used == [OverrideUsed(NOW, 1, "o1", "duplicate", "60 s", "5 s")]


def test_a_rule_that_two_scopes_have_is_passed_in_both_and_used_up_once() -> None:
    overrides = Overrides(Conduct(Tally(), overrides={1: GRANTED}))
    question = Question(INTENT, "o1", instrument_of("SPY"), STANDING, Market(), NOW)
    assert overrides.lifts(question, BREACH)
    assert overrides.lifts(question, msgspec.structs.replace(BREACH, scope="account"))
    assert [used.number for used in overrides.used] == [1]


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": "QQQ"},
        {"strategy": "two"},
        {"side": Side.SELL},
        {"qty": Decimal("10.0001")},
        {"now": NOW + HOUR},
    ],
)
def test_an_exception_is_for_its_own_order_only_and_ends(changes: dict[str, Any]) -> None:
    passes, overrides = lifted(GRANTED, **changes)
    assert not passes
    assert overrides.used == []


def test_a_smaller_order_passes_and_one_that_nobody_agreed_to_does_not() -> None:
    assert lifted(GRANTED, qty=Decimal(1))[0]
    assert not lifted(ASKED)[0]


def test_another_rule_is_not_lifted_nor_what_could_not_be_computed() -> None:
    assert not lifted(GRANTED, msgspec.structs.replace(BREACH, rule="cooldown"))[0]
    assert not lifted(GRANTED, msgspec.structs.replace(BREACH, value="unknown: no mark yet"))[0]
    assert not lifted(GRANTED, msgspec.structs.replace(BREACH, value="error: KeyError"))[0]


def test_an_exception_can_be_asked_for() -> None:
    assert objection_to(ASKED, NOW) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rule": "max_gross"}, "'max_gross' is never overridden"),
        ({"rule": "halted"}, "'halted' is never overridden"),
        ({"why": "  "}, "an override is documented: say why"),
        ({"qty": Decimal(0)}, "the quantity must be > 0, got 0"),
        ({"until": NOW}, "it must end within 60 minutes"),
        ({"until": NOW + HOUR + SECOND}, "it must end within 60 minutes"),
    ],
)
def test_what_cannot_be_asked_for_is_said(changes: dict[str, Any], said: str) -> None:
    assert objection_to(msgspec.structs.replace(ASKED, **changes), NOW).startswith(said)


CEILINGS = {
    *("halted", "paused", "reduce_only", "held", "restricted", "authorized", "check_failed", "allow_short"),
    *("cash", "free_cash", "max_position_size", "max_position", "max_gross", "max_net", "max_leverage", "min_equity"),
    *("max_equity_multiple", "max_var", "max_es", "max_daily_loss", "daily_loss", "drawdown", "intraday_margin"),
    *("max_repeats", "max_rejects", "max_daily_trades"),
}


def test_no_hard_ceiling_can_be_overridden() -> None:
    assert CEILINGS.isdisjoint(OVERRIDABLE)


def test_every_rule_that_can_be_overridden_is_one_of_the_gates() -> None:
    orders = {CODES.get(name, name) for name in OrderLimits.__struct_fields__}
    conduct = {*ConductOfOne.__struct_fields__, *ConductOfAccount.__struct_fields__}
    assert set(OVERRIDABLE) <= orders | conduct


def test_two_callers_are_two_people_when_their_names_differ() -> None:
    assert is_another("alice (pid 1)", "bob (pid 1)")
    assert not is_another("alice (pid 1)", "alice (pid 2)")
    assert not is_another("alice (pid 1)", "")
