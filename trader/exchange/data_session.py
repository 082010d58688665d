"""One client of a market-data socket: what he may do when, and what he gets.

                 keys                          subscribe, unsubscribe    no keys in time
    before keys  authenticated, 402, 406, 409  401                       404, the end
    after them   403                           the whole set; 405, 410   –

Whatever is no request, and a symbol of another shape than the feed's, is answered with 400 and changes nothing; so does
every refusal. After 406 the socket stays open and the keys may be shown again: each time the wait begins anew.
Source: Alpaca, "Streaming Market Data" and "Real-time Stock Data", read 2026-11.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from trader.access.alpaca.wire import MSGPACK, Codec
from trader.access.alpaca.wire_data import (
    Auth,
    Channel,
    ControlMessage,
    DataMessage,
    ErrorMessage,
    ServerMessage,
    Subscribe,
    SubscriptionMessage,
    SuccessMessage,
    Unsubscribe,
    by_field,
)
from trader.access.alpaca.wire_time import ns_of
from trader.errors import WireError
from trader.exchange.keys import Key
from trader.exchange.lines import Line, Lines
from trader.exchange.sockets import Socket, framed
from trader.model.time import iso

Entry = tuple[Channel, str]
EVERYTHING: Final = "*"
FRAME_MESSAGES: Final = 1000  # of at most 300 bytes or so: well below the 1 MiB that clients take

_TEXTS: Final = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
}
_WITH_TRADES: Final = (Channel.CORRECTIONS, Channel.CANCEL_ERRORS)
_COMMON: Final = frozenset({Channel.TRADES, Channel.QUOTES, Channel.BARS, Channel.UPDATED_BARS, Channel.DAILY_BARS})
_STOCK_CHANNELS: Final = frozenset(Channel) - {Channel.ORDERBOOKS}
_CRYPTO_CHANNELS: Final = _COMMON | {Channel.ORDERBOOKS}


class Feed(msgspec.Struct, frozen=True):
    """What an endpoint offers, which channels an answer always names, and which symbols are well-formed."""

    name: str
    channels: frozenset[Channel]
    told: frozenset[Channel]
    symbol: "re.Pattern[str]"
    is_paid: bool = False


_TOLD: Final = _STOCK_CHANNELS - {Channel.IMBALANCES}
STOCK: Final = Feed("stock", _STOCK_CHANNELS, _TOLD, re.compile(r"[A-Z0-9.]+"))
CRYPTO: Final = Feed("crypto", _CRYPTO_CHANNELS, _CRYPTO_CHANNELS, re.compile(r"[A-Z]+x?/[A-Z]+"))
SIP: Final = msgspec.structs.replace(STOCK, is_paid=True)
TEST: Final = Feed("test", _STOCK_CHANNELS, _TOLD, re.compile(r"FAKEPACA"))


class Plan(msgspec.Struct, frozen=True):
    """What the accounts' plan allows: pairs of channel and symbol per session (None: any); a basic one has no SIP."""

    symbol_limit: int | None = None
    is_basic: bool = False


