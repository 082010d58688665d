"""Faults of sockets: cut, half-open, mute, slow, refused."""

import msgspec

from trader.exchange.fault_terms import Chance, Count, Endpoint, Fault, SocketName, Span, Stage
from trader.model.time import SECOND

_HALF_A_MINUTE = Span(30 * SECOND)


class Drop(Fault, frozen=True, tag="drop"):
    """Cut every connection of a socket without a goodbye."""

    socket: SocketName = "stock"

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Cut them."""
        if self.socket == "trading":
            stage.trading.drop()
        else:
            stage.data.drop(self.socket)
        return self.socket


class HalfOpen(Fault, frozen=True, tag="half_open"):
    """Leave connections open but dead: nothing is read and nothing is answered, pings neither."""

    socket: SocketName = "stock"
    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Freeze them."""
        if self.socket == "trading":
            stage.trading.freeze(now + self.lasts)
        else:
            stage.data.freeze(self.socket, now + self.lasts)
        return self.socket


class Mute(Fault, frozen=True, tag="mute"):
    """Answer pings and requests, but send no data."""

    socket: SocketName = "stock"
    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Silence them."""
        if self.socket == "trading":
            stage.trading.mute(now + self.lasts)
        else:
            stage.data.mute(self.socket, now + self.lasts)
        return self.socket


class Slow(Fault, frozen=True, tag="slow"):
    """Send every message of a market-data socket late."""

    socket: Endpoint = "stock"
    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)
    delay: Span = Span(2 * SECOND)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Hold the messages back."""
        stage.data.slow(self.socket, now + self.lasts, self.delay / SECOND)
        return self.socket


class ConnectionLimit(Fault, frozen=True, tag="connection_limit"):
    """Refuse every new session with error 406, as if somebody else had it; a session that lives goes on."""

    socket: Endpoint = "stock"
    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Take the only session there is."""
        stage.data.occupy(self.socket, now + self.lasts)
        return self.socket


class TooManyRequests(Fault, frozen=True, tag="too_many_requests"):
    """Answer the next handshakes with HTTP 429."""

    socket: SocketName = "stock"
    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Refuse them."""
        if self.socket == "trading":
            stage.trading.refuse_handshakes(self.count)
        else:
            stage.data.refuse_handshakes(self.socket, self.count)
        return self.socket
