"""What Alpaca's messages say of a tick beyond its numbers, made up alike for sockets and REST: a function of the tick.

The market of the local exchange has one venue, and a bar that traded has four prints: its open, high, low and close.
"""

from typing import Final

from trader.model.ticks import Bar, Trade
from trader.model.time import SECOND

EXCHANGE: Final = "V"  # IEX's letter
TAPE: Final = "B"
TRADE_CONDITIONS: Final = ("@",)  # a regular sale
QUOTE_CONDITIONS: Final = ("R",)  # a regular two-sided market
PRINTS: Final = 4

_ID_STEP = 15 * SECOND  # at most one print of a symbol in each quarter of a minute


def trade_id(trade: Trade) -> int:
    """Return the number of a print, unique for its symbol."""
    return trade.ts // _ID_STEP


def taker_side(trade: Trade) -> str:
    """Return which side took a coin's print, ``B`` or ``S``."""
    return "B" if trade.ts // 1000 % 2 else "S"


def trade_count(bar: Bar) -> int:
    """Return how many prints made a bar."""
    return PRINTS if bar.volume else 0


def vwap(bar: Bar) -> float:
    """Return the average price of a minute bar's prints, never beyond its low and high."""
    mean = (bar.open + bar.high + bar.low + bar.close) / PRINTS
    return min(max(mean, bar.low), bar.high)
