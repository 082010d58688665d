"""The settings of losses, of what follows, and of a wild market: what they become, and what is said of a wrong one."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from trader.config.risk_ladder import Escalations, LadderSection, RegimeSection, escalation_of
from trader.config.risk_sections import RiskSection
from trader.risk.bounds import Bound
from trader.risk.escalation import Action, Escalation
from trader.risk.ladder import Ladder, Rungs
from trader.risk.regime import Regime

ESCALATIONS: TypeAdapter[Any] = TypeAdapter(Escalations)


def test_rungs_are_the_accounts_and_those_of_groups_and_strategies() -> None:
    section = LadderSection.model_validate({
        "daily_loss": 0.03,
        "drawdown": {"soft": 0.1, "hard": 0.15},
        "weekly_factor": 0.25,
        "groups": {"fast": {"weekly_loss": 0.05}},
        "strategies": {"one": {"monthly_loss": 0.1}},
    })  # fmt: skip
    assert section.ladder() == Ladder(
        {
            "account": Rungs(daily_loss=Bound(0.03), drawdown=Bound(0.15, 0.1)),
            "group fast": Rungs(weekly_loss=Bound(0.05)),
            "strategy one": Rungs(monthly_loss=Bound(0.1)),
        },
        0.25,
    )


def test_an_empty_ladder_is_none() -> None:
    assert LadderSection().ladder() == Ladder()
    assert RiskSection().rules({}).ladder == Ladder()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"daily_loss": 0}, "must be a number from 1e-06 to 1"),
        ({"daily_loss": -0.03}, "must be a number from 1e-06 to 1"),
        ({"daily_loss": 3}, "must be a number from 1e-06 to 1"),
        ({"daily_loss": {"soft": 0.05, "hard": 0.03}}, "soft must be < hard"),
        ({"weekly_factor": 0}, "greater than 0"),
        ({"weekly_factor": 2}, "less than or equal to 1"),
        ({"strategies": {"one": {"hourly_loss": 0.1}}}, "Extra inputs are not permitted"),
    ],
)
def test_a_loss_that_can_be_none_is_refused(value: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        LadderSection.model_validate(value)


def test_what_follows_is_by_kind_and_level() -> None:
    section = ESCALATIONS.validate_python({
        "max_position": {"hard": "force_reduce"},
        "daily_loss": {"soft": "reduce_only", "hard": "halt_desk"},
        "max_order_value": {"soft": "halt_strategy"},
        "max_var": {"hard": "force_reduce"},
    })  # fmt: skip
    assert escalation_of(section) == Escalation({
        "max_position": {"soft": Action.ALERT, "hard": Action.FORCE_REDUCE},
        "daily_loss": {"soft": Action.REDUCE_ONLY, "hard": Action.HALT_DESK},
        "max_order_value": {"soft": Action.HALT_STRATEGY},
        "max_var": {"soft": Action.ALERT, "hard": Action.FORCE_REDUCE},
    })  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"max_gros": {"hard": "alert"}}, "no limit is called 'max_gros'; did you mean 'max_gross'"),
        ({"max_gross": {"hard": "sell"}}, "must be one of alert, tighten, reduce_only, force_reduce"),
        ({"max_gross": {"hard": "halt_dsk"}}, "did you mean 'halt_desk'"),
        ({"max_gross": {"hard": "tighten"}}, "tighten follows losses only"),
        ({"max_order_value": {"hard": "alert"}}, "is refused, nothing is left to follow; give soft"),
        ({"max_order_value": {"soft": "force_reduce"}}, "passes, and would be closed again; give hard"),
        ({"max_position": {"soft": "force_reduce"}}, "passes, and would be closed again; give hard"),
        ({"max_gross": "alert"}, "dictionary"),
    ],
)
def test_what_cannot_follow_is_refused_with_what_can(value: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ESCALATIONS.validate_python(value)


def test_a_regime_is_on_where_it_is_given() -> None:
    assert RiskSection().rules({}).regime == Regime()
    assert RegimeSection().regime() == Regime(is_on=True)
    section = RegimeSection.model_validate({"max_ratio": 3, "relax_days": 10, "symbol": "SPY"})
    assert section.regime() == Regime(is_on=True, max_ratio=3.0, relax_days=10, symbol="SPY")


@pytest.mark.parametrize("value", [{"max_ratio": 0.5}, {"relax_days": 0}, {"symbol": "spy"}, {"cap": 4}])
def test_a_regime_that_would_loosen_or_never_relax_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RegimeSection.model_validate(value)
