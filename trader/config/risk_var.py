"""The keys of a settings file that limit what the account may lose, and stresses as a person writes them."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from trader.config.bounds import Float, Share, bound_of
from trader.config.fields import EXACT, Flag, Section, Text
from trader.config.files import read, shown
from trader.config.findings import explain, problems, show
from trader.errors import ConfigError
from trader.model.tail import LONGEST_HORIZON
from trader.registry import did_you_mean
from trader.risk.past import FEWEST_DAYS
from trader.risk.stress import ALL, CLASSES, SCENARIOS, Scenario
from trader.risk.value_at_risk import VarLimits

MOST_DAYS = 2_500  # ten years
MOST_SHOCKS = 300  # a request to a running desk has room for no more
FACTORS = (*CLASSES, ALL)
_SYMBOL = re.compile(r"[A-Z][A-Z0-9.]{0,9}(/[A-Z]{3,5})?")


def _factors(shocks: dict[str, float]) -> dict[str, float]:
    for name in shocks:
        if name not in FACTORS and not _SYMBOL.fullmatch(name):
            hint = did_you_mean(name, FACTORS) or f"; or one of {', '.join(FACTORS)}"
            raise ValueError(f"must be of symbols like 'SPY' or 'BTC/USD', got {show(name)}{hint}")
    return shocks


def _scenario(value: object) -> object:
    """Take a built-in stress by its name."""
    if not isinstance(value, str):
        return value
    if value not in SCENARIOS:
        hint = did_you_mean(value, SCENARIOS) or f"; there are {', '.join(SCENARIOS)}"
        raise ValueError(f"no stress is called {show(value)}{hint}")
    known = SCENARIOS[value]
    return {"name": known.name, "title": known.title, "shocks": dict(known.shocks), "completed": known.is_completed}


Move = Annotated[float, Field(ge=-1, le=100), Float]


class StressSection(Section):
    """Moves of the market, given one by one, or those between two days that the desk knows."""

    name: Annotated[Text, Field(min_length=1, max_length=64)] = "stress"
    """What denials and reports call it."""
    title: Annotated[Text, Field(max_length=200)] = ""
    """What it is, for people."""
    shocks: Annotated[dict[Text, Move], Field(default_factory=dict, max_length=MOST_SHOCKS), AfterValidator(_factors)]
    """Moves as fractions, -0.1 is a fall by 10 %: of symbols, or of stocks, crypto or all."""
    since: date | None = None
    """In a file only: the day from whose close on the past is replayed, as 2020-02-19."""
    until: date | None = None
    """In a file only: the day at whose close it ends."""
    completed: Flag = True
    """Whether symbols that are not named move as they are expected to, given those that are."""

    @model_validator(mode="after")
    def _moves_something(self) -> Self:
        if (self.since is None) != (self.until is None):
            raise ValueError("since and until go together")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise ValueError(f"until must be after since, got {self.since} and {self.until}")
        if not self.shocks and self.since is None:
            raise ValueError('moves nothing; give shocks like {"stocks": -0.2}, or since and until')
        return self

    def scenario(self) -> Scenario:
        """Return it as the desk has it."""
        return Scenario(self.name, dict(self.shocks), self.title, self.completed)


_Name = Annotated[str, Field(json_schema_extra={"enum": [*SCENARIOS]})]
_Stress = Annotated[StressSection, BeforeValidator(_scenario, json_schema_input_type=_Name | StressSection)]


class VarSection(Section):
    """What the account may lose by all that it holds and all that is on its way; exits always pass."""

    max_var: Share | None = None
    """Value at risk, as a part of the equity: a loss that is exceeded once in 1 / (1 - confidence) days."""
    max_es: Share | None = None
    """Expected shortfall, as a part of the equity: the mean of those losses that are beyond the value at risk."""
    max_stress: Share | None = None
    """Loss in the worst of the stresses, as a part of the equity."""
    confidence: Annotated[float, Field(ge=0.9, le=0.999), Float] = 0.95
    """Part of the days on which less is lost than the value at risk."""
    horizon: Annotated[int, Field(ge=1, le=LONGEST_HORIZON), EXACT] = 1
    """Days in which it may be lost; more than one are its square root times as bad."""
    window: Annotated[int, Field(ge=FEWEST_DAYS, le=MOST_DAYS), EXACT] = 500
    """Past days that are looked at; a symbol with fewer than 250 counts by its volatility alone."""
    method: Literal["parametric", "historical", "cornish-fisher"] = "parametric"
    """How it is measured: by the normal distribution, by the worst of the past days, or by skew and kurtosis too."""
    stress: tuple[_Stress, ...] | None = None
    """What max_stress is about: stresses by name, or as objects with a name and shocks. null: all that have a name."""

    @model_validator(mode="after")
    def _stresses_are_given(self) -> Self:
        if any(stress.since is not None for stress in self.stress or ()):
            raise ValueError("stress: since and until are for `trader risk --stress FILE`; give shocks here")
        if self.max_stress is not None and self.stress == ():
            raise ValueError("max_stress without a stress limits nothing; leave out stress to have them all")
        return self

    def limits(self) -> VarLimits:
        """Return them as the gate has them."""
        chosen = tuple(SCENARIOS.values())
        if self.stress is not None:
            chosen = tuple(stress.scenario() for stress in self.stress)
        return VarLimits(
            max_var=bound_of(self.max_var),
            max_es=bound_of(self.max_es),
            max_stress=bound_of(self.max_stress),
            scenarios=chosen if self.max_stress is not None else (),
            confidence=self.confidence,
            horizon=self.horizon,
            window=self.window,
            method=self.method,
        )


def read_stress(path: Path) -> StressSection:
    """Read a stress out of a file, JSON or TOML.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    try:
        return StressSection.model_validate(read(path))
    except ValidationError as error:
        raise ConfigError(problems(explain(error, StressSection)), source=shown(path)) from None
