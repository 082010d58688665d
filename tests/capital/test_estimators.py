"""Estimators against published figures, other programs, and series whose parameters are known."""

import csv
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trader.capital.estimators import Floats, garch, har, risk_metrics


def test_risk_metrics_is_its_recursion() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 300)
    squares = np.concatenate([[np.mean(returns[:20] ** 2)], returns**2])
    expected = pd.Series(squares).ewm(alpha=0.06, adjust=False).mean().iloc[-1]
    assert risk_metrics(returns) == pytest.approx(sqrt(expected), rel=1e-12)


def test_har_finds_the_weights_a_series_was_made_with() -> None:
    random, made = np.random.default_rng(3), [1.0] * 22
    for _ in range(5_000):
        means = 0.5 * made[-1] + 0.2 * float(np.mean(made[-5:])) + 0.1 * float(np.mean(made[-22:]))
        made.append(0.2 + means + random.normal(0, 0.1))
    assert har(np.array(made)) == pytest.approx([0.2, 0.5, 0.2, 0.1], abs=0.06)


def test_har_is_least_squares() -> None:
    made = np.random.default_rng(4).lognormal(0, 0.3, 120)
    rows = [[1.0, made[t - 1], made[t - 5 : t].mean(), made[t - 22 : t].mean()] for t in range(22, 120)]
    design = np.array(rows)
    assert har(made) == pytest.approx(np.linalg.solve(design.T @ design, design.T @ made[22:]), rel=1e-8)


def test_garch_finds_the_parameters_returns_were_made_with() -> None:
    random, returns, variance, last = np.random.default_rng(5), [], 1.0, 1.0
    for _ in range(4_000):
        variance = 0.05 + 0.1 * last + 0.85 * variance
        shock = random.normal(0, sqrt(variance))
        returns.append(0.02 + shock)
        last = shock**2
    assert garch(np.array(returns)) == pytest.approx((0.02, 0.05, 0.1, 0.85), abs=0.04)


def numbers(path: Path, column: str) -> Floats:
    with path.open(encoding="utf-8", newline="") as lines:
        return np.array([float(row[column] or "nan") for row in csv.DictReader(lines)])


@pytest.mark.recorded
def test_garch_is_that_of_the_published_benchmark(shared: Path) -> None:
    returns = numbers(shared / "data" / "quant-reference" / "dem2gbp_1974.csv", "ret_pct")
    assert garch(returns) == pytest.approx((-0.00619041, 0.0107613, 0.153134, 0.805974), abs=3e-5)


def test_garch_of_a_few_returns_is_still_a_process() -> None:
    for seed in (0, 1, 3):
        found = garch(np.random.default_rng((seed, 30)).normal(0, 1, 30))
        assert found.omega > 0
        assert min(found.alpha, found.beta) >= 0
        assert found.alpha + found.beta < 1


def test_a_search_that_takes_too_long_ends_with_the_best_that_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = np.random.default_rng(1).normal(0, 1, 200)
    monkeypatch.setattr("trader.capital.estimators._MOST_STEPS", 1)
    assert garch(returns).alpha + garch(returns).beta == pytest.approx(0.95, abs=0.2)
