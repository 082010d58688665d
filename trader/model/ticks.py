"""Market data as it reaches the desk: floats, as the data API sends JSON numbers; every number finite.

``Bar.ts`` is the *end* of the interval, the moment it became knowable; feeds that stamp the start add the interval.
"""

import msgspec


class Bar(msgspec.Struct, frozen=True, gc=False):
    """Open, high, low, close and volume of one interval of one symbol; ``ts`` is its end."""

    symbol: str
    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Best bid and ask of one symbol."""

    symbol: str
    ts: int
    bid: float
    bid_size: float
    ask: float
    ask_size: float


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One print."""

    symbol: str
    ts: int
    price: float
    size: float


Tick = Bar | Quote | Trade
