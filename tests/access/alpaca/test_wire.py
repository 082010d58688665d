"""The codec of the data sockets: golden messages, round trips, and bytes that nobody meant."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.access.alpaca import messages
from tests.access.alpaca.messages import CODECS, NS, trade
from trader.access.alpaca.wire import JSON, KEPT, MSGPACK, Codec, Unknown
from trader.access.alpaca.wire_data import (
    Auth,
    BarMessage,
    CancelErrorMessage,
    Channel,
    CorrectionMessage,
    DailyBarMessage,
    ErrorMessage,
    ImbalanceMessage,
    Level,
    LuldMessage,
    OrderbookMessage,
    QuoteMessage,
    StatusMessage,
    Subscribe,
    SubscriptionMessage,
    SuccessMessage,
    TradeMessage,
    Unsubscribe,
    UpdatedBarMessage,
)
from trader.access.alpaca.wire_time import LAST, ns_of
from trader.errors import WireError

both = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
TEXT = "2023-11-14T22:13:20.123456789Z"
BAR = {"S": "A", "o": 1.5, "h": 3.5, "l": 1.25, "c": 2.5, "v": 8547, "t": TEXT, "n": 66, "vw": 2.25}
BAR_FIELDS = ("A", 1.5, 3.5, 1.25, 2.5, 8547.0, TEXT, 66, 2.25)

# Written from the protocol's description: the map as it stands on the wire, and what it means.
GOLDEN: dict[str, tuple[dict[str, Any], Any]] = {
    "stock trade": (
        {"T": "t", "S": "A", "i": 7, "x": "V", "p": 1.5, "s": 90, "c": ["@"], "z": "C", "t": TEXT},
        TradeMessage("A", 1.5, 90.0, TEXT, 7, "V", ("@",), "C"),
    ),
    "crypto trade": (
        {"T": "t", "S": "BTC/USD", "p": 64625.4, "s": 0.015, "i": 2**63 - 1, "tks": "B", "t": TEXT},
        TradeMessage("BTC/USD", 64625.4, 0.015, TEXT, 2**63 - 1, taker_side="B"),
    ),
    "stock quote": (
        {"T": "q", "S": "A", "bx": "V", "bp": 1.5, "bs": 35, "ax": "W", "ap": 2, "as": 3}
        | {"c": ["R"], "z": "B", "t": TEXT},
        QuoteMessage("A", 1.5, 35.0, 2.0, 3.0, TEXT, "V", "W", ("R",), "B"),
    ),
    "crypto quote": (
        {"T": "q", "S": "BTC/USD", "bp": 1.5, "bs": 0.25, "ap": 2.0, "as": 0.5, "t": TEXT},
        QuoteMessage("BTC/USD", 1.5, 0.25, 2.0, 0.5, TEXT),
    ),
    "bar": ({"T": "b"} | BAR, BarMessage(*BAR_FIELDS)),
    "updated bar": ({"T": "u"} | BAR, UpdatedBarMessage(*BAR_FIELDS)),
    "daily bar": ({"T": "d"} | BAR, DailyBarMessage(*BAR_FIELDS)),
    "bar without trades": (
        {"T": "b"} | BAR | {"n": None, "vw": None},
        BarMessage(*BAR_FIELDS[:-2], None, None),
    ),
    "status": (
        {"T": "s", "S": "A", "sc": "H", "sm": "Halt", "rc": "T12", "rm": "More", "z": "C", "t": TEXT},
        StatusMessage("A", "H", "Halt", "T12", "More", TEXT, "C"),
    ),
    "limit up limit down": (
        {"T": "l", "S": "A", "u": 2.5, "d": 1.5, "i": "B", "z": "C", "t": TEXT},
        LuldMessage("A", 2.5, 1.5, "B", TEXT, "C"),
    ),
    "imbalance": ({"T": "i", "S": "A", "p": 2.5, "z": "C", "t": TEXT}, ImbalanceMessage("A", 2.5, TEXT, "C")),
    "correction": (
        {"T": "c", "S": "A", "x": "M", "oi": 1, "op": 1.5, "os": 2, "oc": ["@"]}
        | {"ci": 2, "cp": 1.25, "cs": 3, "cc": ["@", "I"], "z": "A", "t": TEXT},
        CorrectionMessage("A", 1, 1.5, 2.0, 2, 1.25, 3.0, TEXT, ("@",), ("@", "I"), "M", "A"),
    ),
    "cancel error": (
        {"T": "x", "S": "A", "i": 4868, "x": "D", "p": 36.18, "s": 31800, "a": "E", "z": "C", "t": TEXT},
        CancelErrorMessage("A", 4868, 36.18, 31800.0, TEXT, "E", "D", "C"),
    ),
    "order book": (
        {"T": "o", "S": "BTC/USD", "b": [{"p": 1.5, "s": 2}], "a": [], "r": True, "t": TEXT},
        OrderbookMessage("BTC/USD", TEXT, (Level(1.5, 2.0),), (), is_full=True),
    ),
    "order book's change": (
        {"T": "o", "S": "BTC/USD", "b": [], "a": [{"p": 1.5, "s": 0}], "t": TEXT},
        OrderbookMessage("BTC/USD", TEXT, (), (Level(1.5, 0.0),)),
    ),
    "success": ({"T": "success", "msg": "connected"}, SuccessMessage("connected")),
    "error": ({"T": "error", "code": 405, "msg": "symbol limit exceeded"}, ErrorMessage(405, "symbol limit exceeded")),
    "stock acknowledgement": (
        {"T": "subscription", "trades": ["A"], "quotes": [], "bars": ["*"], "updatedBars": [], "dailyBars": []}
        | {"statuses": [], "lulds": ["A"], "corrections": ["A"], "cancelErrors": ["A"]},
        SubscriptionMessage(("A",), (), ("*",), (), (), (), ("A",), corrections=("A",), cancel_errors=("A",)),
    ),
    "crypto acknowledgement": (
        {"T": "subscription", "trades": [], "quotes": ["BTC/USD"], "orderbooks": ["BTC/USD"], "bars": None},
        SubscriptionMessage((), ("BTC/USD",), None, orderbooks=("BTC/USD",)),
    ),
}  # fmt: skip


def in_msgpack(body: dict[str, Any]) -> bytes:
    """Write a golden map as MessagePack, its time as the extension."""
    return msgspec.msgpack.encode([body | ({"t": MSGPACK.stamp(NS)} if "t" in body else {})])


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_message_is_read_from_json(name: str) -> None:
    body, message = GOLDEN[name]
    assert JSON.decode(json.dumps([body])) == [message]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_message_is_read_from_msgpack(name: str) -> None:
    body, message = GOLDEN[name]
    expected = msgspec.structs.replace(message, stamp=MSGPACK.stamp(NS)) if "t" in body else message
    assert MSGPACK.decode(in_msgpack(body)) == [expected]


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_message_is_written_with_its_kind_first(name: str) -> None:
    body, message = GOLDEN[name]
    written = json.loads(JSON.encode([message]))[0]
    assert next(iter(written)) == "T"
    assert written == ({"r": False} if body["T"] == "o" else {}) | body


@both
@given(data=st.data())
def test_every_message_comes_back_as_it_was_sent(codec: Codec, data: st.DataObject) -> None:
    sent = data.draw(st.lists(messages.stamped(codec) | messages.controls, max_size=5))
    assert codec.decode(codec.encode(sent)) == sent


@both
@given(request_=messages.requests)
def test_every_request_comes_back_as_it_was_sent(codec: Codec, request_: Any) -> None:
    assert codec.decode_request(codec.encode_request(request_)) == request_


@both
@given(ns=st.integers(1, LAST))
def test_both_encodings_keep_every_nanosecond(codec: Codec, ns: int) -> None:
    (message,) = codec.decode(codec.encode([trade(codec, ns)]))
    assert isinstance(message, TradeMessage)
    assert ns_of(message.stamp) == ns


def test_requests_look_as_the_protocol_says() -> None:
    assert json.loads(JSON.encode_request(Auth("k", "s"))) == {"action": "auth", "key": "k", "secret": "s"}
    asked = json.loads(JSON.encode_request(Subscribe(trades=("A",), updated_bars=("*",))))
    assert asked == {"action": "subscribe", "trades": ["A"], "updatedBars": ["*"]}
    assert json.loads(JSON.encode_request(Unsubscribe(bars=("A",)))) == {"action": "unsubscribe", "bars": ["A"]}


def test_shares_stay_whole_numbers_on_the_wire() -> None:
    assert b'"s":90,' in JSON.encode([trade(JSON)])


def test_acknowledgement_tells_the_channels_it_names() -> None:
    ack = SubscriptionMessage(trades=("A",), updated_bars=(), orderbooks=None)
    assert ack.channels() == {Channel.TRADES: ("A",), Channel.UPDATED_BARS: (), Channel.ORDERBOOKS: ()}


def test_secret_is_not_shown() -> None:
    assert "hush" not in repr(Auth("key", "hush"))


@both
@pytest.mark.parametrize(
    "odd",
    [
        {"T": "n", "headline": "of a kind not subscribed to"},
        {"T": "t", "S": "A"},
        {"T": "t", "S": "A", "p": "1.5", "s": 1, "t": TEXT},
        {"S": "A"},
        {"T": 5},
        [1, 2],
        "text",
        None,
    ],
)
def test_unknown_message_costs_only_itself(codec: Codec, odd: Any) -> None:
    good = trade(codec)
    frame = msgspec.msgpack.encode([good, odd, good]) if codec is MSGPACK else msgspec.json.encode([good, odd, good])
    first, unknown, last = codec.decode(frame)
    assert [first, last] == [good, good]
    assert isinstance(unknown, Unknown)
    assert unknown.raw
    assert unknown.why


def test_unknown_message_keeps_its_kind_and_a_bounded_beginning() -> None:
    (unknown,) = JSON.decode(json.dumps([{"T": "n" * 99, "content": "x" * 10_000}]))
    assert isinstance(unknown, Unknown)
    assert unknown.kind == "n" * 40
    assert len(unknown.raw) == KEPT
    assert unknown.raw.startswith(b'{"T": "nnn')


@both
def test_unknown_key_is_passed_over(codec: Codec) -> None:
    plain = json.loads(JSON.encode([trade(JSON)]))[0] | {"future": {"deep": [1]}}
    plain["t"] = codec.stamp(NS)
    frame = msgspec.msgpack.encode([plain]) if codec is MSGPACK else msgspec.json.encode([plain])
    assert codec.decode(frame) == [trade(codec)]


def test_json_is_read_from_text_and_bytes_alike() -> None:
    frame = JSON.encode([trade(JSON)])
    assert JSON.decode(frame.decode()) == JSON.decode(frame)


@both
@given(noise=st.binary(max_size=200) | st.text(max_size=50).map(lambda text: f"[{text}]".encode()))
def test_noise_raises_nothing_but_wire_error(codec: Codec, noise: bytes) -> None:
    for read in (codec.decode, codec.decode_request):
        with suppress(WireError):
            assert read(noise) is not None


@both
@given(data=st.data())
def test_damaged_frame_raises_nothing_but_wire_error(codec: Codec, data: st.DataObject) -> None:
    frame = bytearray(codec.encode(data.draw(st.lists(messages.stamped(codec), min_size=1, max_size=3))))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frame)))
    for damaged in (bytes(frame), bytes(frame[:cut])):
        with suppress(WireError):
            assert isinstance(codec.decode(damaged), list)


@both
@pytest.mark.parametrize(
    "frame", [b"", b"{}", b"\x80", b"\xff" * 9, b"[" * 50_000, b"\x91" * 50_000, b"\xdd" + b"\xff" * 4]
)
def test_frame_that_is_none_raises_wire_error(codec: Codec, frame: bytes) -> None:
    with pytest.raises(WireError) as caught:
        codec.decode(frame)
    assert frame.startswith(caught.value.frame)
    assert caught.value.size == len(frame)


def test_wire_error_keeps_a_bounded_beginning() -> None:
    error = WireError("odd", b"x" * 5000)
    assert (len(error.frame), error.size) == (WireError.KEPT, 5000)
    assert len(str(error)) < 200


def test_wire_error_takes_text_that_has_no_utf8() -> None:
    with pytest.raises(WireError) as caught:
        JSON.decode("\ud800")
    assert caught.value.frame == b"\\ud800"


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_refused_request_does_not_keep_a_secret(codec: Codec) -> None:
    frame = codec.encode_request(Auth("key", "hush")).replace(b"auth", b"atuh")
    with pytest.raises(WireError) as caught:
        codec.decode_request(frame)
    assert "hush" not in f"{caught.value} {caught.value.frame!r} {caught.value.__cause__}"
