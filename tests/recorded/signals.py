"""Say what each strategy wants at the close of each of its bars: indicators over whole columns, from their definitions.

The half of the oracle that knows prices and nothing of money; `oracle` is the other half. Floats compute; where one
comes so near to a threshold that its last bits would decide, it is worked out again in sixty digits.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
SHORT, FLAT, LONG, KEEP = -1, 0, 1, 2  # what a strategy may want; KEEP is no signal at all
NOISE = 1e-9  # two ways to sum the same floats differ by less, also where a deviation is the root of a small difference
DIGITS = 60  # more than any product or quotient here needs, so that no rounding but the written one takes place
BAR_MINUTES = {"1Min": 1, "5Min": 5, "15Min": 15, "1Hour": 60, "1Day": 1440}


class Views(NamedTuple):
    """What a strategy wants at each bar: `wanted` has shape (3, bars), rows for a short, a flat and a long position."""

    bars_needed: int
    wanted: Whole
    near_tie: NDArray[np.bool_]


class Decision(NamedTuple):
    """What is wanted at the end of one bar, by position as in `Views`, and the close decided on."""

    wanted: tuple[int, int, int]
    close: Decimal
    near_tie: bool


def decisions(spec: Mapping[str, Any], minutes: pd.DataFrame) -> dict[int, Decision]:
    """Say, by the minute whose end closes a bar of the strategy's size, what is wanted then; none while warming up."""
    bars = build_bars(minutes, BAR_MINUTES[spec.get("bar", "1Min")])
    bearish = SHORT if spec.get("allow_short", False) else FLAT
    views = STRATEGIES[spec["strategy_type"]](bars, spec.get("strategy_params", {}), bearish)
    first = max(spec.get("min_warmup_bars", 50), views.bars_needed) - 1
    columns = (views.wanted[:, first:].T.tolist(), bars["close"].tolist()[first:], views.near_tie[first:].tolist())
    made = (
        Decision((short, flat, long), exact(close), near)
        for (short, flat, long), close, near in zip(*columns, strict=True)
    )
    return dict(zip(bars["minute"].tolist()[first:], made, strict=True))


def build_bars(minutes: pd.DataFrame, size: int) -> pd.DataFrame:
    """Join minutes into bars on the UTC grid; `minute` becomes the last minute of the bar, traded or not."""
    bucket = minutes["minute"] // size
    joined = minutes.groupby(bucket).agg({"close": "last", "volume": "sum"})
    joined["minute"] = joined.index * size + size - 1
    return joined.reset_index(drop=True)


def exact(value: float) -> Decimal:
    """Return the decimal number a float was written as."""
    return Decimal(repr(float(value)))


def is_near(values: Floats, *thresholds: float) -> NDArray[np.bool_]:
    """Mark values that lie on a threshold up to float noise."""
    near: NDArray[np.bool_] = np.min([np.abs(values - threshold) for threshold in thresholds], axis=0) < NOISE
    return near


def sharpen(
    values: Floats, near: NDArray[np.bool_], closes: Floats, formula: Callable[[list[Decimal]], Decimal]
) -> None:
    """Replace the marked values by their formula over all closes up to there, free of float noise."""
    for at in np.flatnonzero(near):
        with localcontext(prec=DIGITS):
            values[at] = float(formula([exact(close) for close in closes[: at + 1]]))


def momentum(bars: pd.DataFrame, params: Mapping[str, Any], bearish: int) -> Views:
    """Follow a move of at least the threshold over the lookback."""
    lookback, threshold = params.get("lookback_period", 20), params.get("momentum_threshold", 0.02)
    change = (bars["close"] / bars["close"].shift(lookback) - 1).to_numpy(copy=True)
    near = is_near(change, threshold, -threshold)
    sharpen(change, near, bars["close"].to_numpy(), lambda closes: closes[-1] / closes[-1 - lookback] - 1)
    wanted = np.select([change >= threshold, change <= -threshold], [LONG, bearish], KEEP)
    return Views(lookback + 1, np.stack([wanted] * 3), near)


def mean_reversion(bars: pd.DataFrame, params: Mapping[str, Any], bearish: int) -> Views:
    """Buy far below the window's mean, sell far above it, and leave near it."""
    lookback, entry = params.get("lookback_period", 20), params.get("entry_threshold", 2.0)
    leave = params.get("exit_threshold", 0.5)
    z = z_scores(bars["close"].to_numpy(), lookback)
    near = is_near(z, -entry, entry, -leave, leave)
    sharpen(z, near, bars["close"].to_numpy(), lambda closes: exact_z_score(closes[-lookback:]))
    entries = ([z <= -entry, z >= entry], [LONG, bearish])
    wanted = [
        np.select([*entries[0], z <= leave], [*entries[1], FLAT], KEEP),
        np.select(*entries, KEEP),
        np.select([*entries[0], z >= -leave], [*entries[1], FLAT], KEEP),
    ]
    return Views(lookback, np.stack(wanted), near)


