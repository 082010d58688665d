"""The local exchange's market time: the wall clock, or a day of one's choice at any pace."""

import time
from typing import Final

from trader.model.time import SECOND

_REAL_TIME: Final = 1.0


class ExchangeClock:
    """Runs from ``start`` (ns UTC), ``speed`` times as fast as the world."""

    def __init__(self, start: int, speed: float = _REAL_TIME) -> None:
        """Stand at ``start`` until :meth:`begin`."""
        self.start = start
        self.speed = speed
        self._began: int | None = None

    def begin(self) -> None:
        """Run from now on."""
        self._began = time.monotonic_ns()

    def now(self) -> int:
        """Return the market's time."""
        if self._began is None:
            return self.start
        return self.start + round((time.monotonic_ns() - self._began) * self.speed)

    def seconds_until(self, ts: int) -> float:
        """Return how many seconds of the world pass until the market's time is ``ts``; below zero when it is over."""
        return (ts - self.now()) / SECOND / self.speed


def wall_clock() -> int:
    """Return the world's time (ns UTC)."""
    return time.time_ns()  # noqa: TID251 -- a shell owns the clock; all below it take `now`
