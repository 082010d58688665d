"""Follow the price: long after a rise, out after a fall."""

from typing import Annotated

from pydantic import Field

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies.base import MAX_WINDOW, Context, PerSymbol, Strategy
from trader.strategies.indicators import TIE, PriceRatio


class MomentumStrategy(Strategy):
    """Long when the close rose by the threshold over the lookback, flat (short if allowed) when it fell by it."""

    lookback_period: Annotated[int, Field(ge=1, le=MAX_WINDOW)] = 20
    """Bars between the two closes compared."""
    momentum_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.02
    """Smallest move that counts, as a fraction: 0.02 is 2 percent."""

    def __post_init__(self) -> None:
        """Make the memory and the two bounds of close / earlier close."""
        self._tickers = PerSymbol(lambda symbol: _Ticker(symbol, self.lookback_period))
        self._risen = 1.0 + self.momentum_threshold - TIE
        self._fallen = 1.0 - self.momentum_threshold + TIE

    @property
    def warmup(self) -> int:
        """Return the lookback and the bar it looks back from."""
        return self.lookback_period + 1

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Compare the close with the one ``lookback_period`` bars before."""
        ticker = self._tickers[bar.symbol]
        ratio = ticker.ratio.update(bar.close)
        if ratio >= self._risen:
            return ticker.long
        if ratio <= self._fallen:
            return ticker.short
        return None


class _Ticker:
    __slots__ = ("long", "ratio", "short")

    def __init__(self, symbol: str, lookback_period: int) -> None:
        self.ratio = PriceRatio(lookback_period)
        self.long = Target(symbol, 1.0)
        self.short = Target(symbol, -1.0)
