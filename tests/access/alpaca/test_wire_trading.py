"""The codec of the trade-updates socket: exact amounts, and no update lost for a field we cannot read."""

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.access.alpaca.messages import orders, texts, updates
from trader.access.alpaca.wire import KEPT, Unknown
from trader.access.alpaca.wire_trading import (
    Authenticate,
    AuthenticateFlat,
    Authorization,
    AuthorizationData,
    Keys,
    Listen,
    Listening,
    OrderMessage,
    StreamsData,
    TradeUpdate,
    TradeUpdateMessage,
    TradingMessage,
    TradingRequest,
    decode_trading,
    decode_trading_request,
    encode_trading,
    jsonable,
)
from trader.errors import WireError

ORDER = {"id": "o-1", "client_order_id": "c-1", "symbol": "BTC/USD", "status": "filled", "filled_qty": "0.5"}
FILL = {"event": "fill", "order": ORDER, "price": "64625.4", "qty": "0.5", "position_qty": "-1.25", "execution_id": "e"}


def frame(**changes: Any) -> str:
    return json.dumps({"stream": "trade_updates", "data": FILL | changes})


def update_of(text: bytes | str) -> TradeUpdate:
    message = decode_trading(text)
    assert isinstance(message, TradeUpdateMessage)
    return message.data


