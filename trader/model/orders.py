"""From want to order: intents, the gate's two answers, orders, and what a venue reports about them.

An :class:`Approved` is the only thing a broker adapter accepts, so an order that was not checked cannot be sent.
"""

import hashlib
import re
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from trader.model.money import ZERO, plain

_FOREIGN_TO_IDS: Final = re.compile(r"[^A-Za-z0-9_-]+")
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
STRATEGY_IN_ID: Final = 20  # characters of a strategy's name; the whole id stays within the 48 that Alpaca once allowed


class Side(StrEnum):
    """Buy or sell; ``sign`` is +1 for a buy, −1 for a sell."""

    BUY = "buy"
    SELL = "sell"

    def __init__(self, value: str) -> None:
        """Keep the sign: every order asks for it."""
        self.sign = 1 if value == "buy" else -1


class OrderStatus(StrEnum):
    """Where an order is in its life. Denied is our gate's word and Rejected the venue's."""

    PENDING = "pending"  # approved and handed to the venue, no answer yet
    ABSENT = "absent"  # asked about, and the venue does not know it; it may still arrive, so its reservation stays
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


TERMINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED})

# What may follow what. The rows that look odd happen at real venues: a fill overtakes the acknowledgement, and a fill
# or a refusal arrives after the cancel was asked for, and an order that nobody knew turns up. Terminal states end every
# row.
_LIVE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL}) | TERMINAL
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: _LIVE | {OrderStatus.ABSENT},
    OrderStatus.ABSENT: _LIVE,
    OrderStatus.OPEN: _LIVE - {OrderStatus.OPEN},
    OrderStatus.PARTIALLY_FILLED: _LIVE - {OrderStatus.OPEN},
    OrderStatus.PENDING_CANCEL: _LIVE - {OrderStatus.OPEN} | {OrderStatus.ABSENT},
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELED: frozenset(),
    OrderStatus.REJECTED: frozenset(),
    OrderStatus.EXPIRED: frozenset(),
}


class Urgency(StrEnum):
    """How soon a wish is worth nothing any more; it decides how an order is worked, and how fresh its risk check is."""

    IMMEDIATE = "immediate"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Reason(StrEnum):
    """Why an order was made."""

    SIGNAL = "signal"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    MAX_DAILY_LOSS = "max_daily_loss"
    STRATEGY_FAILED = "strategy_failed"
    FLATTENED = "flattened"  # an operator wanted out
    FORCE_REDUCED = "force_reduced"  # a limit is broken by what is held


class TradingState(StrEnum):
    """What a sandbox, or the whole desk, may do; ordered by how little that is. Only an operator makes it more."""

    ACTIVE = "active"
    PAUSED = "paused"  # reduces only
    HALTED = "halted"  # likewise, and what would have opened something was canceled


class OrderIntent(msgspec.Struct, frozen=True):
    """The delta a sandbox wants to trade; ``decision_price`` is the price it was decided at."""

    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    decision_price: Decimal
    reduces: bool
    reason: Reason
    ts: int
    urgency: Urgency = Urgency.IMMEDIATE


class Approved(msgspec.Struct, frozen=True):
    """An intent the gate let pass, with its client order id and the dollars reserved for it (zero for exits)."""

    order_id: str
    intent: OrderIntent
    reserved: Decimal = ZERO


class Denied(msgspec.Struct, frozen=True):
    """An intent the gate refused: the rule, its limit and the value that met it, as text for people.

    ``is_passing``: what refused it passes by itself, and the intent is asked for again. ``scope`` is whose limit it is:
    ``order``, ``symbol SPY``, ``strategy NAME``, ``group NAME`` or ``account``; ``hint`` is how to change it.
    """

    intent: OrderIntent
    rule: str
    limit: str
    value: str
    is_passing: bool = False
    scope: str = ""
    hint: str = ""


class Trim(msgspec.Struct, frozen=True):
    """A filter let only ``qty`` of an intent pass: its limit and the value that met it, as text for people."""

    filter: str
    qty: Decimal
    limit: str
    value: str


class Ruling(msgspec.Struct, frozen=True):
    """What the Director makes of an intent: what is left of it, in order what each filter took, and who stopped it.

    ``dropped`` is the filter that let nothing pass, as a trim to zero; None where ``intent`` goes on to the gate.
    """

    intent: OrderIntent
    trims: tuple[Trim, ...] = ()
    dropped: Trim | None = None


class ExecutionReport(msgspec.Struct, frozen=True):
    """What a venue says about one order.

    With an ``execution_id`` it is one execution: ``qty`` and ``price`` are this execution's, ``fee`` is in
    ``fee_asset`` (``USD``, or the coin a crypto buy received). Without one it only moves the status. ``reverses`` names
    an earlier execution that the venue took back (a bust); a correction is a bust and a new execution.
    """

    order_id: str
    status: OrderStatus
    ts: int
    execution_id: str = ""
    qty: Decimal = ZERO
    price: Decimal = ZERO
    fee: Decimal = ZERO
    fee_asset: str = "USD"
    text: str = ""
    reverses: str = ""


def order_id_of(book_id: str, number: int, intent: OrderIntent) -> str:
    """Return the client order id of the ``number``-th order of these books: ``book.strategy.number.digest``.

    At most 48 characters of A-Z, a-z, 0-9, ``.``, ``_`` and ``-`` where ``book_id`` has at most nine.
    """
    strategy = _FOREIGN_TO_IDS.sub("-", intent.strategy)[:STRATEGY_IN_ID]
    return f"{book_id}.{strategy}.{_base36(number)}.{digest_of(intent.symbol, intent.side, intent.qty)}"


def digest_of(symbol: str, side: str, qty: Decimal) -> str:
    """Return eight hex digits of what a market order asks for: an order that is found shows whether it is the one."""
    return hashlib.sha256(f"{symbol}|{side}|{plain(qty)}|market".encode()).hexdigest()[:8]


def _base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
        if not number:
            return digits
