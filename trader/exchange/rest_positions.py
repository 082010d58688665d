"""Positions: shown, and closed whole or in part, one or all.

A crypto position is named without its slash (``BTCUSD``), which a path could not hold.
Source: Alpaca trading API 2.0.1 (OpenAPI document); alpaca-py's threads about ``BTC/USD`` in paths.
"""

from decimal import Decimal
from typing import Final

from trader.access.sim.accounts import Account
from trader.access.sim.venue_orders import OrderRequest, Refusal
from trader.access.sim.venue_rules import invalid
from trader.exchange.rest_desk import Answer, Ask, Later, TradingDesk
from trader.exchange.rest_orders import submitted
from trader.exchange.rest_parameters import Declined, amount, flag
from trader.exchange.shapes import Body, asset_id, position_json
from trader.model.money import EXACT, NANO, ONE, ZERO, floor_to
from trader.model.orders import Side

_WHOLE: Final = Decimal(100)
_NOT_THERE = Refusal(404, 40410000, "position does not exist")


def list_positions(desk: TradingDesk, ask: Ask) -> Answer:
    """Show all positions."""
    desk.venue.advance(ask.now)
    return Answer(200, [_json(desk, ask, symbol) for symbol in ask.account.positions])


def show_position(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Show the position in one asset."""
    desk.venue.advance(ask.now)
    symbol = _held(desk, ask)
    return _NOT_THERE if symbol is None else Answer(200, _json(desk, ask, symbol))


def close_position(desk: TradingDesk, ask: Ask) -> Answer | Refusal:
    """Send a market order against a position: for all of it, a quantity or a percentage."""
    desk.venue.advance(ask.now)
    symbol = _held(desk, ask)
    if symbol is None:
        return _NOT_THERE
    held = ask.account.qty(symbol).copy_abs()
    return submitted(desk, ask, _closing(ask.account, symbol, _part_of(held, ask)))


def close_all_positions(desk: TradingDesk, ask: Ask) -> Answer | Later:
    """Send a market order against every position, after all orders have been canceled if that is asked for."""
    desk.venue.advance(ask.now)
    if flag(ask.query, "cancel_orders"):
        desk.venue.cancel_all(ask.account.name, now=ask.now)
        return Later(lambda: not ask.account.working, _close_all)
    return _close_all(desk, ask)


def _close_all(desk: TradingDesk, ask: Ask) -> Answer:
    return Answer(207, [_closed(desk, ask, symbol) for symbol in tuple(ask.account.positions)])


def _closed(desk: TradingDesk, ask: Ask, symbol: str) -> Body:
    answer = submitted(desk, ask, _closing(ask.account, symbol, ask.account.qty(symbol).copy_abs()))
    named: Body = {"symbol": symbol.replace("/", ""), "status": answer.status}
    if isinstance(answer, Refusal):
        return named | {"body": {"code": answer.code, "message": answer.message, **answer.extra}}
    return named | {"order_id": answer.order_id, "body": answer.body}


def _held(desk: TradingDesk, ask: Ask) -> str | None:
    """Return the symbol of the position that a path names by symbol or asset id; a name with a slash is no path."""
    given = ask.path["symbol"]
    if "/" in given:
        raise Declined(Refusal(404, 40410000, f"endpoint not found: /v2/positions/{given}"))  # our words
    symbol = desk.pairs.slashed(given)
    if symbol in ask.account.positions:
        return symbol
    return next((held for held in ask.account.positions if asset_id(held) == given), None)


def _part_of(held: Decimal, ask: Ask) -> Decimal:
    qty, percentage = amount(ask.query, "qty"), amount(ask.query, "percentage")
    if qty is not None and percentage is not None:
        raise Declined(invalid("only one of qty or percentage is accepted"))  # our words
    if qty is not None:
        return qty
    if percentage is None:
        return held
    if not ZERO < percentage <= _WHOLE:
        raise Declined(invalid("percentage must be between 0 and 100"))  # our words
    step = NANO if EXACT.remainder(held, ONE) else ONE  # whole shares stay whole
    return floor_to(EXACT.scaleb(EXACT.multiply(held, percentage), -2), step)


def _closing(account: Account, symbol: str, qty: Decimal) -> OrderRequest:
    side = Side.SELL if account.qty(symbol) > ZERO else Side.BUY
    return OrderRequest(symbol, side, "market", "gtc" if "/" in symbol else "day", qty=qty)


def _json(desk: TradingDesk, ask: Ask, symbol: str) -> Body:
    closed_at = desk.last_close(ask.now)
    last_day = desk.price_at(symbol, closed_at)
    return position_json(ask.account, symbol, price=desk.price_of(symbol), last_day=last_day, closed_at=closed_at)
