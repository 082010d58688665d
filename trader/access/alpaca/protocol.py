"""The client's side of one market-data connection: frames and time in, events and frames out. No socket, no clock.

Rules
- An object lives as long as one connection. After ``Stopped`` and ``ReconnectWanted`` the owner closes the socket;
  whatever comes after that is passed over.
- Every wait for the server has an end. Only a wait for room (406) is repeated on the same socket, each time longer,
  because the session that holds the place dies by itself and a new connection would be refused alike.
- Data are handed on in every state: a frame that was sent is never lost for the state we believe to be in.
- A message without a meaning in its state changes nothing and is told.

                    connected  authenticated  406         403       subscription  400 405 410  402 408 409 411
    CONNECTING      AUTHENT.   –              again       –         –             –            stop
    WELCOMED        –          SUBSCRIBING    –           –         –             –            stop
    AUTHENTICATING  –          SUBSCRIBING    WELCOMED    SUBSCR.   –             stop         stop
    SUBSCRIBING     –          –              again       –         next or STR.  next or STR. stop
    STREAMING       –          –              again       –         checked       –            stop

``again``: ReconnectWanted, CLOSED; so do 401, 404, 407 and 500 in every state. ``stop``: Stopped, REFUSED. ``–``:
Unexpected, as is any other code. SUBSCRIBING is passed over at once when nothing is wanted.
Source: Alpaca, "Streaming Market Data", read 2026-11; the repetition of keys after 406 as in its Go SDK.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Final

from trader.access.alpaca.stream_events import (
    ENDED,
    Authenticated,
    Data,
    Event,
    Malformed,
    Muted,
    Postponed,
    ReconnectWanted,
    State,
    Stopped,
    Subscribed,
    SubscriptionRefused,
    Unexpected,
)
from trader.access.alpaca.subscriptions import Subscriptions
from trader.access.alpaca.wire import Codec, Unknown
from trader.access.alpaca.wire_data import (
    Auth,
    Channel,
    ControlMessage,
    ErrorMessage,
    ServerMessage,
    SubscriptionMessage,
    SuccessMessage,
)
from trader.errors import WireError
from trader.model.time import SECOND

# The server ends a connection without keys after 10 s; its other answers take milliseconds.
ANSWER_WITHIN: Final = 10 * SECOND
# After a 406: 127.5 s in all, for a dead session is reaped after 90 s or so.
REPEAT_AFTER: Final = tuple(round(seconds * SECOND) for seconds in (0.5, 1, 2, 4, *[5] * 24))


class DataProtocol:
    """One connection to a market-data endpoint."""

    def __init__(self, codec: Codec, auth: Auth, *, mute_after: int) -> None:
        """Speak ``codec`` and show ``auth``; ``mute_after`` (ns) of silence while traffic is expected are told."""
        self.state = State.CONNECTING
        self._codec = codec
        self._auth = auth
        self._mute_after = mute_after
        self._subscriptions = Subscriptions()
        self._out: list[bytes] = []
        self._deadline: int | None = None  # of the one answer, or pause, that the state waits for
        self._repeats = 0
        self._expects_traffic = False
        self._quiet_since = 0

    def begin(self, now: int) -> None:
        """Start waiting for the welcome: the socket is open."""
        self._deadline = now + ANSWER_WITHIN

    def receive(self, frame: bytes | str, now: int) -> list[Event]:
        """Take a frame from the socket."""
        if self.state in ENDED:
            return []
        try:
            messages = self._codec.decode(frame)
        except WireError as error:
            return [Malformed(error)]
        if not messages or not _CONTROLS.isdisjoint(map(type, messages)):
            return self._mixed(messages, now)
        self._quiet_since = now
        return [Data(messages)]

    def bytes_to_send(self) -> list[bytes]:
        """Take the frames to send, oldest first."""
        frames, self._out = self._out, []
        return frames

    def want(self, channels: Mapping[Channel, Iterable[str]], now: int) -> None:
        """Replace the set to subscribe to; the difference is asked for as soon as the state allows."""
        self._subscriptions.want(channels)
        self._change(now)

    def resubscribe(self, now: int) -> None:
        """Ask once more for all that is wanted: the first remedy for a connection that went mute."""
        self._subscriptions.distrust()
        self._change(now)

    def expect_traffic(self, now: int, *, is_expected: bool) -> None:
        """Say whether silence would be odd from now on; whoever knows the market's hours does."""
        if is_expected and not self._expects_traffic:
            self._quiet_since = now
        self._expects_traffic = is_expected

    def next_timer(self) -> int | None:
        """Return when :meth:`on_timer` wants to be called (ns), if nothing comes before."""
        due = [time for time in (self._deadline, self._mute_at()) if time is not None]
        return min(due, default=None)

    def on_timer(self, now: int) -> list[Event]:
        """Act on what did not come in time."""
        events: list[Event] = []
        if self._deadline is not None and now >= self._deadline:
            events += self._overdue(now)
        mute_at = self._mute_at()
        if mute_at is not None and now >= mute_at:
            events.append(Muted(self._quiet_since))
            self._quiet_since = now  # told again after as long
        return events

    def closed(self, why: str) -> list[Event]:
        """Take note that the socket is gone."""
        return [] if self.state in ENDED else self._end(State.CLOSED, ReconnectWanted(0, why))

    def _mixed(self, messages: Sequence[ServerMessage | Unknown], now: int) -> list[Event]:
        """Take a frame that holds control messages, as it seldom is: data first."""
        events: list[Event] = []
        data = [message for message in messages if type(message) not in _CONTROLS]
        if data:
            self._quiet_since = now
            events.append(Data(data))
        for message in messages:
            if isinstance(message, ControlMessage):
                events += self._control(message, now)
        return events

    def _control(self, message: ControlMessage, now: int) -> list[Event]:
        match self.state, _kind_of(message):
            case ((State.REFUSED | State.CLOSED), _):
                return []
            case (_, _Kind.FATAL) | (State.AUTHENTICATING, _Kind.UNFIT):
                step = self._stopped
            case State.AUTHENTICATING, _Kind.BUSY:
                step = self._postponed
            case (_, _Kind.TRANSIENT) | (State.CONNECTING | State.SUBSCRIBING | State.STREAMING, _Kind.BUSY):
                step = self._again
            case State.CONNECTING, _Kind.WELCOME:
                step = self._show_keys
            case (State.AUTHENTICATING, _Kind.ACCEPTED | _Kind.REPEATED) | (State.WELCOMED, _Kind.ACCEPTED):
                step = self._accepted
            case ((State.SUBSCRIBING | State.STREAMING), _Kind.ACK):
                step = self._acknowledged
            case State.SUBSCRIBING, _Kind.UNFIT:
                step = self._change_refused
            case _:
                return [Unexpected(self.state, message)]
        return step(message, now)

    def _show_keys(self, message: ControlMessage | None, now: int) -> list[Event]:
        self._out.append(self._codec.encode_request(self._auth))
        self.state, self._deadline = State.AUTHENTICATING, now + ANSWER_WITHIN
        return []

    def _accepted(self, message: ControlMessage, now: int) -> list[Event]:
        self.state, self._quiet_since = State.SUBSCRIBING, now
        return [Authenticated(), *self._next_change(now)]

    def _postponed(self, message: ControlMessage, now: int) -> list[Event]:
        if self._repeats == len(REPEAT_AFTER):
            return self._again(message, now)
        self.state, self._deadline = State.WELCOMED, now + REPEAT_AFTER[self._repeats]
        self._repeats += 1
        return [Postponed(self._deadline, self._repeats, _text_of(message))]

    def _acknowledged(self, message: ControlMessage, now: int) -> list[Event]:
        assert isinstance(message, SubscriptionMessage)
        differs = self._subscriptions.acknowledge(message)
        return [*([differs] if differs else []), *self._next_change(now)]

    def _change_refused(self, message: ControlMessage, now: int) -> list[Event]:
        refused = SubscriptionRefused(_code_of(message), _text_of(message), self._subscriptions.refuse())
        return [refused, *self._next_change(now)]

    def _stopped(self, message: ControlMessage, now: int) -> list[Event]:
        return self._end(State.REFUSED, Stopped(_code_of(message), _text_of(message)))

    def _again(self, message: ControlMessage, now: int) -> list[Event]:
        return self._end(State.CLOSED, ReconnectWanted(_code_of(message), _text_of(message)))

    def _overdue(self, now: int) -> list[Event]:
        if self.state is State.WELCOMED:
            return self._show_keys(None, now)
        waited_for = {State.CONNECTING: "no welcome", State.AUTHENTICATING: "no answer to the keys"}
        what = waited_for.get(self.state, "no acknowledgement of a subscription")
        return self._end(State.CLOSED, ReconnectWanted(0, f"{what} within {ANSWER_WITHIN // SECOND} s"))

    def _change(self, now: int) -> None:
        if self.state is State.STREAMING:
            self._next_change(now)

    def _next_change(self, now: int) -> list[Event]:
        request = self._subscriptions.next_request()
        if request is not None:
            self._out.append(self._codec.encode_request(request))
            self.state, self._deadline = State.SUBSCRIBING, now + ANSWER_WITHIN
            return []
        has_settled = self.state is not State.STREAMING
        self.state, self._deadline = State.STREAMING, None
        return [Subscribed(self._subscriptions.active)] if has_settled else []

    def _end(self, state: State, event: Event) -> list[Event]:
        self.state, self._deadline = state, None
        self._out.clear()
        return [event]

    def _mute_at(self) -> int | None:
        listens = self._expects_traffic and self.state in {State.SUBSCRIBING, State.STREAMING}
        return self._quiet_since + self._mute_after if listens and self._subscriptions.active else None


