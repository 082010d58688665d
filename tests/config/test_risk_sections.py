"""The risk section: numbers and levels, profiles, and that every limit of the gate can be set."""

from typing import Any, get_type_hints

import msgspec
import pytest

from tests.config.entries import entry
from trader.config import Config, parse
from trader.config.risk_sections import PROFILES, RiskConfig, RiskSection
from trader.errors import ConfigError
from trader.model.orders import Urgency
from trader.risk.bounds import NONE, Bound
from trader.risk.escalation import Action
from trader.risk.ladder import Rungs
from trader.risk.limits import AccountLimits, GroupLimits, Limits, OrderLimits, SymbolLimits
from trader.risk.orders import MEASURES
from trader.risk.rings import MEASURED
from trader.risk.rules import Rules
from trader.risk.tiers import Tier


def config(risk: Any = None, **changes: Any) -> Config:
    return parse({"strategies": [entry(**changes)]} | ({} if risk is None else {"risk": risk}))


def rules(risk: Any = None, **changes: Any) -> Rules:
    made = config(risk, **changes)
    return made.risk.rules({one.name: one.risk_config for one in made.strategies})


def test_without_a_risk_section_there_are_no_rules() -> None:
    assert rules() == Rules()
    assert rules({}) == Rules()


def test_a_number_is_the_hard_level_and_an_object_has_both() -> None:
    found = rules({"account": {"max_gross": 1.5, "max_net": {"soft": 0.5, "hard": 1}, "max_leverage": {"soft": 2}}})
    assert found.account.max_gross == Bound(1.5)
    assert found.account.max_net == Bound(1.0, soft=0.5)
    assert found.account.max_leverage == Bound(soft=2.0)
    assert found.account.max_sector == NONE


@pytest.mark.parametrize(
    ("risk", "account", "rungs"),
    [
        (
            {"profile": "framework"},
            AccountLimits(max_position=Bound(0.1), max_sector=Bound(0.3), max_gross=Bound(2.0), max_net=Bound(0.5)),
            Rungs(daily_loss=Bound(0.03), weekly_loss=Bound(0.05), monthly_loss=Bound(0.1)),
        ),
        (
            {"profile": "level1"},
            AccountLimits(
                max_position=Bound(0.4), max_gross=Bound(1.5), max_net=Bound(1.0), max_leverage=Bound(2.0),
                min_cash_buffer=Bound(0.05),
            ),
            Rungs(drawdown=Bound(0.15)),
        ),
    ],
)  # fmt: skip
def test_a_profile_is_a_set_of_limits(risk: Any, account: AccountLimits, rungs: Rungs) -> None:
    assert rules(risk).account == account
    assert rules(risk).ladder.scopes == {"account": rungs}


def test_a_single_key_takes_the_place_of_the_profiles() -> None:
    risk = {"profile": "framework", "account": {"max_gross": {"soft": 1, "hard": 1.2}, "max_net": None}}
    found = rules(risk).account
    assert found.max_gross == Bound(1.2, soft=1.0)
    assert found.max_net == NONE
    assert found.max_position == Bound(0.1)


def test_the_profiles_are_the_two_that_can_be_named() -> None:
    assert get_type_hints(RiskSection)["profile"].__args__[0].__args__ == tuple(PROFILES)


def test_what_is_said_of_a_class_takes_the_place_of_what_is_said_of_all() -> None:
    orders = {"all": {"max_spread": 0.01, "max_order_qty": 5}, "crypto": {"max_spread": 0.05, "sessions": []}}
    found = rules({"orders": orders}).orders
    assert found["stock"] == OrderLimits(max_spread=Bound(0.01), max_order_qty=Bound(5.0))
    assert found["crypto"] == OrderLimits(max_spread=Bound(0.05), max_order_qty=Bound(5.0))
    assert rules({"orders": {"stock": {"max_spread": 0.01}}}).orders.keys() == {"stock"}


def test_groups_symbols_lists_and_tiers_reach_the_rules() -> None:
    found = rules({
        "groups": {"g": {"strategies": ["one"], "max_group_gross": 1, "max_positions": 3}},
        "symbols": {"SPY": {"max_position": 0.5}},
        "sectors": {"tech": ["QQQ"]}, "categories": {"funds": ["SPY"]},
        "restricted": ["IWM"], "allowed": ["SPY"], "authorized": {"one": ["SPY"]},
        "tiers": {"immediate": "fast"},
        "escalation": {"max_gross": {"hard": "force_reduce"}},
        "regime": {"max_ratio": 3},
        "var": {"max_var": 0.02},
    }, name="one")  # fmt: skip
    assert found.groups == {"g": GroupLimits(("one",), max_group_gross=Bound(1.0), max_positions=Bound(3.0))}
    assert found.symbols == {"SPY": SymbolLimits(max_position=Bound(0.5))}
    assert (found.sectors, found.categories) == ({"tech": ("QQQ",)}, {"funds": ("SPY",)})
    assert (found.restricted, found.allowed, found.authorized) == (("IWM",), ("SPY",), {"one": ("SPY",)})
    assert found.tiers == {Urgency.IMMEDIATE: Tier.FAST}
    assert found.escalation.action_of("max_gross", "hard") is Action.FORCE_REDUCE
    assert (found.regime.is_on, found.regime.max_ratio) == (True, 3.0)
    assert found.var.max_var == Bound(0.02)


