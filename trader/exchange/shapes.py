"""Orders and their updates, accounts, positions, rows of ledgers and assets as Alpaca writes them.

Source: Alpaca trading API 2.0.1 (OpenAPI document); a session of ``trade_updates`` recorded on 2026-09-18; recorded
answers of paper and live accounts.
"""

from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from trader.access.alpaca.wire_trading import OrderMessage, TradeUpdate
from trader.access.sim import venue_orders as venue
from trader.access.sim.accounts import Account, position_of, sum_of
from trader.access.sim.execution import id_of
from trader.access.sim.venue_orders import Activity, VenueAsset
from trader.model.instruments import AssetClass
from trader.model.money import EXACT, NANO, ZERO, divide, floor_to, plain
from trader.model.time import NEW_YORK, SECOND, iso, utc

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


Body = dict[str, object]

_RATIO: Final = Decimal("1e-16")
_INITIAL, _MAINTENANCE = Decimal("0.5"), Decimal("0.3")  # of what stocks are worth
_DESCRIPTIONS: Final = {
    "FEE": "Regulatory fee", "CFEE": "Coin Pair Transaction Fee", "SPLIT": "Stock split", "DIV": "Cash DIV",
    "INT": "Interest", "CSD": "Cash deposit", "CSW": "Cash withdrawal", "JNLC": "Journal of cash",
}  # fmt: skip


def account_json(account: Account, *, last_equity: Decimal, since: int) -> Body:
    """Describe an account but for its settings; ``last_equity`` is that of the last close."""
    values = {symbol: account.value(symbol) for symbol in account.positions}
    longs = sum_of([value for value in values.values() if value > ZERO])
    shorts = sum_of([value for value in values.values() if value < ZERO])
    stocks = sum_of([value.copy_abs() for symbol, value in values.items() if "/" not in symbol])
    equity, power = plain(account.equity), plain(account.buying_power())
    free = plain(account.non_marginable_buying_power())
    return {
        "id": id_of("account", account.name),
        "account_number": account.name,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": plain(account.cash),
        "equity": equity,
        "portfolio_value": equity,
        "last_equity": plain(last_equity),
        "buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": free,
        "options_buying_power": free,
        "long_market_value": plain(longs),
        "short_market_value": plain(shorts),
        "initial_margin": plain(EXACT.multiply(stocks, _INITIAL)),
        "maintenance_margin": plain(EXACT.multiply(stocks, _MAINTENANCE)),
        "multiplier": plain(account.rules.multiplier),
        "shorting_enabled": account.rules.is_shorting_allowed and account.equity >= account.rules.margin_equity,
        **dict.fromkeys(("account_blocked", "trading_blocked", "transfers_blocked"), False),
        **dict.fromkeys(("last_maintenance_margin", "intraday_adjustments", "sma"), "0"),
        **dict.fromkeys(("accrued_fees", "pending_reg_taf_fees"), "0"),
        **dict.fromkeys(("options_approved_level", "options_trading_level"), 0),
        "crypto_tier": 1,
        "balance_asof": _new_york_day(since),
        "created_at": iso(since),
    }


def position_json(
    account: Account, symbol: str, *, price: Decimal | None, last_day: Decimal | None, closed_at: int
) -> Body:
    """Describe a position at the market's price, and at the last close's; what nobody knows counts as no change.

    What was bought since that close is compared with what it cost, not with the close.
    """
    position = account.positions[symbol]
    value = account.value(symbol)
    basis = position.cost if position.qty > ZERO else position.cost.copy_negate()
    entry = floor_to(position.avg_entry_price, NANO)
    current = entry if price is None else price
    before = current if last_day is None else last_day
    since = position_of(account.activities, symbol, marked=(closed_at, before)).cost.copy_sign(position.qty)
    gain, today = EXACT.subtract(value, basis), EXACT.subtract(value, since)
    is_coin = "/" in symbol
    return {
        "asset_id": asset_id(symbol),
        "symbol": symbol.replace("/", ""),
        "exchange": exchange_of(symbol),
        "asset_class": ASSET_CLASSES["crypto" if is_coin else "stock"],
        "asset_marginable": not is_coin,
        "qty": plain(position.qty),
        "qty_available": plain(account.available(symbol).copy_sign(position.qty)),
        "avg_entry_price": plain(entry),
        "side": "long" if position.qty > ZERO else "short",
        "market_value": plain(value),
        "cost_basis": plain(basis),
        "unrealized_pl": plain(gain),
        "unrealized_plpc": _ratio(gain, basis),
        "unrealized_intraday_pl": plain(today),
        "unrealized_intraday_plpc": _ratio(today, since),
        "current_price": plain(current),
        "lastday_price": plain(before),
        "change_today": _ratio(EXACT.subtract(current, before), before),
    }


