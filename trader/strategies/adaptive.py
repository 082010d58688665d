"""Weigh three opinions: the trend of two averages, the RSI against extremes, and the volume behind the last move."""

from math import isnan, nan
from typing import Annotated

from pydantic import Field

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies.base import MAX_WINDOW, Context, PerSymbol, Strategy, above
from trader.strategies.indicators import TIE, Rsi, Sma, compare

# The weights 0.5, 0.3 and 0.2 and the bound 0.3 in tenths. The score meets its bound often (rsi alone; trend against
# volume), and whole numbers meet it exactly, where sums of binary fractions do so only by luck.
_TREND, _RSI, _VOLUME, _BOUND = 5, 3, 2, 3


class AdaptiveStrategy(Strategy):
    """Long at a score of 0.3 or more, flat (short if allowed) at −0.3 or less.

    score = 0.5·trend + 0.3·rsi + 0.2·volume, each −1, 0 or +1.
    trend: sign of short average − long average. rsi: +1 at or below oversold, −1 at or above overbought, else 0.
    volume: sign of the last change of the close when volume is above its own long average, else 0.
    """

    short_window: Annotated[int, Field(ge=1, le=MAX_WINDOW)] = 10
    """Bars of the fast average of closes."""
    long_window: Annotated[int, Field(ge=2, le=MAX_WINDOW), above("short_window")] = 30
    """Bars of the slow average of closes, and of the average volume."""
    rsi_period: Annotated[int, Field(ge=2, le=MAX_WINDOW)] = 14
    """Bars of Wilder's average."""
    rsi_oversold: Annotated[float, Field(ge=0, le=100)] = 30
    """RSI at or below which it speaks for a rise."""
    rsi_overbought: Annotated[float, Field(ge=0, le=100), above("rsi_oversold")] = 70
    """RSI at or above which it speaks for a fall."""

    def __post_init__(self) -> None:
        """Make the memory."""
        self._tickers = PerSymbol(lambda symbol: _Ticker(symbol, self))

    @property
    def warmup(self) -> int:
        """Return the bars after which the slowest of its indicators exists."""
        return max(self.long_window, self.rsi_period + 1)

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Add up the three opinions in tenths and compare with the bound."""
        ticker = self._tickers[bar.symbol]
        close, volume = bar.close, bar.volume
        strength = ticker.rsi.update(close)
        fast, slow = ticker.fast.update(close), ticker.slow.update(close)
        usual = ticker.volume.update(volume)
        before, ticker.close = ticker.close, close
        if isnan(slow) or isnan(strength):
            return None
        score = _TREND * compare(fast, slow) + _RSI * self._reversal(strength)
        # Nothing traded is never more than usual, even where the running mean of nothing is a hair below zero.
        if volume > 0.0 and compare(volume, usual) > 0:
            score += _VOLUME * compare(close, before)
        if score >= _BOUND:
            return ticker.long
        return ticker.short if score <= -_BOUND else None

    def _reversal(self, strength: float) -> int:
        if strength <= self.rsi_oversold + TIE:
            return 1
        return -1 if strength >= self.rsi_overbought - TIE else 0


class _Ticker:
    __slots__ = ("close", "fast", "long", "rsi", "short", "slow", "volume")

    def __init__(self, symbol: str, strategy: AdaptiveStrategy) -> None:
        self.fast = Sma(strategy.short_window)
        self.slow = Sma(strategy.long_window)
        self.volume = Sma(strategy.long_window)
        self.rsi = Rsi(strategy.rsi_period)
        self.close = nan
        self.long = Target(symbol, 1.0)
        self.short = Target(symbol, -1.0)
