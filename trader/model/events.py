"""What became true, in the past tense. State is the fold of these; each is also one line of the log."""

from decimal import Decimal

from trader.model.conduct import Override
from trader.model.money import ZERO
from trader.model.orders import Approved, Denied, OrderStatus, Reason, Side, TradingState
from trader.model.time import Stamped


class BooksCreated(Stamped, frozen=True):
    """The books of an account begin: what it holds now is nobody's, and stays external."""

    book_id: str
    account: str  # its number, empty for a simulated one
    cash: Decimal  # dollars
    positions: dict[str, Decimal]  # signed quantities


class BooksOpened(Stamped, frozen=True):
    """The whole state of the books, as :meth:`trader.books.ledger.Ledger.snapshot` wrote it: a fold may begin here."""

    state: bytes


class SessionStarted(Stamped, frozen=True):
    """A process began to trade on these books; ``digest`` is of the books, ``settings`` of what it was told to do."""

    digest: str
    settings: str
    version: str


class CapitalChanged(Stamped, frozen=True):
    """A strategy was given ``amount`` dollars of the account's unallocated cash, or gave them back."""

    strategy: str
    amount: Decimal


class TargetSet(Stamped, frozen=True):
    """What a sandbox wants of a symbol now: a fraction of its capital. ``is_leaving``: the host wants out."""

    strategy: str
    symbol: str
    fraction: float
    reason: Reason
    is_leaving: bool


class StateSet(Stamped, frozen=True):
    """An operator, or a rule, decided what a strategy may do (an empty name: the whole desk); it outlives restarts."""

    strategy: str
    state: TradingState
    by: str
    why: str
    flatten: bool = False


class SymbolLocked(Stamped, frozen=True):
    """Books and broker disagree about a symbol: the account has ``held``, the books add up to ``expected``."""

    symbol: str
    held: Decimal
    expected: Decimal
    why: str


class SymbolUnlocked(Stamped, frozen=True):
    """The lock of a symbol is gone; ``adjusted`` is what an operator booked to external for it."""

    symbol: str
    by: str
    adjusted: Decimal = ZERO


class ExternalFilled(Stamped, frozen=True):
    """An execution of an order that is not ours, in our account. ``order_id`` is the venue's."""

    symbol: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    order_id: str
    execution_id: str


class ExternalReversed(Stamped, frozen=True):
    """The venue took back an execution of an order that is not ours; the figures are the execution's."""

    execution_id: str
    qty: Decimal
    price: Decimal


class CashBooked(Stamped, frozen=True):
    """Money that moved without a trade: dividend, fee, interest, deposit. No strategy: it is the account's own."""

    activity_id: str
    kind: str
    strategy: str
    symbol: str
    amount: Decimal
    text: str = ""


class AccountReconciled(Stamped, frozen=True):
    """All that happened in the account up to ``until`` is in the books."""

    until: int


class SandboxOpened(Stamped, frozen=True):
    """A strategy's book was opened with its capital."""

    strategy: str
    cash: Decimal


class SandboxWarmed(Stamped, frozen=True):
    """Every ticker of the sandbox has its warm-up bars: trading is active."""

    strategy: str


class DayStarted(Stamped, frozen=True):
    """A trading day began: counters are zero and ``equity`` is what the daily loss is measured from."""

    strategy: str
    equity: Decimal


class OrderCreated(Stamped, frozen=True):
    """The gate approved an intent and reserved its worst case."""

    approved: Approved


class OrderDenied(Stamped, frozen=True):
    """The gate refused an intent."""

    denied: Denied


class OrderMoved(Stamped, frozen=True):
    """An order changed state without an execution: opened, pending cancel, canceled, rejected, expired."""

    strategy: str
    symbol: str
    order_id: str
    status: OrderStatus
    text: str


class OrderFilled(Stamped, frozen=True):
    """One execution, booked. ``ts`` is the venue's time of it. Where the id begins with ``x:`` two sandboxes crossed.

    ``realized`` is the profit or loss in dollars that this execution realised, fees included; ``opened`` says whether
    it opened or increased the position.
    """

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


class FillReversed(Stamped, frozen=True):
    """The venue took an execution back: the figures are its own, ``realized`` is the profit or loss of undoing it."""

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


class PositionSplit(Stamped, frozen=True):
    """A share held was split: ``qty`` is the signed position after it; what it cost stays. No strategy: external."""

    strategy: str
    symbol: str
    ratio: Decimal
    qty: Decimal


