"""The messages of the market-data sockets, in both directions; stocks and crypto share them.

A key that one of the two feeds does not have is ``UNSET`` there: it is neither sent nor expected. Sizes are read as
floats; whoever sends whole shares puts ints in. ``stamp`` is the time as the encoding writes it, see ``wire_time``.
Source: Alpaca, "Real-time Stock Data" and "Real-time Crypto Data", read 2026-11.
"""

from collections.abc import Iterable
from enum import StrEnum
from itertools import groupby
from operator import itemgetter
from typing import Final

from msgspec import UNSET, Struct, UnsetType, field

from trader.access.alpaca.wire_time import Stamp

_KEYS: Final = {"symbol": "S", "stamp": "t", "exchange": "x", "tape": "z"}


class Channel(StrEnum):
    """What can be subscribed to, as the wire names it."""

    TRADES = "trades"
    QUOTES = "quotes"
    BARS = "bars"
    UPDATED_BARS = "updatedBars"
    DAILY_BARS = "dailyBars"
    STATUSES = "statuses"
    LULDS = "lulds"
    IMBALANCES = "imbalances"
    CORRECTIONS = "corrections"
    CANCEL_ERRORS = "cancelErrors"
    ORDERBOOKS = "orderbooks"


class TradeMessage(Struct, frozen=True, gc=False, tag_field="T", tag="t", rename=_KEYS):
    """A print. ``taker_side`` is crypto's alone; exchange, conditions and tape are stocks'."""

    symbol: str
    price: float = field(name="p")
    size: float = field(name="s")
    stamp: Stamp
    id: int | UnsetType = field(name="i", default=UNSET)
    exchange: str | UnsetType = UNSET
    conditions: tuple[str, ...] | UnsetType | None = field(name="c", default=UNSET)
    tape: str | UnsetType = UNSET
    taker_side: str | UnsetType = field(name="tks", default=UNSET)


class QuoteMessage(Struct, frozen=True, gc=False, tag_field="T", tag="q", rename=_KEYS):
    """Best bid and ask; sizes are shares (not round lots) or coins."""

    symbol: str
    bid: float = field(name="bp")
    bid_size: float = field(name="bs")
    ask: float = field(name="ap")
    ask_size: float = field(name="as")
    stamp: Stamp
    bid_exchange: str | UnsetType = field(name="bx", default=UNSET)
    ask_exchange: str | UnsetType = field(name="ax", default=UNSET)
    conditions: tuple[str, ...] | UnsetType | None = field(name="c", default=UNSET)
    tape: str | UnsetType = UNSET


class _BarFields(Struct, frozen=True, gc=False, tag_field="T", rename=_KEYS):
    symbol: str
    open: float = field(name="o")
    high: float = field(name="h")
    low: float = field(name="l")
    close: float = field(name="c")
    volume: float = field(name="v")
    stamp: Stamp
    trades: int | None = field(name="n", default=None)
    vwap: float | None = field(name="vw", default=None)


class BarMessage(_BarFields, frozen=True, gc=False, tag="b"):
    """A minute's bar, sent right after its end; ``stamp`` is its *start*."""


class UpdatedBarMessage(_BarFields, frozen=True, gc=False, tag="u"):
    """The minute's bar again, after a late trade: it replaces the one with the same stamp."""


class DailyBarMessage(_BarFields, frozen=True, gc=False, tag="d"):
    """The day's running totals, sent every minute; ``stamp`` is the day's start."""


class StatusMessage(Struct, frozen=True, gc=False, tag_field="T", tag="s", rename=_KEYS):
    """A trading status: halt, resume, quotation only, and why."""

    symbol: str
    code: str = field(name="sc")
    message: str = field(name="sm", default="")
    reason_code: str = field(name="rc", default="")
    reason: str = field(name="rm", default="")
    stamp: Stamp = ""
    tape: str = ""


class LuldMessage(Struct, frozen=True, gc=False, tag_field="T", tag="l", rename=_KEYS):
    """Limit-up limit-down: the prices between which trading is allowed."""

    symbol: str
    up: float = field(name="u")
    down: float = field(name="d")
    indicator: str = field(name="i", default="")
    stamp: Stamp = ""
    tape: str = ""


class ImbalanceMessage(Struct, frozen=True, gc=False, tag_field="T", tag="i", rename=_KEYS):
    """An order imbalance's price."""

    symbol: str
    price: float = field(name="p")
    stamp: Stamp = ""
    tape: str = ""


