"""Orders and their updates as Alpaca writes them.

Source: Alpaca trading API 2.0.1 (OpenAPI document); a session of ``trade_updates`` recorded on 2026-09-18.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from trader.access.alpaca.wire_trading import OrderMessage, TradeUpdate
from trader.access.sim import venue_orders as venue
from trader.access.sim.execution import id_of
from trader.model.instruments import AssetClass
from trader.model.time import SECOND, iso

ASSET_CLASSES: Final[dict[AssetClass, str]] = {"stock": "us_equity", "crypto": "crypto"}

_iso = lru_cache(maxsize=4096)(iso)  # an order's times are written again with all that happens to it
_NOT_EXECUTED = frozenset({"accepted", "pending_new"})  # the market has not seen the order yet
_MILLISECOND = SECOND // 1000
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ULID_LENGTH, _ULID_CHANCE_BITS = 26, 80


def order_json(order: venue.VenueOrder, *, legs: tuple[venue.VenueOrder, ...] = ()) -> OrderMessage:
    """Describe an order, with its legs where they are wanted; ``jsonable`` spells it."""
    return OrderMessage(
        id=order.id,
        client_order_id=order.client_order_id,
        created_at=_iso(order.created_at),
        updated_at=_iso(order.updated_at),
        submitted_at=_iso(order.submitted_at),
        filled_at=_time(order.filled_at),
        expired_at=_time(order.expired_at),
        expires_at=_time(order.expires_at),
        cancel_requested_at=_time(order.cancel_requested_at),
        canceled_at=_time(order.canceled_at),
        failed_at=_time(order.failed_at),
        replaced_at=_time(order.replaced_at),
        replaced_by=order.replaced_by,
        replaces=order.replaces,
        asset_id=asset_id(order.symbol),
        symbol=order.symbol,
        asset_class=ASSET_CLASSES[order.asset_class],
        notional=order.notional,
        qty=order.qty,
        filled_qty=order.filled_qty,
        filled_avg_price=order.filled_avg_price,
        order_class=order.order_class,
        order_type=order.type,
        type=order.type,
        side=order.side.value,
        position_intent=order.position_intent,
        time_in_force=order.time_in_force,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        status=order.status,
        extended_hours=order.extended_hours,
        legs=tuple(order_json(leg) for leg in legs) or None,
        trail_percent=order.trail_percent,
        trail_price=order.trail_price,
        hwm=order.hwm,
    )


def update_message(update: venue.TradeUpdate) -> TradeUpdate:
    """Describe what happened to an order, for the ``trade_updates`` socket."""
    order, is_at_market = update.order, update.event not in _NOT_EXECUTED
    stamp = _iso(update.ts)
    return TradeUpdate(
        event=update.event,
        order=order_json(order),
        timestamp=stamp,
        execution_id=update.execution_id or (id_of(order.id, update.event, stamp) if is_at_market else None),
        previous_execution_id=update.previous_execution_id or None,
        price=update.price,
        qty=update.qty,
        position_qty=update.position_qty,
        event_id=_ulid(update.ts, f"{order.id}\0{update.event}\0{update.execution_id}"),
        at=stamp,
    )


def asset_id(symbol: str) -> str:
    """Return an asset's id, which follows from its symbol alone."""
    return id_of("asset", symbol)


def _time(ts: int | None) -> str | None:
    return None if ts is None else _iso(ts)


def _ulid(ts: int, what: str) -> str:
    """Return an id that sorts by time, as Alpaca's event ids do."""
    chance = int.from_bytes(blake2b(what.encode(), digest_size=_ULID_CHANCE_BITS // 8).digest(), "big")
    number = (ts // _MILLISECOND) << _ULID_CHANCE_BITS | chance
    return "".join(_CROCKFORD[number >> 5 * place & 31] for place in reversed(range(_ULID_LENGTH)))
