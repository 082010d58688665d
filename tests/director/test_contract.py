"""Every built-in filter, in each of its ways, keeps what a filter promises."""

import pytest

from tests.contracts.filter import FilterContract, MakeFilter
from trader.director import FILTERS
from trader.director.filters_exposure import (
    AssetClassFilter,
    CategoryFilter,
    MaxPositionsFilter,
    RiskBudgetFilter,
    VarFilter,
)
from trader.director.filters_simple import NilFilter, VolatilityFilter, WeekdayFilter
from trader.director.filters_sizing import AtrPositionSizeFilter, PositionSizeFilter

WAYS: dict[str, MakeFilter] = {
    "nil": NilFilter,
    "weekday": WeekdayFilter,
    "volatility": lambda: VolatilityFilter(lookback=5),
    "volatility of ranges": lambda: VolatilityFilter(lookback=5, estimator="parkinson"),
    "position-size fixed": lambda: PositionSizeFilter(size=3.5),
    "position-size in dollars": lambda: PositionSizeFilter(notional=1000.0),
    "position-size at risk parity": lambda: PositionSizeFilter(mode="risk-parity", cap=0.5),
    "position-size of equal weight": lambda: PositionSizeFilter(mode="equal-weight", max_positions=4),
    "atr-position-size": AtrPositionSizeFilter,
    "atr-position-size with a bound": lambda: AtrPositionSizeFilter(risk_usd=500.0, max_notional=1000.0),
    "max-positions": lambda: MaxPositionsFilter(max_long_positions=2, max_short_positions=1),
    "asset-class": lambda: AssetClassFilter(max_fracs={"crypto": 0.1}, max_count=3),
    "category": lambda: CategoryFilter(categories={"indices": ("SPY",)}, max_counts={"indices": 1}, on_excess="reject"),
    "var": lambda: VarFilter(lookback=40),
    "var of the past": lambda: VarFilter(lookback=40, method="historical", on_excess="reject"),
    "risk-budget": RiskBudgetFilter,
    "risk-budget that trims": lambda: RiskBudgetFilter(on_excess="trim", atr_n=5),
}


@pytest.fixture(params=WAYS, scope="class")
def make_filter(request: pytest.FixtureRequest) -> MakeFilter:
    return WAYS[request.param]


class TestEveryFilter(FilterContract):
    pass


def test_no_filter_is_forgotten() -> None:
    assert {type(make()) for make in WAYS.values()} == {*FILTERS.values()}
