"""Buy what is oversold, leave what is overbought."""

from typing import Annotated

from pydantic import Field

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.strategies.base import MAX_WINDOW, Context, PerSymbol, Strategy, above
from trader.strategies.indicators import TIE, Rsi


class RsiStrategy(Strategy):
    """Long when Wilder's RSI is at or below oversold, flat (short if allowed) at or above overbought."""

    rsi_period: Annotated[int, Field(ge=2, le=MAX_WINDOW)] = 14
    """Bars of Wilder's average."""
    rsi_oversold: Annotated[float, Field(ge=0, le=100)] = 30
    """RSI at or below which to be long."""
    rsi_overbought: Annotated[float, Field(ge=0, le=100), above("rsi_oversold")] = 70
    """RSI at or above which to be out or short."""

    def __post_init__(self) -> None:
        """Make the memory."""
        self._tickers = PerSymbol(lambda symbol: _Ticker(symbol, self.rsi_period))

    @property
    def warmup(self) -> int:
        """Return the period and the bar before it, whose close the first change is measured from."""
        return self.rsi_period + 1

    def on_bar(self, bar: Bar, ctx: Context) -> Signals:
        """Compare the RSI of the closes with its two bounds."""
        ticker = self._tickers[bar.symbol]
        strength = ticker.rsi.update(bar.close)
        if strength <= self.rsi_oversold + TIE:
            return ticker.long
        if strength >= self.rsi_overbought - TIE:
            return ticker.short
        return None


class _Ticker:
    __slots__ = ("long", "rsi", "short")

    def __init__(self, symbol: str, rsi_period: int) -> None:
        self.rsi = Rsi(rsi_period)
        self.long = Target(symbol, 1.0)
        self.short = Target(symbol, -1.0)
