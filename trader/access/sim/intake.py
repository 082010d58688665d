"""How a request becomes an order: what it would take, why it is refused, what a replacement amounts to. Pure."""

from decimal import Decimal
from typing import NamedTuple

from trader.access.sim.accounts import Account
from trader.access.sim.allowance import Claim, allowance_refusal, intent_of, unit_cost
from trader.access.sim.execution import id_of
from trader.access.sim.venue_classes import class_refusal
from trader.access.sim.venue_orders import ENDED, OrderRequest, Refusal, Replacement, VenueAsset, VenueOrder
from trader.access.sim.venue_rules import invalid, unprocessable, value_refusal
from trader.model.money import EXACT, NANO, ceil_to, divide, plain
from trader.model.orders import Side

_NOT_YET_REPLACEABLE = frozenset({"accepted", "pending_new", "pending_cancel"})


class Seen(NamedTuple):
    """What the market shows when a request comes: the price its order is valued at, and the last one.

    ``away_frac`` is how far from the last price a limit may be, as a share of it; None is any distance.
    """

    reference: Decimal | None
    last: Decimal | None
    away_frac: Decimal | None = None


def claim_of(
    books: Account, request: OrderRequest, asset: VenueAsset, seen: Seen, *, replaces: str = ""
) -> Claim | Refusal:
    """Return what an order, sound in itself, would take of the account, or why it may not."""
    if request.client_order_id in books.by_client_id:
        return invalid("client_order_id must be unique")
    price = request.limit_price or request.stop_price or seen.reference
    reference = seen.reference or price
    if reference is None or price is None:
        return unprocessable(f'asset "{request.symbol}" has no market price')  # ours alone: Alpaca always knows one
    intent = intent_of(request.side, books.qty(request.symbol))
    unit = unit_cost(request, intent, reference)
    if request.notional is not None:
        value, qty = request.notional, ceil_to(divide(request.notional, reference), NANO)
        claim = Claim(intent, qty, unit, value, replaces)
    else:
        assert request.qty is not None
        value = EXACT.multiply(request.qty, price)
        claim = Claim(intent, request.qty, unit, EXACT.multiply(request.qty, unit), replaces)
    refusal = value_refusal(request, asset, value) or _breached(request, seen.last) or _too_far(request, seen)
    refusal = refusal or class_refusal(request, intent, seen.last)
    return refusal or allowance_refusal(books, request, asset, claim) or claim


def order_of(books: Account, request: OrderRequest, claim: Claim, *, now: int, expires_at: int) -> VenueOrder:
    """Return the first snapshot of a new order."""
    return VenueOrder(
        id=next_id(books, request),
        client_order_id=_client_id(books, request),
        symbol=request.symbol,
        asset_class="crypto" if "/" in request.symbol else "stock",
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        position_intent=claim.intent,
        status="pending_new",
        created_at=now,
        updated_at=now,
        submitted_at=now,
        qty=request.qty,
        notional=request.notional,
        limit_price=request.limit_price,
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        extended_hours=request.extended_hours,
        expires_at=expires_at,
        replaces=claim.replaces or None,
        order_class=request.order_class,
    )


def next_id(books: Account, request: OrderRequest) -> str:
    """Return the id that the account's next order gets; equal client order ids of one account give equal ids."""
    return id_of(books.name, "order", _client_id(books, request))


def _client_id(books: Account, request: OrderRequest) -> str:
    return request.client_order_id or id_of(books.name, "client", str(len(books.orders)))


def _breached(request: OrderRequest, price: Decimal | None) -> Refusal | None:
    """Refuse a stop that the market has already passed."""
    if price is None or request.stop_price is None:
        return None
    is_buy = request.side is Side.BUY
    if request.stop_price > price if is_buy else request.stop_price < price:
        return None
    words = "greater" if is_buy else "less"
    return unprocessable(
        f"stop price must be {words} than current price",
        market_price=plain(price),
        stop_price=plain(request.stop_price),
    )


def _too_far(request: OrderRequest, seen: Seen) -> Refusal | None:
    """Refuse a limit far from the market. That Alpaca does is known, from where on is not."""
    if seen.away_frac is None or seen.last is None or request.limit_price is None:
        return None
    distance = EXACT.subtract(request.limit_price, seen.last).copy_abs()
    if distance <= EXACT.multiply(seen.last, seen.away_frac):
        return None
    return unprocessable("limit price is too far away from the market", market_price=plain(seen.last))  # our words


def changed(order: VenueOrder, change: Replacement) -> OrderRequest | Refusal:
    """Return the request that a replacement amounts to."""
    refusal = _not_replaceable(order, change)
    if refusal is not None:
        return refusal
    assert order.qty is not None
    changed = OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        time_in_force=change.time_in_force or order.time_in_force,
        qty=change.qty if change.qty is not None else EXACT.subtract(order.qty, order.filled_qty),
        limit_price=_either(change.limit_price, order.limit_price),
        stop_price=_either(change.stop_price, None if order.type == "trailing_stop" else order.stop_price),
        trail_price=_either(change.trail, order.trail_price) if order.trail_price is not None else None,
        trail_percent=_either(change.trail, order.trail_percent) if order.trail_percent is not None else None,
        extended_hours=order.extended_hours,
        client_order_id=change.client_order_id,
    )
    if change == Replacement(client_order_id=change.client_order_id):
        return unprocessable("order parameters are not changed")
    return changed


def _not_replaceable(order: VenueOrder, change: Replacement) -> Refusal | None:
    if order.status in ENDED:
        return invalid("only open orders can be replaced")
    if order.status in _NOT_YET_REPLACEABLE:
        return unprocessable("unable to replace order, order isn't sent to exchange yet")
    if order.qty is None:
        return unprocessable("notional orders cannot be replaced")  # our words
    if (order.legs or order.parent) and (change.qty is not None or change.time_in_force is not None):
        return unprocessable("only prices of complex orders can be replaced")  # our words
    if change.qty is not None and order.asset_class == "stock" and not _are_whole(order.qty, change.qty):
        return unprocessable("qty of fractional orders cannot be replaced")  # our words
    return None


def _either(new: Decimal | None, old: Decimal | None) -> Decimal | None:
    return old if new is None else new


def _are_whole(*quantities: Decimal) -> bool:
    return all(qty == qty.to_integral_value() for qty in quantities)
