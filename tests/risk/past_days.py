"""Daily closes of symbols, by number of the day since 1970."""

from collections.abc import Mapping
from math import nan

import numpy as np

from trader.model.tail import Floats
from trader.model.time import DAY


class Days:
    """One symbol's days that have ended."""

    def __init__(self, closes: Mapping[int, float], sigma_day: float = nan) -> None:
        self.sigma_day = sigma_day
        self.ends = np.array([day * DAY for day in closes], dtype=np.int64)
        self._closes = np.array(list(closes.values()))

    def closes(self, n: int) -> Floats:
        return self._closes[-n:]


def walk(seed: int, days: int, sigma: float = 0.01) -> list[float]:
    return [float(close) for close in 100.0 * np.cumprod(1.0 + np.random.default_rng(seed).normal(0.0, sigma, days))]


def history(days: int = 300, *, seed: int = 1, last: int = 20_500, sigma: float = 0.01) -> Days:
    return Days(dict(zip(range(last - days + 1, last + 1), walk(seed, days, sigma), strict=True)))
