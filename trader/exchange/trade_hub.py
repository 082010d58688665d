"""The ``trade_updates`` sockets: what happens to an account's orders, told to all who listen with its keys.

Nothing greets a client. He shows his keys, in either of the two forms, then names the streams he wants; the only one
there is ``trade_updates``. Frames are binary, as a paper account's are. What is no request is passed over.
Source: Alpaca, "Websocket Streaming", read 2026-11; a session recorded on 2026-09-18.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from websockets.http11 import Request

from trader.access.alpaca.wire_trading import (
    TRADE_UPDATES,
    Authenticate,
    AuthenticateFlat,
    Authorization,
    AuthorizationData,
    Listen,
    Listening,
    StreamsData,
    TradeUpdateMessage,
    TradingMessage,
    decode_trading_request,
    encode_trading,
)
from trader.access.sim.venue_orders import TradeUpdate
from trader.errors import WireError
from trader.exchange.keys import Keys, admitted
from trader.exchange.lines import Line, LineRules, Lines
from trader.exchange.shapes import update_message
from trader.exchange.sockets import Guest, Socket, framed
from trader.model.time import SECOND

PATH: Final = "/stream"
HELD_FOR: Final = 2 * SECOND  # of market time: an update to be overtaken waits no longer for another one

_OLD_FORM: Final = 'this authentication format is being deprecated; use {"action": "auth", "key": "x", "secret": "x"}'


class TradeHub:
    """Sessions of the order streams of all accounts; ``limit`` is how many one account may have (None: any)."""

    def __init__(self, keys: Keys, *, now: Callable[[], int], rules: LineRules, limit: int | None = None) -> None:
        """Know the keys by their ids; ``now`` is the market's time."""
        self.keys = keys
        self.limit = limit
        self.lines = Lines(now, rules)
        self.published = 0
        self._to_lose = self._to_double = self._to_reorder = 0
        self._held: list[TradeUpdate] = []

    def greet(self, socket: Socket, request: Request) -> Guest | HTTPStatus:
        """Take a connection, or say with which status it is refused."""
        del request  # its path is ours, and there is nothing in it to choose by
        return HTTPStatus.TOO_MANY_REQUESTS if self.lines.refuses() else TradeSession(self, socket)

    def publish(self, update: TradeUpdate) -> None:
        """Tell an account what happened to its order."""
        self.published += 1
        if self._to_lose:
            self._to_lose -= 1
        elif self._to_reorder:
            self._to_reorder -= 1
            self._held.append(update)
        else:
            self._send(update)
            self._release()

    def tick(self) -> None:
        """Do what is due: updates that no other one overtook, signs of life."""
        if self._held and self.lines.now() - self._held[0].ts >= HELD_FOR:
            self._release()
        self.lines.tick()

    def duplicate(self, count: int) -> None:
        """Send each of the next updates twice."""
        self._to_double += count

    def reorder(self, count: int) -> None:
        """Send each of the next updates after the one that follows it."""
        self._to_reorder += count

    def lose(self, count: int) -> None:
        """Send the next updates to nobody."""
        self._to_lose += count

    def _release(self) -> None:
        held, self._held = self._held, []
        for update in held:
            self._send(update)

    def _send(self, update: TradeUpdate) -> None:
        times = 1
        if self._to_double:
            self._to_double -= 1
            times = 2
        now = self.lines.now()
        listening = [one for one in self.lines.open if isinstance(one, TradeSession) and one.hears(update.account, now)]
        if not listening:
            return
        frame = _frame(TradeUpdateMessage(update_message(update)))
        for session in listening:
            session.tell(frame * times)


class TradeSession(Line):
    """A client of one account's order stream."""

    def __init__(self, hub: TradeHub, socket: Socket) -> None:
        """Wait for keys."""
        super().__init__(hub.lines, socket)
        self.account: str | None = None
        self._hub = hub
        self.is_listening = False

    def hears(self, account: str, now: int) -> bool:
        """Return whether updates of this account are for him."""
        return self.is_listening and self.account == account and now >= self.muted_until

    def tell(self, frame: bytes) -> None:
        """Send an update; one who lets too much pile up is sent away, for nothing must be missing in between."""
        if self.socket.backlog > self.lines.rules.send_buffer:
            self.socket.abort()
        else:
            self.socket.write(frame)

    def received(self, message: bytes) -> None:
        """Take a request."""
        try:
            request = decode_trading_request(message)
        except WireError:
            return
        match request:
            case Listen() if self.account is None:
                self._say(Authorization(AuthorizationData("unauthorized", "listen")))
            case Listen():
                self._listen(request)
            case Authenticate():
                self._authenticate(request.data.key_id, request.data.secret_key, action="authenticate")
            case AuthenticateFlat():
                self._authenticate(request.key, request.secret, action="auth")

    def _listen(self, request: Listen) -> None:
        self.is_listening = TRADE_UPDATES in request.data.streams
        self._say(Listening(StreamsData((TRADE_UPDATES,) if self.is_listening else ())))

    def _authenticate(self, key_id: str, secret: str, *, action: str) -> None:
        self.waits_since = self.lines.moment()
        key = admitted(self._hub.keys, key_id, secret)
        status, message = "unauthorized", ""
        if key is not None and self._is_taken(key.account):
            message = "connection limit exceeded"
        elif key is not None:
            self.account, self.is_admitted = key.account, True
            status, message = "authorized", _OLD_FORM if action == "authenticate" else ""
        self._say(Authorization(AuthorizationData(status, action, message)))

    def _is_taken(self, account: str) -> bool:
        limit = self._hub.limit
        others = [line for line in self.lines.open if isinstance(line, TradeSession) and line is not self]
        return limit is not None and sum(other.account == account for other in others) >= limit

    def _say(self, message: TradingMessage) -> None:
        self.socket.write(_frame(message))


def _frame(message: TradingMessage) -> bytes:
    return framed(encode_trading(message), is_text=False)
