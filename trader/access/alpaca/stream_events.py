"""What the two protocols tell their owner, and the states of a connection."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from trader.access.alpaca.wire import Unknown
from trader.access.alpaca.wire_data import Channel, ControlMessage, DataMessage
from trader.access.alpaca.wire_trading import TradeUpdate, TradingMessage
from trader.errors import WireError

Entry = tuple[Channel, str]  # a channel and one of its symbols


class State(StrEnum):
    """How far a connection has come."""

    CONNECTING = "connecting"  # no welcome yet
    WELCOMED = "welcomed"  # waiting to show the keys again
    AUTHENTICATING = "authenticating"  # keys sent
    SUBSCRIBING = "subscribing"  # a change of the subscription is not acknowledged yet
    STREAMING = "streaming"  # all that was asked for is answered
    REFUSED = "refused"  # ended: connecting again would not help
    CLOSED = "closed"  # ended: connect again


ENDED = frozenset({State.REFUSED, State.CLOSED})


class Data(msgspec.Struct, frozen=True):
    """Market data of one frame, in order; what is not known stands among them."""

    messages: Sequence[DataMessage | ControlMessage | Unknown]


class Updated(msgspec.Struct, frozen=True):
    """Something happened to an order."""

    update: TradeUpdate


class Authenticated(msgspec.Struct, frozen=True):
    """The keys were accepted; ``text`` is what the server added."""

    text: str = ""


class Postponed(msgspec.Struct, frozen=True):
    """Another connection holds the place (406): the keys are shown again at ``until`` (ns)."""

    until: int
    attempt: int
    text: str


class Subscribed(msgspec.Struct, frozen=True):
    """The subscription has settled: nothing is unanswered. For trade updates: from here on nothing is missed."""

    active: frozenset[Entry] = frozenset()


class SubscriptionDiffers(msgspec.Struct, frozen=True):
    """The server's set is not what was asked for; ``missing`` is not asked for again until the owner wants anew."""

    missing: frozenset[Entry]
    extra: frozenset[Entry]


class SubscriptionRefused(msgspec.Struct, frozen=True):
    """The server refused a change (405 limit, 400 symbol, 410 channel); the set before it stays in force."""

    code: int
    text: str
    asked: frozenset[Entry]


class Muted(msgspec.Struct, frozen=True):
    """Traffic is expected and none came; ``since`` is when the last of it came or was first expected (ns)."""

    since: int


class Malformed(msgspec.Struct, frozen=True):
    """A frame was lost because it is none."""

    error: WireError


class Unexpected(msgspec.Struct, frozen=True):
    """A message that has no meaning in this state; it changed nothing."""

    state: State
    message: ControlMessage | TradingMessage | Unknown


class Stopped(msgspec.Struct, frozen=True):
    """The server refuses for good, a person has to act: close the connection, do not come again."""

    code: int
    text: str


class ReconnectWanted(msgspec.Struct, frozen=True):
    """The connection is of no use any more: close it and connect again later; ``code`` is the server's, or 0."""

    code: int
    text: str


Event = (
    Data
    | Updated
    | Authenticated
    | Postponed
    | Subscribed
    | SubscriptionDiffers
    | SubscriptionRefused
    | Muted
    | Malformed
    | Unexpected
    | Stopped
    | ReconnectWanted
)
