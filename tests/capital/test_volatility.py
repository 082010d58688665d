"""The forecast against its definition written otherwise, and against pandas."""

from math import sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.capital.volatility import (
    ANNUALISER,
    PRIOR,
    SLOW_DAYS,
    SPAN,
    YEAR,
    Floats,
    carver,
    forecast,
    weighted_sd,
)

returns_of = st.lists(st.floats(-0.2, 0.2), min_size=2, max_size=80).map(np.array)


def walk(days: int, sigma: float = 0.01, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(0, sigma, days)


@given(returns=returns_of, span=st.integers(1, 60))
def test_the_weighted_deviation_is_that_of_pandas(returns: Floats, span: int) -> None:
    expected = pd.Series(returns).ewm(span=span).std().to_numpy()
    assert weighted_sd(returns, span) == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)


def test_the_weighted_deviation_is_its_definition() -> None:
    returns = walk(50)
    weights = (1 - 2 / (SPAN + 1)) ** np.arange(49, -1, -1)
    mean = np.average(returns, weights=weights)
    free = weights.sum() - (weights**2).sum() / weights.sum()
    assert weighted_sd(returns, SPAN)[-1] == pytest.approx(
        sqrt((weights * (returns - mean) ** 2).sum() / free), rel=1e-12
    )


def test_the_forecast_is_blended_with_ten_years() -> None:
    returns = np.concatenate([walk(1_000, 0.05), walk(SLOW_DAYS, 0.01, seed=2)])
    fast = pd.Series(returns).ewm(span=36).std()
    found = carver(returns, prior=1.0)
    assert found.fast == pytest.approx(fast.iloc[-1], rel=1e-9)
    assert found.slow == pytest.approx(fast.iloc[-SLOW_DAYS:].mean(), rel=1e-9)
    assert found.sigma == pytest.approx(0.7 * found.fast + 0.3 * found.slow, rel=1e-12)


def test_until_a_year_is_known_the_average_is_that_of_its_class() -> None:
    assert carver(walk(YEAR - 1), prior=0.5).slow == 0.5
    assert carver(walk(YEAR), prior=0.5).slow == pytest.approx(0.01, rel=0.2)


def test_a_calm_time_does_not_bring_the_forecast_under_its_floor() -> None:
    calm = np.concatenate([walk(YEAR - 21), np.zeros(20)])
    expected = np.quantile(pd.Series(calm).ewm(span=36).std().to_numpy()[9:], 0.05)
    assert carver(calm, prior=0.0).sigma == pytest.approx(expected, rel=1e-9)


def test_eleven_closes_are_the_fewest_that_say_something() -> None:
    closes = np.asarray(100 * np.cumprod(1 + walk(11)), dtype=np.float64)
    assert forecast(closes[:10], "stock") is None
    found = forecast(closes, "stock")
    assert found is not None
    assert found.slow == PRIOR["stock"]


@given(returns=returns_of)
def test_a_forecast_is_never_below_nothing(returns: Floats) -> None:
    assert carver(returns, prior=0.01).sigma >= 0


def test_years_are_of_weekdays_for_stocks_and_of_all_days_for_coins() -> None:
    found = [sqrt(252), ANNUALISER["stock"], ANNUALISER["crypto"], ANNUALISER["stock"] / ANNUALISER["crypto"]]
    assert found == pytest.approx([15.874508, 16, 19.104973, 0.837478], abs=1e-6)
