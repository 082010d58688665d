"""What follows a broken limit: the defaults, and what settings put in their place."""

from tests.build import T0
from trader.model.events import FlagRaised
from trader.risk.escalation import Action, Escalation, closing, end_of


def flag(scope: str, action: str) -> FlagRaised:
    return FlagRaised(0, scope, "max_gross", "hard", action, "2 of equity", "2.1 of equity")


def test_the_ladder_has_its_named_consequences() -> None:
    of = Escalation()
    assert of.action_of("daily_loss", "hard", "account") == Action.REDUCE_ONLY
    assert of.action_of("weekly_loss", "hard", "account") == Action.TIGHTEN
    assert of.action_of("monthly_loss", "hard", "account") == Action.HALT_DESK
    assert of.action_of("drawdown", "hard", "account") == Action.HALT_DESK


def test_what_ends_a_flag_is_said_with_the_command_that_does() -> None:
    def said(scope: str, until: int) -> str:
        return end_of(FlagRaised(0, scope, "drawdown", "hard", "halt_desk", "2 %", "3 %", until))

    assert said("account", 0) == "it ends once drawdown is known to be within its limit"
    assert said("strategy one", -1) == "it ends with `trader resume one`"
    assert said("group fast", T0) == "it ends at 2026-01-05T14:30:00Z, or with `trader resume`"


def test_a_strategys_and_a_groups_losses_halt_no_other() -> None:
    assert Escalation().action_of("drawdown", "hard", "strategy one") == Action.HALT_STRATEGY
    assert Escalation().action_of("monthly_loss", "hard", "group fast") == Action.HALT_STRATEGY
    told = Escalation({"drawdown": {"hard": Action.HALT_DESK}})
    assert told.action_of("drawdown", "hard", "strategy one") == Action.HALT_DESK


def test_a_soft_level_and_a_limit_that_drifted_are_alerts() -> None:
    assert Escalation().action_of("drawdown", "soft", "account") == Action.ALERT
    assert Escalation().action_of("max_gross", "hard", "account") == Action.ALERT


def test_settings_come_first_level_by_level() -> None:
    of = Escalation({"max_position": {"hard": Action.FORCE_REDUCE}, "drawdown": {"soft": Action.REDUCE_ONLY}})
    assert of.action_of("max_position", "hard", "account") == Action.FORCE_REDUCE
    assert of.action_of("max_position", "soft", "account") == Action.ALERT
    assert of.action_of("drawdown", "soft", "account") == Action.REDUCE_ONLY
    assert of.action_of("drawdown", "hard", "account") == Action.HALT_DESK


def test_what_only_tells_or_tightens_closes_nothing() -> None:
    flags = {action: flag("account", action) for action in ("alert", "tighten")}
    assert closing(flags, {"account"}) is None


def test_a_flag_closes_its_own_scope_only() -> None:
    one = flag("strategy one", "force_reduce")
    assert closing({"a": flag("account", "alert"), "b": one}, {"account", "strategy one"}) is one
    assert closing({"b": one}, {"account", "strategy two"}) is None
