"""Rows of history: the sockets' messages without their kind and their symbol, which is the key they stand under.

Source: Alpaca market data API 1.1 (OpenAPI document); recorded answers of 2022 to 2024.
"""

from functools import lru_cache
from typing import Any, Final

from msgspec import to_builtins
from msgspec.structs import replace

from trader.exchange.data_messages import book_message, quote_message, trade_message
from trader.exchange.data_periods import BarRow
from trader.model.instruments import AssetClass
from trader.model.ticks import Quote, Trade
from trader.model.time import DAY, MINUTE, iso

RowJson = dict[str, Any]

_MINUTES: Final = tuple(f"T{minute // 60:02}:{minute % 60:02}:00Z" for minute in range(DAY // MINUTE))
_BAR: Final = ("t", "o", "h", "l", "c", "v", "n", "vw")  # as the fields of a row
_SNAPSHOT: Final = ("latestTrade", "latestQuote", "minuteBar", "dailyBar", "prevDailyBar")


def row_json(row: BarRow | Trade | Quote, asset_class: AssetClass) -> RowJson:
    """Write a row; shares are whole."""
    if isinstance(row, BarRow):
        told = dict(zip(_BAR, row, strict=True))
        volume = row.volume if asset_class == "crypto" else round(row.volume)
        return told | {"t": _minute_text(row.start), "v": volume}
    message = trade_message(row) if isinstance(row, Trade) else quote_message(row)
    return _row(replace(message, stamp=iso(row.ts)), "T", "S")


def book_json(quote: Quote) -> RowJson:
    """Write a quote as the order book of one level that the sockets show too."""
    return _row(replace(book_message(quote), stamp=iso(quote.ts)), "T", "S", "r")


def snapshot_json(newest: list[RowJson | None]) -> RowJson:
    """Name the newest print, quote, minute, day and the day before it; what a market does not have is left out."""
    return {name: row for name, row in zip(_SNAPSHOT, newest, strict=True) if row is not None}


def _row(message: object, *left_out: str) -> RowJson:
    told: RowJson = to_builtins(message)
    for key in left_out:
        del told[key]
    return told


def _minute_text(ts: int) -> str:
    """Write a time on a whole minute, much faster than any date library."""
    return _day_text(ts // DAY) + _MINUTES[ts % DAY // MINUTE]


@lru_cache(maxsize=1024)
def _day_text(day: int) -> str:
    return iso(day * DAY)[: len("2026-01-05")]
