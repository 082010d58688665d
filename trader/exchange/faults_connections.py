"""Faults of sockets, of requests and their answers, and of the updates that tell what became of orders."""

from typing import Any, ClassVar, Literal

import msgspec

from trader.exchange.fault_terms import Chance, Count, Endpoint, Fault, SocketName, Span, Stage
from trader.exchange.lines import Lines
from trader.exchange.rest_faults import FaultKind, RestFault
from trader.exchange.trade_hub import TradeHub
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


Method = Literal["POST", "GET", "PATCH", "DELETE", ""]


class _OfAnswers(Fault, frozen=True):
    """The next requests whose method is ``method`` (empty: any) and whose path begins with ``path``."""

    way: ClassVar[FaultKind]
    method: Method = "POST"
    path: str = "/v2/orders"
    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for these requests; what befalls them is in the log of requests."""
        match = f"{self.method} {self.path}" if self.method else ""
        stage.rest.arm(RestFault(kind=self.way, match=match, count=self.count, **self._terms()))
        return f"the next {self.count} of {match}" if match else f"the next {self.count} requests"

    def _terms(self) -> dict[str, Any]:
        return {}


class _OfLateAnswers(_OfAnswers, frozen=True):
    delay: Span = Span(2 * SECOND)

    def _terms(self) -> dict[str, Any]:
        return {"delay_s": self.delay / SECOND}


class RestStatus(_OfAnswers, frozen=True, tag="rest_status"):
    """Refuse them with a status before anything is done."""

    way = "status"
    status: Literal[429, 500, 502, 503, 504] = 503

    def _terms(self) -> dict[str, Any]:
        return {"status": self.status}


class AcceptedThen504(_OfAnswers, frozen=True, tag="accepted_then_504"):
    """Do what they ask and answer 504 all the same."""

    way = "accepted"


class AnswerLost(_OfAnswers, frozen=True, tag="answer_lost"):
    """Do what they ask and cut the connection."""

    way = "lost"


class AnswerLate(_OfLateAnswers, frozen=True, tag="answer_late"):
    """Do what they ask at once and answer after ``delay``: seconds of the world, as time-outs are."""

    way = "late"


class GarbageAnswer(_OfAnswers, frozen=True, tag="garbage_answer"):
    """Do what they ask and answer 200 with something that is no JSON."""

    way = "garbage"


class FillBeforeAnswer(_OfLateAnswers, frozen=True, tag="fill_before_answer"):
    """Answer an order only when it has filled, after ``delay`` (seconds of the world) at the latest."""

    way = "overtaken"


class _OfUpdates(Fault, frozen=True):
    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for the next trade updates."""
        self._arm(stage.trading)
        return f"the next {self.count} trade updates"

    def _arm(self, hub: TradeHub) -> None:
        raise NotImplementedError


class DuplicateUpdate(_OfUpdates, frozen=True, tag="duplicate_update"):
    """Send each of the next trade updates twice."""

    def _arm(self, hub: TradeHub) -> None:
        hub.duplicate(self.count)


class ReorderUpdates(_OfUpdates, frozen=True, tag="reorder_updates"):
    """Send each of the next trade updates after the one that follows it."""

    def _arm(self, hub: TradeHub) -> None:
        hub.reorder(self.count)


class MissingUpdate(_OfUpdates, frozen=True, tag="missing_update"):
    """Do not send the next trade updates."""

    def _arm(self, hub: TradeHub) -> None:
        hub.lose(self.count)