def rsi(bars: pd.DataFrame, params: Mapping[str, Any], bearish: int) -> Views:
    """Buy the oversold, sell the overbought."""
    stretch, near = stretched(bars, params)
    wanted = np.select([stretch > 0, stretch < 0], [LONG, bearish], KEEP)
    return Views(params.get("rsi_period", 14) + 1, np.stack([wanted] * 3), near)


def adaptive(bars: pd.DataFrame, params: Mapping[str, Any], bearish: int) -> Views:
    """Add up trend, RSI and volume in tenths; averages are compared as whole numbers, so that equal means equal."""
    short, long = params.get("short_window", 10), params.get("long_window", 30)
    close, volume = whole(bars["close"]), whole(bars["volume"])
    trend = np.sign(moving_sum(close, short) * long - moving_sum(close, long) * short)
    stretch, near = stretched(bars, params)
    push = np.where(volume * long > moving_sum(volume, long), np.sign(np.diff(close, prepend=close[:1])), 0)
    score = 5 * trend + 3 * stretch + 2 * push
    wanted = np.select([score >= 3, score <= -3], [LONG, bearish], KEEP)
    near |= (trend == 0) | (volume * long == moving_sum(volume, long))
    return Views(max(short, long, params.get("rsi_period", 14) + 1), np.stack([wanted] * 3), near)


STRATEGIES = {"momentum": momentum, "mean_reversion": mean_reversion, "rsi": rsi, "adaptive": adaptive}


def stretched(bars: pd.DataFrame, params: Mapping[str, Any]) -> tuple[Whole, NDArray[np.bool_]]:
    """Return 1 where the index says oversold, −1 where overbought, else 0; and where it lies on either threshold."""
    period, low, high = (params.get("rsi_period", 14), params.get("rsi_oversold", 30), params.get("rsi_overbought", 70))
    closes = bars["close"].to_numpy()
    index = wilder_rsi(closes, period)
    near = is_near(index, low, high)
    sharpen(index, near, closes, lambda closes: exact_rsi(closes, period))
    return np.select([index <= low, index >= high], [1, -1], 0), near


def z_scores(values: Floats, window: int) -> Floats:
    """Return the distance of each value from its window's mean in population deviations; 0 in a flat window."""
    z = np.full(len(values), np.nan)
    if len(values) >= window:
        windows = np.lib.stride_tricks.sliding_window_view(values, window)
        is_flat = windows.max(axis=1) == windows.min(axis=1)
        spread = np.where(is_flat, 1.0, windows.std(axis=1))
        z[window - 1 :] = np.where(is_flat, 0.0, (values[window - 1 :] - windows.mean(axis=1)) / spread)
    return z


def exact_z_score(window: list[Decimal]) -> Decimal:
    """Return the same for the last value of one window."""
    mean = sum(window, Decimal(0)) / len(window)
    deviation = (sum(((value - mean) ** 2 for value in window), Decimal(0)) / len(window)).sqrt()
    return (window[-1] - mean) / deviation if deviation else Decimal(0)


def wilder_rsi(values: Floats, period: int) -> Floats:
    """Return Wilder's index, seeded with the mean of the first changes; 50 where nothing ever moved."""
    index = np.full(len(values), np.nan)
    if len(values) > period:
        change = np.diff(values)
        rise, fall = (wilder_mean(np.maximum(sign * change, 0.0), period) for sign in (1, -1))
        moved = rise + fall
        index[period:] = np.where(moved == 0, 50.0, 100 * rise / np.where(moved == 0, 1.0, moved))
    return index


def exact_rsi(closes: list[Decimal], period: int) -> Decimal:
    """Return the same for the last close alone."""
    changes = [after - before for before, after in pairwise(closes)]
    rise, fall = (sum((max(sign * c, Decimal(0)) for c in changes[:period]), Decimal(0)) / period for sign in (1, -1))
    for change in changes[period:]:
        rise = (rise * (period - 1) + max(change, Decimal(0))) / period
        fall = (fall * (period - 1) + max(-change, Decimal(0))) / period
    return 100 * rise / (rise + fall) if rise + fall else Decimal(50)


def wilder_mean(values: Floats, period: int) -> Floats:
    """Smooth by 1/period from the plain mean of the first `period` values on."""
    seeded = pd.Series(np.concatenate([[values[:period].mean()], values[period:]]))
    return seeded.ewm(alpha=1 / period, adjust=False).mean().to_numpy()


def whole(column: "pd.Series[float]") -> Whole:
    """Return the column in billionths, in which every recorded price and volume is a whole number."""
    billionths: Whole = np.rint(column.to_numpy() * 1e9).astype(np.int64)
    return billionths


def moving_sum(values: Whole, window: int) -> Whole:
    """Return the sum of the last `window` values, exact; 0 before there are as many."""
    sums = np.zeros(len(values), dtype=np.int64)
    total = np.cumsum(values)
    sums[window - 1 :] = total[window - 1 :] - np.concatenate([[0], total[: max(len(values) - window, 0)]])
    return sums
