"""One symbol's day on the synthetic market: its minute bars, and the quotes and prints inside them, as arrays.

A mid price follows the symbol's path; opens and closes fall on either side of it within the spread. A bar is exactly
what its four prints make it: the open, the low and the high in the order the minute went, the close.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trader.access.sim.synthetic_listings import Listing, listing_of
from trader.access.sim.synthetic_paths import MINUTES, Path, chance, minute_variance, opening_minute, u_shape
from trader.model.calendar import session_of
from trader.model.time import DAY, MINUTE, NEW_YORK, midnight_after

PRINTS = 4  # quotes and prints inside a minute, one in each quarter of it
_QUARTER = MINUTE // PRINTS

_MARKET_VOLATILITY = 0.012  # of the stock market a day: lively, yet seen every other month
_CRYPTO_VOLATILITY = 0.03
_CRYPTO_CORRELATION = 0.4  # with the stock market
_WICK = 0.5  # how far high and low reach beyond open and close, in volatilities of the minute
_COIN_VOLUME_DECIMALS = 6
_BLOCK = 256  # days that are drawn at once

Floats = NDArray[np.float64]


class DayBars(NamedTuple):
    """A symbol's bars of one UTC day, one element a bar; ``end`` is ns UTC. Minutes without a trade are absent."""

    end: NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


class DayPrints(NamedTuple):
    """Quotes around prints inside a day's bars, shape (bars, 4) each; the print is at the middle of its quote."""

    ts: NDArray[np.int64]
    price: Floats
    size: Floats
    bid: Floats
    ask: Floats
    quote_size: Floats


_NOTHING = np.empty(0)
_NO_BARS = DayBars(_NOTHING.astype(np.int64), _NOTHING, _NOTHING, _NOTHING, _NOTHING, _NOTHING)


class Factors:
    """What moves all symbols: the stock market, and the crypto market that partly follows it."""

    def __init__(self, seed: int) -> None:
        """Name the two paths of a seed."""
        self._market = Path(seed, "market factor", asset_class="stock")
        self._crypto = Path(seed, "crypto factor", asset_class="crypto")

    def log_levels(self, listing: Listing, read: Callable[[Path], Floats]) -> Floats:
        """Return the part of a listing's log price that its market makes, where and as ``read`` reads a path."""
        market = read(self._market)
        if listing.asset_class == "stock":
            return np.asarray(listing.beta * _MARKET_VOLATILITY * market)
        own = (1 - _CRYPTO_CORRELATION**2) ** 0.5 * read(self._crypto)
        return np.asarray(listing.beta * _CRYPTO_VOLATILITY * (_CRYPTO_CORRELATION * market + own))


