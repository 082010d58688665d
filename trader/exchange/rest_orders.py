"""Orders: placed, replaced, canceled, found and listed.

Source: Alpaca trading API 2.0.1 (OpenAPI document), and what alpaca-py sends and expects.
"""

from collections.abc import Iterator
from itertools import dropwhile, islice, takewhile
from typing import Final, NamedTuple

from trader.access.alpaca.wire_trading import jsonable
from trader.access.sim.accounts import Account, legs_of
from trader.access.sim.allowance import intent_of
from trader.access.sim.venue_orders import (
    ENDED,
    OrderRequest,
    Refusal,
    Replacement,
    StopLoss,
    TakeProfit,
    VenueOrder,
)  # fmt: skip
from trader.access.sim.venue_rules import forbidden, invalid, is_fractional, not_found, unprocessable
from trader.exchange.rest_desk import Answer, Ask, TradingDesk
from trader.exchange.rest_parameters import Declined, Fields, amount, choice, count, flag, moment, names, part, text
from trader.exchange.shapes import ASSET_CLASSES, order_json
from trader.model.orders import Side

DEFAULT_ORDERS, MOST_ORDERS = 50, 500
_INTENTS: Final = {"buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"}


def place(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Take a new order."""
    request = _request(desk, ask.fields)
    refusal = _set_up_refusal(desk, ask, request) or _intent_refusal(ask, request)
    if refusal is not None:
        return refusal
    return submitted(desk, ask, request)


def submitted(desk: TradingDesk, ask: Ask, request: OrderRequest) -> Answer | Refusal:
    """Hand an order to the venue and answer with it as it was taken, legs and all."""
    order = desk.venue.submit(ask.account.name, request, now=ask.now)
    return order if isinstance(order, Refusal) else _shown(ask.account, order, is_nested=True)


def replace(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Put a new order in the place of an open one."""
    fields = ask.fields
    change = Replacement(
        qty=amount(fields, "qty"),
        time_in_force=text(fields, "time_in_force") or None,
        limit_price=amount(fields, "limit_price"),
        stop_price=amount(fields, "stop_price"),
        trail=amount(fields, "trail"),
        client_order_id=text(fields, "client_order_id"),
    )
    order = desk.venue.replace(ask.account.name, ask.path["order_id"], change, now=ask.now)
    return order if isinstance(order, Refusal) else _shown(ask.account, order, is_nested=True)


def cancel(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Ask for an order's end; the stream tells when it has come."""
    order = desk.venue.cancel(ask.account.name, ask.path["order_id"], now=ask.now)
    return order if isinstance(order, Refusal) else Answer(204, order_id=order.id)


def cancel_all(desk: TradingDesk, ask: Ask) -> Answer:
    """Ask for the end of every open order."""
    orders = desk.venue.cancel_all(ask.account.name, now=ask.now)
    return Answer(207, [{"id": order.id, "status": 200} for order in orders])


def find(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Show an order by its id."""
    desk.venue.advance(ask.now)
    return _found(ask, ask.path["order_id"])


def find_by_client_id(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Show an order by the id that its owner gave it."""
    desk.venue.advance(ask.now)
    client_id = text(ask.query, "client_order_id")
    if not client_id:
        return invalid("client_order_id is required")  # our words
    order_id = ask.account.by_client_id.get(client_id)
    return not_found(client_id) if order_id is None else _found(ask, order_id)


def list_orders(desk: TradingDesk, ask: Ask) -> Answer:
    """Show orders by status and time, newest first unless asked otherwise."""
    desk.venue.advance(ask.now)
    is_nested = flag(ask.query, "nested")
    limit = count(ask.query, "limit", default=DEFAULT_ORDERS, most=MOST_ORDERS)
    found = islice(_chosen(desk, ask, is_nested=is_nested), limit)
    return Answer(200, [_json(ask.account, order, is_nested=is_nested) for order in found])


def _request(desk: TradingDesk, fields: Fields) -> OrderRequest:
    symbol = text(fields, "symbol")
    if not symbol:
        raise Declined(invalid("symbol is required"))  # our words
    intent = text(fields, "position_intent")
    if intent and intent not in _INTENTS:
        raise Declined(invalid("invalid position_intent"))
    side = text(fields, "side") or intent.partition("_")[0]
    if side not in {"buy", "sell"}:
        raise Declined(invalid("invalid side" if side else "side is required"))
    take_profit, stop_loss = part(fields, "take_profit"), part(fields, "stop_loss")
    return OrderRequest(
        symbol=_slashed(desk, symbol),
        side=Side(side),
        type=text(fields, "type"),
        time_in_force=text(fields, "time_in_force"),
        qty=amount(fields, "qty"),
        notional=amount(fields, "notional"),
        limit_price=amount(fields, "limit_price"),
        stop_price=amount(fields, "stop_price"),
        trail_price=amount(fields, "trail_price"),
        trail_percent=amount(fields, "trail_percent"),
        extended_hours=flag(fields, "extended_hours"),
        client_order_id=text(fields, "client_order_id"),
        order_class=text(fields, "order_class"),
        take_profit=None if take_profit is None else TakeProfit(amount(take_profit, "limit_price")),
        stop_loss=None
        if stop_loss is None
        else StopLoss(amount(stop_loss, "stop_price"), amount(stop_loss, "limit_price")),
    )


def _set_up_refusal(desk: TradingDesk, ask: Ask, request: OrderRequest) -> Refusal | None:
    """Refuse what the account's owner has forbidden himself."""
    settings = desk.settings.get(ask.account.name, {})
    if settings.get("suspend_trade"):
        return forbidden("trading is suspended by user")  # our words
    if settings.get("fractional_trading") is False and "/" not in request.symbol and is_fractional(request):
        return forbidden("fractional trading is disabled by user")  # our words
    return None


def _intent_refusal(ask: Ask, request: OrderRequest) -> Refusal | None:
    """Refuse an order that would open what its sender wants to close, or the other way round."""
    given = text(ask.fields, "position_intent")
    inferred = intent_of(request.side, ask.account.qty(request.symbol))
    if not given or given == inferred:
        return None
    return unprocessable(f"position intent mismatch, inferred: {inferred}, specified: {given}")


def _slashed(desk: TradingDesk, symbol: str) -> str:
    """Return the spelling of orders; the older one without a slash is understood."""
    return symbol if symbol in desk.venue.assets else desk.pairs.slashed(symbol)


def _found(ask: Ask, order_id: str) -> Answer | Refusal:
    order = ask.account.orders.get(order_id)
    return not_found(order_id) if order is None else _shown(ask.account, order, is_nested=flag(ask.query, "nested"))


def _shown(account: Account, order: VenueOrder, *, is_nested: bool) -> Answer:
    return Answer(200, _json(account, order, is_nested=is_nested), order.id)


def _json(account: Account, order: VenueOrder, *, is_nested: bool) -> dict[str, object]:
    return jsonable(order_json(order, legs=legs_of(account, order) if is_nested else ()))


class _Wanted(NamedTuple):
    """Which orders a list is to have; empty sets are of no matter."""

    status: str
    after: int | None
    until: int | None
    symbols: frozenset[str]
    sides: frozenset[str]
    asset_classes: frozenset[str]

    def has_status(self, order: VenueOrder) -> bool:
        """Return whether it is as open, or as closed, as wanted."""
        return self.status == "all" or (order.status in ENDED) == (self.status == "closed")

    def has(self, order: VenueOrder) -> bool:
        """Return whether the list is to have it."""
        return (
            self.has_status(order)
            and (self.after is None or order.submitted_at > self.after)
            and (self.until is None or order.submitted_at < self.until)
            and (not self.symbols or order.symbol in self.symbols)
            and (not self.sides or order.side.value in self.sides)
            and (not self.asset_classes or ASSET_CLASSES[order.asset_class] in self.asset_classes)
        )


def _wanted(desk: TradingDesk, query: Fields) -> _Wanted:
    return _Wanted(
        status=choice(query, "status", ("open", "closed", "all")),
        after=moment(query, "after"),
        until=moment(query, "until"),
        symbols=frozenset(_slashed(desk, symbol) for symbol in names(query, "symbols")),
        sides=frozenset(names(query, "side")),
        asset_classes=frozenset(names(query, "asset_class")) - {"all"},
    )


def _chosen(desk: TradingDesk, ask: Ask, *, is_nested: bool) -> Iterator[VenueOrder]:
    """Yield the orders that a list is to have. Orders stand in the account as they came, so none is sorted."""
    wanted, orders = _wanted(desk, ask.query), ask.account.orders
    is_descending = choice(ask.query, "direction", ("desc", "asc")) == "desc"
    in_turn = reversed(orders.values()) if is_descending else iter(orders.values())
    for order in _between(ask, in_turn, is_descending=is_descending):
        parent = orders.get(order.parent or "") if is_nested else None
        is_rolled_up = parent is not None and wanted.has_status(parent)
        if wanted.has(order) and not is_rolled_up:
            yield order


def _between(ask: Ask, orders: Iterator[VenueOrder], *, is_descending: bool) -> Iterator[VenueOrder]:
    """Cut a list at the order that it is to begin after or to end before."""
    before, after = text(ask.query, "before_order_id"), text(ask.query, "after_order_id")
    if not before and not after:
        return orders
    if (before and after) or ask.query.get("after") or ask.query.get("until"):
        raise Declined(invalid("before_order_id, after_order_id, and after or until cannot be combined"))  # our words
    mark = before or after
    if mark not in ask.account.orders:
        raise Declined(not_found(mark))
    if bool(before) == is_descending:
        return islice(dropwhile(lambda order: order.id != mark, orders), 1, None)
    return takewhile(lambda order: order.id != mark, orders)
