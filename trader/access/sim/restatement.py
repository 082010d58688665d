"""What changes the past: executions taken back or corrected, and splits. Pure.

A correction is a bust and a new execution in the place of the old one. An order that has ended stays ended, whatever
is left of its quantity; an open one goes on with more to fill.
Source: Alpaca trading API 2.0.1 (``execution_type`` and ``previous_id`` of activities); trade events ``trade_bust`` and
``trade_correct``. How venues treat the order itself is not published.
"""

from decimal import Decimal

import msgspec

from trader.access.sim.accounts import Account, sum_of
from trader.access.sim.execution import Done, activity_id, id_of, rows_of
from trader.access.sim.fills import VenueRules
from trader.access.sim.venue_orders import ENDED, Activity, Refusal, Status, TradeUpdate, VenueAsset, VenueOrder
from trader.access.sim.venue_rules import invalid, not_found, unprocessable
from trader.model.money import EXACT, NANO, ZERO, divide, floor_to, plain


def restated(
    books: Account, execution_id: str, new: Done | None, *, asset: VenueAsset, rules: VenueRules, ts: int
) -> TradeUpdate:
    """Take an execution back, put ``new`` in its place if there is one, and return the update to send."""
    old = books.executions[execution_id]
    assert old.price is not None
    done = new or Done(id_of(execution_id, "bust"), old.qty, old.price)
    rows = [_reversed(row, ts) for row in books.activities if row.execution_id == execution_id]
    order = _order_after(books, old, new, ts=ts)
    if new is not None:
        rows += rows_of(new, order, asset=asset, rules=rules, ts=ts)
    books.restate(order, rows)
    return TradeUpdate(
        account=books.name,
        event="trade_correct" if new else "trade_bust",
        order=order,
        ts=ts,
        execution_id=done.id,
        price=done.price,
        qty=done.qty,
        position_qty=books.qty(order.symbol),
        previous_execution_id=execution_id,
    )


def restatement_refusal(
    books: Account, execution_id: str, *, price: Decimal | None = None, qty: Decimal | None = None
) -> Refusal | None:
    """Return why an execution cannot be taken back, or not be corrected to a price and a quantity."""
    old = books.executions.get(execution_id)
    if old is None:
        return not_found(execution_id)
    later = books.activities[books.activities.index(old) :]
    if any(row.activity_type == "SPLIT" and row.symbol == old.symbol for row in later):
        return unprocessable("execution was before a split")
    if price is not None and price <= ZERO:
        return invalid("price must be > 0")
    if qty is None:
        return None
    order = books.orders[old.order_id]
    most = EXACT.add(EXACT.subtract(order.qty or ZERO, order.filled_qty), old.qty)
    if not ZERO < qty <= most:
        return invalid(f"qty must be > 0 and no more than {plain(most)}")
    return None


def split_of(books: Account, symbol: str, ratio: Decimal, ts: int) -> Activity:
    """Return the row that turns a position into ``ratio`` new shares per old one, cut to nine decimals."""
    old = books.qty(symbol)
    size = floor_to(EXACT.multiply(old.copy_abs(), ratio), NANO)
    new = size.copy_negate() if old < ZERO else size
    return Activity(
        id=activity_id(ts, id_of(books.name, "split", str(len(books.activities)))),
        activity_type="SPLIT",
        ts=ts,
        order_id="",
        symbol=symbol,
        qty=EXACT.subtract(new, old),
        net_amount=ZERO,
        old_qty=old,
        new_qty=new,
    )


def _reversed(row: Activity, ts: int) -> Activity:
    return msgspec.structs.replace(
        row,
        id=activity_id(ts, id_of(row.id, "bust")),
        ts=ts,
        net_amount=row.net_amount.copy_negate(),
        execution_id=id_of(row.execution_id, "bust"),
        execution_type="trade_bust",
        previous_id=row.execution_id,
    )


def _order_after(books: Account, old: Activity, new: Done | None, *, ts: int) -> VenueOrder:
    order = books.orders[old.order_id]
    parts = [
        (row.qty, row.price or ZERO) for row in books.executions.values() if row.order_id == order.id and row is not old
    ]
    if new is not None:
        parts.append((new.qty, new.price))
    filled = sum_of([qty for qty, _ in parts])
    cost = sum_of([EXACT.multiply(qty, price) for qty, price in parts])
    status = order.status if order.status in ENDED else _status(order, filled)
    if order.id in books.working:
        books.working[order.id].cost = cost
    return msgspec.structs.replace(
        order,
        status=status,
        filled_qty=filled,
        filled_avg_price=floor_to(divide(cost, filled), NANO) if filled else None,
        filled_at=ts if status == "filled" and order.status != "filled" else order.filled_at,
        updated_at=ts,
    )


def _status(order: VenueOrder, filled: Decimal) -> Status:
    if filled == order.qty:
        return "filled"
    if order.status == "pending_cancel":
        return order.status
    return "partially_filled" if filled else "new"
