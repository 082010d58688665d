"""How much a price moves in a day: the forecast that everybody is told, out of daily closes.

Source: Carver, Systematic Trading (2015) and Advanced Futures Trading Strategies (2023): exponentially weighted over a
span of 36 days, blended 70 to 30 with its own average of ten years, because volatility returns to its mean; not under
the lowest twentieth of the last 500 days. Ours: until a year is known, the average is what its asset class is like.
"""

from math import sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from trader.model.instruments import AssetClass

Floats = NDArray[np.float64]

SPAN: Final = 36  # days
SLOW_DAYS: Final = 2_520  # ten years of weekdays
SLOW_SHARE: Final = 0.3
LEAST_RETURNS: Final = 10  # fewer say nothing
YEAR: Final = 252  # returns from which on a symbol has an average of its own
FLOOR_QUANTILE: Final = 0.05
FLOOR_DAYS: Final = 500
# Of a day: a stock of 24 % a year, a coin of 65 %.
PRIOR: Final[dict[AssetClass, float]] = {"stock": 0.015, "crypto": 0.034}
ANNUALISER: Final[dict[AssetClass, float]] = {"stock": 16.0, "crypto": sqrt(365)}

METHOD: Final = "carver"
PARAMETERS: Final = f"span={SPAN} slow={SLOW_DAYS} share={SLOW_SHARE} floor={FLOOR_QUANTILE}/{FLOOR_DAYS}"


class Volatility(msgspec.Struct, frozen=True, gc=False):
    """What everybody is told of one symbol's volatility, so that nobody sizes by a figure of its own.

    ``asof`` is the end of the newest day in it (ns UTC). ``sigma_*`` are standard deviations of simple returns:
    ``sigma_day`` of a day, ``sigma_annual`` of a year (``annualiser`` × the day's), ``sigma_price`` of a day in price
    units; ``fast`` and ``slow`` are what it is blended of, and ``vol_ratio`` is it over ``slow``. ``is_stale``: newer
    days are missing, and ``sigma_day`` is no less than ``slow``. ``number`` grows with every change of the days.
    """

    asof: int
    sigma_day: float
    sigma_annual: float
    annualiser: float
    sigma_price: float
    sigma_fast: float
    sigma_slow: float
    vol_ratio: float
    days: int
    is_stale: bool
    number: int
    method: str = METHOD
    parameters: str = PARAMETERS


class Forecast(msgspec.Struct, frozen=True, gc=False):
    """Standard deviations of a day's return: the forecast, and what it was blended of."""

    sigma: float
    fast: float
    slow: float


def forecast(closes: Floats, asset_class: AssetClass) -> Forecast | None:
    """Forecast from daily closes, newest last; None while there are fewer than :data:`LEAST_RETURNS` returns."""
    returns = closes[1:] / closes[:-1] - 1
    return carver(returns, prior=PRIOR[asset_class]) if len(returns) >= LEAST_RETURNS else None


def carver(returns: Floats, *, prior: float) -> Forecast:
    """Blend the exponentially weighted deviation with its long average, with ``prior`` while less than a year is known.

    ``returns`` are at least two, newest last.
    """
    known = weighted_sd(returns, SPAN)[min(LEAST_RETURNS, len(returns)) - 1 :]
    fast = float(known[-1])
    slow = float(known[-SLOW_DAYS:].mean()) if len(returns) >= YEAR else prior
    floor = float(np.quantile(known[-FLOOR_DAYS:], FLOOR_QUANTILE))
    return Forecast(max((1 - SLOW_SHARE) * fast + SLOW_SHARE * slow, floor), fast, slow)


def weighted_sd(returns: Floats, span: int) -> Floats:
    """Return the deviation known after each return, NaN after the first; a return's weight falls by 1 − 2/(span + 1).

    The sum of weights is what it is and not its limit, and the variance is unbiased, as of pandas' ``ewm(span=…)``.
    """
    keep = 1 - 2 / (span + 1)
    weight = squares = mean = total = 0.0  # sums of weights and of their squares; mean; weighted squares around it
    found = []
    for value in returns.tolist():
        weight, squares = keep * weight + 1, keep * keep * squares + 1
        off = value - mean
        mean += off / weight
        total = keep * total + off * (value - mean)
        free = weight - squares / weight
        found.append(total / free if free > 0 else np.nan)
    return np.asarray(np.sqrt(found))
