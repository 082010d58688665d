"""One of every message, and strategies that draw any of them, with times and symbols as both encodings can write."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET

from trader.access.alpaca.wire import JSON, MSGPACK, Codec
from trader.access.alpaca.wire_data import (
    Auth,
    BarMessage,
    CancelErrorMessage,
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
from trader.access.alpaca.wire_trading import OrderMessage, TradeUpdate

NS = 1_700_000_000_123_456_789
CODECS = {"msgpack": MSGPACK, "json": JSON}

texts = st.text(max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
ids = st.integers(0, 2**63 - 1)
times = st.integers(0, 2**63 - 1)
conditions = st.lists(texts, max_size=3).map(tuple)
levels = st.lists(st.builds(Level, numbers, numbers), max_size=4).map(tuple)
amounts = st.none() | st.decimals(-(10**15), 10**15, allow_nan=False, allow_infinity=False, places=9)


def _maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.just(UNSET) | strategy


_bars = {"trades": st.none() | ids, "vwap": st.none() | numbers} | dict.fromkeys(
    ("open", "high", "low", "close", "volume"), numbers
)
_channels = dict.fromkeys(
    ("trades", "quotes", "bars", "updated_bars", "daily_bars", "statuses", "lulds", "imbalances", "corrections"),
    _maybe(conditions),
) | {"cancel_errors": _maybe(conditions), "orderbooks": _maybe(conditions)}


def stamped(codec: Codec) -> st.SearchStrategy[Any]:
    """Draw any data message with a time as ``codec`` writes it."""
    every: dict[str, Any] = {"symbol": texts, "stamp": times.map(codec.stamp)}
    sized: dict[str, Any] = every | {"price": numbers, "size": numbers}
    optional = {"conditions": _maybe(conditions), "tape": _maybe(texts)}
    corrected = {"old_id": ids, "new_id": ids, "old_conditions": conditions, "new_conditions": conditions}
    corrected_numbers = dict.fromkeys(("old_price", "old_size", "new_price", "new_size"), numbers)
    quoted = dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), numbers)
    quoted_at = {"bid_exchange": _maybe(texts), "ask_exchange": _maybe(texts)}
    printed = {"id": _maybe(ids), "exchange": _maybe(texts), "taker_side": _maybe(texts)}
    said = dict.fromkeys(("code", "message", "reason_code", "reason", "tape"), texts)
    named = {"exchange": texts, "tape": texts}
    return st.one_of(
        st.builds(TradeMessage, **sized, **printed, **optional),
        st.builds(QuoteMessage, **every, **quoted, **quoted_at, **optional),
        *(st.builds(kind, **every, **_bars) for kind in (BarMessage, UpdatedBarMessage, DailyBarMessage)),
        st.builds(StatusMessage, **every, **said),
        st.builds(LuldMessage, **every, up=numbers, down=numbers, indicator=texts, tape=texts),
        st.builds(ImbalanceMessage, **every, price=numbers, tape=texts),
        st.builds(CorrectionMessage, **every, **corrected, **corrected_numbers, **named),
        st.builds(CancelErrorMessage, **sized, **named, id=ids, action=texts),
        st.builds(OrderbookMessage, **every, bids=levels, asks=levels, is_full=st.booleans()),
    )


controls = st.one_of(
    st.builds(SuccessMessage, texts),
    st.builds(ErrorMessage, st.integers(0, 999), texts),
    st.builds(SubscriptionMessage, **_channels),
)
requests = st.one_of(
    st.builds(Auth, texts, texts), st.builds(Subscribe, **_channels), st.builds(Unsubscribe, **_channels)
)


def _order_fields() -> dict[str, st.SearchStrategy[Any]]:
    kinds: dict[Any, st.SearchStrategy[Any]] = {str: texts, Decimal: amounts, bool: st.booleans()}
    hints = OrderMessage.__annotations__
    return {
        name: kinds[str] if hint is str else st.none() | kinds[hint.__args__[0]]
        for name, hint in hints.items()
        if name not in {"legs", "unread"}
    }


_legs = st.none() | st.lists(st.builds(OrderMessage, **_order_fields()), max_size=2).map(tuple)
orders = st.builds(OrderMessage, **_order_fields(), legs=_legs)
updates = st.builds(
    TradeUpdate,
    event=texts,
    order=orders,
    timestamp=st.none() | texts,
    execution_id=st.none() | texts,
    price=amounts,
    qty=amounts,
    position_qty=amounts,
    event_id=st.none() | texts,
    at=st.none() | texts,
)


def trade(codec: Codec = MSGPACK, ns: int = NS, *, symbol: str = "AAPL", price: float = 177.79) -> TradeMessage:
    return TradeMessage(symbol, price, 90, codec.stamp(ns), 6142, "V", ("@", "I"), "C")


def quote(*, bid: float = 25.41, bid_size: float = 35, ask: float = 25.43, ns: int = NS) -> QuoteMessage:
    return QuoteMessage("SPIP", bid, bid_size, ask, 35, MSGPACK.stamp(ns), "V", "V", ("R",), "B")


def minute_bar(kind: Any = BarMessage, *, ns: int = NS // 60_000_000_000 * 60_000_000_000, **parts: float) -> Any:
    whole = {"open": 10.0, "high": 12.0, "low": 9.0, "close": 11.0, "volume": 5.0} | parts
    return kind("AAPL", *whole.values(), MSGPACK.stamp(ns), 66, 10.5)
