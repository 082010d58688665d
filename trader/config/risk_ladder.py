"""The keys of a settings file that say what losses, broken limits and a wild market lead to."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BeforeValidator, Field

from trader.config.bounds import Float, Share, bound_of
from trader.config.fields import Section, Text, Ticker
from trader.config.findings import show
from trader.registry import did_you_mean
from trader.risk.escalation import Action, Escalation
from trader.risk.gauges import MEASURED_KINDS, ORDER_KINDS
from trader.risk.ladder import LOSSES, WEEKLY_FACTOR, Ladder, Rungs
from trader.risk.regime import MAX_RATIO, RELAX_DAYS, Regime

_MOST_NAMES: Final = 10_000  # of strategies and groups
_KINDS: Final[Any] = [*LOSSES, *MEASURED_KINDS, *ORDER_KINDS]


class Loss(Share):
    """The largest loss that is allowed, as a positive part of the equity; reaching it counts."""

    least: ClassVar[float] = 1e-6


class Losses(Section):
    """What one scope may lose, as parts of the equity that the day, week or month began with, or of the highest."""

    daily_loss: Loss | None = None
    """Since the last price before the day; marked at what a way out would bring. Nothing is opened until the next."""
    weekly_loss: Loss | None = None
    """Since the last price before Monday. Limits are multiplied by weekly_factor until the week ends."""
    monthly_loss: Loss | None = None
    """Since the last price before the first. The desk, or who lost it, is halted until `trader resume`."""
    drawdown: Loss | None = None
    """From the highest equity ever. The desk, or who lost it, is halted until `trader resume`."""

    def rungs(self) -> Rungs:
        """Return them as the control room has them."""
        return Rungs(**{kind: bound_of(getattr(self, kind)) for kind in LOSSES})


class LadderSection(Losses):
    """What all strategies together may lose; groups and strategies may have rungs of their own."""

    weekly_factor: Annotated[float, Field(gt=0, le=1), Float] = WEEKLY_FACTOR
    """What limits are multiplied by after a bad week."""
    groups: dict[Text, Losses] = Field(default_factory=dict, max_length=_MOST_NAMES)
    """By the name of a group."""
    strategies: dict[Text, Losses] = Field(default_factory=dict, max_length=_MOST_NAMES)
    """By the name of a strategy."""

    def ladder(self) -> Ladder:
        """Return it as the control room has it."""
        scopes = {
            "account": self.rungs(),
            **{f"group {name}": losses.rungs() for name, losses in self.groups.items()},
            **{f"strategy {name}": losses.rungs() for name, losses in self.strategies.items()},
        }
        return Ladder({scope: rungs for scope, rungs in scopes.items() if rungs != Rungs()}, self.weekly_factor)


def _action(value: object) -> object:
    if value not in frozenset(Action):
        hint = did_you_mean(str(value), map(str, Action))
        raise ValueError(f"must be one of {', '.join(Action)}, got {show(value)}{hint}")
    return Action(str(value))


_Action = Annotated[Action, BeforeValidator(_action)]


class Follows(Section):
    """What follows when a limit is broken."""

    soft: _Action = Action.ALERT
    """At its soft level."""
    hard: _Action | None = None
    """At its hard level, by what is held or was lost; an order that would break it is refused in any case."""


def _kinds(value: dict[str, Follows]) -> dict[str, Follows]:
    """Check that each kind exists, and that what follows can follow it."""
    for kind, follows in value.items():
        if kind not in _KINDS:
            raise ValueError(f"no limit is called {show(kind)}{did_you_mean(kind, _KINDS)}")
        if kind not in LOSSES and Action.TIGHTEN in {follows.soft, follows.hard}:
            raise ValueError(f"{kind}: tighten follows losses only ({', '.join(LOSSES)})")
        if kind in ORDER_KINDS and follows.hard is not None:
            raise ValueError(f"{kind}: an order beyond its hard level is refused, nothing is left to follow; give soft")
        if kind not in LOSSES and follows.soft == Action.FORCE_REDUCE:
            raise ValueError(f"{kind}: an order beyond the soft level passes, and would be closed again; give hard")
    return value


_FOR_EDITORS: Final[Any] = Field(max_length=_MOST_NAMES, json_schema_extra={"propertyNames": {"enum": _KINDS}})
Escalations = Annotated[dict[Text, Follows], _FOR_EDITORS, AfterValidator(_kinds)]


def escalation_of(section: Mapping[str, Follows]) -> Escalation:
    """Return what follows as the control room has it."""
    return Escalation({
        kind: {"soft": follows.soft, **({} if follows.hard is None else {"hard": follows.hard})}
        for kind, follows in section.items()
    })  # fmt: skip


class RegimeSection(Section):
    """Limits on exposure are divided by volatility now over its long average, and never by less than 1."""

    max_ratio: Annotated[float, Field(ge=1, le=100), Float] = MAX_RATIO
    """Most that they are divided by."""
    relax_days: Annotated[int, Field(ge=1, le=365)] = RELAX_DAYS
    """Days in a row that the market must have been calmer before they relax; they tighten at once."""
    symbol: Ticker | None = None
    """Whose volatility tells; null: the median over all symbols of the desk."""

    def regime(self) -> Regime:
        """Return it as the control room has it."""
        return Regime(is_on=True, max_ratio=self.max_ratio, relax_days=self.relax_days, symbol=self.symbol or "")
