"""Aids for testing a strategy: make bars from closes, and feed them.

fed = bars([100, 101, 103])
assert decisions(MomentumStrategy(lookback_period=1), fed)[-1] == Target("SPY", 1.0)
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import MINUTE
from trader.strategies.base import Strategy

START = 1_704_205_860_000_000_000  # 2024-01-02T14:31:00Z, the end of the first minute of a New York session
CASH = 10_000.0


def bars(closes: Sequence[float], symbol: str = "SPY", *, start: int = START, volume: float = 1000.0) -> list[Bar]:
    """Return minute bars with these closes, the first ending at ``start``; each opens at the close before it."""
    opens = [*closes[:1], *closes[:-1]]
    return [
        Bar(
            symbol=symbol,
            ts=start + minute * MINUTE,
            open=float(first),
            high=float(max(first, last)),
            low=float(min(first, last)),
            close=float(last),
            volume=volume,
        )
        for minute, (first, last) in enumerate(zip(opens, closes, strict=True))
    ]


def decisions(strategy: Strategy, fed: Iterable[Bar], *, allow_short: bool = True) -> list[Signals]:
    """Feed bars in order and return the answer to each, as if every wish were granted at once and cost nothing.

    There is no warm-up to wait for and no order: the position is one unit with the sign of the last target.
    """
    desk = GrantingContext(allow_short=allow_short)
    return [desk.feed(strategy, bar) for bar in fed]


class GrantingContext:
    """The smallest :class:`~trader.strategies.base.Context`: it remembers bars and grants wishes."""

    def __init__(self, *, allow_short: bool = True) -> None:
        self.cash = CASH
        self.equity = CASH
        self.now = 0
        self._bars: defaultdict[str, list[Bar]] = defaultdict(list)
        self._positions: dict[str, float] = {}
        self._lowest = -1.0 if allow_short else 0.0

    def feed(self, strategy: Strategy, bar: Bar) -> Signals:
        """Show a bar to the strategy and return its answer, granted."""
        self.now = bar.ts
        self._bars[bar.symbol].append(bar)
        answer = strategy.on_bar(bar, self)
        for target in targets(answer):
            self._positions[target.symbol] = max(self._lowest, float(np.sign(target.fraction)))
        return answer

    def position(self, symbol: str) -> float:
        """Return +1.0, 0.0 or −1.0."""
        return self._positions.get(symbol, 0.0)

    def opens(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the opens of the newest ``n`` bars."""
        return _read_only([bar.open for bar in self._bars[symbol][-n:]])

    def highs(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the highs of the newest ``n`` bars."""
        return _read_only([bar.high for bar in self._bars[symbol][-n:]])

    def lows(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the lows of the newest ``n`` bars."""
        return _read_only([bar.low for bar in self._bars[symbol][-n:]])

    def closes(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the closes of the newest ``n`` bars."""
        return _read_only([bar.close for bar in self._bars[symbol][-n:]])

    def volumes(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the volumes of the newest ``n`` bars."""
        return _read_only([bar.volume for bar in self._bars[symbol][-n:]])


def targets(answer: Signals) -> Sequence[Target]:
    """Return the targets of an answer: none, one or many."""
    if answer is None:
        return ()
    return (answer,) if isinstance(answer, Target) else answer


def _read_only(values: list[float]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
