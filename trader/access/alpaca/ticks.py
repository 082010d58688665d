"""Data messages to the desk's ticks; what no market can have said is refused and counted by its reason.

Only trades, quotes and minute bars are ticks. ``Bar.ts`` is the end of the minute, a message's stamp its start. A bar
revised by a late trade is a tick like the first one, and whoever delivers it knows the message it came from.
"""

from collections import Counter
from collections.abc import Iterable
from math import inf

from trader.access.alpaca.wire import Unknown
from trader.access.alpaca.wire_data import (
    BarMessage,
    ControlMessage,
    DataMessage,
    QuoteMessage,
    TradeMessage,
    UpdatedBarMessage,
)
from trader.access.alpaca.wire_time import ns_of
from trader.model.ticks import MAX_PRICE, MIN_PRICE, Bar, Quote, Tick, Trade
from trader.model.time import MINUTE

_LAST_TS = 2**63 - 1  # the year 2262, where 64 bits of nanoseconds end


def ticks_of(messages: Iterable[DataMessage | ControlMessage | Unknown], refused: Counter[str]) -> list[Tick]:
    """Translate trades, quotes and minute bars in order; pass over the rest.

    Each that is refused adds one to ``refused`` under its reason; so does each ``Unknown``, as ``unknown_message``.
    """
    ticks: list[Tick] = []
    tick: Tick | str
    for message in messages:
        if isinstance(message, QuoteMessage):
            tick = _quote(message)
        elif isinstance(message, TradeMessage):
            tick = _trade(message)
        elif isinstance(message, BarMessage | UpdatedBarMessage):
            tick = _bar(message)
        elif isinstance(message, Unknown):
            tick = "unknown_message"
        else:
            continue
        if isinstance(tick, str):
            refused[tick] += 1
        else:
            ticks.append(tick)
    return ticks


def _trade(message: TradeMessage) -> Trade | str:
    # One chained comparison lets a sound print pass; NaN fails it, and its reason is looked for after that.
    if not (MIN_PRICE <= message.price <= MAX_PRICE and 0 <= message.size < inf):
        return _flaw((message.price,), (message.size,))
    ts = _ts(message)
    return Trade(message.symbol, ts, message.price, message.size) if ts else "bad_time"


def _quote(message: QuoteMessage) -> Quote | str:
    bid, ask = message.bid, message.ask
    if not (MIN_PRICE <= bid <= MAX_PRICE and MIN_PRICE <= ask <= MAX_PRICE):
        is_one_sided = 0 in {bid, ask} and 0 <= bid < inf and 0 <= ask < inf
        return "one_sided_quote" if is_one_sided else _flaw((bid, ask), ())
    if not (0 <= message.bid_size < inf and 0 <= message.ask_size < inf):
        return _flaw((), (message.bid_size, message.ask_size))
    ts = _ts(message)
    return Quote(message.symbol, ts, bid, message.bid_size, ask, message.ask_size) if ts else "bad_time"


def _bar(message: BarMessage | UpdatedBarMessage) -> Bar | str:
    low, high = message.low, message.high
    is_sound = MIN_PRICE <= low <= message.open <= high <= MAX_PRICE and low <= message.close <= high
    if not (is_sound and 0 <= message.volume < inf):
        flaw = _flaw((message.open, high, low, message.close), (message.volume,))
        return flaw or ("high_below_low" if high < low else "outside_range")
    start = _ts(message)
    if not start or start % MINUTE:
        return "off_minute" if start else "bad_time"
    return Bar(message.symbol, start + MINUTE, message.open, high, low, message.close, message.volume)


def _flaw(prices: tuple[float, ...], sizes: tuple[float, ...]) -> str:
    if not all(-inf < number < inf for number in (*prices, *sizes)):
        return "not_a_number"
    if any(size < 0 for size in sizes):
        return "negative_size"
    if any(price <= 0 for price in prices):
        return "price_not_positive"
    if any(not MIN_PRICE <= price <= MAX_PRICE for price in prices):
        return "price_out_of_range"
    return ""


def _ts(message: TradeMessage | QuoteMessage | BarMessage | UpdatedBarMessage) -> int:
    """Return the message's time, 0 where it has none that the desk could hold."""
    try:
        ts = ns_of(message.stamp)
    except ValueError:
        return 0
    return ts if 0 < ts < _LAST_TS - MINUTE else 0
