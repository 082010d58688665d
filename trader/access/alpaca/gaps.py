"""The ledger of holes in the stream of minute bars: each from when to when, why, and how it was closed. Pure."""

from collections import deque
from typing import Final

import msgspec

KEPT: Final = 500  # closed holes that are kept whole; older ones are only counted


class Gap(msgspec.Struct, frozen=True):
    """One hole. ``since`` and ``until`` are ends of minutes (ns): bars that end in between may be missing.

    ``until`` is 0 as long as nobody knows, ``closed_at`` as long as it is open. ``how`` is in plain words.
    """

    number: int
    stream: str
    symbols: tuple[str, ...]
    since: int
    why: str
    opened_at: int
    until: int = 0
    closed_at: int = 0
    how: str = ""
    bars: int = 0


class GapLedger:
    """Every hole since the start."""

    def __init__(self) -> None:
        """Begin without holes."""
        self.count = 0
        self.bars = 0  # that were missing and came later
        self._open: dict[int, Gap] = {}
        self._closed: deque[Gap] = deque(maxlen=KEPT)

    @property
    def open(self) -> list[Gap]:
        """Return the holes that are not closed, oldest first."""
        return [*self._open.values()]

    @property
    def closed(self) -> list[Gap]:
        """Return the newest closed holes, in the order they were closed."""
        return [*self._closed]

    def begin(self, stream: str, symbols: tuple[str, ...], *, since: int, why: str, now: int) -> int:
        """Note a hole and return its number."""
        self.count += 1
        self._open[self.count] = Gap(self.count, stream, symbols, since, why, now)
        return self.count

    def close(self, number: int, *, until: int, bars: int, now: int) -> Gap:
        """Note that all bars up to ``until`` are there; ``bars`` of them had been missing."""
        self.bars += bars
        return self._end(number, until=until, bars=bars, now=now, how="fetched" if bars else "nothing was missing")

    def absorb(self, number: int, *, now: int) -> Gap:
        """Note that a later hole covers this one too."""
        return self._end(number, until=0, bars=0, now=now, how="part of the next one")

    def give_up(self, number: int, why: str, *, now: int) -> Gap:
        """Note that a hole stays, and why."""
        return self._end(number, until=0, bars=0, now=now, how=f"given up: {why}")

    def _end(self, number: int, *, until: int, bars: int, now: int, how: str) -> Gap:
        gap = msgspec.structs.replace(
            self._open.pop(number), until=until, bars=bars, closed_at=now, how=how
        )  # fmt: skip
        self._closed.append(gap)
        return gap
