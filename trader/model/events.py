"""What became true, in the past tense. State is the fold of these; each is also one line of the log."""

from decimal import Decimal

import msgspec

from trader.model.conduct import Override
from trader.model.money import ZERO
from trader.model.orders import Approved, Denied, OrderStatus, Reason, Side, TradingState


class BooksCreated(msgspec.Struct, frozen=True, tag=True):
    """The books of an account begin: what it holds now is nobody's, and stays external.

    ``account`` is its number, empty for a simulated one; ``cash`` is in dollars, ``positions`` are signed quantities.
    """

    ts: int
    book_id: str
    account: str
    cash: Decimal
    positions: dict[str, Decimal]


class BooksOpened(msgspec.Struct, frozen=True, tag=True):
    """The whole state of the books, as :meth:`trader.books.ledger.Ledger.snapshot` wrote it: a fold may begin here."""

    ts: int
    state: bytes


class SessionStarted(msgspec.Struct, frozen=True, tag=True):
    """A process began to trade on these books; ``digest`` is of the books, ``settings`` of what it was told to do."""

    ts: int
    digest: str
    settings: str
    version: str


class CapitalChanged(msgspec.Struct, frozen=True, tag=True):
    """A strategy was given ``amount`` dollars of the account's unallocated cash, or gave them back."""

    ts: int
    strategy: str
    amount: Decimal


class TargetSet(msgspec.Struct, frozen=True, tag=True):
    """What a sandbox wants of a symbol now: a fraction of its capital. ``is_leaving``: the host wants out."""

    ts: int
    strategy: str
    symbol: str
    fraction: float
    reason: Reason
    is_leaving: bool


class StateSet(msgspec.Struct, frozen=True, tag=True):
    """An operator, or a rule, decided what a strategy may do (an empty name: the whole desk); it outlives restarts."""

    ts: int
    strategy: str
    state: TradingState
    by: str
    why: str
    flatten: bool = False


class SymbolLocked(msgspec.Struct, frozen=True, tag=True):
    """Books and broker disagree about a symbol: the account has ``held``, the books add up to ``expected``."""

    ts: int
    symbol: str
    held: Decimal
    expected: Decimal
    why: str


class SymbolUnlocked(msgspec.Struct, frozen=True, tag=True):
    """The lock of a symbol is gone; ``adjusted`` is what an operator booked to external for it."""

    ts: int
    symbol: str
    by: str
    adjusted: Decimal = ZERO


class ExternalFilled(msgspec.Struct, frozen=True, tag=True):
    """An execution of an order that is not ours, in our account. ``order_id`` is the venue's."""

    ts: int
    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    order_id: str
    execution_id: str


class ExternalReversed(msgspec.Struct, frozen=True, tag=True):
    """The venue took back an execution of an order that is not ours; the figures are the execution's."""

    ts: int
    execution_id: str
    qty: Decimal
    price: Decimal


class CashBooked(msgspec.Struct, frozen=True, tag=True):
    """Money that moved without a trade: dividend, fee, interest, deposit. No strategy: it is the account's own."""

    ts: int
    activity_id: str
    kind: str
    strategy: str
    symbol: str
    amount: Decimal
    text: str = ""


class AccountReconciled(msgspec.Struct, frozen=True, tag=True):
    """All that happened in the account up to ``until`` is in the books."""

    ts: int
    until: int


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
    """One execution, booked. ``ts`` is the venue's time of it. Where the id begins with ``x:`` two sandboxes crossed.

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
    """A share held was split: ``qty`` is the signed position after it; what it cost stays. No strategy: external."""

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


class IntentTrimmed(msgspec.Struct, frozen=True, tag=True):
    """A filter of the Director let only ``kept`` of an intent to open pass; zero: it dropped it."""

    ts: int
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    kept: Decimal
    filter: str
    limit: str
    value: str


class FlagRaised(msgspec.Struct, frozen=True, tag=True):
    """A limit is broken, or nearly, by what is held and what was lost; the gate reads it until it is cleared.

    ``scope`` is ``account``, ``group NAME``, ``strategy NAME`` or ``symbol SPY``; ``kind`` is the rule's name;
    ``level`` ``soft`` or ``hard``; ``action`` what follows (:mod:`trader.risk.escalation`). ``until`` (ns UTC) is when
    it ends by itself: 0 when the measure has recovered, −1 never, a person clears it.
    """

    ts: int
    scope: str
    kind: str
    level: str
    action: str
    limit: str
    value: str
    until: int = 0


class FlagCleared(msgspec.Struct, frozen=True, tag=True):
    """What :class:`FlagRaised` told of this scope, kind and level is over; ``by`` is a measure, time or a person."""

    ts: int
    scope: str
    kind: str
    level: str
    by: str


class PeriodStarted(msgspec.Struct, frozen=True, tag=True):
    """A loss is measured from here: ``period`` is ``day``, ``week`` or ``month``; equity of ``scope`` in dollars."""

    ts: int
    scope: str
    period: str
    equity: Decimal


class PeakReached(msgspec.Struct, frozen=True, tag=True):
    """The equity of ``scope`` is higher than ever; after a person's reset, what is counted as such."""

    ts: int
    scope: str
    equity: Decimal


class OverrideProposed(msgspec.Struct, frozen=True, tag=True):
    """A person asks that one order may pass a rule; nothing passes before another one agrees."""

    ts: int
    override: Override


class OverrideGranted(msgspec.Struct, frozen=True, tag=True):
    """A second person agreed: one order may pass the rule, until the override's time is over."""

    ts: int
    override: Override


class OverrideUsed(msgspec.Struct, frozen=True, tag=True):
    """An order passed a rule by an override, which is gone with it; the order is the next event."""

    ts: int
    number: int
    order_id: str
    rule: str
    limit: str
    value: str


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


# What only the market did: it changes no book, and a journal of it would be long.
UNJOURNALED: frozenset[type] = frozenset({BarLate, BarsBackfilled, BarRevised, BarRefused})

Event = (
    BooksCreated
    | BooksOpened
    | SessionStarted
    | CapitalChanged
    | TargetSet
    | StateSet
    | SymbolLocked
    | SymbolUnlocked
    | ExternalFilled
    | ExternalReversed
    | CashBooked
    | AccountReconciled
    | SandboxOpened
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
    | IntentTrimmed
    | FlagRaised
    | FlagCleared
    | PeriodStarted
    | PeakReached
    | OverrideProposed
    | OverrideGranted
    | OverrideUsed
    | BarLate
    | BarsBackfilled
    | BarRevised
    | BarRefused
)
