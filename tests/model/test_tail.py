"""Value at risk and expected shortfall against published figures, each with its tolerance."""

from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.model.tail import (
    component_var,
    cornish_fisher,
    covariance_of,
    es_parametric,
    historical,
    interpolated,
    is_monotone,
    marginal_var,
    moments_of,
    parametric,
    sigma_of,
    var_historical,
    var_parametric,
    z_of,
)

# EDHEC Convertible Arbitrage, the first 100 months from 1997-01 on (as in R's PerformanceAnalytics).
# fmt: off
CONVERTIBLE = np.array([
    119, 123, 78, 86, 156, 212, 193, 134, 122, 100, 0, 68, 145, 146, 144, 126, 56, -6, 60, -319, -196, -214, 269,
    113, 219, 82, 136, 243, 166, 102, 101, 48, 96, 45, 124, 140, 227, 267, 243, 223, 149, 179, 93, 162, 141, 52,
    -81, -2, 344, 182, 162, 157, 33, 12, 91, 142, 78, 117, 80, -94, 148, -49, 53, 96, 33, 4, -159, 50, 146, 104,
    251, 157, 283, 133, 89, 150, 136, -58, -72, -87, 171, 146, 92, 54, 119, 17, 61, 20, -128, -106, 13, 40, -17,
    -44, 81, 56, -96, -58, -140, -316,
]) / 10_000
# fmt: on
HULL = NormalDist().cdf(2.33)  # Hull's z of 99 %
HULL_COVARIANCE = np.array([[0.02**2, 0.3 * 0.02 * 0.01], [0.3 * 0.02 * 0.01, 0.01**2]])
WORST_OF_500 = [-477841.0, -345435.0, -282204.0, -277041.0, -253385.0]


def test_the_quantiles_are_those_of_the_tables() -> None:
    assert z_of(0.95) == pytest.approx(1.644854, abs=5e-7)
    assert z_of(0.99) == pytest.approx(2.326348, abs=5e-7)


def test_two_stocks_of_hull_alone_and_together() -> None:
    microsoft, att = np.array([10e6, 0.0]), np.array([0.0, 5e6])
    both = microsoft + att

    def var(weights: np.ndarray, days: int) -> float:
        return var_parametric(sigma_of(weights, HULL_COVARIANCE), confidence=HULL, horizon=days)

    found = [
        var(microsoft, 1), var(microsoft, 10), var(att, 10), sigma_of(both, HULL_COVARIANCE), var(both, 10),
        var(microsoft, 10) + var(att, 10) - var(both, 10),
    ]  # fmt: skip
    assert found == pytest.approx([466000, 1473621, 368405, 220227, 1622657, 219369], abs=1.0)


def test_the_fifth_worst_of_500_days_and_the_mean_of_the_five() -> None:
    gains = np.array([*WORST_OF_500, *np.linspace(-250_000.0, 500_000.0, 495)])[::-1].copy()
    assert var_historical(gains, confidence=0.99) == pytest.approx(253385, abs=1.0)
    assert historical(gains, confidence=0.99).es == pytest.approx(327181, abs=1.0)
    assert interpolated(gains, confidence=0.99).var < 251_000  # the interpolated one lies almost at the sixth worst


def test_the_quantiles_of_performance_analytics() -> None:
    mean, sigma, _, _ = moments_of(CONVERTIBLE)
    modified = cornish_fisher(CONVERTIBLE, confidence=0.95)
    found = [
        var_parametric(sigma, confidence=0.95, mean=mean), modified.var, interpolated(CONVERTIBLE, confidence=0.95).var,
    ]  # fmt: skip
    assert found == pytest.approx([0.012133, 0.014674, 0.014095], abs=5e-7)
    assert modified.method == "cornish-fisher"


def test_the_reported_shortfall_is_the_mean_at_or_beyond_the_quantile() -> None:
    gains = np.arange(-10.0, 11.0)
    found = interpolated(gains, confidence=0.9)
    assert (found.var, found.es) == pytest.approx((8.0, 9.0), abs=1e-12)


