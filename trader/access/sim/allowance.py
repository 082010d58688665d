"""What an account allows: no crossing of its own orders, no more shares than are free, no more than its money. Pure.

Wash trades: an order is held against every open order on the other side of its symbol. Where one of the two would
trade at any price (market, stop) it is refused; two that are limited (limit, stop_limit) may stand apart, and are
refused when the buyer's limit reaches the seller's. A trailing stop neither is refused so nor makes others be; nor
do exits whose entry has not filled, and the orders of one group among themselves.
Source: Alpaca documentation "User Protection", 2026-09-16; buying power: "Orders at Alpaca", both read 2026-11.
"""

from decimal import Decimal

import msgspec

from trader.access.sim.accounts import Account
from trader.access.sim.venue_orders import OrderRequest, PositionIntent, Refusal, VenueAsset, VenueOrder
from trader.access.sim.venue_rules import forbidden, is_fractional, unprocessable
from trader.access.sim.working import collared
from trader.model.money import EXACT, ZERO, plain
from trader.model.orders import Side

MOST_EXPOSURE = Decimal(6)  # a position above this many times the equity leaves only closing
SHORT_COLLAR = Decimal("1.03")  # a short is valued at 3 % above the market, or at its limit
_AT_ANY_PRICE = frozenset({"market", "stop"})
_EXEMPT = "trailing_stop"


class Claim(msgspec.Struct, frozen=True):
    """What an order would take: what it does to the position, its quantity, and its dollars in all and per share.

    ``replaces`` is the open order whose shares, money and place it would take over.
    """

    intent: PositionIntent
    qty: Decimal
    unit: Decimal
    dollars: Decimal
    replaces: str = ""


def intent_of(side: Side, position: Decimal) -> PositionIntent:
    """Return whether an order opens or closes: what is against the position closes it, and cannot go through zero."""
    if side is Side.BUY:
        return "buy_to_close" if position < ZERO else "buy_to_open"
    return "sell_to_close" if position > ZERO else "sell_to_open"


def unit_cost(order: OrderRequest | VenueOrder, intent: PositionIntent, reference: Decimal) -> Decimal:
    """Return the dollars one share of an opening order claims, ``reference`` being the market's price."""
    if intent == "sell_to_open":
        return max(order.limit_price or ZERO, EXACT.multiply(reference, SHORT_COLLAR))
    if order.limit_price is not None:
        return order.limit_price
    if order.trail_price is not None:
        return collared(EXACT.add(reference, order.trail_price))
    if order.trail_percent is not None:
        return collared(EXACT.add(reference, EXACT.multiply(reference, EXACT.scaleb(order.trail_percent, -2))))
    return collared(order.stop_price if order.stop_price is not None else reference)


def allowance_refusal(account: Account, request: OrderRequest, asset: VenueAsset, claim: Claim) -> Refusal | None:
    """Return why the account does not allow an order, None if it does."""
    refusal = _wash_trade(account, request, claim.replaces)
    if refusal is not None:
        return refusal
    if not claim.intent.endswith("_to_open"):
        return _shares(account, request, asset, claim)
    if _is_closing_only(account):
        return forbidden("account is restricted to closing positions")  # our words
    if claim.intent == "sell_to_open":
        refusal = _coins(account, asset, claim) if asset.is_crypto else _short(account, request, asset)
    return refusal or _both_ways(account, request, claim) or _money(account, asset, claim)


def _is_closing_only(account: Account) -> bool:
    most = EXACT.multiply(MOST_EXPOSURE, account.equity)
    return any(account.value(symbol).copy_abs() > most for symbol in account.positions)


def _wash_trade(account: Account, request: OrderRequest, replaces: str) -> Refusal | None:
    if request.type == _EXEMPT:
        return None
    apart = account.working.get(replaces)
    for working in account.working.values():
        order = working.order
        is_own = apart is not None and working.is_with(apart)
        is_out = working.is_leg and working.group is not None and not working.group.is_released
        is_other = order.symbol == request.symbol and order.side is not request.side and not is_own and not is_out
        if is_other and order.type != _EXEMPT and _crosses(order, request):
            kind = "market/stop" if order.type in _AT_ANY_PRICE else "limit"
            return forbidden(
                "potential wash trade detected. use complex orders",
                existing_order_id=order.id,
                reject_reason=f"opposite side {kind} order exists",
            )
    return None


def _crosses(order: VenueOrder, request: OrderRequest) -> bool:
    if order.type in _AT_ANY_PRICE or request.type in _AT_ANY_PRICE:
        return True
    assert order.limit_price is not None
    assert request.limit_price is not None
    if request.side is Side.BUY:
        return request.limit_price >= order.limit_price
    return order.limit_price >= request.limit_price


def _shares(account: Account, request: OrderRequest, asset: VenueAsset, claim: Claim) -> Refusal | None:
    """Refuse to close more than is free; an order in dollars wants the whole position to itself."""
    available = account.available(request.symbol, apart_from=claim.replaces)
    existing = account.qty(request.symbol).copy_abs()
    held = EXACT.subtract(existing, available)
    if claim.qty <= available and not (request.qty is None and held):
        return None
    if asset.is_crypto:
        return _coins(account, asset, claim)
    related = [
        order.order.id
        for order in account.working.values()
        if order.order.symbol == request.symbol and not order.is_opening and order.order.id != claim.replaces
    ]
    return forbidden(
        f"insufficient qty available for order (requested: {plain(claim.qty)}, available: {plain(available)})",
        available=plain(available),
        existing_qty=plain(existing),
        held_for_orders=plain(held),
        symbol=request.symbol,
        related_orders=related,
    )


def _coins(account: Account, asset: VenueAsset, claim: Claim) -> Refusal:
    symbol = asset.instrument.symbol
    available = account.available(symbol, apart_from=claim.replaces)
    return _balance(asset.instrument.base, claim.qty, available=available, balance=account.qty(symbol))


def _short(account: Account, request: OrderRequest, asset: VenueAsset) -> Refusal | None:
    if is_fractional(request):
        return unprocessable("fractional orders cannot be sold short")
    if not asset.is_shortable:
        return unprocessable(f'asset "{request.symbol}" cannot be sold short')
    rules = account.rules
    if not rules.is_shorting_allowed or account.equity < rules.margin_equity:
        return forbidden("account is not allowed to short")
    return None


def _both_ways(account: Account, request: OrderRequest, claim: Claim) -> Refusal | None:
    """Refuse to open in one direction while an order to open in the other is there: together they would cross zero."""
    for working in account.working.values():
        order = working.order
        is_same = order.symbol != request.symbol or order.side is request.side or order.id == claim.replaces
        if is_same or not working.is_opening:
            continue
        if request.side is Side.BUY:
            return forbidden("cannot open a long buy while a short sell order is open")
        return forbidden("cannot open a short sell while a long buy order is open")
    return None


def _money(account: Account, asset: VenueAsset, claim: Claim) -> Refusal | None:
    if asset.is_crypto:
        free = account.non_marginable_buying_power(apart_from=claim.replaces)
        return None if claim.dollars <= free else _balance("USD", claim.dollars, available=free, balance=account.cash)
    power = account.buying_power(apart_from=claim.replaces)
    if claim.dollars <= power:
        return None
    return forbidden("insufficient buying power", buying_power=plain(power), cost_basis=plain(claim.dollars))


def _balance(currency: str, requested: Decimal, *, available: Decimal, balance: Decimal) -> Refusal:
    return forbidden(
        f"insufficient balance for {currency} (requested: {plain(requested)}, available: {plain(available)})",
        available=plain(available),
        balance=plain(balance),
        symbol=currency,
    )