def test_a_strategys_bounds_reach_its_limits() -> None:
    own = {"max_budget": 5000, "max_gross": {"soft": 0.5, "hard": 1}, "conduct": {"max_repeats": 3}}
    made = config({}, risk_config=own)
    limits = made.strategies[0].risk_config.limits(allow_short=True)
    assert (limits.max_budget, limits.max_gross, limits.allow_short) == (Bound(5000.0), Bound(1.0, soft=0.5), True)
    conduct = rules({}, risk_config=own, name="one").conduct.strategies
    assert conduct["one"].max_repeats == Bound(3.0)


@pytest.mark.parametrize(
    ("struct", "section"),
    [
        (AccountLimits, RiskSection.model_fields["account"].annotation),
        (OrderLimits, type(RiskSection().orders.all)),
        (SymbolLimits, RiskSection.model_fields["symbols"].annotation.__args__[1]),  # type: ignore[union-attr]
        (GroupLimits, RiskSection.model_fields["groups"].annotation.__args__[1]),  # type: ignore[union-attr]
    ],
)
def test_every_limit_of_the_gate_is_a_key_of_the_settings(struct: type[msgspec.Struct], section: Any) -> None:
    assert set(struct.__struct_fields__) == set(section.model_fields)


def test_every_limit_of_a_strategy_is_a_key_of_its_settings() -> None:
    renamed = {"stop_loss": "stop_loss_pct", "take_profit": "take_profit_pct"}
    of_its_own = {renamed.get(name, name) for name in Limits.__struct_fields__} - {"allow_short"}
    assert of_its_own | {"conduct"} == set(RiskConfig.model_fields)


def test_every_bound_is_looked_at_by_the_gate() -> None:
    looked_at = {*MEASURES, *MEASURED, "max_sector", "max_category", "max_class", "min_equity", "min_cash_buffer"}
    for struct in (AccountLimits, OrderLimits, SymbolLimits, GroupLimits, Limits):
        bounds = {field.name for field in msgspec.structs.fields(struct) if field.type is Bound}
        assert bounds <= looked_at


WRONG: dict[str, tuple[Any, str, str]] = {
    "a profile that is none": ({"profile": "framwork"}, "risk.profile", "did you mean 'framework'?"),
    "a key that is none": ({"account": {"max_gros": 1}}, "risk.account.max_gros", "did you mean 'max_gross'?"),
    "a key in the wrong place": ({"max_gross": 1}, "risk.max_gross", "it belongs in 'account'"),
    "soft looser than hard": (
        {"account": {"max_net": {"soft": 2, "hard": 1}}}, "risk.account.max_net", "soft must be <",
    ),
    "a floor the wrong way round": (
        {"account": {"min_equity": {"soft": 1, "hard": 2}}}, "risk.account.min_equity", "soft must be >",
    ),
    "no level": ({"account": {"max_gross": {}}}, "risk.account.max_gross", "must have a level"),
    "text": ({"account": {"max_gross": "1"}}, "risk.account.max_gross", "must be a number"),
    "less than nothing": ({"orders": {"all": {"max_spread": -1}}}, "risk.orders.all.max_spread", "from 0 to 1"),
    "a part of a position": ({"account": {"max_positions": 1.5}}, "risk.account.max_positions", "a whole number"),
    "no time of the week": ({"orders": {"all": {"close_only": ["Fry"]}}}, "risk.orders.all.close_only[0]", "no day"),
    "no session": ({"orders": {"stock": {"sessions": ["cor"]}}}, "risk.orders.stock.sessions[0]", "did you mean"),
    "no urgency": ({"tiers": {"now": "fast"}}, "risk.tiers.now", "'immediate'"),
    "no tier": ({"tiers": {"high": "fats"}}, "risk.tiers.high", "'realtime'"),
    "no ticker": ({"restricted": ["spy"]}, "risk.restricted[0]", "did you mean 'SPY'?"),
    "no object": ({"account": 5}, "risk.account", "must be an object"),
    "a group of nobody": ({"groups": {"g": {"strategies": []}}}, "risk.groups.g.strategies", "must not be empty"),
    "nothing at all": (5, "risk", "must be an object"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_place(case: str) -> None:
    risk, place, message = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        config(risk)
    assert caught.value.problems[0].path == place
    assert message in caught.value.problems[0].message