_CONTROLS = frozenset({SuccessMessage, ErrorMessage, SubscriptionMessage})


class _Kind(Enum):
    WELCOME = auto()
    ACCEPTED = auto()
    ACK = auto()
    UNFIT = auto()
    REPEATED = auto()
    BUSY = auto()
    FATAL = auto()
    TRANSIENT = auto()
    OTHER = auto()


_SUCCESSES = {"connected": _Kind.WELCOME, "authenticated": _Kind.ACCEPTED}
_CODES = {
    **dict.fromkeys((400, 405, 410), _Kind.UNFIT),
    403: _Kind.REPEATED,
    406: _Kind.BUSY,
    **dict.fromkeys((402, 408, 409, 411), _Kind.FATAL),
    **dict.fromkeys((401, 404, 407, 500), _Kind.TRANSIENT),
}


def _kind_of(message: ControlMessage) -> _Kind:
    if isinstance(message, SubscriptionMessage):
        return _Kind.ACK
    if isinstance(message, SuccessMessage):
        return _SUCCESSES.get(message.msg, _Kind.OTHER)
    return _CODES.get(message.code, _Kind.OTHER)


def _code_of(message: ControlMessage) -> int:
    return message.code if isinstance(message, ErrorMessage) else 0


def _text_of(message: ControlMessage) -> str:
    return message.msg[:200] if isinstance(message, ErrorMessage) else ""
