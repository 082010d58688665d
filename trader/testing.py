"""Aids for testing a strategy, make bars from closes and feed them, and a filter: make an opening and a portfolio.

fed = bars([100, 101, 103])
assert decisions(MomentumStrategy(lookback_period=1), fed)[-1] == Target("SPY", 1.0)

ruling = ruled(MaxPositionsFilter(max_long_positions=0), opening("SPY", 10))
assert ruling.dropped is not None
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from math import nan

import numpy as np
from numpy.typing import NDArray

from trader.director import Director, Filter, Link
from trader.model.instruments import Instrument, instrument_of
from trader.model.money import decimal_of
from trader.model.orders import OrderIntent, Reason, Ruling, Side
from trader.model.signals import Signals, Target
from trader.model.ticks import Bar
from trader.model.time import DAY, MINUTE
from trader.model.views import Holding
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


def opening(symbol: str, qty: float, *, price: float = 100.0, strategy: str = "one") -> OrderIntent:
    """Return what a strategy asks for when it wants to open ``qty`` of a symbol, short where that is negative."""
    side, size = (Side.BUY, qty) if qty > 0 else (Side.SELL, -qty)
    decided = decimal_of(float(price))
    return OrderIntent(
        strategy, symbol, side, Decimal(str(size)), decided, reduces=False, reason=Reason.SIGNAL, ts=START
    )


def holding(symbol: str, qty: float, *, price: float = 100.0, strategy: str = "one", stop: float = nan) -> Holding:
    """Return ``qty`` of a symbol as a strategy holds it."""
    return Holding(strategy, symbol, instrument_of(symbol).asset_class, qty, price, stop)


def ruled(judge: Filter, intent: OrderIntent, view: "GivenView | None" = None) -> Ruling:
    """Return what a chain of one filter makes of an intent, rounding included."""
    return Director([Link("filter", judge)]).judge([intent], view or GivenView())[0]


class GivenView:
    """A :class:`~trader.model.views.PortfolioView` of figures that are given.

    ``days`` has daily closes by symbol, or (high, low, close) of each day; the newest ended before ``ts``. Stops are by
    strategy, as fractions of the entry price.
    """

    def __init__(
        self,
        *holdings: Holding,
        equity: float = 100_000.0,
        ts: int = START,
        days: Mapping[str, Sequence[float] | Sequence[tuple[float, float, float]]] | None = None,
        stops: Mapping[str, float] | None = None,
        instruments: Mapping[str, Instrument] | None = None,
    ) -> None:
        self.holdings = holdings
        self.equity = equity
        self.ts = ts
        self._days = {
            symbol: np.array([day if isinstance(day, tuple) else (day, day, day) for day in rows], dtype=np.float64)
            for symbol, rows in (days or {}).items()
        }
        self._stops = stops or {}
        self._instruments = instruments or {}

    def equity_of(self, strategy: str) -> float:
        """Return all of the equity: whoever asks owns it."""
        return self.equity

    def mark(self, symbol: str) -> float:
        """Return the newest close, NaN without one."""
        closes = self.closes(symbol, 1)
        return float(closes[-1]) if len(closes) else nan

    def instrument(self, strategy: str, symbol: str) -> Instrument:
        """Return what was given, or what the symbol looks like."""
        return self._instruments.get(symbol) or instrument_of(symbol)

    def stop_of(self, strategy: str) -> float:
        """Return the strategy's stop, NaN without one."""
        return self._stops.get(strategy, nan)

    def highs(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the newest ``n`` daily highs."""
        return self._column(symbol, 0)[-n:]

    def lows(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the newest ``n`` daily lows."""
        return self._column(symbol, 1)[-n:]

    def closes(self, symbol: str, n: int) -> NDArray[np.float64]:
        """Return the newest ``n`` daily closes."""
        return self._column(symbol, 2)[-n:]

    def ends(self, symbol: str, n: int) -> NDArray[np.int64]:
        """Return when those days ended: at the midnights before ``ts``."""
        count = len(self._column(symbol, 2))
        return (np.arange(self.ts // DAY - count + 1, self.ts // DAY + 1) * DAY)[-n:]

    def _column(self, symbol: str, number: int) -> NDArray[np.float64]:
        rows = self._days.get(symbol)
        return np.empty(0) if rows is None or not len(rows) else rows[:, number]


def targets(answer: Signals) -> Sequence[Target]:
    """Return the targets of an answer: none, one or many."""
    if answer is None:
        return ()
    return (answer,) if isinstance(answer, Target) else answer


def _read_only(values: list[float]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.flags.writeable = False
    return array
