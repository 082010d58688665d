"""What arrives at the desk. Every input carries ``ts``, the desk's time when it arrives (ns UTC)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec

from trader.model.money import ZERO
from trader.model.orders import ExecutionReport, Side
from trader.model.ticks import Bar, Tick


class Opened(msgspec.Struct, frozen=True, tag=True):
    """The desk opens: new books with their capital, books that were recovered as they are.

    ``account``, ``cash`` (dollars) and ``positions`` are the broker's own figures, empty for a simulated venue; new
    books take them for external. ``settings`` is what the desk was told to do, ``version`` the program's.
    """

    ts: int
    account: str = ""
    cash: Decimal | None = None
    positions: Mapping[str, Decimal] = {}
    settings: str = ""
    version: str = ""


class History(msgspec.Struct, frozen=True, tag=True):
    """Minute bars from before the first live one, oldest first; strategies see them, no order leaves."""

    ts: int
    bars: Sequence[Bar]


class Ticks(msgspec.Struct, frozen=True, tag=True):
    """Market data that arrived together, in the order it happened."""

    ts: int
    ticks: Sequence[Tick]


class Backfilled(msgspec.Struct, frozen=True, tag=True):
    """Minute bars that were missed, oldest first, fetched later: windows and memories learn them, nobody decides.

    They come before any later live bar of their symbols.
    """

    ts: int
    bars: Sequence[Bar]


class Revised(msgspec.Struct, frozen=True, tag=True):
    """Minute bars that replace the ones of the same symbol and end: a late trade was counted."""

    ts: int
    bars: Sequence[Bar]


class Held(msgspec.Struct, frozen=True, tag=True):
    """No entry for these symbols from now on (an empty tuple: for none at all), until ``cause`` is released.

    ``cause`` is a stable name (``stock stream``, ``order stream``, ``halt AAPL``); a second one for the same cause
    replaces the first. Exits pass.
    """

    ts: int
    cause: str
    symbols: tuple[str, ...]
    why: str


class Released(msgspec.Struct, frozen=True, tag=True):
    """What :class:`Held` told under this ``cause`` is over."""

    ts: int
    cause: str


class Split(msgspec.Struct, frozen=True, tag=True):
    """A share was split at ``effective``: each held then is ``ratio`` shares now, at that part of the price.

    It may be learned later: what was executed and traded since then is in new shares already. ``activity_id`` is the
    account's record of it, which is told again after a restart.
    """

    ts: int
    symbol: str
    ratio: Decimal
    effective: int
    activity_id: str = ""


class DailyBars(msgspec.Struct, frozen=True, tag=True):
    """Bars of whole days, oldest first, in the shares of ``ts``; each ends at its day's midnight.

    They take the place of days that are known. One of a day that has not ended at ``ts`` is what of it was so far.
    """

    ts: int
    bars: Sequence[Bar]


class TimerFired(msgspec.Struct, frozen=True, tag=True):
    """The time the engine asked to be woken at has come."""

    ts: int


class Reported(msgspec.Struct, frozen=True, tag=True):
    """A venue spoke about one of our orders."""

    ts: int
    report: ExecutionReport


class ExternalReported(msgspec.Struct, frozen=True, tag=True):
    """A venue told an execution, or its reversal, of an order that is not ours; ``order_id`` in it is the venue's."""

    ts: int
    symbol: str
    side: Side
    report: ExecutionReport


class ActivityReported(msgspec.Struct, frozen=True, tag=True):
    """Money moved in the account without a trade; ``amount`` is signed, in dollars.

    ``symbol`` is what it was paid for: then it belongs to those who hold it, share by share.
    """

    ts: int
    activity_id: str
    kind: str
    symbol: str
    amount: Decimal
    text: str = ""


class Reconciled(msgspec.Struct, frozen=True, tag=True):
    """All that the account's records say about the time up to ``until`` was handed over before this."""

    ts: int
    until: int


class Mismatched(msgspec.Struct, frozen=True, tag=True):
    """Three readings agree that the account holds ``held`` of a symbol where the books add up to ``expected``."""

    ts: int
    symbol: str
    held: Decimal
    expected: Decimal
    why: str


class Settled(msgspec.Struct, frozen=True, tag=True):
    """A locked symbol is free again: the account agrees, or a person decided so.

    ``adjusted`` is what that person books to external for it; the sandboxes' books are never touched.
    """

    ts: int
    symbol: str
    by: str
    adjusted: Decimal = ZERO


class OrderReleased(msgspec.Struct, frozen=True, tag=True):
    """A person vouches for it that an absent order will not arrive any more: its reservation ends."""

    ts: int
    order_id: str
    by: str


class Control(msgspec.Struct, frozen=True, tag=True):
    """An operator's word to one strategy, or with an empty name to the whole desk."""

    ts: int
    action: Literal["halt", "pause", "resume", "flatten"]
    strategy: str
    by: str
    why: str = ""


class OverrideAsked(msgspec.Struct, frozen=True, tag=True):
    """A person asks that one order of at most ``qty``, and before ``until`` (ns UTC), may pass a rule."""

    ts: int
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    rule: str
    why: str
    until: int
    by: str


class OverrideAgreed(msgspec.Struct, frozen=True, tag=True):
    """A person, who must be another one, agrees to what was asked for under this number."""

    ts: int
    number: int
    by: str


Input = (
    Opened
    | History
    | Ticks
    | Backfilled
    | Revised
    | Held
    | Released
    | Split
    | DailyBars
    | TimerFired
    | Reported
    | ExternalReported
    | ActivityReported
    | Reconciled
    | Mismatched
    | Settled
    | OrderReleased
    | Control
    | OverrideAsked
    | OverrideAgreed
)
