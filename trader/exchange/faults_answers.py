"""Faults of requests and their answers, and of the updates that tell what became of orders."""

from typing import ClassVar, Literal

from trader.exchange.fault_terms import Chance, Count, Fault, Span, Stage
from trader.exchange.rest_faults import FaultKind, RestFault
from trader.model.time import SECOND

Method = Literal["POST", "GET", "PATCH", "DELETE", ""]


class _OfAnswers(Fault, frozen=True):
    """The next requests of ``method`` whose path begins with ``path``; with an empty method, any requests at all."""

    way: ClassVar[FaultKind]
    method: Method = "POST"
    path: str = "/v2/orders"
    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for these requests; what befalls them is in the log of requests."""
        fault = self._armed()
        stage.rest.arm(fault)
        return f"the next {self.count} of {fault.match}" if fault.match else f"the next {self.count} requests"

    def _armed(self, *, delay: int = 0, status: int = 503) -> RestFault:
        match = f"{self.method} {self.path}" if self.method else ""
        return RestFault(kind=self.way, match=match, count=self.count, delay_s=delay / SECOND, status=status)


class RestStatus(_OfAnswers, frozen=True, tag="rest_status"):
    """Refuse them with a status before anything is done."""

    way = "status"
    status: Literal[429, 500, 502, 503, 504] = 503

    def _armed(self, *, delay: int = 0, status: int = 503) -> RestFault:
        return super()._armed(status=self.status)


class AcceptedThen504(_OfAnswers, frozen=True, tag="accepted_then_504"):
    """Do what they ask and answer 504 all the same."""

    way = "accepted"


class AnswerLost(_OfAnswers, frozen=True, tag="answer_lost"):
    """Do what they ask and cut the connection."""

    way = "lost"


class AnswerLate(_OfAnswers, frozen=True, tag="answer_late"):
    """Do what they ask at once and answer after ``delay``: seconds of the world, as time-outs are."""

    way = "late"
    delay: Span = Span(2 * SECOND)

    def _armed(self, *, delay: int = 0, status: int = 503) -> RestFault:
        return super()._armed(delay=self.delay)


class GarbageAnswer(_OfAnswers, frozen=True, tag="garbage_answer"):
    """Do what they ask and answer 200 with something that is no JSON."""

    way = "garbage"


class FillBeforeAnswer(_OfAnswers, frozen=True, tag="fill_before_answer"):
    """Answer an order only when it has filled, after ``delay`` (seconds of the world) at the latest."""

    way = "overtaken"
    delay: Span = Span(2 * SECOND)

    def _armed(self, *, delay: int = 0, status: int = 503) -> RestFault:
        return super()._armed(delay=self.delay)


class DuplicateUpdate(Fault, frozen=True, tag="duplicate_update"):
    """Send each of the next trade updates twice."""

    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for them."""
        stage.trading.duplicate(self.count)
        return f"the next {self.count} trade updates"


class ReorderUpdates(Fault, frozen=True, tag="reorder_updates"):
    """Send each of the next trade updates after the one that follows it."""

    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for them."""
        stage.trading.reorder(self.count)
        return f"the next {self.count} trade updates"


class MissingUpdate(Fault, frozen=True, tag="missing_update"):
    """Do not send the next trade updates."""

    count: Count = 1

    def fire(self, stage: Stage, now: int, chance: Chance) -> str:
        """Wait for them."""
        stage.trading.lose(self.count)
        return f"the next {self.count} trade updates"
