"""What became true, in the past tense. State is the fold of these; each is also one line of the log."""

from decimal import Decimal

import msgspec

from trader.model.orders import Approved, Denied, OrderStatus, Reason, Side


class SandboxOpened(msgspec.Struct, frozen=True, tag=True):
    """A strategy's book was opened with its capital."""

    ts: int
    strategy: str
    cash: Decimal


class SandboxWarmed(msgspec.Struct, frozen=True, tag=True):
    """Every ticker of the sandbox has its warm-up bars: trading is active."""

    ts: int
    strategy: str


class DayStarted(msgspec.Struct, frozen=True, tag=True):
    """A trading day began: counters are zero and ``equity`` is what the daily loss is measured from."""

    ts: int
    strategy: str
    equity: Decimal


class OrderCreated(msgspec.Struct, frozen=True, tag=True):
    """The gate approved an intent and reserved its worst case."""

    ts: int
    approved: Approved


class OrderDenied(msgspec.Struct, frozen=True, tag=True):
    """The gate refused an intent."""

    ts: int
    denied: Denied


class OrderMoved(msgspec.Struct, frozen=True, tag=True):
    """An order changed state without an execution: opened, pending cancel, canceled, rejected, expired."""

    ts: int
    strategy: str
    symbol: str
    order_id: str
    status: OrderStatus
    text: str


class OrderFilled(msgspec.Struct, frozen=True, tag=True):
    """One execution, booked. ``ts`` is the venue's time of it.

    ``realized`` is the profit or loss in dollars that this execution realised, fees included; ``opened`` says whether
    it opened or increased the position.
    """

    ts: int
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    order_id: str
    execution_id: str
    decision_price: Decimal
    reason: Reason
    status: OrderStatus
    realized: Decimal
    opened: bool


class FillReversed(msgspec.Struct, frozen=True, tag=True):
    """The venue took an execution back: what it did to cash and position is undone. The figures are the execution's.

    ``realized`` is the profit or loss that the reversal realised.
    """

    ts: int
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    order_id: str
    execution_id: str
    realized: Decimal


class PositionSplit(msgspec.Struct, frozen=True, tag=True):
    """A share held was split: ``qty`` is the signed position after it; what it cost stays."""

    ts: int
    strategy: str
    symbol: str
    ratio: Decimal
    qty: Decimal


class EntriesHeld(msgspec.Struct, frozen=True, tag=True):
    """No entry leaves for these symbols (none at all for an empty tuple) until ``cause`` is released."""

    ts: int
    cause: str
    symbols: tuple[str, ...]
    why: str


class EntriesReleased(msgspec.Struct, frozen=True, tag=True):
    """What held entries back under this cause is over."""

    ts: int
    cause: str


class ReportIgnored(msgspec.Struct, frozen=True, tag=True):
    """A venue's report changed nothing: a duplicate, an unknown order, or an impossible transition."""

    ts: int
    order_id: str
    execution_id: str
    why: str


class DailyLossReached(msgspec.Struct, frozen=True, tag=True):
    """A sandbox lost its daily limit: no opening for the rest of that day."""

    ts: int
    strategy: str
    limit: Decimal
    loss: Decimal
    flatten: bool


class StrategyFailed(msgspec.Struct, frozen=True, tag=True):
    """A strategy raised or spoke nonsense: its sandbox is halted, every other goes on."""

    ts: int
    strategy: str
    symbol: str
    error: str
    traceback: str
    flatten: bool


class BarLate(msgspec.Struct, frozen=True, tag=True):
    """A bar came after its minute was closed: it updates the windows and triggers no decision."""

    ts: int
    symbol: str
    bar_ts: int


class BarsBackfilled(msgspec.Struct, frozen=True, tag=True):
    """Bars of a symbol that were missed have come: ``count`` of them, the last one ending at ``bar_ts``."""

    ts: int
    symbol: str
    count: int
    bar_ts: int


class BarRevised(msgspec.Struct, frozen=True, tag=True):
    """A bar was replaced in the windows; ``found`` says whether it was still there."""

    ts: int
    symbol: str
    bar_ts: int
    found: bool


class BarRefused(msgspec.Struct, frozen=True, tag=True):
    """A bar the windows cannot take: a second one for its minute, or older than the newest."""

    ts: int
    symbol: str
    bar_ts: int
    why: str


Event = (
    SandboxOpened
    | SandboxWarmed
    | DayStarted
    | OrderCreated
    | OrderDenied
    | OrderMoved
    | OrderFilled
    | FillReversed
    | PositionSplit
    | EntriesHeld
    | EntriesReleased
    | ReportIgnored
    | DailyLossReached
    | StrategyFailed
    | BarLate
    | BarsBackfilled
    | BarRevised
    | BarRefused
)
