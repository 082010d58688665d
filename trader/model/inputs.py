"""What arrives at the desk. Every input carries ``ts``, the desk's time when it arrives (ns UTC)."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal

from trader.model.money import ZERO
from trader.model.orders import ExecutionReport, Side
from trader.model.ticks import Bar, Tick
from trader.model.time import Stamped


class Opened(Stamped, frozen=True):
    """The desk opens: new books with their capital, books that were recovered as they are.

    ``account``, ``cash`` (dollars) and ``positions`` are the broker's own figures, empty for a simulated venue; new
    books take them for external. ``settings`` is what the desk was told to do, ``version`` the program's.
    """

    account: str = ""
    cash: Decimal | None = None
    positions: Mapping[str, Decimal] = {}
    settings: str = ""
    version: str = ""


class History(Stamped, frozen=True):
    """Minute bars from before the first live one, oldest first; strategies see them, no order leaves."""

    bars: Sequence[Bar]


class Ticks(Stamped, frozen=True):
    """Market data that arrived together, in the order it happened."""

    ticks: Sequence[Tick]


class Backfilled(Stamped, frozen=True):
    """Minute bars that were missed, oldest first, fetched later: windows and memories learn them, nobody decides.

    They come before any later live bar of their symbols.
    """

    bars: Sequence[Bar]


class Revised(Stamped, frozen=True):
    """Minute bars that replace the ones of the same symbol and end: a late trade was counted."""

    bars: Sequence[Bar]


class Held(Stamped, frozen=True):
    """No entry for these symbols from now on (an empty tuple: for none at all), until ``cause`` is released.

    ``cause`` is a stable name (``stock stream``, ``order stream``, ``halt AAPL``); a second one for the same cause
    replaces the first. Exits pass.
    """

    cause: str
    symbols: tuple[str, ...]
    why: str


class Released(Stamped, frozen=True):
    """What :class:`Held` told under this ``cause`` is over."""

    cause: str


class Split(Stamped, frozen=True):
    """A share was split at ``effective``: each held then is ``ratio`` shares now, at that part of the price.

    It may be learned later: what was executed and traded since then is in new shares already. ``activity_id`` is the
    account's record of it, which is told again after a restart.
    """

    symbol: str
    ratio: Decimal
    effective: int
    activity_id: str = ""


class DailyBars(Stamped, frozen=True):
    """Bars of whole days, oldest first, in the shares of ``ts``; each ends at its day's midnight.

    They take the place of days that are known. One of a day that has not ended at ``ts`` is what of it was so far.
    """

    bars: Sequence[Bar]


class TimerFired(Stamped, frozen=True):
    """The time the engine asked to be woken at has come."""


class Reported(Stamped, frozen=True):
    """A venue spoke about one of our orders."""

    report: ExecutionReport


class ExternalReported(Stamped, frozen=True):
    """A venue told an execution, or its reversal, of an order that is not ours; ``order_id`` in it is the venue's."""

    symbol: str
    side: Side
    report: ExecutionReport


class ActivityReported(Stamped, frozen=True):
    """Money moved in the account without a trade; ``amount`` is signed, in dollars.

    ``symbol`` is what it was paid for: then it belongs to those who hold it, share by share.
    """

    activity_id: str
    kind: str
    symbol: str
    amount: Decimal
    text: str = ""


class Reconciled(Stamped, frozen=True):
    """All that the account's records say about the time up to ``until`` was handed over before this."""

    until: int


class Mismatched(Stamped, frozen=True):
    """Three readings agree that the account holds ``held`` of a symbol where the books add up to ``expected``."""

    symbol: str
    held: Decimal
    expected: Decimal
    why: str


class Settled(Stamped, frozen=True):
    """A locked symbol is free again: the account agrees, or a person decided so.

    ``adjusted`` is what that person books to external for it; the sandboxes' books are never touched.
    """

    symbol: str
    by: str
    adjusted: Decimal = ZERO


class OrderReleased(Stamped, frozen=True):
    """A person vouches for it that an absent order will not arrive any more: its reservation ends."""

    order_id: str
    by: str


class Control(Stamped, frozen=True):
    """An operator's word to one strategy, or with an empty name to the whole desk."""

    action: Literal["halt", "pause", "resume", "flatten"]
    strategy: str
    by: str
    why: str = ""


class OverrideAsked(Stamped, frozen=True):
    """A person asks that one order of at most ``qty``, and before ``until`` (ns UTC), may pass a rule."""

    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    rule: str
    why: str
    until: int
    by: str


class OverrideAgreed(Stamped, frozen=True):
    """A person, who must be another one, agrees to what was asked for under this number."""

    number: int
    by: str


Input = (
    Opened | History | Ticks | Backfilled | Revised | Held | Released | Split | DailyBars | TimerFired | Reported
    | ExternalReported | ActivityReported | Reconciled | Mismatched | Settled | OrderReleased | Control
    | OverrideAsked | OverrideAgreed
)  # fmt: skip
