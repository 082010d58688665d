"""Order classes: bracket, one triggers the other, one cancels the other. What their exits are, and may be. Pure.

A bracket is an entry with a take-profit and a stop-loss, OTO an entry with one of them, OCO the two exits of a
position that is there; its take-profit is the order that was sent, its stop-loss the leg. Exits are ``held`` until the
entry has filled completely. Beside an open take-profit the stop-loss stays ``held`` to the eye, but is watched: it is
``new`` when its stop is reached. What one exit fills the other has less to fill; when one order of a group ends, but
for an entry that has filled, the others do.
Source: "Orders at Alpaca" (bracket, OCO, OTO; threshold on stop price of stop-loss orders); order states as users of
the paper venue report them, 2020 to 2025.
"""

from decimal import Decimal

import msgspec

from trader.access.sim.execution import id_of
from trader.access.sim.venue_orders import OrderRequest, PositionIntent, Refusal, TakeProfit, VenueOrder
from trader.access.sim.venue_rules import unprocessable
from trader.model.money import EXACT, plain
from trader.model.orders import Side

_CENT = Decimal("0.01")
_ENTRIES = frozenset({"bracket", "oto"})
_CLOSES: dict[Side, PositionIntent] = {Side.BUY: "buy_to_close", Side.SELL: "sell_to_close"}


def sorted_out(request: OrderRequest) -> OrderRequest:
    """Give an OCO order the limit of its take-profit, or the other way round: clients send either."""
    if request.order_class != "oco" or request.type != "limit":
        return request
    limit = request.take_profit.limit_price if request.take_profit else request.limit_price
    return msgspec.structs.replace(request, limit_price=limit, take_profit=TakeProfit(limit))


def class_refusal(request: OrderRequest, intent: PositionIntent, price: Decimal | None) -> Refusal | None:
    """Return why exits do not go with this order, at a market of ``price``, None if they do."""
    is_entry = intent.endswith("_to_open")
    if request.order_class in _ENTRIES and not is_entry:
        return unprocessable(f"{request.order_class} orders must be entry orders")
    if request.order_class == "oco" and is_entry:
        return unprocessable("oco orders must be exit orders")
    profit = request.take_profit.limit_price if request.take_profit else None
    stop = request.stop_loss.stop_price if request.stop_loss else None
    if request.order_class == "oco":
        return exits_refusal(request.side, profit, stop, bases=(price,))
    exit_side = Side.SELL if request.side is Side.BUY else Side.BUY
    bases = (request.limit_price,) if request.limit_price is not None else (price,)
    return _profit_refusal(exit_side, profit, bases[0]) or exits_refusal(exit_side, profit, stop, bases=(*bases, price))


def exits_refusal(
    side: Side, profit: Decimal | None, stop: Decimal | None, *, bases: tuple[Decimal | None, ...]
) -> Refusal | None:
    """Refuse a stop-loss of ``side`` that is not beyond its take-profit, nor a cent beyond each base price."""
    is_sell = side is Side.SELL
    if stop is None:
        return None
    if profit is not None and not (profit > stop if is_sell else profit < stop):
        return unprocessable(f"take_profit.limit_price must be {'>' if is_sell else '<'} stop_loss.stop_price")
    for base in bases:
        if base is None:
            continue
        edge = EXACT.subtract(base, _CENT) if is_sell else EXACT.add(base, _CENT)
        if not (stop <= edge if is_sell else stop >= edge):
            words = "<= base_price - 0.01" if is_sell else ">= base_price + 0.01"
            return unprocessable(f"stop_loss.stop_price must be {words}", base_price=plain(base))
    return None


def leg_orders(parent: VenueOrder, request: OrderRequest) -> list[VenueOrder]:
    """Return the legs of a new order, its take-profit first."""
    legs = []
    side = request.side if request.order_class == "oco" else Side.SELL if request.side is Side.BUY else Side.BUY
    if request.take_profit is not None and request.order_class != "oco":
        legs.append(_leg(parent, "limit", side, limit_price=request.take_profit.limit_price))
    loss = request.stop_loss
    if loss is not None:
        kind = "stop" if loss.limit_price is None else "stop_limit"
        legs.append(_leg(parent, kind, side, limit_price=loss.limit_price, stop_price=loss.stop_price))
    return legs


def _profit_refusal(side: Side, profit: Decimal | None, base: Decimal | None) -> Refusal | None:
    if profit is None or base is None:
        return None
    is_sell = side is Side.SELL
    edge = EXACT.add(base, _CENT) if is_sell else EXACT.subtract(base, _CENT)
    if profit >= edge if is_sell else profit <= edge:
        return None
    words = ">= base_price + 0.01" if is_sell else "<= base_price - 0.01"
    return unprocessable(f"take_profit.limit_price must be {words}", base_price=plain(base))


def _leg(
    parent: VenueOrder, kind: str, side: Side, *, limit_price: Decimal | None, stop_price: Decimal | None = None
) -> VenueOrder:
    return msgspec.structs.replace(
        parent,
        id=id_of(parent.id, kind),
        client_order_id=id_of(parent.id, kind, "client"),
        side=side,
        type=kind,
        position_intent=_CLOSES[side],
        status="held",
        limit_price=limit_price,
        stop_price=stop_price,
        legs=(),
        parent=parent.id,
    )
