"""Bet on the way back: long far below the recent mean, out near it again."""

from typing import Annotated

from pydantic import Field

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies.base import MAX_WINDOW, Context, PerSymbol, Strategy, above
from trader.strategies.indicators import TIE, ZScore


class MeanReversionStrategy(Strategy):
    """Long at a z-score of −entry or below, flat (short if allowed) at entry or above, out within exit of the mean.

    A z-score over n bars lies within ±√(n − 1): five bars reach 2.0 at most.
    """

    lookback_period: Annotated[int, Field(ge=2, le=MAX_WINDOW)] = 20
    """Bars of the mean and the deviation, the newest included."""
    exit_threshold: Annotated[float, Field(ge=0)] = 0.5
    """Deviations from the mean within which a position ends."""
    entry_threshold: Annotated[float, Field(gt=0), above("exit_threshold")] = 2.0
    """Deviations from the mean at which a position begins."""

    def __post_init__(self) -> None:
        """Make the memory."""
        self._tickers = PerSymbol(lambda symbol: _Ticker(symbol, self.lookback_period))

    @property
    def warmup(self) -> int:
        """Return the bars of one window."""
        return self.lookback_period

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Compare the z-score of the close with entry, and with exit when a position is held."""
        ticker = self._tickers[bar.symbol]
        z = ticker.score.update(bar.close)
        if z <= TIE - self.entry_threshold:
            return ticker.long
        if z >= self.entry_threshold - TIE:
            return ticker.short
        held = ctx.position(bar.symbol)
        if (held > 0.0 and z >= -self.exit_threshold - TIE) or (held < 0.0 and z <= self.exit_threshold + TIE):
            return ticker.flat
        return None


class _Ticker:
    __slots__ = ("flat", "long", "score", "short")

    def __init__(self, symbol: str, lookback_period: int) -> None:
        self.score = ZScore(lookback_period)
        self.long = Target(symbol, 1.0)
        self.flat = Target(symbol, 0.0)
        self.short = Target(symbol, -1.0)
