"""Which filters let strategies run apart, and what is said where they do not."""

from decimal import Decimal

import pytest

from trader.director import FILTERS, Filter
from trader.director.filters_sizing import PositionSizeFilter
from trader.director.modes import ExecutionMode, MarketView, OwnView, mode_of, split_capital
from trader.errors import ConfigError, ModeError
from trader.testing import GivenView

AUTO, PARALLEL, SEQUENTIAL = ExecutionMode.AUTO, ExecutionMode.PARALLEL, ExecutionMode.SEQUENTIAL

APART = {"nil", "weekday", "volatility"}
TOGETHER = {"max-positions", "asset-class", "category", "var", "risk-budget", "atr-position-size"}


def named(*names: str) -> list[tuple[str, Filter]]:
    return [(name, FILTERS[name]()) for name in names]


def test_each_filter_says_whether_it_needs_the_portfolio() -> None:
    assert {name for name in FILTERS if name != "position-size" and not FILTERS[name]().needs_portfolio} == APART
    assert {name for name in FILTERS if name != "position-size" and FILTERS[name]().needs_portfolio} == TOGETHER


def test_position_size_needs_it_in_all_but_its_fixed_mode() -> None:
    assert not PositionSizeFilter(size=1.0).needs_portfolio
    assert PositionSizeFilter(mode="risk-parity").needs_portfolio
    assert PositionSizeFilter(mode="equal-weight", max_positions=3).needs_portfolio


def test_auto_runs_apart_where_all_filters_allow_it_and_together_else() -> None:
    assert mode_of(AUTO, []) is PARALLEL
    assert mode_of(AUTO, named("nil", "weekday")) is PARALLEL
    assert mode_of(AUTO, named("nil", "var")) is SEQUENTIAL


def test_what_is_asked_for_is_kept() -> None:
    assert mode_of(SEQUENTIAL, named("nil")) is SEQUENTIAL
    assert mode_of(PARALLEL, named("nil")) is PARALLEL


def test_parallel_is_refused_with_the_filters_that_forbid_it_and_a_hint() -> None:
    with pytest.raises(ModeError) as refused:
        mode_of(PARALLEL, named("nil", "max-positions", "var"))
    assert str(refused.value) == (
        "cannot use parallel mode with filters: [max-positions, var]\n"
        "Hint: remove --execution-mode=parallel or use only parallel-safe filters"
    )
    assert refused.value.hint == "remove --execution-mode=parallel or use only parallel-safe filters"
    assert isinstance(refused.value, ConfigError)
    assert refused.value.exit_code == 3


@pytest.mark.parametrize("ask", ["equity", "holdings"])
def test_apart_there_is_a_market_but_no_portfolio(ask: str) -> None:
    view = MarketView(GivenView(days={"SPY": [100.0, 101.0]}, stops={"one": 0.05}))
    with pytest.raises(ModeError, match=r"^Portfolio query not available in parallel execution mode$"):
        getattr(view, ask)
    with pytest.raises(ModeError):
        view.equity_of("one")
    assert (view.mark("SPY"), view.stop_of("one"), view.instrument("one", "SPY").symbol) == (101.0, 0.05, "SPY")
    assert [*view.closes("SPY", 1), *view.highs("SPY", 1), *view.lows("SPY", 1)] == [101.0] * 3
    assert len(view.ends("SPY", 5)) == 2


def test_a_strategys_own_filters_may_ask_for_its_equity_by_name_as_well() -> None:
    own = OwnView(GivenView(equity=500.0), "one")
    assert (own.equity, own.equity_of("one")) == (500.0, 500.0)


def test_capital_is_divided_evenly_or_by_units() -> None:
    third = split_capital(Decimal(100_000), [Decimal(1)] * 3)  # flt-capital-split
    assert third == [Decimal("33333.333333333333")] * 3
    assert split_capital(Decimal(100), [Decimal(3), Decimal(1)]) == [Decimal(75), Decimal(25)]
