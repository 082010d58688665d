"""One execution: what it does to the order, to the account's ledger and to what the client is told. Pure."""

from decimal import Decimal
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

import msgspec

from trader.access.sim.accounts import Account
from trader.access.sim.fills import VenueRules, fee_of
from trader.access.sim.venue_orders import Activity, Status, TradeUpdate, VenueAsset, VenueOrder
from trader.access.sim.working import Working
from trader.model.money import EXACT, NANO, ZERO, divide, floor_to
from trader.model.orders import Side
from trader.model.time import utc


class Done(NamedTuple):
    """One execution: its id, what was traded, and the id of the execution it stands in the place of."""

    id: str
    qty: Decimal
    price: Decimal
    instead_of: str = ""


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
    working.executions += 1
    execution_id = id_of(order.id, "execution", str(working.executions))
    done = Done(execution_id, qty, price)
    books.book(rows_of(done, working.order, asset=working.asset, rules=rules, ts=ts))
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


def rows_of(done: Done, order: VenueOrder, *, asset: VenueAsset, rules: VenueRules, ts: int) -> list[Activity]:
    """Return what the ledger says of an execution: itself, and its fee; ``order`` is the snapshot after it."""
    value = EXACT.multiply(done.qty, done.price)
    filled = Activity(
        id=activity_id(ts, done.id),
        activity_type="FILL",
        ts=ts,
        order_id=order.id,
        symbol=order.symbol,
        qty=done.qty,
        net_amount=value.copy_negate() if order.side is Side.BUY else value,
        side=order.side,
        price=done.price,
        cum_qty=order.filled_qty,
        leaves_qty=EXACT.subtract(order.qty or order.filled_qty, order.filled_qty),
        order_status=order.status,
        execution_id=done.id,
        execution_type="trade_correct" if done.instead_of else "fill",
        previous_id=done.instead_of,
    )
    fee, paid_in = fee_of(order.side, done.qty, price=done.price, rules=rules, instrument=asset.instrument)
    if not fee:
        return [filled]
    in_dollars = paid_in == "USD"
    charged = Activity(
        id=activity_id(ts, id_of(done.id, "fee")),
        activity_type="CFEE" if asset.is_crypto else "FEE",
        ts=ts,
        order_id=order.id,
        symbol=order.symbol,
        qty=ZERO if in_dollars else fee.copy_negate(),
        net_amount=fee.copy_negate() if in_dollars else ZERO,
        execution_id=done.id,
        execution_type=filled.execution_type,
        previous_id=done.instead_of,
    )
    return [filled, charged]


def activity_id(ts: int, suffix: str) -> str:
    """Return the id of a row of the ledger: its time, and an id of its own."""
    return f"{utc(ts).strftime('%Y%m%d%H%M%S%f')[:-3]}::{suffix}"
