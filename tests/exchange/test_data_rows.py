"""Test that REST and the sockets say the same of a tick."""

import msgspec
import pytest

from tests.build import T0
from tests.exchange.data_calls import ARCHIVE
from trader.access.alpaca.wire_data import DataMessage
from trader.access.alpaca.wire_time import ns_of
from trader.exchange.data_messages import bar_message, quote_message, trade_message
from trader.exchange.data_pages import class_of
from trader.exchange.data_periods import minute_rows
from trader.exchange.data_rows import RowJson, row_json
from trader.model.time import MINUTE, iso


@pytest.mark.parametrize("symbol", ["SPY", "BTC/USD"])
def test_a_row_is_the_sockets_message_without_its_kind_and_symbol(symbol: str) -> None:
    span = (symbol, T0, T0 + 3 * MINUTE)
    kind = class_of(symbol)
    pairs: list[tuple[RowJson, DataMessage]] = [
        *((row_json(trade, kind), trade_message(trade)) for trade in ARCHIVE.trades(*span)),
        *((row_json(quote, kind), quote_message(quote)) for quote in ARCHIVE.quotes(*span)),
    ]
    rows = minute_rows(ARCHIVE.columns(*span))
    pairs += [(row_json(row, kind), bar_message(bar)) for row, bar in zip(rows, ARCHIVE.bars(*span), strict=True)]
    assert len(pairs) > 20
    for row, message in pairs:
        told = msgspec.to_builtins(msgspec.structs.replace(message, stamp=iso(ns_of(message.stamp))))
        assert row == {name: one for name, one in told.items() if name not in {"T", "S"}}
