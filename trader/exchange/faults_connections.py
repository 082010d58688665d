"""Faults of sockets: cut, half-open, mute, slow, refused."""

import msgspec

from trader.exchange.fault_terms import Chance, Count, Endpoint, Fault, SocketName, Span, Stage
from trader.exchange.lines import Lines
from trader.model.time import SECOND

_HALF_A_MINUTE = Span(30 * SECOND)


class _OfSocket(Fault, frozen=True):
    socket: SocketName = "stock"

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Strike its sessions, which all sockets have alike."""
        self._strike(stage.lines[self.socket], now)
        return self.socket

    def _strike(self, lines: Lines, now: int) -> None:
        raise NotImplementedError


class Drop(_OfSocket, frozen=True, tag="drop"):
    """Cut every connection of a socket without a goodbye."""

    def _strike(self, lines: Lines, now: int) -> None:
        lines.drop()


class HalfOpen(_OfSocket, frozen=True, tag="half_open"):
    """Leave connections open but dead: nothing is read and nothing is answered, pings neither."""

    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)

    def _strike(self, lines: Lines, now: int) -> None:
        lines.freeze(now + self.lasts)


class Mute(_OfSocket, frozen=True, tag="mute"):
    """Answer pings and requests, but send no data."""

    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)

    def _strike(self, lines: Lines, now: int) -> None:
        lines.mute(now + self.lasts)


class TooManyRequests(_OfSocket, frozen=True, tag="too_many_requests"):
    """Answer the next handshakes with HTTP 429."""

    count: Count = 1

    def _strike(self, lines: Lines, now: int) -> None:
        lines.refuse_handshakes(self.count)


class Slow(Fault, frozen=True, tag="slow"):
    """Send every message of a market-data socket late."""

    socket: Endpoint = "stock"
    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)
    delay: Span = Span(2 * SECOND)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Hold the messages back."""
        stage.data.slow(self.socket, now + self.lasts, self.delay)
        return self.socket


class ConnectionLimit(Fault, frozen=True, tag="connection_limit"):
    """Refuse every new session with error 406, as if somebody else had it; a session that lives goes on."""

    socket: Endpoint = "stock"
    lasts: Span = msgspec.field(name="for", default=_HALF_A_MINUTE)

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Take the only session there is."""
        stage.lines[self.socket].occupy(now + self.lasts)
        return self.socket
