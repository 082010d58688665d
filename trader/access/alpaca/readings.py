"""Raw answers of the trading API to typed values: what cannot be read costs only itself. Pure.

Source: Alpaca trading API 2.0.1 (OpenAPI document): Order, Position, TradingActivities, NonTradeActivities.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import msgspec

from trader.access.alpaca.executions import Fill, Told
from trader.access.alpaca.wire_time import ns_of
from trader.access.alpaca.wire_trading import TRADE_UPDATES, OrderMessage, TradeUpdateMessage, decode_trading
from trader.errors import WireError
from trader.model.money import EXACT, ZERO, divide
from trader.model.orders import Side
from trader.model.time import SECOND

_TEXT = 200  # characters of an activity's description
MOST_SPLIT = 1_000  # old shares for a new one; a ratio is a fraction of whole numbers up to here


class AccountFigures(msgspec.Struct, frozen=True):
    """What an account says of itself; ``invested`` is what its positions are worth, whatever their sign."""

    number: str
    cash: Decimal
    invested: Decimal


class Activity(msgspec.Struct, frozen=True):
    """Something in the account that is no execution: money in dollars, a split's new shares per old one, or neither."""

    id: str
    kind: str
    symbol: str
    amount: Decimal
    text: str
    ratio: Decimal | None = None

    def effective(self, now: int) -> int:
        """Return when it took effect, as its id begins with that time (ns UTC); ``now`` where it does not."""
        try:
            told = datetime.strptime(f"{self.id[:17]}+0000", "%Y%m%d%H%M%S%f%z")
        except ValueError:
            return now
        return min(now, round(told.timestamp() * 1000) * SECOND // 1000)

    @property
    def is_for_holders(self) -> bool:
        """Tell whether it is paid, or taken, by the share."""
        return "DIV" in self.kind or self.kind == "CIL"


def order_in(raw: object) -> OrderMessage:
    """Read an order, field by field if need be.

    Raises:
        WireError: it is none.
    """
    frame = msgspec.json.encode({"stream": TRADE_UPDATES, "data": {"event": "", "order": raw}})
    message = decode_trading(frame)
    if not isinstance(message, TradeUpdateMessage):
        raise WireError("no order", frame)
    return message.data.order


def orders_in(raw: object) -> list[OrderMessage]:
    """Read a list of orders; what is none is left out."""
    orders = []
    for one in _rows(raw):
        try:
            orders.append(order_in(one))
        except WireError:
            continue
    return orders


def positions_in(raw: object) -> dict[str, Decimal]:
    """Read an account's positions: signed quantities by the symbol as it stands there."""
    held = {}
    for row in _rows(raw):
        qty, symbol = _amount(row, "qty"), row.get("symbol")
        if qty is None or not isinstance(symbol, str):
            raise WireError("a position without symbol or quantity", repr(row))
        is_short = row.get("side") == "short" and qty > ZERO
        held[symbol] = qty.copy_negate() if is_short else qty
    return held


def fills_in(raw: object) -> list[Fill]:
    """Read activities of kind FILL, oldest first; others are left out."""
    fills = [fill for row in _rows(raw) if (fill := _fill(row)) is not None]
    return sorted(fills, key=lambda fill: fill.told.ts)  # rows of one instant stay in the order they came


def activities_in(raw: object, held: Mapping[str, Decimal]) -> list[Activity]:
    """Read activities that are no executions; where a split has no ratio, it follows from what it added to ``held``."""
    activities = []
    for row in _rows(raw):
        kind, symbol = str(row.get("activity_type") or ""), str(row.get("symbol") or "")
        if kind == "FILL" or not isinstance(row.get("id"), str):
            continue
        text = " ".join(str(row[name]) for name in ("activity_sub_type", "description") if row.get(name))[:_TEXT]
        ratio = _ratio(row, held.get(symbol, ZERO)) if kind == "SPLIT" else None
        activities.append(Activity(str(row["id"]), kind, symbol, _amount(row, "net_amount") or ZERO, text, ratio))
    return activities


def account_in(raw: object) -> AccountFigures:
    """Read an account's figures.

    Raises:
        WireError: there are none.
    """
    row = raw if isinstance(raw, dict) else {}
    cash = _amount(row, "cash")
    if cash is None:
        raise WireError("an account without cash", repr(raw)[:200])
    long, short = (_amount(row, f"{side}_market_value") or ZERO for side in ("long", "short"))
    return AccountFigures(str(row.get("account_number") or ""), cash, EXACT.add(long.copy_abs(), short.copy_abs()))


def last_id(raw: object) -> str:
    """Return the id of a page's last row, which asks for the next page."""
    rows = _rows(raw)
    return str(rows[-1].get("id", "")) if rows else ""


def _rows(raw: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(raw, list):
        raise WireError("no list", repr(raw)[:200])
    return [row for row in raw if isinstance(row, dict)]


def _fill(row: Mapping[str, object]) -> Fill | None:
    qty, price, cumulative = (_amount(row, name) for name in ("qty", "price", "cum_qty"))
    side, order_id, symbol, stamp = (row.get(name) for name in ("side", "order_id", "symbol", "transaction_time"))
    is_whole = isinstance(order_id, str) and isinstance(symbol, str) and isinstance(stamp, str)
    if row.get("activity_type") != "FILL" or not is_whole or side not in set(Side) or not qty or price is None:
        return None
    try:
        ts = ns_of(str(stamp))
    except ValueError:
        return None
    kind = row.get("execution_type")
    told = Told(
        venue_id=str(row.get("id", "")).rpartition("::")[2],
        cumulative=cumulative or ZERO,
        qty=qty.copy_abs(),
        price=price,
        ts=ts,
        kind="trade_bust" if kind == "trade_bust" else "trade_correct" if kind == "trade_correct" else "fill",
        undoes=str(row.get("previous_id") or ""),
    )
    return Fill(str(order_id), str(symbol), str(side), told)


def _ratio(row: Mapping[str, object], held: Decimal) -> Decimal | None:
    told = _amount(row, "ratio")
    if told is not None and told > ZERO:
        return told
    old, new, added = (_amount(row, name) for name in ("old_qty", "new_qty", "qty"))
    if old is None or new is None:
        old, new = held, EXACT.add(held, added or ZERO)
    if not old or not new or new.is_signed() != old.is_signed() or new == old:
        return None
    near = (Fraction(new) / Fraction(old)).limit_denominator(MOST_SPLIT)  # quantities are cut at nine decimals
    return divide(Decimal(near.numerator), Decimal(near.denominator)) if near > 0 else None


def _amount(row: Mapping[str, object], name: str) -> Decimal | None:
    try:
        value = Decimal(str(row.get(name)))
    except ArithmeticError:
        return None
    return value if value.is_finite() else None
