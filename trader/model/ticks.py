"""Market data as it reaches the desk: floats, as the data API sends JSON numbers; every number finite.

``Bar.ts`` is the *end* of the interval, the moment it became knowable; feeds that stamp the start add the interval.
"""

from typing import Final, final

import msgspec

# A price beyond these is a mistake of whoever sent it, and feeds refuse it: no coin is cheaper, no share dearer, and
# within them the books' 80 digits hold every product exactly.
MIN_PRICE: Final = 1e-9
MAX_PRICE: Final = 1e9


@final
class Bar(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Open, high, low, close and volume of one interval of one symbol; ``ts`` is its end."""

    symbol: str
    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float


@final
class Quote(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Best bid and ask of one symbol."""

    symbol: str
    ts: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


@final
class Trade(msgspec.Struct, frozen=True, gc=False, tag=True):
    """One print."""

    symbol: str
    ts: int
    price: float
    size: float


Tick = Bar | Quote | Trade
