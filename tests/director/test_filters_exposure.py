"""Counts, groups, value at risk and the risk budget: what all positions together leave room for."""

from math import nan

import numpy as np
import pytest
from pydantic import ValidationError

from trader.director import Director, Filter, Link
from trader.director.filters_exposure import (
    AssetClassFilter,
    CategoryFilter,
    MaxPositionsFilter,
    RiskBudgetFilter,
    VarFilter,
)
from trader.model.orders import OrderIntent, Ruling
from trader.model.tail import var_historical, z_of
from trader.model.views import Floats
from trader.testing import GivenView, holding, opening

CALM = {"SPY": [100.0 + (day % 2) for day in range(60)], "QQQ": [100.0 + (day % 3) for day in range(60)]}
RANGES = {symbol: [(101.0, 100.0, 100.5)] * 30 for symbol in ("SPY", "QQQ", "IWM")}


def judged(judge: Filter, *intents: OrderIntent, view: GivenView | None = None) -> list[Ruling]:
    return Director([Link("filter", judge)]).judge(intents, view or GivenView())


def left(judge: Filter, *intents: OrderIntent, view: GivenView | None = None) -> list[float]:
    return [0.0 if one.dropped else float(one.intent.qty) for one in judged(judge, *intents, view=view)]


# --- max-positions ------------------------------------------------------------------------------------------------


def test_longs_and_shorts_have_places_of_their_own_taken_in_rank_order() -> None:
    judge = MaxPositionsFilter(max_long_positions=2, max_short_positions=1)
    wanted = [opening("A", 1), opening("B", -1), opening("C", 1), opening("D", 1), opening("E", -1)]
    assert left(judge, *wanted) == [1, 1, 1, 0, 0]


def test_what_is_held_takes_a_place_and_adding_to_it_takes_no_other() -> None:
    view = GivenView(holding("A", 5), holding("A", 5, strategy="two"))
    judge = MaxPositionsFilter(max_long_positions=2)
    more, other, third = judged(judge, opening("A", 1), opening("B", 1), opening("A", 1, strategy="three"), view=view)
    assert (more.dropped, third.dropped is None) == (None, False)
    assert other.dropped is not None
    assert (other.dropped.limit, other.dropped.value) == ("2 long positions", "2 open, on their way or ahead of it")


def test_no_places_are_none() -> None:
    assert left(MaxPositionsFilter(max_short_positions=0), opening("A", -1), opening("B", 1)) == [0, 1]


# --- asset-class and category -------------------------------------------------------------------------------------


def test_a_group_is_bounded_in_dollars_longs_and_shorts_added_up() -> None:
    view = GivenView(holding("A", 100, price=50.0), holding("B", -100, price=50.0), equity=100_000.0)
    (ruling,) = judged(AssetClassFilter(), opening("SPY", 200, price=100.0), view=view)
    assert float(ruling.intent.qty) == 100
    assert ruling.trims[0].limit == "0.2 of equity in stock, $20,000.00"
    assert ruling.trims[0].value == "$30,000.00"


def test_what_passed_before_it_in_the_step_takes_room() -> None:
    wanted = [opening("SPY", 150, price=100.0), opening("BTC/USD", 150, price=100.0), opening("QQQ", 150, price=100.0)]
    assert left(AssetClassFilter(), *wanted) == [150, 150, 50]
    assert left(AssetClassFilter(on_excess="reject"), *wanted) == [150, 150, 0]


def test_a_bound_that_is_met_is_not_broken() -> None:
    assert left(AssetClassFilter(max_frac=0.3), opening("SPY", 300, price=100.0)) == [300]


def test_each_group_may_have_its_own_bounds_and_counts() -> None:
    judge = CategoryFilter(
        categories={"energy": ("XLE", "USO"), "metals": ("GLD",)},
        max_frac=1.0,
        max_fracs={"metals": 0.01},
        max_counts={"energy": 1},
    )
    wanted = [opening("XLE", 1), opening("USO", 1), opening("GLD", 100), opening("SPY", 1)]
    assert left(judge, *wanted) == [1, 0, 10, 1]
    assert left(judge, *wanted, view=GivenView(holding("USO", 1)))[:2] == [0, 1]  # more of what is held


