"""The client's side of one ``trade_updates`` connection: frames and time in, events and frames out.

Rules: nothing greets us, so the keys go first; then ``listen``. ``Subscribed`` is the moment from which nothing is
missed, and what happened before it only REST can tell: this socket replays nothing. Updates are handed on in every
state; every wait for the server has an end.

                    authorized   unauthorized  listening to us  listening without us
    AUTHENTICATING  SUBSCRIBING  stop          –                –
    SUBSCRIBING     –            again         STREAMING        stop
    STREAMING       –            again         –                again

``stop``, ``again`` and ``–`` as in ``protocol``; SUBSCRIBING waits for ``listening``.
Source: Alpaca, "Websocket Streaming", read 2026-11.
"""

from trader.access.alpaca.protocol import ANSWER_WITHIN
from trader.access.alpaca.stream_events import (
    ENDED,
    Authenticated,
    Event,
    Malformed,
    ReconnectWanted,
    State,
    Stopped,
    Subscribed,
    Unexpected,
    Updated,
)
from trader.access.alpaca.wire_trading import (
    TRADE_UPDATES,
    Authenticate,
    Authorization,
    Keys,
    Listen,
    Listening,
    StreamsData,
    TradeUpdateMessage,
    TradingRequest,
    decode_trading,
    encode_trading,
)
from trader.errors import WireError
from trader.model.time import SECOND


class TradingProtocol:
    """One connection to an account's stream."""

    def __init__(self, keys: Keys) -> None:
        """Show ``keys``."""
        self.state = State.CONNECTING
        self._keys = keys
        self._out: list[bytes] = []
        self._deadline: int | None = None

    def begin(self, now: int) -> None:
        """Show the keys: the socket is open."""
        self._ask(Authenticate(self._keys), State.AUTHENTICATING, now)

    def receive(self, frame: bytes | str, now: int) -> list[Event]:
        """Take a frame from the socket."""
        if self.state in ENDED:
            return []
        try:
            message = decode_trading(frame)
        except WireError as error:
            return [Malformed(error)]
        if isinstance(message, TradeUpdateMessage):
            return [Updated(message.data)]
        if isinstance(message, Authorization):
            return self._authorization(message, now)
        return self._listening(message) if isinstance(message, Listening) else [Unexpected(self.state, message)]

    def bytes_to_send(self) -> list[bytes]:
        """Take the frames to send, oldest first."""
        frames, self._out = self._out, []
        return frames

    def next_timer(self) -> int | None:
        """Return when :meth:`on_timer` wants to be called (ns), if nothing comes before."""
        return self._deadline

    def on_timer(self, now: int) -> list[Event]:
        """Act on what did not come in time."""
        if self._deadline is None or now < self._deadline:
            return []
        what = "no answer to the keys" if self.state is State.AUTHENTICATING else "no answer to listen"
        return self._end(State.CLOSED, ReconnectWanted(0, f"{what} within {ANSWER_WITHIN // SECOND} s"))

    def closed(self, why: str) -> list[Event]:
        """Take note that the socket is gone."""
        return [] if self.state in ENDED else self._end(State.CLOSED, ReconnectWanted(0, why))

    def _authorization(self, message: Authorization, now: int) -> list[Event]:
        text = message.data.message[:200]
        if message.data.status != "authorized":
            if self.state is State.AUTHENTICATING:
                return self._end(State.REFUSED, Stopped(0, text or "the keys were refused"))
            return self._end(State.CLOSED, ReconnectWanted(0, text or "the authorization was lost"))
        if self.state is not State.AUTHENTICATING:
            return [Unexpected(self.state, message)]
        self._ask(Listen(StreamsData((TRADE_UPDATES,))), State.SUBSCRIBING, now)
        return [Authenticated(text)]

    def _listening(self, message: Listening) -> list[Event]:
        has_us = TRADE_UPDATES in message.data.streams
        if self.state is State.SUBSCRIBING and has_us:
            self.state, self._deadline = State.STREAMING, None
            return [Subscribed()]
        if self.state is State.SUBSCRIBING:
            return self._end(State.REFUSED, Stopped(0, f"this account has no stream {TRADE_UPDATES}"))
        if self.state is State.STREAMING and not has_us:
            return self._end(State.CLOSED, ReconnectWanted(0, "the server ended the stream of trade updates"))
        return [Unexpected(self.state, message)]

    def _ask(self, request: TradingRequest, state: State, now: int) -> None:
        self._out.append(encode_trading(request))
        self.state, self._deadline = state, now + ANSWER_WITHIN

    def _end(self, state: State, event: Event) -> list[Event]:
        self.state, self._deadline = state, None
        self._out.clear()
        return [event]