class DataSession(Line):
    """A client of one feed."""

    def __init__(self, lines: Lines, socket: Socket, *, feed: Feed, codec: Codec, gate: "Gate") -> None:
        """Greet with ``connected`` once the handshake is done."""
        super().__init__(lines, socket)
        self.feed = feed
        self.codec = codec
        self.account = ""
        self.entries: frozenset[Entry] = frozenset()
        self.shown: tuple[str, str] | None = None  # keys in the handshake's headers
        self._gate = gate

    def opened(self) -> None:
        """Greet, and take the keys that came with the request."""
        super().opened()
        self._say(SuccessMessage("connected"))
        if self.shown is not None:
            self._authenticate(*self.shown)

    def received(self, message: bytes) -> None:
        """Take a request."""
        try:
            request = self.codec.decode_request(message)
        except WireError:
            self._refuse(400)
            return
        if isinstance(request, Auth):
            self._authenticate(request.key, request.secret)
        elif not self.is_admitted:
            self._refuse(401)
        else:
            self._change(request)

    def left(self) -> None:
        """Read no more."""
        self.entries = frozenset()
        self._gate.changed()

    def timed_out(self) -> None:
        """End a session that showed no keys."""
        self._refuse(404)
        super().timed_out()

    def send(self, frame: bytes) -> None:
        """Send data, unless the client is muted; one that lets too much pile up is sent away."""
        if self.lines.now() < self.muted_until:
            return
        if self.socket.backlog > self.lines.rules.send_buffer:
            self._refuse(407)
            self.socket.close()
            self.left()
            return
        self.socket.write(frame)

    def _authenticate(self, key_id: str, secret: str) -> None:
        self.waits_since = self.lines.moment()
        key = self._gate.admitted(key_id, secret)
        if self.is_admitted:
            self._refuse(403)
        elif key is None:
            self._refuse(402)
        elif self.feed.is_paid and self._gate.plan.is_basic:
            self._refuse(409)
        elif self._is_taken(key.account):
            self._refuse(406)
        else:
            self.is_admitted, self.account = True, key.account
            self._say(SuccessMessage("authenticated"))

    def _is_taken(self, account: str) -> bool:
        others = any(isinstance(line, DataSession) and line.account == account for line in self.lines.open)
        return others or self.lines.now() < self.lines.occupied_until

    def _change(self, request: Subscribe | Unsubscribe) -> None:
        channels = request.channels()
        asked = frozenset((channel, symbol) for channel, symbols in channels.items() for symbol in symbols)
        if channels.keys() - self.feed.channels:
            self._refuse(410)
        elif not all(symbol == EVERYTHING or self.feed.symbol.fullmatch(symbol) for _, symbol in asked):
            self._refuse(400)
        else:
            self._become(self.entries | asked if isinstance(request, Subscribe) else self.entries - asked)

    def _become(self, entries: frozenset[Entry]) -> None:
        """Take the set as the new one if the plan allows it, with what comes along with trades."""
        chosen = {entry for entry in entries if entry[0] not in _WITH_TRADES}
        limit = self._gate.plan.symbol_limit
        if limit is not None and (len(chosen) > limit or any(symbol == EVERYTHING for _, symbol in chosen)):
            self._refuse(405)
            return
        if self.feed is not CRYPTO:
            chosen |= {(one, symbol) for channel, symbol in chosen if channel is Channel.TRADES for one in _WITH_TRADES}
        self.entries = frozenset(chosen)
        self._gate.changed()
        named: dict[str, tuple[str, ...]] = dict.fromkeys((channel.name.lower() for channel in self.feed.told), ())
        self._say(SubscriptionMessage(**(named | by_field(chosen))))

    def _refuse(self, code: int) -> None:
        self._say(ErrorMessage(code, _TEXTS[code]))

    def _say(self, message: ControlMessage) -> None:
        self.socket.write(framed(self.codec.encode([message]), is_text=self.codec.is_text))


class Gate(msgspec.Struct):
    """What a session asks its hub, whose keys these are; and what it tells it, that its set has changed."""

    plan: Plan
    admitted: Callable[[str, str], Key | None]
    changed: Callable[[], None]


def frames_of(messages: Sequence[DataMessage], codec: Codec) -> list[bytes]:
    """Write messages, whose stamps are MessagePack's, as frames of one encoding."""
    parts: Sequence[ServerMessage] = messages
    if codec is not MSGPACK:
        parts = [msgspec.structs.replace(message, stamp=iso(ns_of(message.stamp))) for message in messages]
    return [
        framed(codec.encode(parts[first : first + FRAME_MESSAGES]), is_text=codec.is_text)
        for first in range(0, len(parts), FRAME_MESSAGES)
    ]