GOLDEN: list[tuple[dict[str, Any], TradingMessage | TradingRequest]] = [
    (
        {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen", "message": "no"}},
        Authorization(AuthorizationData("unauthorized", "listen", "no")),
    ),
    ({"stream": "listening", "data": {"streams": ["trade_updates"]}}, Listening(StreamsData(("trade_updates",)))),
    (
        {"action": "authenticate", "data": {"key_id": "k", "secret_key": "s"}},
        Authenticate(Keys("k", "s")),
    ),
    ({"action": "auth", "key": "k", "secret": "s"}, AuthenticateFlat("k", "s")),
    ({"action": "listen", "data": {"streams": ["trade_updates"]}}, Listen(StreamsData(("trade_updates",)))),
]


@pytest.mark.parametrize(("body", "message"), GOLDEN)
def test_golden_message_is_read_and_written(body: dict[str, Any], message: Any) -> None:
    decode = decode_trading if "stream" in body else decode_trading_request
    assert decode(json.dumps(body)) == message
    assert json.loads(encode_trading(message)) == body


def test_fill_is_read_exactly_from_text_and_bytes() -> None:
    update = update_of(frame())
    assert (update.event, update.execution_id, update.order.client_order_id) == ("fill", "e", "c-1")
    assert (update.price, update.qty, update.position_qty) == (Decimal("64625.4"), Decimal("0.5"), Decimal("-1.25"))
    assert update_of(frame().encode()) == update


@pytest.mark.parametrize("number", ["0.1000000000000000055511151231257827", "123456789012345678.123456789", "1e-9"])
def test_amounts_are_exact_whether_numbers_or_strings(number: str) -> None:
    as_number = frame().replace('"64625.4"', number)
    as_string = frame(price=number)
    assert update_of(as_number).price == update_of(as_string).price == Decimal(number)


def test_unknown_event_status_and_keys_are_kept_or_passed_over() -> None:
    update = update_of(frame(event="teleported", order=ORDER | {"status": "levitating", "mood": {}}, future=[1]))
    assert (update.event, update.order.status, update.unread) == ("teleported", "levitating", ())


@pytest.mark.parametrize("bad", ["NaN", "Infinity", "1E+999999", "0." + "1" * 60, "much", "", True, [], {}])
def test_amount_that_is_none_is_left_out_and_named(bad: Any) -> None:
    update = update_of(frame(price=bad, order=ORDER | {"limit_price": bad, "extended_hours": "?"}))
    assert (update.price, update.qty, update.unread) == (None, Decimal("0.5"), ("price",))
    assert (update.order.limit_price, update.order.filled_qty) == (None, Decimal("0.5"))
    assert set(update.order.unread) == {"limit_price", "extended_hours"}


@pytest.mark.parametrize("bad", ["NaN", "-Infinity", "1E+999999", "1E-40"])
def test_amount_no_market_has_is_left_out_though_it_is_a_decimal(bad: str) -> None:
    update = update_of(frame(price=bad))
    assert (update.price, update.qty, update.unread) == (None, Decimal("0.5"), ("price",))


def test_update_with_an_event_of_another_type_still_counts() -> None:
    update = update_of(frame(event=5))
    assert (update.event, update.unread, update.order.id) == ("", ("event",), "o-1")


@pytest.mark.parametrize("order", [None, {}, {"id": "o-1"}, {"id": 5, "client_order_id": "c", "symbol": "A"}, "o-1"])
def test_update_that_names_no_order_is_unknown_and_kept(order: Any) -> None:
    unknown = decode_trading(frame(order=order))
    assert isinstance(unknown, Unknown)
    assert unknown.kind == "trade_updates"
    assert b'"price": "64625.4"' in unknown.raw


def test_other_stream_is_unknown_and_bounded() -> None:
    unknown = decode_trading(json.dumps({"stream": "n" * 99, "data": "x" * 10_000}))
    assert isinstance(unknown, Unknown)
    assert (unknown.kind, len(unknown.raw)) == ("n" * 40, KEPT)


@pytest.mark.parametrize("text", ["", "[]", "5", "{", '{"stream":5}', "\ud800", "[" * 50_000])
def test_frame_that_is_none_raises_wire_error(text: str) -> None:
    with pytest.raises(WireError):
        decode_trading(text)


@given(noise=st.binary(max_size=200) | st.text(max_size=50))
def test_noise_raises_nothing_but_wire_error(noise: bytes | str) -> None:
    for read in (decode_trading, decode_trading_request):
        with suppress(WireError):
            assert read(noise) is not None


@given(data=st.data(), update=updates)
def test_damaged_frame_raises_nothing_but_wire_error(data: st.DataObject, update: TradeUpdate) -> None:
    whole = bytearray(encode_trading(TradeUpdateMessage(update)))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(WireError):
        assert decode_trading(bytes(whole)) is not None


@given(updates)
def test_every_update_comes_back_as_it_was_sent(update: TradeUpdate) -> None:
    assert update_of(encode_trading(TradeUpdateMessage(update))) == update


@given(texts, texts)
def test_every_request_comes_back_as_it_was_sent(first: str, second: str) -> None:
    for request in (Authenticate(Keys(first, second)), AuthenticateFlat(first, second), Listen(StreamsData((first,)))):
        assert decode_trading_request(encode_trading(request)) == request


@given(orders)
def test_order_is_written_with_every_key_and_plain_amounts(order: OrderMessage) -> None:
    written = jsonable(order)
    assert set(written) == set(OrderMessage.__struct_fields__) - {"unread"}
    for name, value in written.items():
        if isinstance(getattr(order, name), Decimal):
            assert isinstance(value, str)
            assert "E" not in value


def test_smallest_amount_is_written_without_exponent() -> None:
    order = OrderMessage(id="o", client_order_id="c", symbol="BTC/USD", qty=Decimal("1E-9"))
    assert b'"qty":"0.000000001"' in encode_trading(TradeUpdateMessage(TradeUpdate(event="new", order=order)))


def test_secrets_are_neither_shown_nor_kept() -> None:
    for request in (Authenticate(Keys("k", "hush")), AuthenticateFlat("k", "hush")):
        assert "hush" not in repr(request)
        with pytest.raises(WireError) as caught:
            decode_trading_request(encode_trading(request).replace(b"auth", b"atuh"))
        assert "hush" not in f"{caught.value} {caught.value.frame!r} {caught.value.__cause__}"