def test_symbols_without_a_category_share_one() -> None:
    judge = CategoryFilter(max_count=1)
    first, second = judged(judge, opening("A", 1), opening("B", 1))
    assert first.dropped is None
    assert second.dropped is not None
    assert second.dropped.limit == "1 positions in unknown"


@pytest.mark.parametrize("price", [nan])
def test_a_position_without_a_mark_leaves_no_known_room(price: float) -> None:
    (ruling,) = judged(AssetClassFilter(), opening("SPY", 1), view=GivenView(holding("A", 1, price=price)))
    assert ruling.dropped is not None
    assert ruling.dropped.value == "unknown: no mark, equity or history yet"


def test_without_equity_there_is_no_room() -> None:
    assert left(AssetClassFilter(), opening("SPY", 1), view=GivenView(equity=0.0)) == [0]
    assert left(AssetClassFilter(), opening("SPY", 1), view=GivenView(equity=-5.0)) == [0]


def test_groups_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValidationError, match="must name a known asset class, got 'stonks'; known: stock, crypto"):
        AssetClassFilter(max_fracs={"stonks": 0.5})
    with pytest.raises(ValidationError, match="must name a known category, got 'metal'; known: metals, unknown"):
        CategoryFilter(categories={"metals": ("GLD",)}, max_counts={"metal": 1})
    with pytest.raises(ValidationError, match="categories must have symbols like 'SPY' or 'BTC/USD', got 'gld'"):
        CategoryFilter(categories={"metals": ("gld",)})
    with pytest.raises(ValidationError, match=r"must be at least per_trade, which is 0\.1; got 0\.06"):
        RiskBudgetFilter(per_trade=0.1)
    with pytest.raises(ValidationError, match="categories must name each symbol once, got GLD more than once"):
        CategoryFilter(categories={"metals": ("GLD",), "safe": ("SHY", "GLD")})


# --- var ----------------------------------------------------------------------------------------------------------


def returns(symbol: str) -> Floats:
    closes = np.array(CALM[symbol])
    return np.asarray(np.diff(closes) / closes[:-1])


def test_an_order_is_trimmed_to_the_value_at_risk_that_is_left() -> None:
    view = GivenView(equity=100_000.0, days=CALM)
    (ruling,) = judged(VarFilter(), opening("SPY", 10_000, price=101.0), view=view)
    sigma = float(returns("SPY").std(ddof=1))
    assert float(ruling.intent.qty) == pytest.approx(2000 / (z_of(0.95) * sigma * 101.0), abs=1e-3)
    assert ruling.trims[0].limit == "VaR(0.95, 1d) of 0.02 of equity, $2,000.00"


def test_two_positions_have_the_variance_of_both() -> None:
    view = GivenView(holding("QQQ", 500, price=101.0), equity=100_000.0, days=CALM)
    (qty,) = left(VarFilter(), opening("SPY", 10_000, price=101.0), view=view)
    weights = np.array([500 * 101.0, qty * 101.0])
    sigma = float(np.sqrt(weights @ np.cov([returns("QQQ"), returns("SPY")]) @ weights))
    assert z_of(0.95) * sigma == pytest.approx(2000, rel=1e-6)


def test_what_passed_before_it_counts() -> None:
    view = GivenView(equity=100_000.0, days=CALM)
    first, second = left(VarFilter(), *[opening("SPY", 1000, price=101.0, strategy=name) for name in "ab"], view=view)
    assert first == 1000
    assert first + second == pytest.approx(left(VarFilter(), opening("SPY", 9999, price=101.0), view=view)[0], abs=1e-3)


def test_the_past_can_be_asked_as_it_was() -> None:
    view = GivenView(equity=100_000.0, days=CALM)
    judge = VarFilter(method="historical", horizon_days=4, confidence=0.9)
    (qty,) = left(judge, opening("SPY", 10_000, price=101.0), view=view)
    gains = returns("SPY") * qty * 101.0
    assert var_historical(gains, confidence=0.9, horizon=4) == pytest.approx(2000, abs=0.1)


def test_an_order_that_lowers_the_value_at_risk_always_passes() -> None:
    view = GivenView(holding("SPY", 10_000, price=101.0), equity=100_000.0, days=CALM)
    assert left(VarFilter(), opening("SPY", -5000, price=101.0, strategy="two"), view=view) == [5000]
    assert left(VarFilter(), opening("SPY", 1, price=101.0), view=view) == [0]  # beyond it already


