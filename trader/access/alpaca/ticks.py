"""Data messages to the desk's ticks; what no market can have said is refused and counted by its reason.

Only trades, quotes and minute bars are ticks. ``Bar.ts`` is the end of the minute, a message's stamp its start. A bar
revised by a late trade is a tick like the first one, and whoever delivers it knows the message it came from.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from math import inf
from typing import Any

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


def ticks_of(messages: Iterable[DataMessage | ControlMessage | Unknown], refused: Counter[str]) -> list[Tick]:
    """Translate trades, quotes and minute bars in order; pass over the rest.

    Each that is refused adds one to ``refused`` under its reason; so does each ``Unknown``, as ``unknown_message``.
    """
    ticks: list[Tick] = []
    for message in messages:
        if translate := _TRANSLATE.get(type(message)):
            try:
                ticks.append(translate(message))
            except ValueError as error:
                refused[reason_of(error)] += 1
    return ticks


def reason_of(error: ValueError) -> str:
    """Return the reason under which a refused message is counted."""
    return error.reason if isinstance(error, Refused) else "bad_time"


class Refused(ValueError):
    """No market can have said this, for another reason than its time."""

    def __init__(self, reason: str) -> None:
        """Keep the reason under which it is counted."""
        super().__init__(reason)
        self.reason = reason


# In each of these one chain of comparisons lets the sound message pass; NaN fails it. Only then a reason is looked for.


def trade_of(message: TradeMessage) -> Trade:
    """Translate a trade. Raises ValueError, see :func:`reason_of`."""
    price, size = message.price, message.size
    if MIN_PRICE <= price <= MAX_PRICE and 0 <= size < inf:
        return Trade(message.symbol, ns_of(message.stamp), price, size)
    raise Refused(_flaw((price,), (size,)))


def quote_of(message: QuoteMessage) -> Quote:
    """Translate a quote. Raises ValueError, see :func:`reason_of`."""
    bid, bid_size, ask, ask_size = message.bid, message.bid_size, message.ask, message.ask_size
    if MIN_PRICE <= bid <= MAX_PRICE and MIN_PRICE <= ask <= MAX_PRICE and 0 <= bid_size < inf and 0 <= ask_size < inf:
        return Quote(message.symbol, ns_of(message.stamp), bid, bid_size, ask, ask_size)
    flaw = _flaw((bid, ask), (bid_size, ask_size))
    raise Refused("one_sided_quote" if flaw == "price_not_positive" and min(bid, ask) == 0 else flaw)


def bar_of(message: BarMessage | UpdatedBarMessage) -> Bar:
    """Translate a minute's bar. Raises ValueError, see :func:`reason_of`."""
    first, high, low, last = message.open, message.high, message.low, message.close
    if not (MIN_PRICE <= low <= first <= high <= MAX_PRICE and low <= last <= high and 0 <= message.volume < inf):
        flaw = _flaw((first, high, low, last), (message.volume,))
        raise Refused(flaw or ("high_below_low" if high < low else "outside_range"))
    start = ns_of(message.stamp)
    if start % MINUTE:
        raise Refused("off_minute")
    return Bar(message.symbol, start + MINUTE, first, high, low, last, message.volume)


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


def _unknown(_: Unknown) -> Tick:
    raise Refused("unknown_message")


_TRANSLATE: dict[type, Callable[[Any], Tick]] = {
    QuoteMessage: quote_of,
    TradeMessage: trade_of,
    BarMessage: bar_of,
    UpdatedBarMessage: bar_of,
    Unknown: _unknown,
}
