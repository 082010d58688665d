"""What is looser than it was is named; what is tighter is not."""

import msgspec
import pytest

from trader.model.orders import Urgency
from trader.risk.bounds import Bound
from trader.risk.conduct import ConductLimits, ConductOfAccount, ConductOfOne
from trader.risk.escalation import Action, Escalation
from trader.risk.ladder import Ladder, Rungs
from trader.risk.limits import AccountLimits, GroupLimits, OrderLimits, SymbolLimits
from trader.risk.loosened import loosened
from trader.risk.regime import Regime
from trader.risk.rules import Rules
from trader.risk.stress import Scenario
from trader.risk.tiers import Tier
from trader.risk.value_at_risk import VarLimits


def account(**limits: Bound) -> Rules:
    return Rules(account=AccountLimits(**limits))  # type: ignore[arg-type]


def orders(**limits: object) -> Rules:
    return Rules(orders={"stock": OrderLimits(**limits)})  # type: ignore[arg-type]


# By the place that is named: the tighter rules and the looser ones.
PAIRS: dict[str, tuple[Rules, Rules]] = {
    "account.max_gross": (account(max_gross=Bound(1)), account(max_gross=Bound(2))),
    "account.max_net": (account(max_net=Bound(1, soft=0.5)), account(max_net=Bound(soft=0.5))),
    "account.min_equity": (account(min_equity=Bound(2)), account(min_equity=Bound(1))),
    "account.min_cash_buffer": (account(min_cash_buffer=Bound(2)), Rules()),
    "account.max_class_of.crypto": (Rules(account=AccountLimits(max_class_of={"crypto": Bound(1)})), Rules()),
    "groups.g.max_net": (
        Rules(groups={"g": GroupLimits(("a",), max_net=Bound(1))}), Rules(groups={"g": GroupLimits(("a",))}),
    ),
    "groups.g.strategies": (Rules(groups={"g": GroupLimits(("a", "b"))}), Rules(groups={"g": GroupLimits(("a",))})),
    "symbols.SPY.max_position": (Rules(symbols={"SPY": SymbolLimits(max_position=Bound(1))}), Rules()),
    "symbols.SPY.max_position_value": (
        Rules(account=AccountLimits(max_position_value=Bound(1)), symbols={"SPY": SymbolLimits(Bound(1))}),
        Rules(account=AccountLimits(max_position_value=Bound(1)), symbols={"SPY": SymbolLimits(Bound(1), Bound(2))}),
    ),
    "account.max_sector_of.tech": (
        account(max_sector=Bound(1)),
        Rules(account=AccountLimits(max_sector=Bound(1), max_sector_of={"tech": Bound(2)})),
    ),
    "orders.stock.max_decimals": (orders(max_decimals=2), orders(max_decimals=3)),
    "orders.stock.impact_coefficient": (orders(impact_coefficient=1.0), orders(impact_coefficient=0.5)),
    "orders.stock.sessions": (orders(sessions=("core",)), orders(sessions=("core", "pre"))),
    "orders.stock.close_only": (orders(close_only=("Sat", "Sun")), orders(close_only=("Sat",))),
    "restricted": (Rules(restricted=("SPY", "QQQ")), Rules(restricted=("QQQ",))),
    "allowed": (Rules(allowed=("SPY",)), Rules()),
    "authorized.a": (Rules(authorized={"a": ("SPY",)}), Rules(authorized={"a": ("SPY", "QQQ")})),
    "tiers.immediate": (Rules(), Rules(tiers={Urgency.IMMEDIATE: Tier.FAST})),
    "conduct.account.max_daily_orders": (
        Rules(conduct=ConductLimits(ConductOfAccount(max_daily_orders=Bound(5)))), Rules(),
    ),
    "conduct.strategies.a.cooldown": (
        Rules(conduct=ConductLimits(strategies={"a": ConductOfOne(cooldown=Bound(5))})),
        Rules(conduct=ConductLimits(strategies={"a": ConductOfOne(cooldown=Bound(4))})),
    ),
    "ladder.scopes.account.drawdown": (Rules(ladder=Ladder({"account": Rungs(drawdown=Bound(0.1))})), Rules()),
    "ladder.weekly_factor": (Rules(ladder=Ladder(weekly_factor=0.5)), Rules(ladder=Ladder(weekly_factor=0.9))),
    "escalation.drawdown.hard": (Rules(), Rules(escalation=Escalation({"drawdown": {"hard": Action.ALERT}}))),
    "regime.is_on": (Rules(regime=Regime(is_on=True)), Rules()),
    "var.max_var": (Rules(var=VarLimits(max_var=Bound(0.1))), Rules()),
    "var.scenarios": (Rules(var=VarLimits(scenarios=(Scenario("a", {"all": -0.1}),))), Rules()),
}  # fmt: skip


@pytest.mark.parametrize("place", PAIRS)
def test_what_is_looser_is_named_and_what_is_tighter_is_not(place: str) -> None:
    tight, loose = PAIRS[place]
    assert [found[0] for found in loosened(tight, loose)] == [place]
    assert [*loosened(loose, tight)] == []
    assert [*loosened(tight, tight)] == []


@pytest.mark.parametrize("place", PAIRS)
def test_rules_outlive_being_written_down(place: str) -> None:
    for rules in PAIRS[place]:
        assert msgspec.json.decode(msgspec.json.encode(rules), type=Rules) == rules


def test_both_values_are_shown() -> None:
    assert [*loosened(account(max_gross=Bound(1.5)), Rules())] == [("account.max_gross", "1.5", "none")]
    assert [*loosened(*PAIRS["restricted"])] == [("restricted", "SPY, QQQ", "QQQ")]