def activity_json(row: Activity) -> Body:
    """Describe a row of an account's ledger: an execution with its time, anything else with its day in New York."""
    if row.activity_type != "FILL":
        return _without_order(row)
    assert row.side is not None
    assert row.price is not None
    return {
        "id": row.id,
        "activity_type": "FILL",
        "transaction_time": iso(row.ts),
        "type": "fill" if row.order_status == "filled" else "partial_fill",
        "price": plain(row.price),
        "qty": plain(row.qty),
        "side": row.side.value,
        "symbol": row.symbol,
        "leaves_qty": plain(row.leaves_qty or ZERO),
        "cum_qty": plain(row.cum_qty or ZERO),
        "order_id": row.order_id,
        "order_status": row.order_status,
        **_taken_back(row),
    }


def asset_json(asset: VenueAsset) -> Body:
    """Describe an asset; who borrows it out is told in the old way and in the new one."""
    symbol, instrument, is_coin = asset.instrument.symbol, asset.instrument, asset.is_crypto
    is_shortable = asset.is_shortable and not is_coin
    margin = 100 if is_coin else 30
    body: Body = {
        "id": asset_id(symbol),
        "class": ASSET_CLASSES[instrument.asset_class],
        "exchange": exchange_of(symbol),
        "symbol": symbol,
        "name": f"{symbol.replace('/', ' / ')} of the local exchange",
        "status": "active",
        "tradable": asset.is_tradable,
        "marginable": not is_coin,
        "maintenance_margin_requirement": margin,
        "margin_requirement_long": str(margin),
        "margin_requirement_short": str(margin),
        "shortable": is_shortable,
        "easy_to_borrow": is_shortable,
        "borrow_status": "easy_to_borrow" if is_shortable else "hard_to_borrow",
        "fractionable": asset.is_fractionable,
        "attributes": ["fractional_eh_enabled"] if asset.is_fractionable else [],
    }
    if is_coin:
        body["min_order_size"] = plain(asset.min_order_size)
        body["min_trade_increment"] = plain(instrument.qty_increment)
        body["price_increment"] = plain(instrument.price_increment)
    return body


def exchange_of(symbol: str) -> str:
    """Return where an asset is listed: nobody told us of stocks, so all are at one place."""
    return "CRYPTO" if "/" in symbol else "NASDAQ"


def _without_order(row: Activity) -> Body:
    split: Body = {}
    if row.old_qty is not None and row.new_qty is not None:
        split = {"old_qty": plain(row.old_qty), "new_qty": plain(row.new_qty)}
    return {
        "id": row.id,
        "activity_type": row.activity_type,
        "date": _new_york_day(row.ts),
        "created_at": iso(row.ts),
        "net_amount": plain(row.net_amount),
        "description": _DESCRIPTIONS[row.activity_type],
        "symbol": row.symbol.replace("/", ""),
        "qty": plain(row.qty),
        "status": "executed",
        **split,
        **_taken_back(row),
    }


def _taken_back(row: Activity) -> Body:
    """Return what a row says that takes back an execution, or stands in its place."""
    if row.execution_type == "fill":
        return {}
    return {"execution_type": row.execution_type, "previous_id": row.previous_id}


def _ratio(part: Decimal, whole: Decimal) -> str:
    return plain(floor_to(divide(part, whole.copy_abs()), _RATIO)) if whole else "0"


def _new_york_day(ts: int) -> str:
    return utc(ts).astimezone(NEW_YORK).date().isoformat()
