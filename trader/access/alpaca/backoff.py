"""How long to wait before connecting again: 1 s, doubling to 90 s, and up to half of it more by chance.

A server that lost a client without a goodbye keeps its place for about 90 s and refuses the next one until then; the
longest wait outlasts that. Chance keeps many clients of one server from coming back together.
"""

from collections.abc import Callable
from typing import Final

from trader.model.time import SECOND

FIRST: Final = SECOND
LONGEST: Final = 90 * SECOND


class Backoff:
    """A schedule of waits; ``draw`` gives chance, from 0 to 1."""

    def __init__(self, draw: Callable[[], float]) -> None:
        """Begin with the shortest wait."""
        self._draw = draw
        self._next = FIRST

    def next_delay(self) -> int:
        """Return the next wait (ns); each is longer than the one before, up to the longest."""
        base, self._next = self._next, min(2 * self._next, LONGEST)
        return base + round(base / 2 * self._draw())

    def outlast_session(self) -> None:
        """Make the next wait the longest: the server still holds a place for a session that is gone."""
        self._next = LONGEST

    def reset(self) -> None:
        """Begin anew: a connection came as far as its data."""
        self._next = FIRST
