"""Other ways to measure volatility, to hold the desk's forecast against; all return standard deviations or parameters.

Source: RiskMetrics Technical Document (1996); Corsi (2009), HAR-RV; Bollerslev (1986), GARCH.
"""

from collections.abc import Callable
from math import inf, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SEED_DAYS: Final = 20
_HAR_LAGS: Final = (1, 5, 22)  # a day, a week, a month
_MOST_STEPS: Final = 4_000  # of the search for a maximum of four parameters, which takes some hundreds
_CLOSE_ENOUGH: Final = 1e-12


class Garch(NamedTuple):
    """Mean of the returns, and variance = omega + alpha × the last squared surprise + beta × the last variance."""

    mu: float
    omega: float
    alpha: float
    beta: float


def risk_metrics(returns: Floats, *, keep: float = 0.94) -> float:
    """Return the next day's deviation: squares weigh ``keep`` times as much each day, begun with the mean of 20."""
    variance = float(np.mean(returns[:_SEED_DAYS] ** 2))
    for value in returns.tolist():
        variance = keep * variance + (1 - keep) * value * value
    return sqrt(variance)


def har(variances: Floats) -> Floats:
    """Return constant and weights of the last day, week and month that fit the next day best, shape (4,)."""
    longest = _HAR_LAGS[-1]
    sums = np.cumsum(np.concatenate([[0.0], variances]))
    days = np.arange(longest, len(variances))
    means = [(sums[days] - sums[days - lag]) / lag for lag in _HAR_LAGS]
    weights, *_ = np.linalg.lstsq(np.column_stack([np.ones(len(days)), *means]), variances[longest:], rcond=None)
    return np.asarray(weights)


def garch(returns: Floats) -> Garch:
    """Fit GARCH(1,1) by the likelihood of normal surprises; returns in percent, or the search has no scale.

    The variance begins with the mean squared surprise, as in the benchmark of Fiorentini, Calzolari and Panattoni.
    """
    variance = float(np.var(returns))
    begin = np.array([float(returns.mean()), 0.05 * variance, 0.1, 0.85])
    steps = np.array([0.1 * sqrt(variance), 0.05 * variance, 0.05, -0.1])
    best = begin
    for _ in range(2):  # once more from where the first search ended: a simplex may have collapsed too early
        best = _lowest(lambda point: _surprise(returns, *point.tolist()), best, steps)
    return Garch(*best.tolist())


def _surprise(returns: Floats, mu: float, omega: float, alpha: float, beta: float) -> float:
    """Return how unlikely the returns are: minus twice the log likelihood, but for a constant."""
    if omega <= 0 or alpha < 0 or beta < 0 or alpha + beta >= 1:
        return inf
    squares = (returns - mu) ** 2
    last = variance = float(squares.mean())
    variances = []
    for square in squares.tolist():
        variance = omega + alpha * last + beta * variance
        variances.append(variance)
        last = square
    known = np.array(variances)
    return float(np.sum(np.log(known) + squares / known))


def _lowest(height: Callable[[Floats], float], begin: Floats, steps: Floats) -> Floats:
    """Return where a function is lowest, by the simplex of Nelder and Mead (1965)."""
    points = [begin, *(begin + step for step in np.diag(steps))]
    simplex = sorted(((height(point), point) for point in points), key=lambda corner: corner[0])
    for _ in range(_MOST_STEPS):
        if simplex[-1][0] - simplex[0][0] < _CLOSE_ENOUGH * abs(simplex[0][0]):
            break
        *kept, (worst, point) = simplex
        middle = np.mean([corner for _, corner in kept], axis=0)
        tried = [(height(at), at) for at in (middle + reach * (middle - point) for reach in _REACHES)]
        found = min(tried, key=lambda corner: corner[0])
        if found[0] >= worst:  # nothing is lower on that line: draw all of them to the best one
            best = simplex[0][1]
            kept = [(height(at), at) for at in (best + (corner - best) / 2 for _, corner in kept)]
            found = (height(near := best + (point - best) / 2), near)
        simplex = sorted([*kept, found], key=lambda corner: corner[0])
    lowest: Floats = simplex[0][1]
    return lowest


_REACHES: Final = (1.0, 2.0, 0.5, -0.5)