def test_an_order_can_be_dropped_instead() -> None:
    view = GivenView(equity=100_000.0, days=CALM)
    (ruling,) = judged(VarFilter(on_excess="reject"), opening("SPY", 10_000, price=101.0), view=view)
    assert ruling.dropped is not None
    assert ruling.dropped.value.endswith(", from $0.00")


def test_days_that_only_some_have_are_not_compared_with_days_of_others() -> None:
    class Rests(GivenView):
        """Every second day only the coin is traded."""

        def ends(self, symbol: str, n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
            every = np.arange(19_000, 19_000 + 2 * 60) * 86_400_000_000_000
            return every[::2][-n:] if symbol == "SPY" else every[-n:]

    coin = [close for close in CALM["SPY"] for _ in range(2)]  # moves with the stock on its days, rests on the others
    days = {"SPY": CALM["SPY"], "BTC/USD": coin}
    hedged = Rests(holding("SPY", 10_000, price=101.0), equity=100_000.0, days=days)
    judge = VarFilter(max_frac=1e-6)
    assert left(judge, opening("BTC/USD", -10_000, price=101.0), view=hedged) == [10_000]


@pytest.mark.parametrize("held", ["SPY", "NEW"])
def test_too_few_days_are_no_value_at_risk(held: str) -> None:
    view = GivenView(holding(held, 1), days={**CALM, "NEW": [1.0] * 20})
    known, fresh = judged(VarFilter(), opening("QQQ", 1), opening("NEW", 1), view=view)
    assert (known.dropped is None) == (held == "SPY")
    assert fresh.dropped is not None
    assert fresh.dropped.value == "unknown: fewer than 20 daily returns that all positions have"


def test_a_held_position_without_a_mark_is_no_value_at_risk() -> None:
    view = GivenView(holding("SPY", 1, price=nan), days=CALM)
    (ruling,) = judged(VarFilter(), opening("QQQ", 1), view=view)
    assert ruling.dropped is not None
    assert ruling.dropped.value == "unknown: a position without a mark"


# --- risk-budget --------------------------------------------------------------------------------------------------


def test_a_position_may_lose_one_percent_at_its_stop() -> None:
    view = GivenView(equity=100_000.0, stops={"one": 0.05})
    judge = RiskBudgetFilter()
    assert left(judge, opening("SPY", 200, price=100.0), view=view) == [200]  # 200 × $5 is 1 %
    (ruling,) = judged(judge, opening("SPY", 201, price=100.0), view=view)
    assert ruling.dropped is not None
    assert ruling.dropped.limit == "0.01 of equity at risk on one position, $1,000.00"
    assert ruling.dropped.value == "$1,005.00"
    assert left(RiskBudgetFilter(on_excess="trim"), opening("SPY", 201, price=100.0), view=view) == [200]


def test_without_a_stop_a_position_loses_ranges() -> None:
    view = GivenView(equity=100_000.0, days=RANGES)
    assert left(RiskBudgetFilter(on_excess="trim"), opening("SPY", 900), view=view) == [500]  # 500 × 2 × $1


def test_all_positions_together_may_lose_six_percent() -> None:
    held = [holding(symbol, 350, price=100.0, stop=0.05) for symbol in ("A", "B", "C")]  # $1,750 each
    view = GivenView(*held, equity=100_000.0, stops={"one": 0.05})
    judge = RiskBudgetFilter(on_excess="trim")
    assert left(judge, opening("SPY", 200, price=100.0), opening("QQQ", 200, price=100.0), view=view) == [150, 0]


def test_what_is_held_of_a_position_is_in_its_budget() -> None:
    view = GivenView(holding("SPY", 150, price=100.0, stop=0.05), equity=100_000.0, stops={"one": 0.05})
    assert left(RiskBudgetFilter(on_excess="trim"), opening("SPY", 100, price=100.0), view=view) == [50]


def test_a_risk_that_is_not_known_is_no_risk_taken() -> None:
    (ruling,) = judged(RiskBudgetFilter(), opening("SPY", 1))
    assert ruling.dropped is not None
    assert ruling.dropped.value == "unknown: no mark, equity or history yet"
    blind = GivenView(holding("NEW", 1), equity=100_000.0, stops={"one": 0.05})
    assert left(RiskBudgetFilter(), opening("SPY", 1), view=blind) == [0]