def test_the_normal_shortfall_is_the_mean_beyond_the_value_at_risk() -> None:
    beyond = z_of(0.95) + (np.arange(2_000_000) + 0.5) * 5e-6  # numerically: the integral of z φ(z) over the tail
    density = np.exp(-0.5 * beyond**2) / sqrt(2 * np.pi)
    expected = float((beyond * density).sum() * 5e-6) / 0.05
    assert es_parametric(1.0, confidence=0.95) == pytest.approx(expected, rel=1e-6)
    assert es_parametric(1.0, confidence=0.95) == pytest.approx(2.062713, abs=1e-6)


def test_the_modified_shortfall_is_the_mean_of_its_quantiles() -> None:
    mean, sigma, skew, excess = moments_of(CONVERTIBLE)
    levels = (np.arange(20_000) + 0.5) / 20_000 * 0.05
    z = np.array([NormalDist().inv_cdf(level) for level in levels])
    quantiles = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    expected = -(mean + sigma * float(quantiles.mean()))
    assert cornish_fisher(CONVERTIBLE, confidence=0.95).es == pytest.approx(expected, rel=1e-4)


def test_a_day_more_costs_the_square_root_of_time_and_its_drift() -> None:
    assert var_parametric(0.02, confidence=0.99, horizon=4) == pytest.approx(2 * var_parametric(0.02, confidence=0.99))
    drift = var_parametric(0.02, confidence=0.99) - var_parametric(0.02, confidence=0.99, mean=0.001)
    assert drift == pytest.approx(0.001)
    with pytest.raises(AssertionError, match="1 to 10 days, not 11"):
        var_parametric(0.02, confidence=0.99, horizon=11)


def test_with_few_days_the_worst_one_is_the_tail() -> None:
    gains = np.array([0.01, -0.03, 0.02])
    assert historical(gains, confidence=0.99).var == historical(gains, confidence=0.99).es == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("skew", "excess", "is_valid"),
    [(0.0, 0.0, True), (0.0, 8.0, True), (0.0, 8.1, False), (0.0, -0.1, False), (1.0, 1.0, False), (0.5, 2.0, True)],
)
def test_the_domain_of_the_expansion(skew: float, excess: float, is_valid: bool) -> None:
    z = np.linspace(-6.0, 6.0, 4_001)
    quantiles = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    assert is_monotone(skew, excess) is is_valid
    if is_valid:
        assert (np.diff(quantiles) > 0).all()


def test_outside_its_domain_the_expansion_gives_way_to_what_happened() -> None:
    gains = np.zeros(300)
    gains[7] = -1.0  # an option that was exercised once
    gains[8:] = np.linspace(-0.001, 0.001, 292)
    assert cornish_fisher(gains, confidence=0.95) == historical(gains, confidence=0.95)


def test_of_gains_that_never_change_nothing_is_at_risk() -> None:
    assert moments_of(np.full(9, 0.5)) == (0.5, 0.0, 0.0, 0.0)
    assert marginal_var(np.zeros(2), HULL_COVARIANCE, confidence=0.99).tolist() == [0.0, 0.0]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6), st.integers(0, 2**32 - 1))
def test_components_add_up_and_margins_are_slopes(weights: list[float], seed: int) -> None:
    returns = np.random.default_rng(seed).normal(0.0, 0.02, (60, len(weights)))
    held, covariance = np.array(weights), covariance_of(returns)
    total = parametric(sigma_of(held, covariance), confidence=0.99).var
    assert component_var(held, covariance, confidence=0.99).sum() == pytest.approx(total, rel=1e-9, abs=1e-9)
    assert covariance == pytest.approx(np.cov(returns, rowvar=False), rel=1e-9, abs=1e-12)
    if total > 1.0:
        more = held.copy()
        more[0] += 1e-4 * max(1.0, abs(held[0]))
        slope = (parametric(sigma_of(more, covariance), confidence=0.99).var - total) / (more[0] - held[0])
        assert slope == pytest.approx(marginal_var(held, covariance, confidence=0.99)[0], rel=1e-2, abs=1e-4)
