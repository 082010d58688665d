"""Everything that goes wrong on purpose, each at its market time; a log says what happened when, and to what.

``faults_connections.py``, ``faults_answers.py``, ``faults_orders.py`` and ``faults_market.py`` hold the kinds, a class
each; ``fault_script.py`` reads them. What a fault leaves open, such as which order is canceled, is chosen when it
happens, by numbers that follow from the script's seed and the fault's place in it alone.
"""

import heapq
from typing import Final, Literal

import msgspec
import structlog
from msgspec.structs import replace

from trader.errors import ConfigError
from trader.exchange.fault_script import Script, spelled
from trader.exchange.fault_terms import Chance, Fault, Miss, Stage
from trader.model.time import HOUR, SECOND, iso

MOST_FAULTS: Final = 10_000  # in the life of an exchange: one in every three seconds of a trading day
MOST_HITS: Final = 1000  # that the log keeps of one fault; its count can be no larger
PATIENCE: Final = HOUR  # of market time: so long a fault waits for something that it could happen to
RETRY: Final = SECOND

log = structlog.get_logger()


class Planned(msgspec.Struct):
    """One fault and what became of it: ``on`` is what it happened to, ``hits`` whose messages it has changed since."""

    number: int
    fault: Fault
    due: int
    seed: int
    state: Literal["pending", "waiting", "fired", "given up", "failed"] = "pending"
    fired_at: int | None = None
    on: str = ""
    why: str = ""
    hits: list[str] = []

    def row(self) -> dict[str, object]:
        """Return it as the control port shows it."""
        return {
            "number": self.number,
            "state": self.state,
            "due": iso(self.due),
            "fired_at": None if self.fired_at is None else iso(self.fired_at),
            "on": self.on,
            "why": self.why,
            "hits": self.hits,
            "fault": spelled(self.fault),
        }


class FaultSchedule:
    """Lets the faults of a script happen on a stage; times count from ``start`` (ns UTC)."""

    def __init__(self, script: Script, stage: Stage, *, start: int) -> None:
        """Let nothing happen yet."""
        self.log: list[Planned] = []
        self._stage = stage
        self._start = start
        self._agenda: list[tuple[int, int]] = []
        self.add(script)

    def add(self, script: Script) -> list[Planned]:
        """Take further faults; those whose time is over happen when time next passes.

        Raises:
            ConfigError: they are too many.
        """
        total = len(self.log) + len(script.faults)
        if total > MOST_FAULTS:
            raise ConfigError(f"{total} faults; an exchange has at most {MOST_FAULTS} in its life")
        return [self._plan(fault, script.seed) for fault in script.faults]

    def due(self, now: int) -> None:
        """Let happen what is due, in the order of the times; of the same time, in the order of the script."""
        while self._agenda and self._agenda[0][0] <= now:
            _, number = heapq.heappop(self._agenda)
            self._fire(self.log[number], now)

    def _plan(self, fault: Fault, seed: int) -> Planned:
        planned = Planned(len(self.log), fault, fault.at.on(self._start), seed)
        self.log.append(planned)
        heapq.heappush(self._agenda, (planned.due, planned.number))
        return planned

    def _fire(self, planned: Planned, now: int) -> None:
        fault, seed = planned.fault, planned.seed
        stage = replace(
            self._stage, then=lambda following: self._plan(following, seed), told=lambda what: self._hit(planned, what)
        )
        try:
            outcome = fault.fire(stage, now, Chance(seed, planned.number))
        except ValueError as error:
            planned.state, planned.why = "failed", str(error)
        else:
            if isinstance(outcome, Miss):
                self._wait(planned, outcome, now)
                return
            planned.state, planned.on, planned.why, planned.fired_at = "fired", outcome, "", now
        self._tell(planned)

    def _wait(self, planned: Planned, why: str, now: int) -> None:
        planned.why = str(why)
        if now - planned.due < PATIENCE:
            planned.state = "waiting"
            heapq.heappush(self._agenda, (now + RETRY, planned.number))
            return
        planned.state = "given up"
        self._tell(planned)

    def _hit(self, planned: Planned, what: str) -> None:
        if len(planned.hits) < MOST_HITS:
            planned.hits.append(what)

    def _tell(self, planned: Planned) -> None:
        kind = planned.fault.__struct_config__.tag
        if planned.state == "fired":
            log.info("fault.fired", number=planned.number, kind=kind, on=planned.on)
        else:
            log.warning("fault.abandoned", number=planned.number, kind=kind, why=planned.why)
