"""The desk's ticks as messages of the market-data sockets; the opposite of ``access.alpaca.ticks``.

What they say beyond a tick's numbers is a function of the tick: the market of the local exchange has one venue, and a
bar that traded has four prints, its open, high, low and close.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from trader.access.alpaca.wire_data import (
    BarMessage,
    Channel,
    DailyBarMessage,
    DataMessage,
    Level,
    LuldMessage,
    OrderbookMessage,
    QuoteMessage,
    TradeMessage,
)
from trader.access.alpaca.wire_time import extension
from trader.model.ticks import Bar, Quote, Tick, Trade
from trader.model.time import DAY, MINUTE, NEW_YORK, SECOND, midnight_after

_DECIMALS: Final = 9
_BAND: Final = 0.05


def messages_of(ticks: Sequence[Tick], wanted: Collection[Channel]) -> list[DataMessage]:
    """Write those ticks that go out on one of the channels, in order."""
    makers = {kind: make for kind, (channel, make) in _MAKERS.items() if channel in wanted}
    messages: list[DataMessage] = []
    for tick in ticks:
        make = makers.get(type(tick))
        if make is not None:
            messages.append(make(tick))
        if Channel.ORDERBOOKS in wanted and isinstance(tick, Quote):
            messages.append(book_message(tick))
        if Channel.LULDS in wanted and isinstance(tick, Bar):
            messages.append(band_message(tick))
    return messages


def bar_message(bar: Bar) -> BarMessage:
    """Write a minute's bar."""
    return BarMessage(
        bar.symbol,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        size_of(bar.symbol, bar.volume),
        extension(bar.ts - MINUTE),
        trade_count(bar),
        vwap(bar),
    )


def trade_message(trade: Trade) -> TradeMessage:
    """Write a print."""
    stamp, number = extension(trade.ts), trade_id(trade)
    if "/" in trade.symbol:
        return TradeMessage(trade.symbol, trade.price, trade.size, stamp, id=number, taker_side=taker_side(trade))
    return TradeMessage(
        trade.symbol, trade.price, int(trade.size), stamp, number, EXCHANGE, TRADE_CONDITIONS, TAPE
    )  # fmt: skip


def quote_message(quote: Quote) -> QuoteMessage:
    """Write the best bid and ask."""
    stamp = extension(quote.ts)
    if "/" in quote.symbol:
        return QuoteMessage(quote.symbol, quote.bid, quote.bid_size, quote.ask, quote.ask_size, stamp)
    sizes = int(quote.bid_size), int(quote.ask_size)
    return QuoteMessage(
        quote.symbol, quote.bid, sizes[0], quote.ask, sizes[1], stamp, EXCHANGE, EXCHANGE, QUOTE_CONDITIONS, TAPE
    )  # fmt: skip


def book_message(quote: Quote) -> OrderbookMessage:
    """Write a quote as a whole order book of one level."""
    bids, asks = (Level(quote.bid, quote.bid_size),), (Level(quote.ask, quote.ask_size),)
    return OrderbookMessage(quote.symbol, extension(quote.ts), bids, asks, is_full=True)


def band_message(bar: Bar) -> LuldMessage:
    """Write the prices between which a stock may trade next: within a twentieth of where it was in the last minute.

    Source: Plan to Address Extraordinary Market Volatility, first tier; of its reference of five minutes one is taken.
    """
    up, down = (round(vwap(bar) * (1 + part), 2) for part in (_BAND, -_BAND))
    return LuldMessage(bar.symbol, up, down, "B", extension(bar.ts), TAPE)


def size_of(symbol: str, size: float) -> float:
    """Return shares as a whole number, coins as they are."""
    return size if "/" in symbol else int(size)


class DailyTotals:
    """Running totals of each symbol's day, New York's for stocks and UTC's for coins; ``bars`` is the market's past."""

    def __init__(self, bars: Callable[[str, int, int], Sequence[Bar]]) -> None:
        """Begin without any; a day is added up when it is first asked for."""
        self._bars = bars
        self._days: dict[str, tuple[int, int, int, DailyBarMessage | None]] = {}

    def message(self, bar: Bar) -> DailyBarMessage:
        """Return the totals of the day up to the end of ``bar``; bars of a symbol come in the order of time."""
        start = bar.ts - MINUTE
        begin, end, done, total = self._days.get(bar.symbol, (0, 0, 0, None))
        if start >= end:
            begin, end = day_of(bar.symbol, start)
            done, total = begin, None
        for one in self._bars(bar.symbol, done, start):
            total = _total(total, one, begin)
        assert total is not None, "the bar itself is one of them"
        self._days[bar.symbol] = begin, end, bar.ts, total
        return total


def day_of(symbol: str, ts: int) -> tuple[int, int]:
    """Return when a symbol's day that ``ts`` belongs to begins and ends."""
    end = midnight_after(ts, None if "/" in symbol else NEW_YORK)
    begin = midnight_after(end - DAY - DAY // 8, None if "/" in symbol else NEW_YORK)  # a day may have 23 or 25 hours
    return begin, end


def _total(before: DailyBarMessage | None, bar: Bar, begin: int) -> DailyBarMessage:
    count, mean, volume = trade_count(bar), vwap(bar), bar.volume
    first, high, low = bar.open, bar.high, bar.low
    if before is not None:
        first, high, low = before.open, max(high, before.high), min(low, before.low)
        count += before.trades or 0
        volume += before.volume
        if volume and before.vwap is not None:
            mean = round((before.vwap * before.volume + mean * bar.volume) / volume, _DECIMALS)
    return DailyBarMessage(
        bar.symbol, first, high, low, bar.close, size_of(bar.symbol, volume), extension(begin), count, mean
    )  # fmt: skip


_MAKERS: Final[dict[type, tuple[Channel, Callable[[Any], DataMessage]]]] = {
    Trade: (Channel.TRADES, trade_message),
    Quote: (Channel.QUOTES, quote_message),
    Bar: (Channel.BARS, bar_message),
}


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
