"""The messages of the ``trade_updates`` socket, in both directions: JSON, in text or binary frames alike.

Nothing about an order may be lost: statuses and events are kept as text, whether we know them or not, amounts are exact
decimals whether they came as strings or numbers, and a field that cannot be read is left empty and named in ``unread``.
Source: Alpaca, "Websocket Streaming"; a session recorded on 2026-09-18.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, structs

from trader.access.alpaca.wire import KEPT, UNREADABLE, Unknown
from trader.access.alpaca.wire_data import Auth
from trader.errors import WireError
from trader.model.money import plain

TRADE_UPDATES: Final = "trade_updates"

# Amounts of markets have far fewer digits on either side; a longer one is a mistake that the books could not hold.
_MOST_DIGITS = 38


class _Exact(Struct, frozen=True):
    """Refuses decimals that are no amount (NaN, infinity, 1E+999999), so that nothing that computes meets one."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal) and not _is_amount(value):
                raise ValueError(f"{name} is no amount: {value}")


class OrderMessage(_Exact, frozen=True, kw_only=True):
    """An order as Alpaca describes it; times are RFC 3339 text, ``order_type`` is the old name of ``type``."""

    id: str
    client_order_id: str
    created_at: str | None = None
    updated_at: str | None = None
    submitted_at: str | None = None
    filled_at: str | None = None
    expired_at: str | None = None
    expires_at: str | None = None
    cancel_requested_at: str | None = None
    canceled_at: str | None = None
    failed_at: str | None = None
    replaced_at: str | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    asset_id: str | None = None
    symbol: str
    asset_class: str | None = None
    notional: Decimal | None = None
    qty: Decimal | None = None
    filled_qty: Decimal | None = None
    filled_avg_price: Decimal | None = None
    order_class: str | None = None
    order_type: str | None = None
    type: str | None = None
    side: str | None = None
    position_intent: str | None = None
    time_in_force: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    status: str | None = None
    extended_hours: bool | None = None
    legs: "tuple[OrderMessage, ...] | None" = None
    trail_percent: Decimal | None = None
    trail_price: Decimal | None = None
    hwm: Decimal | None = None
    ratio_qty: Decimal | None = None
    source: str | None = None
    subtag: str | None = None
    unread: tuple[str, ...] = ()


class TradeUpdate(_Exact, frozen=True, kw_only=True):
    """What happened to an order; ``price`` and ``qty`` are this execution's, ``position_qty`` is the account's.

    ``previous_execution_id`` is what a bust or a correction takes back.
    """

    event: str = ""
    order: OrderMessage
    timestamp: str | None = None
    execution_id: str | None = None
    previous_execution_id: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    event_id: str | None = None
    at: str | None = None
    unread: tuple[str, ...] = ()


class AuthorizationData(Struct, frozen=True):
    """``status`` is ``authorized`` or ``unauthorized``; ``action`` is the request this answers."""

    status: str
    action: str = ""
    message: str = ""


class StreamsData(Struct, frozen=True):
    """Names of streams."""

    streams: tuple[str, ...] = ()


class Authorization(Struct, frozen=True, tag_field="stream", tag="authorization"):
    """The server's answer to keys."""

    data: AuthorizationData


class Listening(Struct, frozen=True, tag_field="stream", tag="listening"):
    """The whole set of streams now sent; names that are not to be had are missing."""

    data: StreamsData


class TradeUpdateMessage(Struct, frozen=True, tag_field="stream", tag=TRADE_UPDATES):
    """The envelope of one update."""

    data: TradeUpdate


class Keys(Struct, frozen=True):
    """An account's keys."""

    key_id: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Keys(key_id={self.key_id!r}, secret_key=…)"


class Authenticate(Struct, frozen=True, tag_field="action", tag="authenticate"):
    """Show the keys, as every published client does; the server calls this form deprecated."""

    data: Keys


AuthenticateFlat = Auth  # the form that the server recommends since 2026, as on the data's sockets


class Listen(Struct, frozen=True, tag_field="action", tag="listen"):
    """Replace the set of streams; an empty one stops all."""

    data: StreamsData


TradingMessage = Authorization | Listening | TradeUpdateMessage
TradingRequest = Authenticate | AuthenticateFlat | Listen


class _Envelope(Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


_Message = TypeVar("_Message", OrderMessage, TradeUpdate)

_decode: Callable[[bytes | str], TradingMessage] = msgspec.json.Decoder(TradingMessage).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_request: Callable[[bytes | str], TradingRequest] = msgspec.json.Decoder(TradingRequest).decode
_decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_trading(frame: bytes | str) -> TradingMessage | Unknown:
    """Read a server's frame.

    Raises:
        WireError: it is no JSON object with a ``stream``.
    """
    try:
        return _decode(frame)
    except UNREADABLE as error:
        why = str(error)
    try:
        envelope = _decode_envelope(frame)
    except UNREADABLE as error:
        raise WireError(f"no frame: {error}", frame) from error
    try:
        if envelope.stream == TRADE_UPDATES:
            return TradeUpdateMessage(_salvage(TradeUpdate, envelope.data))
    except (*UNREADABLE, TypeError) as error:
        why = str(error)
    return Unknown(envelope.stream[:40], why, bytes(memoryview(envelope.data)[:KEPT]))


def decode_trading_request(frame: bytes | str) -> TradingRequest:
    """Read a client's frame.

    Raises:
        WireError: it is no request; without the frame, which may hold a secret.
    """
    try:
        return _decode_request(frame)
    except UNREADABLE as error:
        raise WireError(f"no request: {type(error).__name__}") from None


def encode_trading(message: TradingMessage | TradingRequest) -> bytes:
    """Write either side's frame, UTF-8; the transport decides whether it goes as text or binary."""
    if isinstance(message, TradeUpdateMessage):
        return msgspec.json.encode({"stream": TRADE_UPDATES, "data": jsonable(message.data)})
    return msgspec.json.encode(message)


def jsonable(message: OrderMessage | TradeUpdate) -> dict[str, object]:
    """Spell a message as Alpaca does: every key of an order, amounts as strings without exponent.

    An update has its optional keys only where they hold something.
    """
    written = {name: _plain(value) for name, value in structs.asdict(message).items() if name != "unread"}
    if isinstance(message, TradeUpdate):
        return {name: value for name, value in written.items() if value is not None}
    return written


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, OrderMessage):
        return jsonable(value)
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value


def _salvage(kind: type[_Message], raw: msgspec.Raw) -> _Message:
    """Read an object field by field; one that cannot be read is left out and named, unless the message needs it."""
    parts = _decode_parts(raw)
    values: dict[str, Any] = {}
    unread = []
    for spec in structs.fields(kind):
        if spec.name not in parts or spec.name == "unread":
            continue
        try:
            values[spec.name] = _field(spec, parts[spec.name])
        except (*UNREADABLE, TypeError, ValueError):
            unread.append(spec.name)
    return kind(**values, unread=tuple(unread))


def _field(spec: structs.FieldInfo, raw: msgspec.Raw) -> object:
    if spec.type is OrderMessage:
        return _salvage(OrderMessage, raw)
    value = msgspec.json.decode(raw, type=spec.type)
    if isinstance(value, Decimal) and not _is_amount(value):
        raise ValueError(f"{value} is no amount")
    return value


def _is_amount(value: Decimal) -> bool:
    return value.is_finite() and abs(value.adjusted()) < _MOST_DIGITS and len(value.as_tuple().digits) <= _MOST_DIGITS