class EntriesHeld(Stamped, frozen=True):
    """No entry leaves for these symbols (none at all for an empty tuple) until ``cause`` is released."""

    cause: str
    symbols: tuple[str, ...]
    why: str


class EntriesReleased(Stamped, frozen=True):
    """What held entries back under this cause is over."""

    cause: str


class ReportIgnored(Stamped, frozen=True):
    """A venue's report changed nothing: a duplicate, an unknown order, or an impossible transition."""

    order_id: str
    execution_id: str
    why: str


class DailyLossReached(Stamped, frozen=True):
    """A sandbox lost its daily limit: no opening for the rest of that day."""

    strategy: str
    limit: Decimal
    loss: Decimal
    flatten: bool


class StrategyFailed(Stamped, frozen=True):
    """A strategy raised or spoke nonsense: its sandbox is halted, every other goes on."""

    strategy: str
    symbol: str
    error: str
    traceback: str
    flatten: bool


class IntentTrimmed(Stamped, frozen=True):
    """A filter of the Director let only ``kept`` of an intent to open pass; zero: it dropped it."""

    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    kept: Decimal
    filter: str
    limit: str
    value: str


class FlagRaised(Stamped, frozen=True):
    """A limit is broken, or nearly, by what is held and what was lost; the gate reads it until it is cleared.

    ``scope`` is ``account``, ``group NAME``, ``strategy NAME`` or ``symbol SPY``; ``kind`` is the rule's name;
    ``level`` ``soft`` or ``hard``; ``action`` what follows (:mod:`trader.risk.escalation`). ``until`` (ns UTC) is when
    it ends by itself: 0 when the measure has recovered, −1 never, a person clears it.
    """

    scope: str
    kind: str
    level: str
    action: str
    limit: str
    value: str
    until: int = 0


class FlagCleared(Stamped, frozen=True):
    """What :class:`FlagRaised` told of this scope, kind and level is over; ``by`` is a measure, time or a person."""

    scope: str
    kind: str
    level: str
    by: str


class PeriodStarted(Stamped, frozen=True):
    """A loss is measured from here: ``period`` is ``day``, ``week`` or ``month``; equity of ``scope`` in dollars."""

    scope: str
    period: str
    equity: Decimal


class PeakReached(Stamped, frozen=True):
    """The equity of ``scope`` is higher than ever; after a person's reset, what is counted as such."""

    scope: str
    equity: Decimal


class OverrideProposed(Stamped, frozen=True):
    """A person asks that one order may pass a rule; nothing passes before another one agrees."""

    override: Override


class OverrideGranted(Stamped, frozen=True):
    """A second person agreed: one order may pass the rule, until the override's time is over."""

    override: Override


class OverrideUsed(Stamped, frozen=True):
    """An order passed a rule by an override, which is gone with it; the order is the next event."""

    number: int
    order_id: str
    rule: str
    limit: str
    value: str


class BarLate(Stamped, frozen=True):
    """A bar came after its minute was closed: it updates the windows and triggers no decision."""

    symbol: str
    bar_ts: int


class BarsBackfilled(Stamped, frozen=True):
    """Bars of a symbol that were missed have come: ``count`` of them, the last one ending at ``bar_ts``."""

    symbol: str
    count: int
    bar_ts: int


class BarRevised(Stamped, frozen=True):
    """A bar was replaced in the windows; ``found`` says whether it was still there."""

    symbol: str
    bar_ts: int
    found: bool


class BarRefused(Stamped, frozen=True):
    """A bar the windows cannot take: a second one for its minute, or older than the newest."""

    symbol: str
    bar_ts: int
    why: str


# What only the market did: it changes no book, and a journal of it would be long.
UNJOURNALED: frozenset[type] = frozenset({BarLate, BarsBackfilled, BarRevised, BarRefused})

Event = (
    BooksCreated | BooksOpened | SessionStarted | CapitalChanged | TargetSet | StateSet | SymbolLocked
    | SymbolUnlocked | ExternalFilled | ExternalReversed | CashBooked | AccountReconciled | SandboxOpened
    | SandboxWarmed | DayStarted | OrderCreated | OrderDenied | OrderMoved | OrderFilled | FillReversed
    | PositionSplit | EntriesHeld | EntriesReleased | ReportIgnored | DailyLossReached | StrategyFailed
    | IntentTrimmed | FlagRaised | FlagCleared | PeriodStarted | PeakReached | OverrideProposed | OverrideGranted
    | OverrideUsed | BarLate | BarsBackfilled | BarRevised | BarRefused
)  # fmt: skip
