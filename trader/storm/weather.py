"""What goes wrong in one run: every kind is off, or on at a rate of its own, all of it drawn from the seed.

*Why* not everything always: a run in which all goes wrong ends in one great outage, and the rare meeting of two faults
that would show the error never happens. Seeds that leave most kinds out find more (swarm testing: Groce et al., 2012).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

import numpy as np

from trader.model.time import MINUTE, SECOND

_T = TypeVar("_T")

# By kind: the least and the largest chance. Of each request, update, bar, commit…
CHANCES: Final[dict[str, tuple[float, float]]] = {
    "request.unreachable": (0.01, 0.3),  # it never leaves, and that is known
    "request.lost": (0.01, 0.3),  # it leaves and never arrives
    "request.late": (0.01, 0.2),  # it arrives after everybody has given it up
    "request.throttled": (0.01, 0.3),
    "request.failed": (0.01, 0.3),  # HTTP 500, nothing done
    "answer.lost": (0.01, 0.3),
    "answer.failed": (0.01, 0.3),  # HTTP 504, and it was done
    "answer.slow": (0.05, 0.5),
    "lookup.lagging": (0.2, 1.0),  # an order is not found for a while though it is there
    "list.lagging": (0.05, 0.5),  # a list is a few seconds old
    "positions.empty": (0.02, 0.2),
    "update.lost": (0.01, 0.4),
    "update.doubled": (0.02, 0.5),
    "update.late": (0.02, 0.4),
    "stream.refused": (0.05, 0.6),  # of each handshake
    "fill.partial": (0.3, 1.0),
    "order.refused": (0.01, 0.2),
    "bar.late": (0.02, 0.3),
    "bar.doubled": (0.02, 0.3),
    "bar.missing": (0.02, 0.3),
    "strategy.raises": (0.002, 0.02),
    "disk.slow": (0.05, 0.5),
    "crash.before_commit": (0.002, 0.05),
    "crash.after_commit": (0.002, 0.05),
    "disk.full": (0.002, 0.03),
    "disk.broken": (0.001, 0.01),
}
# And these so many times a minute.
RATES: Final[dict[str, tuple[float, float]]] = {
    "stream.dropped": (0.2, 3.0),
    "stream.half_open": (0.1, 0.7),
    "execution.busted": (0.1, 1.0),
    "execution.corrected": (0.1, 1.0),
    "order.canceled": (0.1, 2.0),
    "order.rejected": (0.1, 2.0),
    "order.manual": (0.1, 2.0),
    "positions.wrong": (0.1, 0.7),  # for a while
    "clock.stepped": (0.1, 1.0),
    "process.killed": (0.1, 3.0),
    "power.cut": (0.1, 1.0),
    "operator.halt": (0.1, 0.6),
    "operator.pause": (0.1, 0.6),
    "operator.resume": (0.2, 2.0),
    "operator.flatten": (0.1, 0.6),
}
_AT_ONCE: Final = 512  # numbers drawn together: one by one each costs more than what it decides
_SHARES: Final = (0.0, 0.1, 0.25, 0.5)  # of all kinds that are on, in one run


class Weather:
    """One seed's chance: the only source of it in a run."""

    def __init__(self, seed: int) -> None:
        """Draw what may happen in this run."""
        self._draw = _numbers(seed).__next__
        self.is_calm = False  # nothing goes wrong any more
        share = self.pick(_SHARES)
        self.chances = {kind: self._level(span) if self._draw() < share else 0.0 for kind, span in CHANCES.items()}
        self.rates = {kind: self._level(span) if self._draw() < share else 0.0 for kind, span in RATES.items()}
        self.struck: dict[str, int] = {}  # how often each kind did

    def strikes(self, kind: str) -> bool:
        """Say whether it happens this time."""
        chance = self.chances[kind]
        if not chance or self.is_calm or self._draw() >= chance:
            return False
        self.struck[kind] = self.struck.get(kind, 0) + 1
        return True

    def next_time(self, kind: str) -> int | None:
        """Return how long it is (ns) until it happens next, None where it never does."""
        rate = self.rates[kind]
        return round(-math.log(1.0 - self._draw()) / rate * MINUTE) if rate else None

    def uniform(self, least: float, most: float) -> float:
        """Return a number between two."""
        return least + (most - least) * self._draw()

    def seconds(self, least: float, most: float) -> int:
        """Return a span of so many seconds (ns), short ones more often than long ones."""
        return round(least * math.pow(most / least, self._draw()) * SECOND)

    def below(self, end: int) -> int:
        """Return a whole number from 0 to before ``end``."""
        return math.floor(self._draw() * end)

    def pick(self, items: Sequence[_T]) -> _T:
        """Return one of some."""
        return items[math.floor(self._draw() * len(items))]

    def _level(self, span: tuple[float, float]) -> float:
        return span[0] * math.pow(span[1] / span[0], self._draw())


def _numbers(seed: int) -> Iterator[float]:
    source = np.random.default_rng(seed)
    while True:
        yield from map(float, source.random(_AT_ONCE))
