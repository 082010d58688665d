"""Random paths that need no beginning: the level at any minute is a function of the seed, a name and that minute.

Levels at midnight are a moving average of daily innovations, which stays near zero for ever (an autoregression cut off
where nothing is left of it); the minutes between two midnights are a Brownian bridge. So a market can begin anywhere,
its past is always there, and no path depends on which others are looked at.
"""

from datetime import datetime
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from trader.model.instruments import AssetClass
from trader.model.time import DAY, NEW_YORK, utc

MINUTES = 1440  # of a day
SESSION = 390  # minutes of a full New York session

_PERSISTENCE = 0.97  # of the level from day to day: it forgets half in 23 days
_WINDOW = 256  # days after which nothing is left of an innovation: 0.97^256 is 0.0004
_KERNEL = _PERSISTENCE ** np.arange(_WINDOW)
_DAYS_KEPT = 4  # paths kept per name: all symbols of a day read the same factors, history and ticks the same days

# Where a stock's daily variance goes: most in the session, some before and after it, little at night.
_IN_SESSION, _AROUND_SESSION = 0.75, 0.15
_EXTENDED = (-330, SESSION + 240)  # 4:00 to 20:00 in New York, from the opening bell
_WEEKEND_VOLATILITY: dict[AssetClass, float] = {"stock": 0.25, "crypto": 0.8}  # of a weekday's


def chance(seed: int, *words: str | int) -> np.random.Generator:
    """Make the generator that belongs to these words; equal words draw equal numbers."""
    text = "|".join(map(str, (seed, *words)))
    return np.random.default_rng(int.from_bytes(blake2b(text.encode(), digest_size=16).digest(), "big"))


class Path:
    """One name's log level minute by minute, in units of its volatility of a weekday."""

    def __init__(self, seed: int, name: str, *, asset_class: AssetClass) -> None:
        """Name a path; nothing is drawn yet."""
        self._seed = seed
        self._name = name
        self._asset_class: AssetClass = asset_class
        self._midnights = lru_cache(maxsize=2)(self._draw_midnights)
        self.day = lru_cache(maxsize=_DAYS_KEPT)(self._draw_day)

    def midnights(self, days: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the levels at the beginnings of days, which are in order; shape as ``days``."""
        return np.array([self._midnight(day) for day in days.tolist()])

    def _draw_day(self, day: int) -> NDArray[np.float64]:
        """Return the levels at the day's minutes, both midnights included: shape (1441,)."""
        first, last = self._midnight(day), self._midnight(day + 1)
        variance = minute_variance(day, self._asset_class)
        draws = chance(self._seed, self._name, day).standard_normal(MINUTES)
        walk = np.concatenate(([0.0], np.cumsum(draws * np.sqrt(variance))))
        elapsed = np.concatenate(([0.0], np.cumsum(variance)))
        elapsed /= elapsed[-1]
        return np.asarray(first + walk + elapsed * (last - first - walk[-1]))

    def _midnight(self, day: int) -> float:
        block, place = divmod(day, _WINDOW)
        return float(self._midnights(block)[place])

    def _draw_midnights(self, block: int) -> NDArray[np.float64]:
        """Return the levels at the block's midnights: shape (256,)."""
        innovations = np.concatenate([self._innovations(block - 1), self._innovations(block)])
        return np.convolve(innovations, _KERNEL, mode="valid")[:_WINDOW]

    def _innovations(self, block: int) -> NDArray[np.float64]:
        days = np.arange(block * _WINDOW, (block + 1) * _WINDOW)
        draws = chance(self._seed, self._name, "days", block).standard_normal(_WINDOW)
        return np.asarray(draws * np.where(_is_weekend(days), _WEEKEND_VOLATILITY[self._asset_class], 1.0))


def minute_variance(day: int, asset_class: AssetClass) -> NDArray[np.float64]:
    """Return what each minute of a day adds to the variance, shape (1440,); a weekday's sum is 1."""
    scale = _WEEKEND_VOLATILITY[asset_class] if _is_weekend(np.array(day)) else 1.0
    return _variance(opening_minute(day), asset_class, scale)


def u_shape(minutes: int) -> NDArray[np.float64]:
    """Return how busy each minute of a session is, about 1 on average: most at the open, more again at the close."""
    place = np.arange(minutes)
    across = 2 * place / max(minutes - 1, 1) - 1
    shape = 0.6 + 0.9 * across**2 + 2.0 * np.exp(-place / 12)
    shape[-1] *= 2.0  # the closing cross
    return np.asarray(shape / shape.mean())


@lru_cache(maxsize=64)
def opening_minute(day: int) -> int:
    """Return when 9:30 in New York is on a day, in minutes from midnight UTC; ``day`` counts from 1970-01-01."""
    date = utc(day * DAY)
    bell = datetime(date.year, date.month, date.day, 9, 30, tzinfo=NEW_YORK)
    return int(bell.timestamp() // 60) % MINUTES


@lru_cache(maxsize=16)
def _variance(opening: int, asset_class: AssetClass, scale: float) -> NDArray[np.float64]:
    share = np.ones(MINUTES)
    if asset_class == "stock":
        share *= (1 - _IN_SESSION - _AROUND_SESSION) / MINUTES
        first, last = max(opening + _EXTENDED[0], 0), min(opening + _EXTENDED[1], MINUTES)
        share[first:last] += _AROUND_SESSION / (last - first)
        share[opening : opening + SESSION] += _IN_SESSION / SESSION * u_shape(SESSION)
    else:
        share[opening - 60 : opening + SESSION] *= 1.8  # coins move most while New York works
    return np.asarray(share * (scale**2 / share.sum()))


def _is_weekend(days: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((days + 3) % 7 >= 5)  # noqa: PLR2004 - 1970-01-01 was a Thursday; Saturday and Sunday are 5 and 6
