"""What arrives at the desk. Every input carries ``ts``, the desk's time when it arrives (ns UTC)."""

from collections.abc import Sequence

import msgspec

from trader.model.orders import ExecutionReport
from trader.model.ticks import Bar, Tick


class Opened(msgspec.Struct, frozen=True):
    """The desk opens: books are opened with their capital."""

    ts: int


class History(msgspec.Struct, frozen=True):
    """Minute bars from before the first live one, oldest first; strategies see them, no order leaves."""

    ts: int
    bars: Sequence[Bar]


class Ticks(msgspec.Struct, frozen=True):
    """Market data that arrived together, in the order it happened."""

    ts: int
    ticks: Sequence[Tick]


class TimerFired(msgspec.Struct, frozen=True):
    """The time the engine asked to be woken at has come."""

    ts: int


class Reported(msgspec.Struct, frozen=True):
    """A venue spoke about one of our orders."""

    ts: int
    report: ExecutionReport


Input = Opened | History | Ticks | TimerFired | Reported