class SyntheticSymbol:
    """One symbol's bars for any day, a function of the seed, the symbol and the factors alone."""

    def __init__(self, seed: int, symbol: str, factors: Factors) -> None:
        """Look up the symbol's character; nothing is drawn yet."""
        self.listing = listing_of(symbol)
        self._seed = seed
        self._factors = factors
        self._path = Path(seed, symbol, asset_class=self.listing.asset_class)
        self.day = lru_cache(maxsize=2)(self._draw_day)

    def days(self, count: int, *, until: int) -> DayBars:
        """Draw a bar for each of the newest ``count`` days that were over at ``until``; a day ends at its midnight.

        They lie on the path that minutes follow from midnight to midnight, and are not the sums of those: drawing the
        minutes of years takes seconds.
        """
        is_coin = self.listing.asset_class == "crypto"
        zone, last = None if is_coin else NEW_YORK, until // DAY
        ends = {
            day: midnight_after(day * DAY + DAY // 2, zone)
            for day in range(max(last - (count if is_coin else 2 * count + 10), 0), last + 1)
            if is_coin or session_of(day)
        }
        days = np.array([day for day, end in ends.items() if end <= until][-count:], dtype=np.int64)
        if not len(days):
            return _NO_BARS
        *wicks, busy = self._daily_draws(days)
        open_, close = (self._level(partial(Path.midnights, days=at)) for at in (days, days + 1))
        reach = _WICK * self._of_a_day
        return DayBars(
            np.array([ends[day] for day in days.tolist()]),
            self._price(open_),
            self._price(np.maximum(open_, close) + reach * np.abs(wicks[0])),
            self._price(np.minimum(open_, close) - reach * np.abs(wicks[1])),
            self._price(close),
            self._round_volume(self.listing.volume * np.exp(0.35 * busy), up=True),
        )

    def prints(self, day: int) -> DayPrints:
        """Draw what happens inside the bars of :attr:`day`."""
        bars = self.day(day)
        count = len(bars.end)
        draws = chance(self._seed, self.listing.symbol, "prints", day).random((2, count, PRINTS))
        fell = (bars.close < bars.open)[:, None]
        middle = np.where(fell, np.stack([bars.high, bars.low], 1), np.stack([bars.low, bars.high], 1))
        price = np.column_stack([bars.open, middle, bars.close])
        offsets = (np.arange(PRINTS) + draws[0] * 0.9) * _QUARTER
        step = 10.0**-self.listing.decimals
        half = np.maximum(np.ceil(price * self.listing.spread_bps / 2e4 / step), 1) * step
        part = self._round_volume(bars.volume / PRINTS, up=False)
        size = np.column_stack([part, part, part, np.round(bars.volume - 3 * part, _COIN_VOLUME_DECIMALS)])
        quote_size = self._round_volume(part[:, None] * (1 + 9 * draws[1]), up=True)
        ts = bars.end[:, None] - MINUTE + offsets.astype(np.int64)
        bid, ask = (np.round(side, self.listing.decimals) for side in (price - half, price + half))
        return DayPrints(ts, price, size, np.maximum(bid, step), ask, quote_size)

    def _draw_day(self, day: int) -> DayBars:
        first, last = self._trading_minutes(day)
        if first == last:
            return _NO_BARS
        random = chance(self._seed, self.listing.symbol, "bars", day)
        bounce = random.uniform(-1, 1, (2, last - first)) * (self.listing.spread_bps / 2e4)
        busy, *wicks = random.standard_normal((3, last - first))
        volatility = self._volatility(day)[first:last]
        level = self._level(lambda path: path.day(day))[first : last + 1]
        open_, close = level[:-1] + bounce[0], level[1:] + bounce[1]
        high = np.maximum(open_, close) + _WICK * volatility * np.abs(wicks[0])
        low = np.minimum(open_, close) - _WICK * volatility * np.abs(wicks[1])
        activity = self._activity(day, first, last)
        surprise = np.abs(close - open_) / volatility
        volume = self.listing.volume / (last - first) * activity * np.exp(0.35 * busy) * (0.6 + 0.5 * surprise)
        traded = random.random(last - first) < 1 - np.exp(-self.listing.trades * activity)
        end = day * DAY + np.arange(first + 1, last + 1) * MINUTE
        return DayBars(
            end[traded],
            self._price(open_[traded]),
            self._price(high[traded]),
            self._price(low[traded]),
            self._price(close[traded]),
            self._round_volume(volume[traded], up=True),
        )

    def _daily_draws(self, days: NDArray[np.int64]) -> Floats:
        """Draw three numbers a day, the same whichever days are asked for: shape (3, days)."""
        blocks = {
            block: chance(self._seed, self.listing.symbol, "daily bars", block).standard_normal((_BLOCK, 3))
            for block in {day // _BLOCK for day in days.tolist()}
        }
        return np.array([blocks[day // _BLOCK][day % _BLOCK] for day in days.tolist()]).T

    def _trading_minutes(self, day: int) -> tuple[int, int]:
        return (0, MINUTES) if self.listing.asset_class == "crypto" else session_of(day) or (0, 0)

    def _level(self, read: Callable[[Path], Floats]) -> Floats:
        """Return the log price over the listing's usual one, where and as ``read`` reads a path."""
        return self._factors.log_levels(self.listing, read) + self.listing.own_volatility * read(self._path)

    def _volatility(self, day: int) -> Floats:
        """Return the standard deviation of each minute's log return."""
        return np.asarray(self._of_a_day * np.sqrt(minute_variance(day, self.listing.asset_class)))

    @property
    def _of_a_day(self) -> float:
        factor = _MARKET_VOLATILITY if self.listing.asset_class == "stock" else _CRYPTO_VOLATILITY
        return float(np.hypot(self.listing.beta * factor, self.listing.own_volatility))

    def _activity(self, day: int, first: int, last: int) -> Floats:
        """Return how busy the minutes are, about 1 on average."""
        if self.listing.asset_class == "stock":
            return u_shape(last - first)
        hours = (np.arange(first, last) - opening_minute(day) - 120) * (2 * np.pi / MINUTES)
        return np.asarray(1 + 0.5 * np.cos(hours))

    def _price(self, level: Floats) -> Floats:
        """Turn log levels into prices on the symbol's steps; no price is below one step."""
        decimals = self.listing.decimals
        return np.maximum(np.round(self.listing.price * np.exp(level), decimals), 10.0**-decimals)

    def _round_volume(self, volume: Floats, *, up: bool) -> Floats:
        """Round to whole shares, at least one for each print, or to millionths of a coin."""
        if self.listing.asset_class == "crypto":
            step = 10.0**-_COIN_VOLUME_DECIMALS
            return np.maximum(np.round(volume, _COIN_VOLUME_DECIMALS), PRINTS * step if up else step)
        return np.maximum(np.rint(volume), PRINTS) if up else np.maximum(np.floor(volume), 1.0)
