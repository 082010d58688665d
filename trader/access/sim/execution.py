"""One execution: what it does to the order, to the account's ledger and to what the client is told. Pure."""

from decimal import Decimal
from hashlib import blake2b
from uuid import UUID

import msgspec

from trader.access.sim.accounts import Account
from trader.access.sim.book import Working
from trader.access.sim.fills import VenueRules, fee_of
from trader.access.sim.venue_orders import Activity, Status, TradeUpdate
from trader.model.money import EXACT, NANO, ZERO, divide, floor_to
from trader.model.orders import Side
from trader.model.time import utc


def id_of(*parts: str) -> str:
    """Return an id that looks like a random one and follows from ``parts`` alone."""
    return str(UUID(bytes=blake2b("\0".join(parts).encode(), digest_size=16).digest(), version=4))


def execute(
    working: Working, qty: Decimal, price: Decimal, *, books: Account, rules: VenueRules, ts: int
) -> TradeUpdate:
    """Fill ``qty`` of an order at ``price``: book it and its fee, move the order, and return the update to send."""
    order = working.order
    working.cost = EXACT.add(working.cost, EXACT.multiply(qty, price))
    filled = EXACT.add(order.filled_qty, qty)
    is_done = order.qty is None or filled == order.qty
    assert order.qty is None or filled <= order.qty, f"{order.id} would be overfilled"
    going: Status = "pending_cancel" if order.status == "pending_cancel" else "partially_filled"
    working.order = msgspec.structs.replace(
        order,
        status="filled" if is_done else going,
        qty=filled if order.qty is None else order.qty,
        filled_qty=filled,
        filled_avg_price=floor_to(divide(working.cost, filled), NANO),
        filled_at=ts if is_done else None,
        updated_at=ts,
    )
    execution_id = id_of(order.id, "execution", str(filled))
    books.book(_rows(working, qty, price, execution_id=execution_id, rules=rules, ts=ts))
    books.keep(working.order)
    return TradeUpdate(
        account=books.name,
        event="fill" if is_done else "partial_fill",
        order=working.order,
        ts=ts,
        execution_id=execution_id,
        price=price,
        qty=qty,
        position_qty=books.qty(order.symbol),
    )


def _rows(
    working: Working, qty: Decimal, price: Decimal, *, execution_id: str, rules: VenueRules, ts: int
) -> list[Activity]:
    order = working.order
    value = EXACT.multiply(qty, price)
    filled = Activity(
        id=_activity_id(ts, execution_id),
        activity_type="FILL",
        ts=ts,
        order_id=order.id,
        symbol=order.symbol,
        qty=qty,
        net_amount=value.copy_negate() if order.side is Side.BUY else value,
        side=order.side,
        price=price,
        cum_qty=order.filled_qty,
        leaves_qty=working.left,
        order_status=order.status,
    )
    fee, paid_in = fee_of(order.side, qty, price=price, rules=rules, instrument=working.asset.instrument)
    if not fee:
        return [filled]
    in_dollars = paid_in == "USD"
    charged = Activity(
        id=_activity_id(ts, id_of(execution_id, "fee")),
        activity_type="CFEE" if working.asset.is_crypto else "FEE",
        ts=ts,
        order_id=order.id,
        symbol=order.symbol,
        qty=ZERO if in_dollars else fee.copy_negate(),
        net_amount=fee.copy_negate() if in_dollars else ZERO,
    )
    return [filled, charged]


def _activity_id(ts: int, suffix: str) -> str:
    return f"{utc(ts).strftime('%Y%m%d%H%M%S%f')[:-3]}::{suffix}"