class CorrectionMessage(Struct, frozen=True, gc=False, tag_field="T", tag="c", rename=_KEYS):
    """A trade as it was (``old_``) and as it should have been (``new_``)."""

    symbol: str
    old_id: int = field(name="oi")
    old_price: float = field(name="op")
    old_size: float = field(name="os")
    new_id: int = field(name="ci")
    new_price: float = field(name="cp")
    new_size: float = field(name="cs")
    stamp: Stamp
    old_conditions: tuple[str, ...] | None = field(name="oc", default=())
    new_conditions: tuple[str, ...] | None = field(name="cc", default=())
    exchange: str = ""
    tape: str = ""


class CancelErrorMessage(Struct, frozen=True, gc=False, tag_field="T", tag="x", rename=_KEYS):
    """A trade that is taken back: canceled (``C``) or an error (``E``)."""

    symbol: str
    id: int = field(name="i")
    price: float = field(name="p")
    size: float = field(name="s")
    stamp: Stamp
    action: str = field(name="a", default="C")
    exchange: str = ""
    tape: str = ""


class Level(Struct, frozen=True, gc=False):
    """One price of an order book; size zero deletes it."""

    price: float = field(name="p")
    size: float = field(name="s")


class OrderbookMessage(Struct, frozen=True, gc=False, tag_field="T", tag="o", rename=_KEYS):
    """Changed levels of a crypto book; with ``is_full`` they are the whole book."""

    symbol: str
    stamp: Stamp
    bids: tuple[Level, ...] = field(name="b", default=())
    asks: tuple[Level, ...] = field(name="a", default=())
    is_full: bool = field(name="r", default=False)


class SuccessMessage(Struct, frozen=True, tag_field="T", tag="success"):
    """``connected`` or ``authenticated``."""

    msg: str


class ErrorMessage(Struct, frozen=True, tag_field="T", tag="error"):
    """A refusal, or trouble that the server will end the connection for."""

    code: int
    msg: str = ""


_Symbols = tuple[str, ...] | UnsetType | None


class _Channels(Struct, frozen=True, rename="camel"):
    trades: _Symbols = UNSET
    quotes: _Symbols = UNSET
    bars: _Symbols = UNSET
    updated_bars: _Symbols = UNSET
    daily_bars: _Symbols = UNSET
    statuses: _Symbols = UNSET
    lulds: _Symbols = UNSET
    imbalances: _Symbols = UNSET
    corrections: _Symbols = UNSET
    cancel_errors: _Symbols = UNSET
    orderbooks: _Symbols = UNSET

    def channels(self) -> dict[Channel, tuple[str, ...]]:
        """Return the symbols of each channel that is named."""
        named = ((channel, getattr(self, channel.name.lower())) for channel in Channel)
        return {channel: symbols or () for channel, symbols in named if symbols is not UNSET}


class SubscriptionMessage(_Channels, frozen=True, tag_field="T", tag="subscription"):
    """The whole set now subscribed to."""


class Subscribe(_Channels, frozen=True, tag_field="action", tag="subscribe"):
    """Ask to add to the set."""


class Unsubscribe(_Channels, frozen=True, tag_field="action", tag="unsubscribe"):
    """Ask to take from the set."""


class Auth(Struct, frozen=True, tag_field="action", tag="auth"):
    """Show the keys."""

    key: str
    secret: str

    def __repr__(self) -> str:
        return f"Auth(key={self.key!r}, secret=…)"


def by_field(entries: Iterable[tuple[Channel, str]]) -> dict[str, tuple[str, ...]]:
    """Spell channels and symbols as keyword arguments of a subscription message, each channel's symbols in order."""
    groups = groupby(sorted(entries), key=itemgetter(0))
    return {channel.name.lower(): tuple(symbol for _, symbol in group) for channel, group in groups}


DataMessage = (
    TradeMessage
    | QuoteMessage
    | BarMessage
    | UpdatedBarMessage
    | DailyBarMessage
    | StatusMessage
    | LuldMessage
    | ImbalanceMessage
    | CorrectionMessage
    | CancelErrorMessage
    | OrderbookMessage
)
ControlMessage = SuccessMessage | ErrorMessage | SubscriptionMessage
ServerMessage = DataMessage | ControlMessage
ClientMessage = Auth | Subscribe | Unsubscribe
