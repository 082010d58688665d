"""From want to order: intents, the gate's two answers, orders, and what a venue reports about them.

An :class:`Approved` is the only thing a broker adapter accepts, so an order that was not checked cannot be sent.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from trader.model.money import ZERO


class Side(StrEnum):
    """Buy or sell; the sign is +1 or −1."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """Return +1 for a buy, −1 for a sell."""
        return 1 if self is Side.BUY else -1


class OrderStatus(StrEnum):
    """Where an order is in its life. Denied is our gate's word and Rejected the venue's."""

    PENDING = "pending"  # approved and handed to the venue, no answer yet
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"


TERMINAL = frozenset({OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED})

# What may follow what. The rows that look odd happen at real venues: a fill overtakes the acknowledgement, and a fill
# or a refusal arrives after the cancel was asked for. Terminal states end every row.
_LIVE = frozenset({OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED, OrderStatus.PENDING_CANCEL}) | TERMINAL
TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: _LIVE,
    OrderStatus.OPEN: _LIVE - {OrderStatus.OPEN},
    OrderStatus.PARTIALLY_FILLED: _LIVE - {OrderStatus.OPEN},
    OrderStatus.PENDING_CANCEL: _LIVE - {OrderStatus.OPEN},
    OrderStatus.FILLED: frozenset(),
    OrderStatus.CANCELED: frozenset(),
    OrderStatus.REJECTED: frozenset(),
    OrderStatus.EXPIRED: frozenset(),
}


class Reason(StrEnum):
    """Why an order was made."""

    SIGNAL = "signal"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    MAX_DAILY_LOSS = "max_daily_loss"
    STRATEGY_FAILED = "strategy_failed"


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


class Approved(msgspec.Struct, frozen=True):
    """An intent the gate let pass, with its client order id and the dollars reserved for it (zero for exits)."""

    order_id: str
    intent: OrderIntent
    reserved: Decimal = ZERO


class Denied(msgspec.Struct, frozen=True):
    """An intent the gate refused: the rule, its limit and the value that met it, as text for people."""

    intent: OrderIntent
    rule: str
    limit: str
    value: str


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
