"""Bars, prints and quotes as the data API writes them: one row each, its symbol is the key they stand under.

Source: Alpaca market data API 1.1 (OpenAPI document); recorded answers of 2022 to 2024.
"""

from functools import lru_cache
from typing import Final

from msgspec import UNSET, Struct, UnsetType, field

from trader.exchange.data_periods import BarRow
from trader.exchange.tick_details import EXCHANGE, QUOTE_CONDITIONS, TAPE, TRADE_CONDITIONS, taker_side, trade_id
from trader.model.instruments import AssetClass
from trader.model.ticks import Quote, Trade
from trader.model.time import DAY, MINUTE, iso

_MINUTES: Final = tuple(f"T{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(DAY // MINUTE))


class BarJson(Struct, frozen=True, gc=False):
    """A bar; ``stamp`` is its start."""

    stamp: str = field(name="t")
    open: float = field(name="o")
    high: float = field(name="h")
    low: float = field(name="l")
    close: float = field(name="c")
    volume: float = field(name="v")
    trades: int = field(name="n")
    vwap: float = field(name="vw")


class TradeJson(Struct, frozen=True, gc=False):
    """A print; ``taker_side`` is crypto's alone, exchange, conditions and tape are stocks'."""

    stamp: str = field(name="t")
    price: float = field(name="p")
    size: float = field(name="s")
    id: int = field(name="i")
    exchange: str | UnsetType = field(name="x", default=UNSET)
    conditions: tuple[str, ...] | UnsetType = field(name="c", default=UNSET)
    tape: str | UnsetType = field(name="z", default=UNSET)
    taker_side: str | UnsetType = field(name="tks", default=UNSET)


class QuoteJson(Struct, frozen=True, gc=False):
    """Best bid and ask; sizes are shares or coins."""

    stamp: str = field(name="t")
    bid: float = field(name="bp")
    bid_size: float = field(name="bs")
    ask: float = field(name="ap")
    ask_size: float = field(name="as")
    bid_exchange: str | UnsetType = field(name="bx", default=UNSET)
    ask_exchange: str | UnsetType = field(name="ax", default=UNSET)
    conditions: tuple[str, ...] | UnsetType = field(name="c", default=UNSET)
    tape: str | UnsetType = field(name="z", default=UNSET)


RowJson = BarJson | TradeJson | QuoteJson


class LevelJson(Struct, frozen=True, gc=False):
    """One price of an order book."""

    price: float = field(name="p")
    size: float = field(name="s")


class BookJson(Struct, frozen=True):
    """An order book."""

    stamp: str = field(name="t")
    bids: tuple[LevelJson, ...] = field(name="b")
    asks: tuple[LevelJson, ...] = field(name="a")


class SnapshotJson(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The newest of everything; what a market does not have is left out."""

    latest_trade: RowJson | None = None
    latest_quote: RowJson | None = None
    minute_bar: RowJson | None = None
    daily_bar: RowJson | None = None
    prev_daily_bar: RowJson | None = None


def row_json(row: BarRow | Trade | Quote, asset_class: AssetClass) -> RowJson:
    """Write a row; shares are whole."""
    if isinstance(row, BarRow):
        volume = row.volume if asset_class == "crypto" else round(row.volume)
        stamp = _minute_text(row.start)
        return BarJson(stamp, row.open, row.high, row.low, row.close, volume, row.trades, row.vwap)
    if isinstance(row, Trade):
        number = trade_id(row)
        if asset_class == "crypto":
            return TradeJson(iso(row.ts), row.price, row.size, number, taker_side=taker_side(row))
        return TradeJson(iso(row.ts), row.price, int(row.size), number, EXCHANGE, TRADE_CONDITIONS, TAPE)
    if asset_class == "crypto":
        return QuoteJson(iso(row.ts), row.bid, row.bid_size, row.ask, row.ask_size)
    rest = (EXCHANGE, EXCHANGE, QUOTE_CONDITIONS, TAPE)
    return QuoteJson(iso(row.ts), row.bid, int(row.bid_size), row.ask, int(row.ask_size), *rest)


def book_json(quote: Quote) -> BookJson:
    """Write a quote as the order book of one level that the sockets show too."""
    bids, asks = (LevelJson(quote.bid, quote.bid_size),), (LevelJson(quote.ask, quote.ask_size),)
    return BookJson(iso(quote.ts), bids, asks)


def _minute_text(ts: int) -> str:
    """Write a time on a whole minute, much faster than any date library."""
    return _day_text(ts // DAY) + _MINUTES[ts % DAY // MINUTE]


@lru_cache(maxsize=1024)
def _day_text(day: int) -> str:
    return iso(day * DAY)[: len("2026-01-05")]
