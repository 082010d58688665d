"""What gate and filters may see: the books, the account's exposure and the market, at the moment they are asked."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import nan
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from trader.model.instruments import AssetClass, Instrument
from trader.model.orders import OrderIntent, TradingState

Floats = NDArray[np.float64]


class Standing(msgspec.Struct, frozen=True):
    """A sandbox's books at the moment one intent is judged; dollars, and a signed quantity of the intent's symbol."""

    cash: Decimal
    free_cash: Decimal
    equity: Decimal
    position: Decimal
    daily_trades: int
    loss_reached: bool
    state: TradingState
    held: str = ""  # why no entry may leave for this symbol now
    is_warm: bool = True


class Market(msgspec.Struct, frozen=True, gc=False):
    """What is known of one symbol's market; NaN, and 0 for a time (ns UTC), where nothing is.

    ``marked_at`` and ``quoted_at`` are the venue's times of the newest bar, trade or quote, and of the newest quote.
    ``sigma_day`` is the standard deviation of daily returns now, ``vol_ratio`` that over its long average,
    ``volume_day`` the average daily volume in shares or coins.
    """

    mark: float = nan
    marked_at: int = 0
    bid: float = nan
    ask: float = nan
    bid_size: float = nan
    ask_size: float = nan
    quoted_at: int = 0
    before: float = nan  # the mark one minute earlier
    sigma_day: float = nan
    vol_ratio: float = nan
    volume_day: float = nan


class Question(msgspec.Struct, frozen=True):
    """What the gate is asked: may this intent leave under ``order_id``? ``now`` is the desk's time (ns UTC)."""

    intent: OrderIntent
    order_id: str
    instrument: Instrument
    standing: Standing
    market: Market
    now: int


class Exposures(Protocol):
    """Positions and everything on its way as arrays; call :meth:`sync` before reading, it is cheap when nothing moved.

    ``n`` symbols of the desk in a fixed order; ``m`` pairs of sandbox and symbol ("slots") in rank order, so that those
    of one sandbox stand side by side. Unfilled quantities are of orders that are pending, open, being canceled, unknown
    or absent; they are never negative. ``version`` is another one after whatever has changed an array or a flag,
    save for an opening that the gate has just approved; ``booked`` after whatever of that was no mark.
    """

    version: int
    booked: int
    symbols: tuple[str, ...]
    strategies: tuple[str, ...]
    index: Mapping[str, int]  # of symbols
    rank: Mapping[str, int]  # of strategies
    marks: Floats  # (n,), NaN where there is none yet
    net: Floats  # (n,), the account's signed quantity, other hands included
    buys: Floats  # (n,), unfilled
    sells: Floats  # (n,), unfilled
    held: Floats  # (m,), signed quantity
    held_buys: Floats  # (m,), unfilled
    held_sells: Floats  # (m,), unfilled
    symbol_of: NDArray[np.intp]  # (m,), number of the symbol
    slots_of: Mapping[str, slice]  # by strategy, into the arrays of slots
    cash: Floats  # (strategies,), dollars
    reserved: Floats  # (strategies,), dollars that open orders have reserved
    unallocated: float  # dollars that no strategy was given

    def sync(self) -> None:
        """Bring every array up to date with books and marks."""


class Holding(msgspec.Struct, frozen=True, gc=False):
    """What one strategy holds of one symbol, what is on its way added (signed); ``stop`` ends it, NaN without one."""

    strategy: str
    symbol: str
    asset_class: AssetClass
    qty: float
    mark: float
    stop: float


class PortfolioView(Protocol):
    """What a filter may see: all strategies of the desk as one portfolio, at the newest marks, in dollars."""

    @property
    def ts(self) -> int:
        """Return the end of the minute that is decided on (ns UTC)."""

    @property
    def equity(self) -> float:
        """Return the cash of all strategies plus their positions at their marks."""

    @property
    def holdings(self) -> Sequence[Holding]:
        """Return what is held or on its way, in config order."""

    def equity_of(self, strategy: str) -> float:
        """Return one strategy's cash plus positions at their marks."""

    def mark(self, symbol: str) -> float:
        """Return the price a symbol is valued at."""

    def instrument(self, strategy: str, symbol: str) -> Instrument:
        """Return what a strategy may trade of a symbol: increments and smallest order."""

    def stop_of(self, strategy: str) -> float:
        """Return a strategy's stop as a fraction of the entry price, NaN without one."""

    def highs(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` daily highs, shape (≤ n,), newest last; like the next two without today's."""

    def lows(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` daily lows, shape (≤ n,)."""

    def closes(self, symbol: str, n: int) -> Floats:
        """Return the newest ``n`` daily closes, shape (≤ n,)."""

    def ends(self, symbol: str, n: int) -> NDArray[np.int64]:
        """Return when those days ended (ns UTC), shape (≤ n,): a symbol may lack days that another has."""
