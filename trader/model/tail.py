"""How much may be lost: value at risk and expected shortfall of one day, as pure functions of arrays.

Losses are positive. ``weights`` are exposures in dollars (or fractions of the net asset value), shape (n,), signed;
``covariance`` is that of daily returns, shape (n, n); ``gains`` is what today's positions would have gained on each of
the past days, shape (days,). ``confidence`` is a fraction like 0.99, ``horizon`` is in days.
"""

from functools import cache
from math import exp, floor, pi, sqrt
from statistics import NormalDist
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LONGEST_HORIZON: Final = 10  # days: the square root of time is a claim of independence that nothing longer supports
_NORMAL: Final = NormalDist()
_ROUNDING: Final = 1e-9  # 500 × 0.01 is 5, whatever floats say


class Tail(msgspec.Struct, frozen=True):
    """Value at risk and expected shortfall, and by which method they came about."""

    var: float
    es: float
    method: str


@cache
def z_of(confidence: float) -> float:
    """Return the upper quantile of the standard normal distribution: 2.326 of 0.99."""
    return _NORMAL.inv_cdf(confidence)


def covariance_of(returns: Floats) -> Floats:
    """Return the covariance of daily returns, shape (days, n) to (n, n), one degree of freedom lost."""
    centred = returns - returns.mean(axis=0)
    return np.asarray(centred.T @ centred / (len(returns) - 1))


def sigma_of(weights: Floats, covariance: Floats) -> float:
    """Return the standard deviation of what ``weights`` gain in a day; NaN where one of them is."""
    variance = float(weights @ (covariance @ weights))
    return 0.0 if variance < 0.0 else sqrt(variance)


def var_parametric(sigma: float, *, confidence: float, horizon: int = 1, mean: float = 0.0) -> float:
    """Return the value at risk of normally distributed gains.

    Source: Jorion, Value at Risk (2007), chapter 5.
    """
    days = _days(horizon)
    return z_of(confidence) * sigma * sqrt(days) - mean * days


def es_parametric(sigma: float, *, confidence: float, horizon: int = 1, mean: float = 0.0) -> float:
    """Return the mean loss beyond the value at risk of normally distributed gains.

    Source: McNeil, Frey, Embrechts, Quantitative Risk Management (2015), example 2.14.
    """
    days = _days(horizon)
    return sigma * _beyond(confidence) * sqrt(days) - mean * days


def historical(gains: Floats, *, confidence: float, horizon: int = 1) -> Tail:
    """Return the k-th worst loss of the past and the mean of the k worst, k being the days that ``confidence`` leaves.

    Source: Hull, Options, Futures and Other Derivatives, historical simulation.
    """
    assert len(gains), "no past days, no historical tail"
    count = max(1, floor(len(gains) * (1.0 - confidence) + _ROUNDING))
    worst, scale = np.partition(gains, count - 1)[:count], sqrt(_days(horizon))
    return Tail(-float(worst[-1]) * scale, -float(worst.mean()) * scale, "historical")


def var_historical(gains: Floats, *, confidence: float, horizon: int = 1) -> float:
    """Return the value at risk of :func:`historical`."""
    return historical(gains, confidence=confidence, horizon=horizon).var


def interpolated(gains: Floats, *, confidence: float) -> Tail:
    """Return the loss at the quantile that R and numpy show ("type 7"), and the mean of those at or beyond it.

    For reports, not for limits: of 500 days and 0.99 it lies almost at the sixth worst, where :func:`historical` takes
    the fifth.
    """
    quantile = np.quantile(gains, 1.0 - confidence)
    return Tail(-float(quantile), -float(gains[gains <= quantile].mean()), "interpolated")


def moments_of(gains: Floats) -> tuple[float, float, float, float]:
    """Return mean, standard deviation, skewness and excess kurtosis of the population, 0 skew where nothing varies."""
    mean = float(gains.mean())
    centred = gains - mean
    squared = centred * centred
    variance = float(squared.mean())
    if variance <= 0.0:
        return mean, 0.0, 0.0, 0.0
    skew = float(squared @ centred) / len(gains) / variance**1.5
    return mean, sqrt(variance), skew, float(squared @ squared) / len(gains) / variance**2 - 3.0


def is_monotone(skew: float, kurtosis: float) -> bool:
    """Tell whether the Cornish-Fisher quantile grows with the probability everywhere; elsewhere it means nothing.

    ``kurtosis`` is in excess of the normal's.

    Source: Maillard, A User's Guide to the Cornish Fisher Expansion (2012), condition of validity.
    """
    linear = kurtosis / 8.0 - skew**2 / 6.0
    return linear >= 0.0 and skew**2 / 9.0 <= 4.0 * linear * (1.0 - kurtosis / 8.0 + 5.0 * skew**2 / 36.0)


def cornish_fisher(gains: Floats, *, confidence: float, horizon: int = 1) -> Tail:
    """Return the tail of gains whose skew and kurtosis are taken account of, or the historical one outside the domain.

    Source: Maillard (2012), equations of quantile and conditional tail; the moments are the population's.
    """
    mean, sigma, skew, excess = moments_of(gains)
    if not is_monotone(skew, excess):
        return historical(gains, confidence=confidence, horizon=horizon)
    z, days = -z_of(confidence), _days(horizon)
    quantile = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    beyond = -_beyond(confidence)
    beyond *= 1 + z * skew / 6 + (z**2 - 1) * excess / 24 - (2 * z**2 - 1) * skew**2 / 36
    scale = sigma * sqrt(days)
    return Tail(-quantile * scale - mean * days, -beyond * scale - mean * days, "cornish-fisher")


def parametric(sigma: float, *, confidence: float, horizon: int = 1, mean: float = 0.0) -> Tail:
    """Return the tail of normally distributed gains."""
    return Tail(
        var_parametric(sigma, confidence=confidence, horizon=horizon, mean=mean),
        es_parametric(sigma, confidence=confidence, horizon=horizon, mean=mean),
        "parametric",
    )


def marginal_var(weights: Floats, covariance: Floats, *, confidence: float) -> Floats:
    """Return by how much the parametric value at risk of a day grows with each weight, shape (n,)."""
    sigma = sigma_of(weights, covariance)
    return np.zeros(len(weights)) if sigma == 0.0 else np.asarray(covariance @ weights * (z_of(confidence) / sigma))


def component_var(weights: Floats, covariance: Floats, *, confidence: float) -> Floats:
    """Return each position's part in the parametric value at risk of a day, shape (n,); they add up to it.

    Source: Euler's theorem on homogeneous functions; Jorion (2007), chapter 7.
    """
    return weights * marginal_var(weights, covariance, confidence=confidence)


def _days(horizon: int) -> int:
    assert 1 <= horizon <= LONGEST_HORIZON, f"a horizon of 1 to {LONGEST_HORIZON} days, not {horizon}"
    return horizon


@cache
def _beyond(confidence: float) -> float:
    """Return the mean of what of the standard normal distribution is beyond its quantile."""
    return exp(-0.5 * z_of(confidence) ** 2) / sqrt(2.0 * pi) / (1.0 - confidence)
