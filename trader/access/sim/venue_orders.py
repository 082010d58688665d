"""The words of the simulated Alpaca venue, in Alpaca's spelling. Values only; every ``ts`` and ``…_at`` is ns UTC.

An order is a snapshot: each change makes a new one, and each trade update carries the snapshot it was made with, so
what was told to a client can never change behind his back.
Source: Alpaca trading API 2.0.1 (OpenAPI document) and "Orders at Alpaca", read 2026-11.
"""

from decimal import Decimal
from typing import Literal, Protocol

import msgspec

from trader.model.calendar import Phase
from trader.model.instruments import AssetClass, Instrument
from trader.model.money import ZERO
from trader.model.orders import Side

Status = Literal[
    "pending_new", "accepted", "held", "new", "partially_filled", "pending_cancel",
    "filled", "canceled", "expired", "rejected", "replaced",
]  # fmt: skip
Event = Literal[
    "pending_new", "accepted", "held", "new", "partial_fill", "fill", "pending_cancel", "restated",
    "canceled", "expired", "rejected", "replaced", "trade_bust", "trade_correct",
]  # fmt: skip
Ending = Literal["canceled", "expired", "rejected", "replaced"]
PositionIntent = Literal["buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"]

ENDED: frozenset[Status] = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


class Sessions(Protocol):
    """When the stock market trades; crypto always does and is not asked about."""

    def phase(self, now: int) -> Phase:
        """Return which session runs at ``now``; a session begins at its first nanosecond and ends before its close."""

    def session_close(self, now: int, *, is_extended: bool) -> int:
        """Return the end of the trading day that ``now`` belongs to: of its core session, or of its last extended one.

        After that end it is the next trading day's, so that an order sent at night lives until the day's close.
        """


class VenueAsset(msgspec.Struct, frozen=True):
    """What the venue lists, and what it allows with it."""

    instrument: Instrument
    is_tradable: bool = True
    is_shortable: bool = True
    is_fractionable: bool = True
    min_order_size: Decimal = ZERO

    @property
    def is_crypto(self) -> bool:
        """Return whether it is a coin."""
        return self.instrument.asset_class == "crypto"


class TakeProfit(msgspec.Struct, frozen=True):
    """The exit with a gain: a limit order. None where the client left out what is needed."""

    limit_price: Decimal | None = None


class StopLoss(msgspec.Struct, frozen=True):
    """The exit with a loss: a stop order, with a limit a stop-limit order."""

    stop_price: Decimal | None = None
    limit_price: Decimal | None = None


class OrderRequest(msgspec.Struct, frozen=True):
    """What a client asks for. ``type`` and ``time_in_force`` are whatever he wrote: the venue refuses what is wrong."""

    symbol: str
    side: Side
    type: str = "market"
    time_in_force: str = "day"
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    extended_hours: bool = False
    client_order_id: str = ""
    order_class: str = ""
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None


class Replacement(msgspec.Struct, frozen=True):
    """What a client wants changed in an open order; None leaves it. ``trail`` is the price or the percent it has."""

    qty: Decimal | None = None
    time_in_force: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    client_order_id: str = ""


class VenueOrder(msgspec.Struct, frozen=True):
    """One order as the venue shows it.

    ``qty`` is None for an order in dollars until it has filled; ``filled_qty`` is gross of a fee taken in coins. An
    order of a class names its ``legs`` by id, a leg its ``parent``.
    """

    id: str
    client_order_id: str
    symbol: str
    asset_class: AssetClass
    side: Side
    type: str
    time_in_force: str
    position_intent: PositionIntent
    status: Status
    created_at: int
    updated_at: int
    submitted_at: int
    qty: Decimal | None = None
    notional: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    hwm: Decimal | None = None
    extended_hours: bool = False
    filled_qty: Decimal = ZERO
    filled_avg_price: Decimal | None = None
    filled_at: int | None = None
    expires_at: int | None = None
    expired_at: int | None = None
    cancel_requested_at: int | None = None
    canceled_at: int | None = None
    failed_at: int | None = None
    replaced_at: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None
    order_class: str = ""
    legs: tuple[str, ...] = ()
    parent: str | None = None


class Refusal(msgspec.Struct, frozen=True):
    """A no, with the HTTP status, Alpaca's code and text, and the further fields of the answer's body."""

    status: int
    code: int
    message: str
    extra: dict[str, str | list[str]] = {}


class TradeUpdate(msgspec.Struct, frozen=True):
    """One message of the trade_updates stream.

    ``qty`` and ``price`` are this execution's, ``position_qty`` is the whole account's after it, signed. A bust or a
    correction has an execution id of its own and names the execution it takes back; its quantity and price are what
    was taken back (``trade_bust``), or what stands in its place (``trade_correct``).
    """

    account: str
    event: Event
    order: VenueOrder
    ts: int
    execution_id: str = ""
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    previous_execution_id: str = ""


class Activity(msgspec.Struct, frozen=True):
    """One row of an account's ledger: an execution (FILL), a fee in dollars (FEE), in coins (CFEE), a SPLIT, money.

    ``net_amount`` is what it did to the cash. ``qty`` of a CFEE is what it did to the position, negative as a rule, and
    of a SPLIT likewise: new shares less old ones, with ``old_qty`` and ``new_qty`` signed. A row that takes back an
    execution or its fee has ``execution_type`` ``trade_bust``, the quantity and price it takes back, and as
    ``previous_id`` that execution; what stands in its place is ``trade_correct`` and names it too.
    """

    id: str
    activity_type: Literal["FILL", "FEE", "CFEE", "SPLIT", "DIV", "INT", "CSD", "CSW", "JNLC"]
    ts: int
    order_id: str
    symbol: str
    qty: Decimal
    net_amount: Decimal
    side: Side | None = None
    price: Decimal | None = None
    cum_qty: Decimal | None = None
    leaves_qty: Decimal | None = None
    order_status: Status | None = None
    execution_id: str = ""
    execution_type: Literal["fill", "trade_correct", "trade_bust"] = "fill"
    previous_id: str = ""
    old_qty: Decimal | None = None
    new_qty: Decimal | None = None
