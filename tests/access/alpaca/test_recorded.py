"""What Alpaca really sent, or what its SDKs test with, through our codecs."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from trader.access.alpaca.ticks import ticks_of
from trader.access.alpaca.wire import JSON, MSGPACK, Unknown
from trader.access.alpaca.wire_data import DataMessage
from trader.access.alpaca.wire_time import ns_of
from trader.access.alpaca.wire_trading import (
    Authorization,
    Listening,
    OrderMessage,
    TradeUpdateMessage,
    decode_trading,
    encode_trading,
    jsonable,
)
from trader.model.ticks import Bar, Quote, Trade
from trader.model.time import MINUTE, iso

MINUTE_NS = 28_333_333 * MINUTE

pytestmark = pytest.mark.recorded

# REST rows have the keys of the stream's messages but for the kind and the symbol: where they stand in a body, and T.
ROWS = {"bars": "b", "trades": "t", "quotes": "q", "bar": "b", "trade": "t", "quote": "q"} | {
    "latestTrade": "t",
    "latestQuote": "q",
    "minuteBar": "b",
}


@pytest.fixture
def fixtures(shared: Path) -> Path:
    return shared / "data" / "alpaca-fixtures"


def payloads(path: Path) -> list[Any]:
    document = json.loads(path.read_text())
    replies = [one["response"] for one in document.get("interactions", [])]
    return [one["body"] for one in document.get("payloads", []) + replies if "body" in one]


def orders_in(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list):
        return [order for part in body for order in orders_in(part)]
    if not isinstance(body, dict):
        return []
    return [body] if {"id", "client_order_id", "symbol"} <= body.keys() else orders_in(list(body.values()))


def rows_in(body: Any, kind: str = "") -> list[dict[str, Any]]:
    """Find bars, trades and quotes anywhere in a body, as messages of the stream."""
    if isinstance(body, list):
        return [row for part in body for row in rows_in(part, kind)]
    if not isinstance(body, dict):
        return []
    if kind and isinstance(body.get("t"), str):
        return [{"S": "A", **body, "T": kind}]
    return [row for key, part in body.items() for row in rows_in(part, ROWS.get(key, kind))]


def test_recorded_session_of_trade_updates_is_read_whole(fixtures: Path) -> None:
    frames = payloads(fixtures / "recorded/ccxt/ws_trade_updates_crypto_market_sell_2026-09-18.json")
    messages = [decode_trading(json.dumps(frame).encode()) for frame in frames]
    authorization, listening, *updates = messages
    assert isinstance(authorization, Authorization)
    assert authorization.data.status == "authorized"
    assert "deprecated" in authorization.data.message
    assert isinstance(listening, Listening)
    seen = [update.data for update in updates if isinstance(update, TradeUpdateMessage)]
    assert [update.event for update in seen] == ["pending_new", "new", "fill"]
    fill = seen[-1]
    assert (fill.price, fill.qty, fill.position_qty) == (Decimal("0.0851119"), Decimal("129.7"), Decimal(0))
    assert not fill.unread
    assert not fill.order.unread
    assert fill.timestamp
    assert iso(ns_of(fill.timestamp)) == "2026-09-18T13:24:50.019957863Z"


def test_recorded_updates_are_written_as_they_were(fixtures: Path) -> None:
    frames = payloads(fixtures / "recorded/ccxt/ws_trade_updates_crypto_market_sell_2026-09-18.json")
    for frame in frames[2:]:
        message = decode_trading(json.dumps(frame))
        assert isinstance(message, TradeUpdateMessage)
        written = json.loads(encode_trading(message))["data"]
        order, recorded = written.pop("order"), frame["data"]["order"]
        assert {name: order[name] for name in recorded} == recorded
        assert {name: value for name, value in frame["data"].items() if name in written} == written


def test_messages_of_the_sdk_s_own_test_are_read(fixtures: Path) -> None:
    bodies = payloads(fixtures / "sdk-tests/alpaca-py/tests_data_test_websockets__test_cast.json")
    text = JSON.decode(json.dumps([body | {"t": iso(MINUTE_NS)} for body in bodies]))
    packed = MSGPACK.decode(msgspec.msgpack.encode([body | {"t": MSGPACK.stamp(MINUTE_NS)} for body in bodies]))
    for messages in (text, packed):
        unknown = [message for message in messages if isinstance(message, Unknown)]
        assert [message.kind for message in unknown] == ["n"]  # news, which is another stream's
        refused: Counter[str] = Counter()
        kinds = [type(tick) for tick in ticks_of(messages, refused)]
        assert kinds == [Bar, Trade, Quote]
        assert refused == {"unknown_message": 1}


def test_every_recorded_order_is_read_whole(fixtures: Path) -> None:
    orders = [
        order for path in sorted(fixtures.glob("*/*/*.json")) for body in payloads(path) for order in orders_in(body)
    ]
    assert len(orders) > 20
    for order in orders:
        text = json.dumps({"stream": "trade_updates", "data": {"event": "new", "order": order}})
        message = decode_trading(text)
        assert isinstance(message, TradeUpdateMessage), order
        assert not message.data.order.unread
        again = msgspec.convert(jsonable(message.data.order), OrderMessage)
        assert again == message.data.order


def test_every_recorded_bar_trade_and_quote_is_a_message(fixtures: Path) -> None:
    found: Counter[str] = Counter()
    for path in sorted(fixtures.glob("*/*/*.json")):
        if "option" in path.name or "FixedIncome" in path.name or "v1" in path.name:
            continue
        for row in [row for body in payloads(path) for row in rows_in(body)]:
            (message,) = JSON.decode(json.dumps([row]))
            assert not isinstance(message, Unknown), (path.name, message)
            assert isinstance(message, DataMessage)
            assert ns_of(message.stamp) > 0
            found[row["T"]] += 1
    assert min(found["b"], found["t"], found["q"]) >= 10, found
