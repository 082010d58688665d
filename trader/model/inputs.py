"""What arrives at the desk. Every input carries ``ts``, the desk's time when it arrives (ns UTC)."""

from collections.abc import Sequence
from decimal import Decimal

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


class Backfilled(msgspec.Struct, frozen=True):
    """Minute bars that were missed, oldest first, fetched later: windows and memories learn them, nobody decides.

    They come before any later live bar of their symbols.
    """

    ts: int
    bars: Sequence[Bar]


class Revised(msgspec.Struct, frozen=True):
    """Minute bars that replace the ones of the same symbol and end: a late trade was counted."""

    ts: int
    bars: Sequence[Bar]


class Held(msgspec.Struct, frozen=True):
    """No entry for these symbols from now on (an empty tuple: for none at all), until ``cause`` is released.

    ``cause`` is a stable name (``stock stream``, ``order stream``, ``halt AAPL``); a second one for the same cause
    replaces the first. Exits pass.
    """

    ts: int
    cause: str
    symbols: tuple[str, ...]
    why: str


class Released(msgspec.Struct, frozen=True):
    """What :class:`Held` told under this ``cause`` is over."""

    ts: int
    cause: str


class Split(msgspec.Struct, frozen=True):
    """A share was split at ``effective``: each held then is ``ratio`` shares now, at that part of the price.

    It may be learned later: what was executed and traded since then is in new shares already.
    """

    ts: int
    symbol: str
    ratio: Decimal
    effective: int


class TimerFired(msgspec.Struct, frozen=True):
    """The time the engine asked to be woken at has come."""

    ts: int


class Reported(msgspec.Struct, frozen=True):
    """A venue spoke about one of our orders."""

    ts: int
    report: ExecutionReport


Input = Opened | History | Ticks | Backfilled | Revised | Held | Released | Split | TimerFired | Reported
